package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/fetch"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/store"
)

const (
	// trailEvery is how often what was counted is written: so much is lost in a crash.
	trailEvery = 3 * time.Second
	// trailTime is what the last writing may take, as the process ends.
	trailTime = 5 * time.Second
)

// trail counts what changes nothing, and writes it to the audit trail until it is stopped.
type trail struct {
	tally  audit.Tally
	store  *store.Store
	tenant string
	log    *slog.Logger
	// stop writes what is left, and ends it.
	stop func()
}

func newTrail(db *store.Store, tenant string, log *slog.Logger) *trail {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t := &trail{store: db, tenant: tenant, log: log, stop: func() { cancel(); running.Wait() }}
	running.Go(func() { t.run(ctx) })
	return t
}

func (t *trail) run(ctx context.Context) {
	ticker := time.NewTicker(trailEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), trailTime)
			defer cancel()
			t.flush(last)
			return
		}
	}
}

func (t *trail) flush(ctx context.Context) {
	err := t.tally.Flush(ctx, t.store.CountEntries)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.log.WarnContext(ctx, "what was counted for the audit trail was not written", "error", err)
	}
}

// maxHostBytes bounds what is kept of a host, which a client chose (RFC 1035 §2.3.4).
const maxHostBytes = 253

// countFetch is what the guard of fetches tells.
func (t *trail) countFetch(_ context.Context, e fetch.Event) {
	host := e.Host[:min(len(e.Host), maxHostBytes)]
	t.tally.Add(audit.Act{
		Tenant: t.tenant, Action: audit.Fetched(e.Kind), At: time.Now(), From: e.From, Reason: strings.TrimSpace(e.Outcome + " " + host),
	})
}

// countRefusal is what the edge asks for.
func (t *trail) countRefusal(by registration.Access, reason string) {
	t.tally.Add(audit.Act{
		Tenant: t.tenant, Action: audit.RegistrationRefused, At: time.Now(),
		From: by.From, Agent: by.Agent, Reason: reason, TraceID: by.TraceID,
	})
}
