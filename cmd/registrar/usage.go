package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-9c856424/registrar/internal/store"
)

// usage gathers which clients are used and writes it now and then, until it is stopped: a
// token costs no write beside its own.
type usage struct {
	store  *store.Store
	tenant string
	log    *slog.Logger

	mu   sync.Mutex
	used map[string]bool
	// stop writes what is left, and ends it.
	stop func()
}

const (
	// usageEvery is how often it is written: so much is lost in a crash.
	usageEvery = 3 * time.Second
	// usageBatch is how many clients go in one statement.
	usageBatch = 1000
)

func newUsage(db *store.Store, tenant string, log *slog.Logger) *usage {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	u := &usage{store: db, tenant: tenant, log: log, used: map[string]bool{}, stop: func() { cancel(); running.Wait() }}
	running.Go(func() { u.run(ctx) })
	return u
}

func (u *usage) run(ctx context.Context) {
	ticker := time.NewTicker(usageEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			u.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), trailTime)
			defer cancel()
			u.flush(last)
			return
		}
	}
}

// mark is what [authorization.Service] tells.
func (u *usage) mark(_, clientID string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used[clientID] = true
}

// flush writes what was gathered. What a database that is down does not take stays for the
// next time.
func (u *usage) flush(ctx context.Context) {
	for ids := u.take(); len(ids) > 0; ids = u.take() {
		if err := u.store.MarkUsed(ctx, u.tenant, ids, time.Now()); err != nil {
			u.log.WarnContext(ctx, "the use of clients was not written", "clients", len(ids), "error", err)
			for _, id := range ids {
				u.mark(u.tenant, id)
			}
			return
		}
	}
}

// take removes a batch.
func (u *usage) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids := make([]string, 0, min(len(u.used), usageBatch))
	for id := range u.used {
		if len(ids) == usageBatch {
			break
		}
		ids = append(ids, id)
		delete(u.used, id)
	}
	return ids
}
