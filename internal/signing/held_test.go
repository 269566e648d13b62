package signing

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

func TestKeysAreReadOnceAMinute(t *testing.T) {
	keys, store, c := newPrepared(t)
	use := func() {
		mustVerify(t, keys, mustSign(t, keys, oauth.ES256))
		mustPublic(t, keys)
	}
	before := store.readings()
	c.advance(fresh - time.Second)
	use()
	if n := store.readings() - before; n != 0 {
		t.Errorf("%d readings within a minute", n)
	}
	for range 3 {
		before = store.readings()
		c.advance(fresh)
		use()
		if n := store.readings() - before; n != 1 {
			t.Errorf("%d readings after a minute", n)
		}
	}
}

func TestKeysAreOpenedOnce(t *testing.T) {
	keys, _, c := newPrepared(t)
	before, err := keys.current(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	c.advance(fresh)
	after, err := keys.current(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	for i := range before {
		if before[i] == after[i] || before[i].private.Key != after[i].private.Key {
			t.Errorf("%s: read again and parsed again", before[i].stored.Algorithm)
		}
	}
}

// TestOthersGoOnWhileOneReads: the store answers only after they have signed.
func TestOthersGoOnWhileOneReads(t *testing.T) {
	keys, store, c := newPrepared(t)
	entered, release := make(chan struct{}), make(chan struct{})
	store.onKeys = func(context.Context) { close(entered); <-release }
	c.advance(fresh)
	var reader sync.WaitGroup
	reader.Go(func() { mustSign(t, keys, oauth.ES256) })
	<-entered
	for range 3 {
		mustVerify(t, keys, mustSign(t, keys, oauth.ES256))
	}
	close(release)
	reader.Wait()
	if n := store.readings(); n != 3 {
		t.Errorf("%d readings, want the two of Prepare and one", n)
	}
}

// TestIdleReplicaWaits: after a long pause nobody signs with keys that may be over.
func TestIdleReplicaWaits(t *testing.T) {
	rotating, store, c := newPrepared(t)
	idle := newKeys(t, store, c)
	if err := idle.Prepare(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	mustRotate(t, rotating)
	c.advance(Lead + Retention)
	before := store.readings()
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() { mustVerify(t, rotating, mustSign(t, idle, oauth.ES256)) })
	}
	callers.Wait()
	if n := store.readings() - before; n != 2 {
		t.Errorf("%d readings, want one for each replica", n)
	}
}

func TestOutage(t *testing.T) {
	keys, store, c := newPrepared(t)
	var log bytes.Buffer
	keys.Log = slog.New(slog.NewTextHandler(&log, nil))
	store.fail(errDown)
	steps := []struct {
		name     string
		after    time.Duration
		readings int
	}{
		{"not due yet", fresh - time.Second, 0},
		{"due", time.Second, 1},
		{"at rest", respite - time.Second, 0},
		{"tried again", time.Second, 1},
		{"a day later", 24 * time.Hour, 1},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			before := store.readings()
			c.advance(step.after)
			for range 3 {
				mustVerify(t, keys, mustSign(t, keys, oauth.RS256))
				mustPublic(t, keys)
			}
			if n := store.readings() - before; n != step.readings {
				t.Errorf("%d readings, want %d", n, step.readings)
			}
		})
	}
	store.fail(nil)
	c.advance(respite)
	mustSign(t, keys, oauth.ES256)
	const failed, back = "cannot be read", "can be read again"
	if strings.Count(log.String(), failed) != 1 || strings.Count(log.String(), back) != 1 || !strings.Contains(log.String(), errDown.Error()) {
		t.Errorf("logged: %s", &log)
	}
}

// TestOutageFromTheStart: without any keys, calls fail at once until the store is asked again.
func TestOutageFromTheStart(t *testing.T) {
	_, store, c := newPrepared(t)
	token := mustSign(t, newKeys(t, store, c), oauth.ES256)
	keys := newKeys(t, store, c)
	store.fail(errDown)
	before := store.readings()
	if _, err := keys.Sign(t.Context(), acme, oauth.ES256, "at+jwt", nil); !errors.Is(err, errDown) {
		t.Errorf("Sign: %v", err)
	}
	if _, ok, err := keys.Verify(t.Context(), acme, "at+jwt", token); ok || !errors.Is(err, errDown) {
		t.Errorf("Verify: %v, %v", ok, err)
	}
	if _, err := keys.Public(t.Context(), acme); !errors.Is(err, errDown) {
		t.Errorf("Public: %v", err)
	}
	if n := store.readings() - before; n != 1 {
		t.Errorf("%d readings of a store that is down", n)
	}
	if err := keys.Prepare(t.Context(), acme); !errors.Is(err, errDown) {
		t.Errorf("Prepare: %v", err)
	}
	store.fail(nil)
	c.advance(respite)
	mustVerify(t, keys, token)
}

// TestCallerThatHangsUp: its reading goes on.
func TestCallerThatHangsUp(t *testing.T) {
	keys, store, c := newPrepared(t)
	store.onKeys = func(ctx context.Context) {
		if _, bounded := ctx.Deadline(); ctx.Err() != nil || !bounded {
			t.Errorf("the store is asked with a context that ended (%v) or never ends", ctx.Err())
		}
	}
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	c.advance(fresh)
	before := store.readings()
	if _, err := keys.Public(ctx, acme); err != nil {
		t.Error(err)
	}
	if n := store.readings() - before; n != 1 {
		t.Errorf("%d readings", n)
	}
}

// TestKeyThatCannotBeOpened: a replica with another secret key made the next one.
func TestKeyThatCannotBeOpened(t *testing.T) {
	keys, store, c := newPrepared(t)
	foreign := new(*store.keys[0])
	foreign.Generation, foreign.Sealed = 2, bytes.Repeat([]byte("x"), 100)
	store.keys = append(store.keys, foreign)
	c.advance(fresh)
	mustVerify(t, keys, mustSign(t, keys, oauth.ES256))
	if _, err := keys.Rotate(t.Context(), acme, "operator"); err == nil {
		t.Error("rotated past a key that cannot be opened")
	}
}

// TestRowThatChanges: a key that is open already is opened again in its new row.
func TestRowThatChanges(t *testing.T) {
	changes := map[string]func(k *SealedKey){
		"generation": func(k *SealedKey) { k.Generation = 2 },
		"sealed":     func(k *SealedKey) { k.Sealed = k.Sealed[1:] },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			keys, store, _ := newPrepared(t)
			store.keys[0] = new(*store.keys[0])
			change(store.keys[0])
			if err := keys.Prepare(t.Context(), acme); !errors.Is(err, ErrSealed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLeadOutlastsEveryCache: /oauth/jwks may be cached for 5 minutes, after a replica
// with old keys answered.
func TestLeadOutlastsEveryCache(t *testing.T) {
	if oldest := 5*time.Minute + fresh + overdue + patience; Lead < oldest {
		t.Errorf("a key signs after %v, and may be unknown for %v", Lead, oldest)
	}
}
