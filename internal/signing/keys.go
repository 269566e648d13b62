package signing

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// Keys are the keys of all tenants, read from the store and held in memory. It is safe
// for concurrent use, and so is its store by any number of processes.
type Keys struct {
	Store  Store
	Sealer *Sealer
	Now    func() time.Time
	// Log is told when keys cannot be read any longer, and when they can be again.
	Log *slog.Logger

	mu      sync.Mutex
	tenants map[string]*held
}

// Prepare makes the first keys of the tenant where there are none, and reads them all. It
// returns an error that is [ErrSealed] if they were made under another secret key, and
// what the store returns.
func (k *Keys) Prepare(ctx context.Context, tenant string) error {
	set, err := k.load(ctx, tenant)
	if err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		if set.newest(algorithm) != nil {
			continue
		}
		if _, err := k.advance(ctx, tenant, algorithm, nil, ""); err != nil {
			return err
		}
	}
	_, err = k.load(ctx, tenant)
	return err
}

// Takeover is when the newest key of an algorithm takes over.
type Takeover struct {
	Algorithm oauth.Algorithm
	KeyID     string
	SignsFrom time.Time
	// Made is false for a key that was on its way already.
	Made bool
}

// Rotate makes the next key of every algorithm, to sign after [Lead], and returns their
// takeovers; by is who ordered that, for the audit trail. A key that is still to take over is not followed by another: its takeover is
// returned. Keys that are past their [Retention] are deleted. It returns the errors of
// Prepare; after an error it can be called again.
func (k *Keys) Rotate(ctx context.Context, tenant, by string) ([]Takeover, error) {
	set, err := k.load(ctx, tenant)
	if err != nil {
		return nil, err
	}
	made := map[oauth.Algorithm]bool{}
	for _, algorithm := range algorithms {
		if made[algorithm], err = k.advance(ctx, tenant, algorithm, set.newest(algorithm), by); err != nil {
			return nil, err
		}
	}
	if set, err = k.load(ctx, tenant); err != nil {
		return nil, err
	}
	return takeovers(set, made), k.deleteRetired(ctx, set)
}

// advance makes the key after the newest one, nil for the first one, and reports whether
// it did: not while the newest is still to take over, nor where another process was faster.
func (k *Keys) advance(ctx context.Context, tenant string, algorithm oauth.Algorithm, newest *key, by string) (bool, error) {
	now := k.now()
	next := &SealedKey{Tenant: tenant, Algorithm: algorithm, Generation: 1, CreatedAt: now, SignsFrom: now}
	if newest != nil {
		next.Generation, next.SignsFrom = newest.stored.Generation+1, now.Add(Lead)
		if newest.stored.SignsFrom.After(now) {
			return false, nil
		}
	}
	if err := sealNew(k.Sealer, next); err != nil {
		return false, err
	}
	err := k.Store.CreateKey(ctx, next, by)
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	return err == nil, err
}

func takeovers(set keySet, made map[oauth.Algorithm]bool) []Takeover {
	var all []Takeover
	for _, algorithm := range algorithms {
		if k := set.newest(algorithm); k != nil {
			all = append(all, Takeover{algorithm, k.stored.KeyID, k.stored.SignsFrom, made[algorithm]})
		}
	}
	return all
}

func (k *Keys) deleteRetired(ctx context.Context, set keySet) error {
	for _, old := range set.retired(k.now()) {
		if err := k.Store.DeleteKey(ctx, old.stored.Tenant, old.stored.Algorithm, old.stored.Generation); err != nil {
			return err
		}
	}
	return nil
}

// Public returns the members of the public keys that tokens of the tenant can be verified
// with (RFC 7517 §4), by algorithm and age: of keys that sign, that are to take over, and
// that were superseded less than [Retention] ago. The caller may keep and change them. It
// fails only where the keys of the tenant were never read.
func (k *Keys) Public(ctx context.Context, tenant string) ([]map[string]any, error) {
	set, err := k.current(ctx, tenant)
	if err != nil {
		return nil, err
	}
	published := set.published(k.Now())
	public := make([]map[string]any, len(published))
	for i, key := range published {
		public[i] = maps.Clone(key.members)
	}
	return public, nil
}

// now is the time that a row can hold: both stores keep microseconds.
func (k *Keys) now() time.Time { return k.Now().UTC().Truncate(time.Microsecond) }
