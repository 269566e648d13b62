package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/ratelimit"
)

// The limits that no setting changes: refused registrations of one address, tries of
// passwords, of one user and from one address, and logins that an address begins at the
// upstream provider, each of which is a row until it expires.
var (
	refusalRate      = ratelimit.Limit{Count: 60, Per: time.Hour}
	userLoginRate    = ratelimit.Limit{Count: 5, Per: time.Minute}
	addressLoginRate = ratelimit.Limit{Count: 20, Per: time.Minute}
	attemptRate      = ratelimit.Limit{Count: 300, Per: time.Minute}
)

// gates are the limits of registrations and logins.
type gates struct {
	admit, refused, addressLogin, attempt func(context.Context, netip.Addr) error
	readmit                               func(context.Context, netip.Addr)
	userLogin                             func(context.Context, string) error
	close                                 func() error
}

// newGates builds the limits, in this process or shared through Redis.
func newGates(settings *config.Config, log *slog.Logger) (*gates, error) {
	limiter, closeLimiter, err := newLimiters(settings, log)
	if err != nil {
		return nil, err
	}
	registration := ratelimit.Gate{Limiter: limiter(), Policy: ratelimit.Policy{
		Name: "registration", Default: settings.RegistrationRate.Limit, Ranges: settings.SharedEgress,
	}}
	refusal := ratelimit.Gate{Limiter: limiter(), Policy: ratelimit.Policy{Name: "refusal", Default: refusalRate}}
	address := ratelimit.Gate{Limiter: limiter(), Policy: ratelimit.Policy{Name: "login", Default: addressLoginRate}}
	user := ratelimit.Gate{Limiter: limiter(), Policy: ratelimit.Policy{Name: "user", Default: userLoginRate}}
	attempt := ratelimit.Gate{Limiter: limiter(), Policy: ratelimit.Policy{Name: "attempt", Default: attemptRate}}
	g := &gates{
		admit: registration.Take, readmit: registration.Return, refused: refusal.Take,
		addressLogin: address.Take, userLogin: user.TakeName, attempt: attempt.Take, close: closeLimiter,
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
