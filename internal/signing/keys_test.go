package signing

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// mustSign may be called by any goroutine.
func mustSign(t testing.TB, keys *Keys, algorithm oauth.Algorithm) string {
	t.Helper()
	token, err := keys.Sign(t.Context(), acme, algorithm, "at+jwt", map[string]string{"sub": "u_1"})
	if err != nil {
		t.Error(err)
	}
	return token
}

func mustVerify(t *testing.T, keys *Keys, token string) {
	t.Helper()
	if payload, ok, err := keys.Verify(t.Context(), acme, "at+jwt", token); !ok || err != nil || string(payload) != `{"sub":"u_1"}` {
		t.Errorf("Verify = %s, %v, %v", payload, ok, err)
	}
}

func mustRefuse(t *testing.T, keys *Keys, token string) {
	t.Helper()
	if payload, ok, err := keys.Verify(t.Context(), acme, "at+jwt", token); ok || err != nil || payload != nil {
		t.Errorf("Verify = %s, %v, %v", payload, ok, err)
	}
}

func mustPublic(t *testing.T, keys *Keys) []map[string]any {
	t.Helper()
	public, err := keys.Public(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func mustRotate(t *testing.T, keys *Keys) []Takeover {
	t.Helper()
	all, err := keys.Rotate(t.Context(), acme, "operator")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// signer is the generation of the key that signs now.
func signer(t *testing.T, keys *Keys, algorithm oauth.Algorithm) int64 {
	t.Helper()
	parsed := parse(mustSign(t, keys, algorithm))
	set, err := keys.current(t.Context(), acme)
	if parsed == nil || err != nil {
		t.Fatal(parsed, err)
	}
	return set.find(parsed.Signatures[0].Protected.KeyID).stored.Generation
}

// published are the generations of the algorithm in the key set, in its order.
func published(t *testing.T, keys *Keys, algorithm oauth.Algorithm) []int64 {
	t.Helper()
	set, err := keys.current(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	var all []int64
	for _, members := range mustPublic(t, keys) {
		if members["alg"] == string(algorithm) {
			all = append(all, set.find(members["kid"].(string)).stored.Generation)
		}
	}
	return all
}

func TestPrepareMakesTheFirstKeysOnce(t *testing.T) {
	store, c := new(memory), newClock()
	keys := newKeys(t, store, c)
	for range 2 {
		if err := keys.Prepare(t.Context(), acme); err != nil {
			t.Fatal(err)
		}
	}
	for _, algorithm := range algorithms {
		if made := store.generations(algorithm); !slices.Equal(made, []int64{1}) {
			t.Errorf("%s: generations %v", algorithm, made)
		}
		mustVerify(t, keys, mustSign(t, keys, algorithm))
	}
	for _, k := range store.keys {
		if k.Tenant != acme || !k.CreatedAt.Equal(start) || !k.SignsFrom.Equal(start) {
			t.Errorf("stored %s, made %v, signs from %v", k.Tenant, k.CreatedAt, k.SignsFrom)
		}
	}
}

func TestPrepareAddsWhatIsMissing(t *testing.T) {
	_, store, c := newPrepared(t)
	store.keys = slices.DeleteFunc(store.keys, func(k *SealedKey) bool { return k.Algorithm == oauth.ES256 })
	rsa := store.keys[0].KeyID
	if err := newKeys(t, store, c).Prepare(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	if len(store.keys) != 2 || store.keys[0].KeyID != rsa || store.keys[1].Algorithm != oauth.ES256 {
		t.Errorf("%d keys are stored", len(store.keys))
	}
}

// TestPrepareInParallel lets replicas make the first keys at the same time.
func TestPrepareInParallel(t *testing.T) {
	const replicas = 4
	store, c := new(memory), newClock()
	var together, done sync.WaitGroup
	together.Add(replicas)
	// All find nothing before the first of them makes a key.
	once := make([]sync.Once, replicas)
	all := make([]*Keys, replicas)
	for i := range all {
		meet := func(context.Context) { once[i].Do(func() { together.Done() }); together.Wait() }
		all[i] = newKeys(t, &gate{store, meet}, c)
		done.Go(func() {
			if err := all[i].Prepare(t.Context(), acme); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if len(store.keys) != len(algorithms) {
		t.Fatalf("%d keys are stored", len(store.keys))
	}
	for _, signs := range all {
		token := mustSign(t, signs, oauth.ES256)
		for _, verifies := range all {
			mustVerify(t, verifies, token)
		}
		if !reflect.DeepEqual(mustPublic(t, signs), mustPublic(t, all[0])) {
			t.Error("replicas publish different keys")
		}
	}
}

// gate holds a store's readers up after they have read.
type gate struct {
	*memory
	pass func(context.Context)
}

func (g *gate) Keys(ctx context.Context, tenant string) ([]*SealedKey, error) {
	found, err := g.memory.Keys(ctx, tenant)
	g.pass(ctx)
	return found, err
}

func TestAnotherSecretKey(t *testing.T) {
	_, store, c := newPrepared(t)
	before := len(store.keys)
	other := newKeys(t, store, c)
	other.Sealer = newSealer(t, bytes.Repeat([]byte("x"), SecretKeyBytes))
	_, rotateErr := other.Rotate(t.Context(), acme, "operator")
	_, signErr := other.Sign(t.Context(), acme, oauth.ES256, "at+jwt", nil)
	_, publicErr := other.Public(t.Context(), acme)
	for name, err := range map[string]error{
		"Prepare": other.Prepare(t.Context(), acme), "Rotate": rotateErr, "Sign": signErr, "Public": publicErr,
	} {
		if !errors.Is(err, ErrSealed) || !strings.Contains(fmt.Sprint(err), `the ES256 key of tenant "acme", generation 1: sealed under another REGISTRAR_SECRET_KEY`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(store.keys) != before {
		t.Error("a key was made that the others cannot open")
	}
}

// TestSealedKeyBelongsToItsRow moves what is sealed in one row to another.
func TestSealedKeyBelongsToItsRow(t *testing.T) {
	changes := map[string]func(k *SealedKey){
		"tenant":     func(k *SealedKey) { k.Tenant = "other" },
		"algorithm":  func(k *SealedKey) { k.Algorithm = oauth.RS256 },
		"generation": func(k *SealedKey) { k.Generation = 2 },
		"kid":        func(k *SealedKey) { k.KeyID = "x" },
		"sealed":     func(k *SealedKey) { k.Sealed = k.Sealed[1:] },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			_, store, c := newPrepared(t)
			moved := new(*store.keys[0])
			change(moved)
			keys := newKeys(t, &memory{keys: []*SealedKey{moved}}, c)
			if err := keys.Prepare(t.Context(), moved.Tenant); !errors.Is(err, ErrSealed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTenantsShareNothing(t *testing.T) {
	keys, store, _ := newPrepared(t)
	if err := keys.Prepare(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	if len(store.keys) != 2*len(algorithms) {
		t.Errorf("%d keys are stored", len(store.keys))
	}
	token, err := keys.Sign(t.Context(), "other", oauth.ES256, "at+jwt", map[string]string{"sub": "u_1"})
	if err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, keys, token)
	for _, members := range mustPublic(t, keys) {
		if members["kid"] == parse(token).Signatures[0].Protected.KeyID {
			t.Error("the key of another tenant is published")
		}
	}
}

// TestRotationOverTime is the life of two rotations, on one replica and on another that
// only reads, whose keys are old enough at every step to be read again.
func TestRotationOverTime(t *testing.T) {
	rotating, store, c := newPrepared(t)
	reading := newKeys(t, store, c)
	if err := reading.Prepare(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	rotate := func(t *testing.T) { mustRotate(t, rotating) }
	nothing := func(*testing.T) {}
	steps := []struct {
		name      string
		at        time.Duration
		do        func(*testing.T)
		signs     int64
		published []int64
		stored    []int64
	}{
		{"the first key", 0, nothing, 1, []int64{1}, []int64{1}},
		{"rotated: the next is published and does not sign", 24 * time.Hour, rotate, 1, []int64{1, 2}, []int64{1, 2}},
		{"just before the takeover", 24*time.Hour + Lead - time.Second, nothing, 1, []int64{1, 2}, []int64{1, 2}},
		{"takeover", 24*time.Hour + Lead, nothing, 2, []int64{1, 2}, []int64{1, 2}},
		{"rotated again", 25 * time.Hour, rotate, 2, []int64{1, 2, 3}, []int64{1, 2, 3}},
		{"second takeover", 25*time.Hour + Lead, nothing, 3, []int64{1, 2, 3}, []int64{1, 2, 3}},
		{"just before the end of the first", 48*time.Hour + Lead - time.Second, nothing, 3, []int64{1, 2, 3}, []int64{1, 2, 3}},
		{"the end of the first", 48*time.Hour + Lead, nothing, 3, []int64{2, 3}, []int64{1, 2, 3}},
		{"rotated: what has ended is deleted", 49 * time.Hour, rotate, 3, []int64{2, 3, 4}, []int64{2, 3, 4}},
		{"a month later", 720 * time.Hour, nothing, 4, []int64{4}, []int64{2, 3, 4}},
		{"rotated after a month", 721 * time.Hour, rotate, 4, []int64{4, 5}, []int64{4, 5}},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			c.advance(start.Add(step.at).Sub(c.Now()))
			step.do(t)
			for _, keys := range []*Keys{rotating, reading} {
				for _, algorithm := range algorithms {
					if got := signer(t, keys, algorithm); got != step.signs {
						t.Errorf("%s is signed by %d, want %d", algorithm, got, step.signs)
					}
					if got := published(t, keys, algorithm); !slices.Equal(got, step.published) {
						t.Errorf("%s: %v are published, want %v", algorithm, got, step.published)
					}
					if got := store.generations(algorithm); !slices.Equal(got, step.stored) {
						t.Errorf("%s: %v are stored, want %v", algorithm, got, step.stored)
					}
				}
			}
		})
	}
}

// TestTokensOutliveTheirKey: what was signed just before a takeover verifies for a day.
func TestTokensOutliveTheirKey(t *testing.T) {
	keys, _, c := newPrepared(t)
	mustRotate(t, keys)
	c.advance(Lead - time.Second)
	last := mustSign(t, keys, oauth.ES256)
	c.advance(time.Second)
	next := mustSign(t, keys, oauth.ES256)
	c.advance(Retention - time.Second)
	mustVerify(t, keys, last)
	c.advance(time.Second)
	mustRefuse(t, keys, last)
	mustVerify(t, keys, next)
}

// TestComingKeyIsKnownEverywhere: a replica that never reads between a rotation and the
// takeover knows the key when others sign with it.
func TestComingKeyIsKnownEverywhere(t *testing.T) {
	rotating, store, c := newPrepared(t)
	idle := newKeys(t, store, c)
	if err := idle.Prepare(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	mustRotate(t, rotating)
	c.advance(Lead)
	mustVerify(t, idle, mustSign(t, rotating, oauth.ES256))
}

func TestRotateReturnsTheTakeover(t *testing.T) {
	keys, store, c := newPrepared(t)
	begun := mustRotate(t, keys)
	c.advance(Lead - time.Second)
	again := mustRotate(t, keys)
	for i, algorithm := range algorithms {
		stored := store.keys[store.index(acme, algorithm, 2)]
		want := Takeover{Algorithm: algorithm, KeyID: stored.KeyID, SignsFrom: start.Add(Lead), Made: true}
		if begun[i] != want || !stored.SignsFrom.Equal(want.SignsFrom) {
			t.Errorf("got %+v, want %+v; it is stored to sign from %v", begun[i], want, stored.SignsFrom)
		}
		want.Made = false
		if again[i] != want {
			t.Errorf("again: got %+v, want %+v", again[i], want)
		}
	}
	c.advance(time.Second)
	if third := mustRotate(t, keys); !third[0].Made || !third[0].SignsFrom.Equal(start.Add(2*Lead)) {
		t.Errorf("after the takeover: %+v", third[0])
	}
}

func TestRotateWithoutKeysMakesTheFirst(t *testing.T) {
	store, c := new(memory), newClock()
	for _, made := range mustRotate(t, newKeys(t, store, c)) {
		if !made.Made || !made.SignsFrom.Equal(start) {
			t.Errorf("got %+v", made)
		}
	}
	if len(store.keys) != len(algorithms) {
		t.Errorf("%d keys are stored", len(store.keys))
	}
}

// TestRotateInParallel: all have read the same keys before one of them makes the next.
func TestRotateInParallel(t *testing.T) {
	const replicas = 3
	_, store, c := newPrepared(t)
	var together, done sync.WaitGroup
	together.Add(replicas)
	once := make([]sync.Once, replicas)
	results := make([][]Takeover, replicas)
	for i := range results {
		meet := func(context.Context) { once[i].Do(func() { together.Done() }); together.Wait() }
		keys := newKeys(t, &gate{store, meet}, c)
		done.Go(func() {
			var err error
			if results[i], err = keys.Rotate(t.Context(), acme, "operator"); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	for i, algorithm := range algorithms {
		if made := store.generations(algorithm); !slices.Equal(made, []int64{1, 2}) {
			t.Errorf("%s: generations %v", algorithm, made)
		}
		made := 0
		for _, result := range results {
			if result[i].Made {
				made++
			}
			if result[i].KeyID != results[0][i].KeyID {
				t.Errorf("told of %s and %s", result[i].KeyID, results[0][i].KeyID)
			}
		}
		if made != 1 {
			t.Errorf("%s: %d say that they made it", algorithm, made)
		}
	}
}

// TestRotateAfterAnOutage repeats a rotation that was cut off after the first algorithm.
func TestRotateAfterAnOutage(t *testing.T) {
	keys, store, _ := newPrepared(t)
	created := 0
	store.onCreate = func() {
		if created++; created == len(algorithms) {
			store.fail(errDown)
		}
	}
	if _, err := keys.Rotate(t.Context(), acme, "operator"); !errors.Is(err, errDown) {
		t.Fatalf("got %v", err)
	}
	store.fail(nil)
	all := mustRotate(t, keys)
	if all[0].Made || !all[1].Made || len(store.keys) != 2*len(algorithms) {
		t.Errorf("got %+v, %d keys are stored", all, len(store.keys))
	}
}

// TestFirstKeySignsAheadOfTime: the replica that made it had a clock that is ahead.
func TestFirstKeySignsAheadOfTime(t *testing.T) {
	keys, _, c := newPrepared(t)
	c.advance(-time.Second)
	mustVerify(t, keys, mustSign(t, keys, oauth.ES256))
}

func TestPublicMembers(t *testing.T) {
	keys, _, _ := newPrepared(t)
	want := []struct {
		algorithm oauth.Algorithm
		names     []string
	}{
		{oauth.ES256, []string{"alg", "crv", "kid", "kty", "use", "x", "y"}},
		{oauth.RS256, []string{"alg", "e", "kid", "kty", "n", "use"}},
	}
	public := mustPublic(t, keys)
	if len(public) != len(want) {
		t.Fatalf("%d keys are published", len(public))
	}
	for i, members := range public {
		var names []string
		for name := range members {
			names = append(names, name)
		}
		slices.Sort(names)
		if !slices.Equal(names, want[i].names) || members["alg"] != string(want[i].algorithm) || members["use"] != "sig" {
			t.Errorf("published %v", members)
		}
	}
}

// TestNothingPrivateIsPublished looks for the private numbers themselves.
func TestNothingPrivateIsPublished(t *testing.T) {
	keys, _, _ := newPrepared(t)
	mustRotate(t, keys)
	set, err := keys.current(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	published, err := json.Marshal(mustPublic(t, keys))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range set {
		private, err := members(k.private)
		if err != nil || private["d"] == nil {
			t.Fatal("the key has no private number", err)
		}
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			if number, ok := private[name].(string); ok && bytes.Contains(published, []byte(number)) {
				t.Errorf("%s of an %s key is published", name, k.stored.Algorithm)
			}
		}
	}
}

// TestPublishedKeysVerify: a verifier with nothing but the key set finds the key, whose
// kid is its thumbprint, and the token good.
func TestPublishedKeysVerify(t *testing.T) {
	keys, _, _ := newPrepared(t)
	encoded, err := json.Marshal(map[string]any{"keys": mustPublic(t, keys)})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(encoded, &set); err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range algorithms {
		parsed, err := jose.ParseSignedCompact(mustSign(t, keys, algorithm), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		if payload, err := parsed.Verify(set); err != nil || string(payload) != `{"sub":"u_1"}` {
			t.Errorf("%s: %s, %v", algorithm, payload, err)
		}
	}
	for _, jwk := range set.Keys {
		sum, err := jwk.Thumbprint(crypto.SHA256)
		if err != nil || jwk.KeyID != base64.RawURLEncoding.EncodeToString(sum) {
			t.Errorf("kid %s of thumbprint %x, %v", jwk.KeyID, sum, err)
		}
	}
}

func TestPublicIsTheCallersOwn(t *testing.T) {
	keys, _, _ := newPrepared(t)
	mustPublic(t, keys)[0]["kid"] = "changed"
	if mustPublic(t, keys)[0]["kid"] == "changed" {
		t.Error("a caller can change what others get")
	}
}

func TestKeyIDIsTheThumbprintOfRFC7638(t *testing.T) {
	var jwk jose.JSONWebKey
	// RFC 7638 §3.1.
	example := `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	if err := json.Unmarshal([]byte(example), &jwk); err != nil {
		t.Fatal(err)
	}
	if id, err := keyID(jwk.Key); err != nil || id != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("got %s, %v", id, err)
	}
}
