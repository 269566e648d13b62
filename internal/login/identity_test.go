package login

import (
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

func TestSubjectIsStable(t *testing.T) {
	// A change of these would make every user another one.
	cases := []struct{ name, source, user, want string }{
		{"upstream", "https://idp.example", "248289761001", "u_35wd04exzxewt0gt94w08tgggqjnq1y07ny6e17pngx2p4q34kmg"},
		{"users file", sourceUsersFile, "alice", "u_tycvdj8y3rmcf6yhg58dzspsfvap7qjee0ghwcqs0rsbxpbndg70"},
		{"development", sourceDevelopment, "alice", "u_67wsrqm2hkm97c0hrzntszpmg2shc9jdn9c073k8acvpm3rvz4z0"},
	}
	seen := map[string]bool{}
	for _, c := range cases {
		got := subjectOf(c.source, c.user)
		if got != c.want || seen[got] {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		seen[got] = true
	}
}

func TestDeveloper(t *testing.T) {
	cases := []struct{ name, typed, login, email string }{
		{"plain", "alice", "alice", "alice@localhost"},
		{"blanks at the ends", "  alice\t", "alice", "alice@localhost"},
		{"dotted", "alice.b+c", "alice.b+c", "alice.b+c@localhost"},
		{"two words", "Alice B", "Alice B", ""},
		{"an address", "alice@example.com", "alice@example.com", ""},
		{"markup", "<b>alice</b>", "<b>alice</b>", ""},
		{"decomposed", "Rene\u0301", "Ren\u00e9", "Ren\u00e9@localhost"},
		{"longest", strings.Repeat("a", 64), strings.Repeat("a", 64), strings.Repeat("a", 64) + "@localhost"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u, err := Developer(c.typed)
			if err != nil || u.Login != c.login || u.Name != c.login || u.Email != c.email || u.EmailVerified != (c.email != "") {
				t.Errorf("got %+v, %v", u, err)
			}
			if u.Subject != subjectOf(sourceDevelopment, folded(c.login)) {
				t.Errorf("subject %q", u.Subject)
			}
		})
	}
}

// badNames are names that nobody can have.
var badNames = []struct{ name, typed string }{
	{"empty", ""},
	{"blank", "   "},
	{"too long", strings.Repeat("a", 65)},
	{"line feed", "al\nice"},
	{"NUL", "al\x00ice"},
	{"no-break space", "al\u00a0ice"},
	{"zero width", "al\u200bice"},
	{"override", "al\u202eice"},
	{"not UTF-8", "al\xffice"},
}

func TestDeveloperRefuses(t *testing.T) {
	for _, c := range badNames {
		t.Run(c.name, func(t *testing.T) {
			_, err := Developer(c.typed)
			wantOutcome(t, err, oauth.InvalidRequest)
		})
	}
}

func TestNamesAreComparedWithoutCase(t *testing.T) {
	cases := []struct {
		name, one, other string
		same             bool
	}{
		{"capitals", "ALICE", "alice", true},
		{"composed and decomposed", "Rene\u0301", "ren\u00c9", true},
		{"sharp s", "strasse", "STRA\u00dfE", true},
		{"sigma", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3", true},
		{"accent", "rene", "ren\u00e9", false},
		{"another letter", "alice", "al\u0456ce", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if same := folded(c.one) == folded(c.other); same != c.same {
				t.Errorf("%q and %q: %v", c.one, c.other, same)
			}
		})
	}
}

func TestIsEmail(t *testing.T) {
	cases := []struct {
		name, text string
		want       bool
	}{
		{"plain", "alice@example.com", true},
		{"tagged", "alice+mcp@example.com", true},
		{"none", "", false},
		{"no domain", "alice", false},
		{"two at signs", "alice@example.com@evil.example", false},
		{"with a name", "Alice <alice@example.com>", false},
		{"in brackets", "<alice@example.com>", false},
		{"two", "alice@example.com, bob@example.com", false},
		{"comment", "alice(x)@example.com", false},
		{"line feed", "alice@example.com\n", false},
		{"NUL", "alice@example.com\x00", false},
		{"blank", " alice@example.com", false},
		{"too long", strings.Repeat("a", 250) + "@e.com", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := isEmail(c.text); got != c.want {
				t.Errorf("isEmail(%q) = %v", c.text, got)
			}
		})
	}
}

func TestDisplayText(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"plain", "Alice B", "Alice B"},
		{"controls", "A\x00l\nice\x7f", "Alice"},
		{"override", "Al\u202eice\u2069", "Alice"},
		{"blanks at the ends", " Alice\u00a0", "Alice"},
		{"not UTF-8", "Al\xffice", "Alice"},
		{"combined emoji", "👩\u200d👧", "👩\u200d👧"},
		{"too long", strings.Repeat("あ", 201), strings.Repeat("あ", 200)},
		{"cut at a blank", strings.Repeat("あ", 199) + " あ", strings.Repeat("あ", 199)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := displayText(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
