package signing

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

var secretKey = []byte(strings.Repeat("k", SecretKeyBytes))

func newSealer(t testing.TB, key []byte) *Sealer {
	t.Helper()
	sealer, err := NewSealer(key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func TestSealerKeyLength(t *testing.T) {
	for _, length := range []int{0, 16, 31, 33, 64} {
		if _, err := NewSealer(make([]byte, length), rand.Reader); err == nil {
			t.Errorf("a key of %d bytes is accepted", length)
		}
	}
}

func TestSealerOpensWhatItSealed(t *testing.T) {
	for _, plain := range []string{"", "x", strings.Repeat("secret", 1000)} {
		sealed, err := newSealer(t, secretKey).Seal("purpose", "context", []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		opened, err := newSealer(t, secretKey).Open("purpose", "context", sealed)
		if err != nil || string(opened) != plain {
			t.Errorf("opened %d bytes of %d, %v", len(opened), len(plain), err)
		}
	}
}

func TestSealerOpensNothingElse(t *testing.T) {
	sealed, err := newSealer(t, secretKey).Seal("purpose", "context", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	otherKey := bytes.Clone(secretKey)
	otherKey[31] ^= 1
	cases := map[string]struct {
		key              []byte
		purpose, context string
		sealed           []byte
	}{
		"another key":                    {otherKey, "purpose", "context", sealed},
		"another purpose":                {secretKey, "purposes", "context", sealed},
		"another context":                {secretKey, "purpose", "contexts", sealed},
		"no context":                     {secretKey, "purpose", "", sealed},
		"shifted from purpose":           {secretKey, "purposec", "ontext", sealed},
		"nothing":                        {secretKey, "purpose", "context", nil},
		"a nonce alone":                  {secretKey, "purpose", "context", sealed[:12]},
		"something behind":               {secretKey, "purpose", "context", append(bytes.Clone(sealed), 0)},
		"something in front":             {secretKey, "purpose", "context", append([]byte{0}, sealed...)},
		"as much of nothing but zeroes":  {secretKey, "purpose", "context", make([]byte, len(sealed))},
		"a nonce of zeroes":              {secretKey, "purpose", "context", append(make([]byte, 12), sealed[12:]...)},
		"the text of an earlier version": {secretKey, "purpose", "context", []byte("secret")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if opened, err := newSealer(t, c.key).Open(c.purpose, c.context, c.sealed); !errors.Is(err, ErrSealed) || opened != nil {
				t.Errorf("got %q, %v", opened, err)
			}
		})
	}
}

func TestSealerNoticesEveryChange(t *testing.T) {
	sealer := newSealer(t, secretKey)
	sealed, err := sealer.Seal("purpose", "context", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := sealer.Open("purpose", "context", sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("a change of byte %d: %v", i, err)
		}
		sealed[i] ^= 1
		if _, err := sealer.Open("purpose", "context", sealed[:i]); !errors.Is(err, ErrSealed) {
			t.Errorf("the first %d bytes: %v", i, err)
		}
	}
}

func TestSealerNeverRepeats(t *testing.T) {
	sealer := newSealer(t, secretKey)
	one, errOne := sealer.Seal("purpose", "context", []byte("secret"))
	other, errOther := sealer.Seal("purpose", "context", []byte("secret"))
	if errOne != nil || errOther != nil || bytes.Equal(one, other) || bytes.Equal(one[:12], other[:12]) {
		t.Errorf("sealed %x, %v and %x, %v", one, errOne, other, errOther)
	}
	if bytes.Contains(one, []byte("secret")) {
		t.Error("the secret can be read")
	}
}

func TestSealerFailsWithoutRandomness(t *testing.T) {
	broken := errors.New("no entropy")
	sealer, err := NewSealer(secretKey, iotest.ErrReader(broken))
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err := sealer.Seal("purpose", "context", []byte("secret")); !errors.Is(err, broken) || sealed != nil {
		t.Errorf("got %x, %v", sealed, err)
	}
}

func TestSealerKeepsItsOwnKey(t *testing.T) {
	key := bytes.Clone(secretKey)
	sealer := newSealer(t, key)
	clear(key)
	sealed, err := sealer.Seal("purpose", "context", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSealer(t, secretKey).Open("purpose", "context", sealed); err != nil {
		t.Error("the key changed with the caller's copy")
	}
}

func TestSealerIsRedacted(t *testing.T) {
	sealer := newSealer(t, secretKey)
	nested := struct{ S *Sealer }{sealer}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "sealer", sealer)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "sealer", sealer)
	shown := fmt.Sprintf("%v %+v %#v %s %x %v %+v", sealer, sealer, sealer, sealer, sealer, nested, &nested) + log.String()
	for _, secret := range []string{string(secretKey), fmt.Sprintf("%x", secretKey), fmt.Sprintf("%d", secretKey)} {
		if strings.Contains(shown, strings.Trim(secret, "[]")) {
			t.Errorf("shown: %s", shown)
		}
	}
}
