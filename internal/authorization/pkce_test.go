package authorization

import (
	"strings"
	"testing"
)

func TestIsVerifier(t *testing.T) {
	cases := []struct {
		name, text string
		want       bool
	}{
		{"of RFC 7636", verifier, true},
		{"shortest", strings.Repeat("a", 43), true},
		{"longest", strings.Repeat("Z", 128), true},
		{"every kind", strings.Repeat("aZ09-._~", 6), true},
		{"too short", strings.Repeat("a", 42), false},
		{"too long", strings.Repeat("a", 129), false},
		{"empty", "", false},
		{"plus", strings.Repeat("a", 43) + "+", false},
		{"padding", strings.Repeat("a", 43) + "=", false},
		{"blank inside", strings.Repeat("a", 22) + " " + strings.Repeat("a", 22), false},
		{"not ASCII", strings.Repeat("a", 43) + "é", false},
		{"not UTF-8", strings.Repeat("a", 43) + "\xff", false},
		{"line feed", strings.Repeat("a", 43) + "\n", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := isVerifier(c.text); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestAnswers: the pair of RFC 7636 appendix B.
func TestAnswers(t *testing.T) {
	cases := []struct {
		name, challenge, verifier string
		want                      bool
	}{
		{"its own", challenge, verifier, true},
		{"another", challenge, verifier[1:] + "a", false},
		{"plain", verifier, verifier, false},
		{"no challenge", "", verifier, false},
		{"no verifier", challenge, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := answers(c.challenge, c.verifier); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
