package login

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

// TestKnownHash: the reference implementation's test vector of argon2id.
func TestKnownHash(t *testing.T) {
	h, err := parsePasswordHash("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"password": true, "Password": false, "": false, "password\x00": false} {
		if got := h.verifies(password); got != want {
			t.Errorf("%q: %v", password, got)
		}
	}
	if h.decoy().verifies("password") {
		t.Error("the decoy is of the password")
	}
}

func TestHashPassword(t *testing.T) {
	seen := map[string]bool{}
	for _, password := range []string{"correct horse", "correct horse", "é", strings.Repeat("x", MaxPasswordBytes)} {
		text, err := HashPassword(rand.Reader, password)
		if err != nil {
			t.Fatal(err)
		}
		h, err := parsePasswordHash(text)
		if err != nil || !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1$") || seen[text] {
			t.Fatalf("%q: %v", text, err)
		}
		if !h.verifies(password) || h.verifies(password+"x") {
			t.Errorf("the hash of %.20q is not of it", password)
		}
		seen[text] = true
	}
}

func TestHashPasswordRefuses(t *testing.T) {
	for _, password := range []string{"", strings.Repeat("x", MaxPasswordBytes+1)} {
		if text, err := HashPassword(rand.Reader, password); err == nil {
			t.Errorf("%d bytes: %q", len(password), text)
		}
	}
	broken := errors.New("no entropy")
	if _, err := HashPassword(iotest.ErrReader(broken), "x"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

const (
	salt16 = "AAECAwQFBgcICQoLDA0ODw"
	key32  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

var refusedHashes = []struct{ name, text string }{
	{"empty", ""},
	{"a password", "correct horse"},
	{"bcrypt", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"},
	{"argon2i", "$argon2i$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32},
	{"argon2d", "$argon2d$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32},
	{"no version", "$argon2id$m=19456,t=2,p=1$" + salt16 + "$" + key32},
	{"old version", "$argon2id$v=16$m=19456,t=2,p=1$" + salt16 + "$" + key32},
	{"other order", "$argon2id$v=19$t=2,m=19456,p=1$" + salt16 + "$" + key32},
	{"key id", "$argon2id$v=19$m=19456,t=2,p=1,keyid=AA$" + salt16 + "$" + key32},
	{"more after it", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32 + "$"},
	{"line feed", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32 + "\n"},
	{"line feed in the salt", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16[:4] + "\n" + salt16[4:] + "$" + key32},
	{"padding", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "==$" + key32},
	{"bits left over", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16[:21] + "x$" + key32},
	{"leading zero", "$argon2id$v=19$m=019456,t=2,p=1$" + salt16 + "$" + key32},
	{"sign", "$argon2id$v=19$m=+19456,t=2,p=1$" + salt16 + "$" + key32},
	{"negative", "$argon2id$v=19$m=19456,t=-2,p=1$" + salt16 + "$" + key32},
	{"no threads", "$argon2id$v=19$m=19456,t=2,p=0$" + salt16 + "$" + key32},
	{"no passes", "$argon2id$v=19$m=19456,t=0,p=1$" + salt16 + "$" + key32},
	{"too little memory", "$argon2id$v=19$m=7,t=2,p=1$" + salt16 + "$" + key32},
	{"too much memory", "$argon2id$v=19$m=65537,t=2,p=1$" + salt16 + "$" + key32},
	{"memory of another size", "$argon2id$v=19$m=4294967297,t=2,p=1$" + salt16 + "$" + key32},
	{"too many passes", "$argon2id$v=19$m=19456,t=11,p=1$" + salt16 + "$" + key32},
	{"too many threads", "$argon2id$v=19$m=19456,t=2,p=5$" + salt16 + "$" + key32},
	{"threads of another size", "$argon2id$v=19$m=19456,t=2,p=257$" + salt16 + "$" + key32},
	{"short salt", "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBg$" + key32},
	{"no salt", "$argon2id$v=19$m=19456,t=2,p=1$$" + key32},
	{"short hash", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$AAECAwQFBgcICQoLDA0O"},
	{"no hash", "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$"},
}

func TestPasswordHashRefused(t *testing.T) {
	for _, c := range refusedHashes {
		t.Run(c.name, func(t *testing.T) {
			_, err := parsePasswordHash(c.text)
			if err == nil || strings.Contains(err.Error(), salt16) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzPasswordHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32)
	f.Add("$argon2id$v=19$m=32,t=10,p=4$AAECAwQFBgc$" + salt16)
	for _, c := range refusedHashes {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parsePasswordHash(text)
		if err != nil {
			return
		}
		if h.String() != text {
			t.Errorf("%q is read as %q", text, h)
		}
		if h.memory > 64<<10 || h.memory < 8 || h.passes > 10 || h.passes < 1 || h.threads > 4 || h.threads < 1 || len(h.key) > 64 || len(h.salt) > 64 {
			t.Errorf("%q is within the bounds", text)
		}
		if d := h.decoy(); d.memory != h.memory || d.passes != h.passes || d.threads != h.threads || len(d.key) != len(h.key) || len(d.salt) != len(h.salt) {
			t.Errorf("the decoy of %q is %q", text, d)
		}
	})
}
