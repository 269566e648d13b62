package credential

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

func mint(t *testing.T, kind Kind, subject string) Secret {
	t.Helper()
	secret, err := Mint(rand.Reader, kind, subject)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestMintTellsKindAndSubject(t *testing.T) {
	for _, subject := range []string{"", "01k9qv5w3m8zr4t6y2b0n7xdce"} {
		secret := mint(t, RegistrationAccessToken, subject)
		if !strings.HasPrefix(secret.Reveal(), string(RegistrationAccessToken)+subject) {
			t.Errorf("a secret of subject %q does not begin with prefix and subject", subject)
		}
		if got, ok := Subject(RegistrationAccessToken, secret); !ok || got != subject {
			t.Errorf("Subject = %q, %v; want %q", got, ok, subject)
		}
		if _, ok := Subject(ClientSecret, secret); ok {
			t.Error("a registration access token passes for a client secret")
		}
	}
}

func TestMintNeverRepeats(t *testing.T) {
	one, other := mint(t, ClientSecret, ""), mint(t, ClientSecret, "")
	if one == other {
		t.Error("two secrets are the same")
	}
}

func TestMintFailsWithoutRandomness(t *testing.T) {
	broken := errors.New("no entropy")
	if _, err := Mint(iotest.ErrReader(broken), ClientSecret, ""); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestSubjectRefusesEveryChange: the checksum finds any one wrong character.
func TestSubjectRefusesEveryChange(t *testing.T) {
	text := []byte(mint(t, RegistrationAccessToken, "subject").Reveal())
	for i, was := range text {
		text[i] = '0'
		if was == '0' {
			text[i] = '1'
		}
		if _, ok := Subject(RegistrationAccessToken, Secret(text)); ok {
			t.Errorf("a change at byte %d is not noticed", i)
		}
		text[i] = was
	}
}

func TestSubjectRefusesWhatIsTooShort(t *testing.T) {
	whole := mint(t, ClientSecret, "").Reveal()
	for length := range len(whole) {
		if _, ok := Subject(ClientSecret, Secret(whole[:length])); ok {
			t.Errorf("%d of %d bytes pass", length, len(whole))
		}
	}
}

func TestDigestVerifiesItsSecretAlone(t *testing.T) {
	one, other := mint(t, ClientSecret, ""), mint(t, ClientSecret, "")
	cases := map[string]struct {
		digest Digest
		secret Secret
		want   bool
	}{
		"its own":       {one.Digest(), one, true},
		"another":       {one.Digest(), other, false},
		"none":          {one.Digest(), "", false},
		"nil digest":    {nil, one, false},
		"nil and empty": {nil, "", false},
		"cut digest":    {one.Digest()[:31], one, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.digest.Verifies(c.secret); got != c.want {
				t.Errorf("Verifies = %v", got)
			}
		})
	}
}

func TestSecretIsRedacted(t *testing.T) {
	secret := mint(t, ClientSecret, "")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret)
	nested := struct{ S Secret }{secret}
	for _, shown := range []string{
		fmt.Sprint(secret), fmt.Sprintf("%s %v %q %x %#v %d", secret, secret, secret, secret, secret, secret),
		fmt.Sprintf("%v %+v %#v", nested, &nested, []Secret{secret}), log.String(),
	} {
		if strings.Contains(shown, secret.Reveal()) || !strings.Contains(shown, "[redacted]") {
			t.Errorf("not redacted: %s", shown)
		}
	}
	if encoded, _ := json.Marshal(nested); strings.Contains(string(encoded), secret.Reveal()) {
		t.Errorf("not redacted: %s", encoded)
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("rgr_")
	f.Add("rgr_01k9qv5w3m8zr4t6y2b0n7xdce")
	f.Fuzz(func(t *testing.T, text string) {
		subject, ok := Subject(RegistrationAccessToken, Secret(text))
		if ok && !strings.HasPrefix(text, string(RegistrationAccessToken)+subject) {
			t.Errorf("subject %q of %q", subject, text)
		}
	})
}
