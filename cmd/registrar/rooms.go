package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/fetch"
	"github.com/seed-9c856424/registrar/internal/httpapi"
	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/metrics"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/signing"
	"github.com/seed-9c856424/registrar/internal/store"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// assemble puts the rooms behind the API together.
func assemble(ctx context.Context, settings *config.Config, db *store.Store, limits *gates, trail *trail, used *usage, m *metrics.Metrics, outside network, log *slog.Logger) (httpapi.Options, error) {
	t := settings.Tenant()
	sealer, err := newSealer(settings)
	if err != nil {
		return httpapi.Options{}, err
	}
	keys := &signing.Keys{Store: db, Sealer: sealer, Now: time.Now, Log: log}
	if err := keys.Prepare(ctx, t.ID); err != nil {
		return httpapi.Options{}, fmt.Errorf("the signing keys: %w", err)
	}
	logins, err := newLogin(settings, db, sealer, limits, log)
	if err != nil {
		return httpapi.Options{}, err
	}
	countFetch := func(_ context.Context, e fetch.Event) { m.Fetched(e.Kind, e.Outcome, e.Duration) }
	outbound := newOutbound(settings, limits, observeFetch(trail.countFetch, countFetch), outside)
	quota := &registration.Quota{Store: db, Tenant: t.ID, Max: settings.Quota(), Now: time.Now}
	return httpapi.Options{
		Tenant: t,
		Registry: &registration.Service{
			Store: db, Admit: limits.admit, Readmit: limits.readmit, Quota: quota.Take, StatementKeys: outbound.statementKeys, Now: time.Now, Random: rand.Reader,
		},
		Authorization: &authorization.Service{
			Store: db, Signer: keys, Recheck: recheck(t, logins), Admit: limits.admit, Quota: quota.Take, Used: used.mark, Document: outbound.document, Keys: outbound.keys,
			Now: time.Now, Random: rand.Reader,
		},
		Login:          logins,
		Logo:           outbound.logo,
		Keys:           func(ctx context.Context) ([]map[string]any, error) { return keys.Public(ctx, t.ID) },
		Refused:        limits.refused,
		CountRefusal:   trail.countRefusal,
		Observe:        observe(m, t.ID),
		Ready:          db.Ready,
		TrustedProxies: settings.TrustedProxies,
		MaxBody:        int64(settings.MaxBody),
		RequestTime:    requestTime,
		Enveloped:      settings.Envelope == config.EnvelopeAlways,
		Log:            log,
		Now:            time.Now,
	}, nil
}

// newLogin makes the source of users that is configured.
func newLogin(settings *config.Config, db *store.Store, sealer *signing.Sealer, limits *gates, log *slog.Logger) (httpapi.Login, error) {
	l := httpapi.Login{Sessions: &login.Sessions{Store: db, Now: time.Now, Random: rand.Reader, Log: log}}
	switch settings.Login() {
	case config.LoginUpstream:
		l.Upstream, l.Admit = newUpstream(settings, db, sealer), limits.attempt
	case config.LoginUsers:
		users, warning, err := login.OpenUsers(login.UsersConfig{
			Path: settings.UsersFile, LimitUser: limits.userLogin, LimitAddress: limits.addressLogin, Log: log,
		})
		if err != nil {
			return l, err
		}
		if warning != "" {
			log.Warn(warning, "variable", config.Prefix+"USERS_FILE")
		}
		l.Users = users
	case config.LoginDevelopment:
		l.Development = true
	}
	return l, nil
}

func newUpstream(settings *config.Config, db *store.Store, sealer *signing.Sealer) *login.Upstream {
	return &login.Upstream{
		UpstreamConfig: login.UpstreamConfig{
			Issuer:   settings.UpstreamIssuer,
			ClientID: settings.UpstreamClientID, ClientSecret: settings.UpstreamClientSecret,
			Scopes:        settings.UpstreamScopes,
			RedirectURI:   settings.Issuer + "/login/callback",
			OfflineAccess: settings.RecheckUpstream,
		},
		Store: db, Client: &http.Client{}, Now: time.Now, Random: rand.Reader,
		Seal: sealer.Seal, Open: sealer.Open,
	}
}

// recheck asks for a user again at a refresh, in the words of the authorization room: the
// provider where the policy says so, the file of users always, as that costs nothing.
func recheck(t *tenant.Tenant, logins httpapi.Login) func(context.Context, *tenant.Tenant, string) error {
	switch {
	case logins.Users != nil:
		t.Policy.RecheckUpstream = true
		return func(ctx context.Context, _ *tenant.Tenant, subject string) error {
			if _, standing := logins.Users.Present(ctx, subject); !standing {
				return authorization.ErrUserGone
			}
			return nil
		}
	case logins.Upstream != nil:
		return func(ctx context.Context, t *tenant.Tenant, subject string) error {
			err := logins.Upstream.Recheck(ctx, t.ID, subject)
			if errors.Is(err, login.ErrUserGone) {
				return authorization.ErrUserGone
			}
			return err
		}
	}
	return nil
}
