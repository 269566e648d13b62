package ratelimit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

const (
	defaultPatience = 100 * time.Millisecond
	// respite is how long a Redis that failed is not asked again.
	respite = time.Second
	// reportEvery is the shortest time between two reports of an outage.
	reportEvery = time.Minute
)

// Shared limits together with every process that uses the same Redis, by GCRA, in
// keys that begin with "rate:registrar:". While Redis fails it limits by itself.
type Shared struct {
	client  *redis.Client
	limiter *redis_rate.Limiter
	local   *Local
	log     *slog.Logger
	now     func() time.Time
	// patience is what a Redis that does not answer costs a request.
	patience time.Duration
	outage   outage
}

// NewShared returns a limiter over the Redis, or Valkey, at the URL (redis://,
// rediss:// or unix://), which need not be up yet. Its errors do not tell the URL,
// which may hold a password.
func NewShared(redisURL string, fallback *Local, log *slog.Logger, now func() time.Time) (*Shared, error) {
	return newShared(redisURL, &Shared{local: fallback, log: log, now: now, patience: defaultPatience})
}

func newShared(redisURL string, s *Shared) (*Shared, error) {
	opts, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, errors.New("not a Redis URL, such as redis://:password@host:6379/0")
	}
	opts.DialTimeout, opts.DialerRetries = time.Second, 1
	opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = s.patience, s.patience, s.patience
	opts.ContextTimeoutEnabled, opts.MaxRetries = true, -1
	// go-redis writes every failed dial to the standard error; outages are reported here.
	logging.Disable()
	s.client = redis.NewClient(opts)
	s.limiter = redis_rate.NewLimiter(s.client)
	return s, nil
}

// Close ends the connections to Redis.
func (s *Shared) Close() error { return s.client.Close() }

// Allow implements [Limiter].
func (s *Shared) Allow(ctx context.Context, key string, l Limit) Decision {
	if s.outage.resting(s.now()) {
		return s.local.Allow(ctx, key, l)
	}
	decision, err := s.ask(ctx, key, l)
	if err != nil {
		if s.outage.failed(s.now()) {
			s.log.WarnContext(ctx, "Redis does not answer: each process limits by itself", "error", err)
		}
		return s.local.Allow(ctx, key, l)
	}
	if s.outage.ended() {
		s.log.InfoContext(ctx, "Redis answers again: limits are shared")
	}
	return decision
}

// Return implements [Limiter]. A key whose whole allowance would be free again keeps one
// event, which Redis forgets in its time.
func (s *Shared) Return(ctx context.Context, key string, l Limit) {
	if s.outage.resting(s.now()) {
		s.local.Return(ctx, key, l)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience)
	defer cancel()
	if _, err := s.limiter.AllowN(ctx, redisKey(key), redisLimit(l), -1); err != nil {
		s.local.Return(ctx, key, l)
	}
}

// redisKey keeps our keys apart from those of others.
func redisKey(key string) string { return "registrar:" + key }

// ask does not end with the request: a client that hangs up would look like an outage.
func (s *Shared) ask(ctx context.Context, key string, l Limit) (Decision, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience)
	defer cancel()
	r, err := s.limiter.Allow(ctx, redisKey(key), redisLimit(l))
	if err != nil {
		return Decision{}, err
	}
	return Decision{Allowed: r.Allowed > 0, Limit: l, Remaining: r.Remaining, RetryAfter: max(0, r.RetryAfter)}, nil
}

func redisLimit(l Limit) redis_rate.Limit {
	return redis_rate.Limit{Rate: l.Count, Burst: l.Count, Period: l.Per}
}

// outage is what is known of a Redis that fails.
type outage struct {
	mu sync.Mutex
	// askAgain is zero while Redis answers.
	askAgain   time.Time
	lastReport time.Time
	// reported is true from the report of an outage to its end.
	reported bool
}

func (o *outage) resting(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return now.Before(o.askAgain)
}

// failed notes a failure and tells whether to report it.
func (o *outage) failed(now time.Time) (report bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.askAgain = now.Add(respite)
	if now.Sub(o.lastReport) < reportEvery {
		return false
	}
	o.lastReport, o.reported = now, true
	return true
}

// ended notes that Redis answered and tells whether that ends a reported outage.
func (o *outage) ended() (report bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	report = o.reported
	o.askAgain, o.reported = time.Time{}, false
	return report
}
