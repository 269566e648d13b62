package ratelimit

import (
	"context"
	"math"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// DefaultKeys is how many keys a [Local] remembers unless told otherwise: about 8 MB.
const DefaultKeys = 1 << 15

// Local limits within this process.
type Local struct {
	keys *lru.Cache[string, *rate.Limiter]
	now  func() time.Time
}

// NewLocal returns a limiter that remembers the given number of keys, at least 1,
// and forgets the one that was longest unused for each one more.
func NewLocal(keys int, now func() time.Time) *Local {
	table, _ := lru.New[string, *rate.Limiter](max(1, keys)) // it fails for a size below 1 alone
	return &Local{keys: table, now: now}
}

// Allow implements [Limiter].
func (m *Local) Allow(_ context.Context, key string, l Limit) Decision {
	bucket, now := m.bucket(key, l), m.now()
	allowed := bucket.AllowN(now, 1)
	tokens := bucket.TokensAt(now)
	d := Decision{Allowed: allowed, Limit: l, Remaining: max(0, int(tokens))}
	if !allowed {
		d.RetryAfter = max(0, time.Duration(math.Ceil((1-tokens)*float64(l.Per)/float64(l.Count))))
	}
	return d
}

// Return implements [Limiter]. What goes beyond the limit is lost at the next event.
func (m *Local) Return(_ context.Context, key string, l Limit) {
	m.bucket(key, l).AllowN(m.now(), -1)
}

func (m *Local) bucket(key string, l Limit) *rate.Limiter {
	if known, ok := m.keys.Get(key); ok {
		return known
	}
	fresh := rate.NewLimiter(rate.Limit(float64(l.Count)/l.Per.Seconds()), l.Count)
	if known, ok, _ := m.keys.PeekOrAdd(key, fresh); ok {
		return known
	}
	return fresh
}
