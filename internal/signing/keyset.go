package signing

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

const (
	// Lead is how long a key is published before it signs. Key sets are cached for 5
	// minutes by those who verify, and for at most 3 by a replica that was idle.
	Lead = 10 * time.Minute
	// Retention is how long a key is published after its successor took over. Nothing
	// that is signed is valid for longer.
	Retention = 24 * time.Hour
)

// keySet is all keys of a tenant, by algorithm and generation. It is never changed.
type keySet []*key

// openAll opens the stored keys. Those that known holds are not opened again: parsing an
// RSA key costs as much as several signatures.
func openAll(sealer *Sealer, stored []*SealedKey, known keySet) (keySet, error) {
	set := make(keySet, len(stored))
	for i, k := range stored {
		opened, err := known.reopen(sealer, k)
		if err != nil {
			return nil, fmt.Errorf("open the %s key of tenant %q, generation %d: %w", k.Algorithm, k.Tenant, k.Generation, err)
		}
		if i+1 < len(stored) && stored[i+1].Algorithm == k.Algorithm {
			opened.until = stored[i+1].SignsFrom.Add(Retention)
		}
		set[i] = opened
	}
	return set, nil
}

func (s keySet) reopen(sealer *Sealer, k *SealedKey) (*key, error) {
	known := s.find(k.KeyID)
	if known == nil || known.stored.sealContext() != k.sealContext() || !bytes.Equal(known.stored.Sealed, k.Sealed) {
		return open(sealer, k)
	}
	again := *known
	again.stored = k
	return &again, nil
}

func (s keySet) find(id string) *key {
	if i := slices.IndexFunc(s, func(k *key) bool { return k.stored.KeyID == id }); i >= 0 {
		return s[i]
	}
	return nil
}

func (s keySet) of(algorithm oauth.Algorithm) keySet {
	return s.filter(func(k *key) bool { return k.stored.Algorithm == algorithm })
}

// newest returns nil where there is no key.
func (s keySet) newest(algorithm oauth.Algorithm) *key {
	if of := s.of(algorithm); len(of) > 0 {
		return of[len(of)-1]
	}
	return nil
}

// signing returns the newest key that has taken over, or nil where there is no key. The
// first one signs in any case: the clock of the replica that made it may be ahead.
func (s keySet) signing(algorithm oauth.Algorithm, now time.Time) *key {
	of := s.of(algorithm)
	for _, k := range slices.Backward(of) {
		if !k.stored.SignsFrom.After(now) {
			return k
		}
	}
	if len(of) > 0 {
		return of[0]
	}
	return nil
}

// published are the keys that may sign, may have signed or will sign what is valid.
func (s keySet) published(now time.Time) keySet {
	return s.filter(func(k *key) bool { return !k.retired(now) })
}

func (s keySet) retired(now time.Time) keySet {
	return s.filter(func(k *key) bool { return k.retired(now) })
}

func (k *key) retired(now time.Time) bool { return !k.until.IsZero() && !now.Before(k.until) }

func (s keySet) filter(wanted func(*key) bool) keySet {
	return slices.DeleteFunc(slices.Clone(s), func(k *key) bool { return !wanted(k) })
}
