package signing

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

const acme = "acme"

var errDown = errors.New("the store is down")

// memory is a store in memory.
type memory struct {
	mu    sync.Mutex
	keys  []*SealedKey
	err   error
	reads int
	// onKeys is called, if set, while a reading is under way.
	onKeys func(ctx context.Context)
	// onCreate likewise.
	onCreate func()
}

func (m *memory) index(tenant string, algorithm oauth.Algorithm, generation int64) int {
	return slices.IndexFunc(m.keys, func(k *SealedKey) bool {
		return k.Tenant == tenant && k.Algorithm == algorithm && k.Generation == generation
	})
}

func (m *memory) CreateKey(_ context.Context, k *SealedKey, _ string) error {
	if m.onCreate != nil {
		m.onCreate()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err != nil:
		return m.err
	case m.index(k.Tenant, k.Algorithm, k.Generation) >= 0:
		return ErrExists
	}
	m.keys = append(m.keys, new(*k))
	return nil
}

func (m *memory) Keys(ctx context.Context, tenant string) ([]*SealedKey, error) {
	if m.onKeys != nil {
		m.onKeys(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.err != nil {
		return nil, m.err
	}
	var found []*SealedKey
	for _, k := range m.keys {
		if k.Tenant == tenant {
			found = append(found, new(*k))
		}
	}
	slices.SortFunc(found, func(a, b *SealedKey) int {
		return cmp.Or(cmp.Compare(a.Algorithm, b.Algorithm), cmp.Compare(a.Generation, b.Generation))
	})
	return found, nil
}

func (m *memory) DeleteKey(_ context.Context, tenant string, algorithm oauth.Algorithm, generation int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	if i := m.index(tenant, algorithm, generation); i >= 0 {
		m.keys = slices.Delete(m.keys, i, i+1)
	}
	return nil
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) readings() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads
}

// generations are those that are stored of the algorithm.
func (m *memory) generations(algorithm oauth.Algorithm) []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []int64
	for _, k := range m.keys {
		if k.Algorithm == algorithm {
			all = append(all, k.Generation)
		}
	}
	return all
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newKeys(t testing.TB, store Store, c *clock) *Keys {
	t.Helper()
	return &Keys{Store: store, Sealer: newSealer(t, secretKey), Now: c.Now, Log: slog.New(slog.DiscardHandler)}
}

// first are the first keys of acme, made once: RSA keys take long.
var first = sync.OnceValues(func() ([]*SealedKey, error) {
	store := new(memory)
	sealer, err := NewSealer(secretKey, rand.Reader)
	if err != nil {
		return nil, err
	}
	keys := &Keys{Store: store, Sealer: sealer, Now: newClock().Now, Log: slog.New(slog.DiscardHandler)}
	err = keys.Prepare(context.Background(), acme)
	return store.keys, err
})

// newPrepared returns keys of which acme has the first generation, and what they use.
func newPrepared(t testing.TB) (*Keys, *memory, *clock) {
	t.Helper()
	made, err := first()
	if err != nil {
		t.Fatal(err)
	}
	store, c := &memory{keys: slices.Clone(made)}, newClock()
	keys := newKeys(t, store, c)
	if err := keys.Prepare(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	return keys, store, c
}
