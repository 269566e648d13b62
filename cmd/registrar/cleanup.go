package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/metrics"
	"github.com/seed-9c856424/registrar/internal/store"
)

const (
	// cleanupEvery is how often one of the replicas looks for what has expired, and
	// cleanupLease how long it has the task to itself.
	cleanupEvery = time.Minute
	cleanupLease = 5 * time.Minute
	// cleanupBatch is how many rows of a kind go in one statement.
	cleanupBatch = 500
	// upstreamUnused is after how long nobody can need a user's refresh token at the
	// provider: a grant ends when it is not refreshed for so long, and began with a session.
	upstreamUnused = authorization.RefreshIdle + login.SessionLifetime
)

// cleanup removes what has expired, until it is stopped.
type cleanup struct {
	store  *store.Store
	tenant string
	// retention is how long the audit trail is kept; 0: for ever.
	retention time.Duration
	metrics   *metrics.Metrics
	log       *slog.Logger
	// holder names this process among those that share the database.
	holder string
	// stop ends it, and waits until it has ended.
	stop func()
}

func newCleanup(db *store.Store, tenant string, retention time.Duration, m *metrics.Metrics, log *slog.Logger) *cleanup {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	c := &cleanup{store: db, tenant: tenant, retention: retention, metrics: m, log: log, holder: rand.Text(), stop: func() { cancel(); running.Wait() }}
	running.Go(func() { c.run(ctx) })
	return c
}

func (c *cleanup) run(ctx context.Context) {
	ticker := time.NewTicker(cleanupEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := c.once(ctx, time.Now()); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "what has expired was not removed", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// once removes all that has expired, in batches, if no other replica is at it.
func (c *cleanup) once(ctx context.Context, now time.Time) error {
	for _, kind := range []struct {
		what   string
		remove func() (int64, error)
	}{
		{"grants", func() (int64, error) { return c.store.DeleteExpiredGrants(ctx, c.tenant, now, cleanupBatch) }},
		{"sessions", func() (int64, error) {
			return c.store.DeleteExpiredSessions(ctx, c.tenant, now, now.Add(-login.SessionIdle), cleanupBatch)
		}},
		{"upstream_tokens", func() (int64, error) {
			return c.store.DeleteUnusedUpstreamTokens(ctx, c.tenant, now.Add(-upstreamUnused), cleanupBatch)
		}},
		{"audit_entries", func() (int64, error) { return c.trimTrail(ctx, now) }},
	} {
		if mine, err := c.empty(ctx, now, kind.what, kind.remove); err != nil || !mine {
			return err
		}
	}
	c.metrics.CleanedUp(now)
	return nil
}

// empty removes batch after batch until there is nothing left. It takes the lease before
// each, which a long run would outlast, and reports whether it had it throughout.
func (c *cleanup) empty(ctx context.Context, now time.Time, what string, remove func() (int64, error)) (mine bool, err error) {
	began := time.Now()
	for removed := int64(1); removed > 0; {
		at := now.Add(time.Since(began))
		if mine, err = c.store.TakeLease(ctx, "cleanup", c.holder, at, at.Add(cleanupLease)); err != nil || !mine {
			return mine, err
		}
		if removed, err = remove(); err != nil {
			return true, err
		}
		c.metrics.Removed(what, removed)
	}
	return true, nil
}

// trimTrail removes a batch of the entries that were kept for long enough.
func (c *cleanup) trimTrail(ctx context.Context, now time.Time) (int64, error) {
	if c.retention == 0 {
		return 0, nil
	}
	return c.store.DeleteEntries(ctx, c.tenant, now.Add(-c.retention), cleanupBatch)
}
