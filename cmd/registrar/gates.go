package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/metrics"
	"github.com/seed-9c856424/registrar/internal/ratelimit"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// The limits that no setting changes: refused registrations of one address, tries of
// passwords, of one user and from one address, logins that an address begins at the
// upstream provider, each of which is a row until it expires, and fetches, from one host,
// for one address, and of a client's keys before they are due.
var (
	refusalRate      = ratelimit.Limit{Count: 60, Per: time.Hour}
	userLoginRate    = ratelimit.Limit{Count: 5, Per: time.Minute}
	addressLoginRate = ratelimit.Limit{Count: 20, Per: time.Minute}
	attemptRate      = ratelimit.Limit{Count: 300, Per: time.Minute}
	fetchHostRate    = ratelimit.Limit{Count: 10, Per: time.Minute}
	fetchCallerRate  = ratelimit.Limit{Count: 30, Per: time.Minute}
	renewalRate      = ratelimit.Limit{Count: 1, Per: time.Minute}
)

// gates are the limits of registrations, logins and fetches.
type gates struct {
	admit, refused, addressLogin, attempt, fetchCaller func(context.Context, netip.Addr) error
	readmit                                            func(context.Context, netip.Addr)
	userLogin, fetchHost, renewal                      func(context.Context, string) error
	close                                              func() error
}

// newGates builds the limits, in this process or shared through Redis. What they refuse is
// counted.
func newGates(settings *config.Config, m *metrics.Metrics, log *slog.Logger) (*gates, error) {
	limiter, closeLimiter, err := newLimiters(settings, log)
	if err != nil {
		return nil, err
	}
	gate := func(name string, limit ratelimit.Limit) ratelimit.Gate {
		return ratelimit.Gate{Limiter: countedLimiter{limiter(), func() { m.Limited(name) }}, Policy: ratelimit.Policy{Name: name, Default: limit}}
	}
	registration := gate("registration", settings.RegistrationRate.Limit)
	registration.Policy.Ranges = settings.SharedEgress
	ceiling := gate("ceiling", settings.RegistrationCeiling.Limit)
	g := &gates{
		admit: func(ctx context.Context, from netip.Addr) error {
			if err := registration.Take(ctx, from); err != nil {
				return err
			}
			return ceiling.TakeName(ctx, tenant.DefaultID)
		},
		readmit: registration.Return, refused: gate("refusal", refusalRate).Take,
		addressLogin: gate("login", addressLoginRate).Take, userLogin: gate("user", userLoginRate).TakeName,
		attempt:     gate("attempt", attemptRate).Take,
		fetchCaller: gate("fetch", fetchCallerRate).Take, fetchHost: gate("fetch-host", fetchHostRate).TakeName,
		renewal: gate("renewal", renewalRate).TakeName,
		close:   closeLimiter,
	}
	if settings.RegistrationRate.Off {
		g.unlimit()
	}
	return g, nil
}

// newLimiters returns what gives each policy its limiter. In this process each has a table
// of its own, so that refused requests from many addresses do not make another forget what
// it counted.
func newLimiters(settings *config.Config, log *slog.Logger) (limiter func() ratelimit.Limiter, closeAll func() error, err error) {
	if settings.RedisURL == "" {
		return func() ratelimit.Limiter { return newLocal() }, func() error { return nil }, nil
	}
	shared, err := ratelimit.NewShared(settings.RedisURL, newLocal(), log, time.Now)
	if err != nil {
		return nil, nil, fmt.Errorf("%sREDIS_URL: %w", config.Prefix, err)
	}
	return func() ratelimit.Limiter { return shared }, shared.Close, nil
}

func newLocal() *ratelimit.Local { return ratelimit.NewLocal(ratelimit.DefaultKeys, time.Now) }

// unlimit lifts the limits of registrations; passwords stay guarded.
func (g *gates) unlimit() {
	g.admit = func(context.Context, netip.Addr) error { return nil }
	g.refused = g.admit
	g.readmit = func(context.Context, netip.Addr) {}
}
