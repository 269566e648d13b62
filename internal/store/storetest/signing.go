package storetest

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/signing"
)

// RunSigning runs the suite of [signing.Store]. For open, see [Run].
func RunSigning(t *testing.T, open func(t *testing.T) signing.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, signing.Store)
	}{
		{"keys are read in their order, as they were created", keyRoundTrip},
		{"any text in a key survives", keyHostileText},
		{"a generation is made once", keyTwice},
		{"a key is deleted", deleteKey},
		{"tenants of keys are apart", keyTenants},
		{"a cancelled call changes no key", keyCancelled},
		{"of parallel keys of a generation one wins", parallelKeys},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func key(algorithm oauth.Algorithm, generation int64) *signing.SealedKey {
	name := fmt.Sprint(algorithm, " ", generation)
	return &signing.SealedKey{
		Tenant: "one", Algorithm: algorithm, Generation: generation,
		KeyID: name, Sealed: append([]byte{0, 0xff}, name...),
		CreatedAt: at, SignsFrom: at.Add(time.Hour),
	}
}

func keyRoundTrip(t *testing.T, s signing.Store) {
	wantKeys(t, s, "one")
	keys := []*signing.SealedKey{key(oauth.ES256, 1), key(oauth.ES256, 2), key(oauth.ES256, 10), key(oauth.RS256, 1), key(oauth.RS256, 1<<40)}
	zoned := *keys[0]
	zoned.CreatedAt = zoned.CreatedAt.Add(999).In(time.FixedZone("", 60*60))
	zoned.SignsFrom = zoned.SignsFrom.Add(999).In(time.FixedZone("", 60*60))
	for _, k := range []*signing.SealedKey{keys[2], keys[4], &zoned, keys[3], keys[1]} {
		must(t, s.CreateKey(t.Context(), k, ""))
	}
	wantKeys(t, s, "one", keys...)
}

func keyHostileText(t *testing.T, s signing.Store) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			k := key(oauth.Algorithm(keyOf(text)), 1)
			k.KeyID = text
			must(t, s.CreateKey(t.Context(), k, ""))
			wantKeys(t, s, "one", k)
			must(t, s.DeleteKey(t.Context(), k.Tenant, k.Algorithm, k.Generation))
		})
	}
	for name, text := range notText {
		t.Run(name, func(t *testing.T) {
			k := key(oauth.ES256, 1)
			k.KeyID = text
			wantFault(t, "CreateKey", s.CreateKey(t.Context(), k, ""))
			wantKeys(t, s, text)
			must(t, s.DeleteKey(t.Context(), "one", oauth.Algorithm(text), 1))
		})
	}
}

func keyTwice(t *testing.T, s signing.Store) {
	first, second := key(oauth.ES256, 1), key(oauth.ES256, 1)
	second.KeyID, second.Sealed = "another", []byte("another")
	must(t, s.CreateKey(t.Context(), first, ""))
	wantError(t, "the second CreateKey", s.CreateKey(t.Context(), second, ""), signing.ErrExists)
	wantKeys(t, s, "one", first)
}

func deleteKey(t *testing.T, s signing.Store) {
	keys := []*signing.SealedKey{key(oauth.ES256, 1), key(oauth.ES256, 2), key(oauth.RS256, 1)}
	for _, k := range keys {
		must(t, s.CreateKey(t.Context(), k, ""))
	}
	for range 2 {
		must(t, s.DeleteKey(t.Context(), "one", oauth.ES256, 1))
		wantKeys(t, s, "one", keys[1:]...)
	}
	must(t, s.CreateKey(t.Context(), keys[0], ""))
	wantKeys(t, s, "one", keys...)
}

func keyTenants(t *testing.T, s signing.Store) {
	here, there := key(oauth.ES256, 1), key(oauth.ES256, 1)
	there.Tenant, there.KeyID = "two", "another"
	must(t, s.CreateKey(t.Context(), here, ""))
	wantKeys(t, s, "two")
	must(t, s.CreateKey(t.Context(), there, ""))
	wantKeys(t, s, "one", here)
	wantKeys(t, s, "two", there)
	must(t, s.DeleteKey(t.Context(), "two", oauth.ES256, 1))
	wantKeys(t, s, "one", here)
	wantKeys(t, s, "two")
}

func keyCancelled(t *testing.T, s signing.Store) {
	k := key(oauth.ES256, 1)
	must(t, s.CreateKey(t.Context(), k, ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"CreateKey": func() error { return s.CreateKey(ctx, key(oauth.ES256, 2), "") },
		"Keys":      func() error { _, err := s.Keys(ctx, "one"); return err },
		"DeleteKey": func() error { return s.DeleteKey(ctx, "one", oauth.ES256, 1) },
	} {
		wantError(t, name, call(), context.Canceled)
	}
	wantKeys(t, s, "one", k)
}

func parallelKeys(t *testing.T, s signing.Store) {
	keys := make([]*signing.SealedKey, rivals)
	errs := inParallel(rivals, func(i int) error {
		keys[i] = key(oauth.ES256, 1)
		keys[i].KeyID = fmt.Sprint("rival ", i)
		return s.CreateKey(t.Context(), keys[i], "")
	})
	wantKeys(t, s, "one", keys[onlySuccess(t, errs, signing.ErrExists)])
}

func wantKeys(t *testing.T, s signing.Store, tenant string, want ...*signing.SealedKey) {
	t.Helper()
	got, err := s.Keys(t.Context(), tenant)
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("Keys returned %d keys, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("key %d is\n%+v\nwant\n%+v", i, got[i], want[i])
		}
	}
}
