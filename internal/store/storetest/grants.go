package storetest

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// AuthorizationStore is a store of grants and of the clients that they belong to.
type AuthorizationStore interface {
	authorization.Store
	registration.Store
}

// RunAuthorization runs the suite of [authorization.Store]. For open, see [Run].
func RunAuthorization(t *testing.T, open func(t *testing.T) AuthorizationStore) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, AuthorizationStore)
	}{
		{"a grant is found as it was created", grantRoundTrip},
		{"any text in a grant survives", grantHostileText},
		{"what is not text is refused", grantNotText},
		{"a grant that exists is not overwritten", grantTwice},
		{"a grant needs its client", grantWithoutClient},
		{"grants that are not there", grantAbsent},
		{"a code is redeemed once", redeem},
		{"a refresh token is rotated once", rotate},
		{"a grant is revoked once", revokeGrant},
		{"the grants of a user", grantsOfUser},
		{"a user disconnects a client", disconnect},
		{"a consent is found as it was saved", consentRoundTrip},
		{"a consent takes the place of another", consentReplaced},
		{"a consent needs its client", consentWithoutClient},
		{"consents that are not there", consentAbsent},
		{"an assertion is spent once", assertionOnce},
		{"all of a client goes with it", cascade},
		{"the grants of a client end with its suspension", suspension},
		{"tenants of grants are apart", grantTenants},
		{"expired grants go, within the limit", grantExpiry},
		{"a cancelled call changes no grant", grantCancelled},
		{"of parallel redemptions one wins", parallelRedemptions},
		{"of parallel rotations one wins", parallelRotations},
		{"of parallel uses of an assertion one wins", parallelAssertions},
		{"parallel consents leave one", parallelConsents},
		{"nothing outlives a deletion beside it", deletionBesideCreation},
		{"a code is of no use after a deletion beside it", deletionBesideRedemption},
		{"parallel clean-ups remove each row once", parallelCleanUps},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// person has a value in every field.
func person(subject string) tenant.User {
	return tenant.User{
		Subject: subject, Login: "0a1b|ü", Name: "Zoë ☕ <b>", Email: "zoe@example.org", EmailVerified: true,
		HostedDomain: "example.org", Groups: []string{"staff", "élan, \"x\""},
	}
}

// fresh is a grant as it is created, with nothing that is optional.
func fresh(id string) *authorization.Grant {
	return &authorization.Grant{
		Tenant: "one", ID: id, ClientID: "c_1",
		User: tenant.User{Subject: "u_1", Login: "zoe"}, AuthenticatedAt: at.Add(-time.Minute),
		Scope: "openid", RedirectURI: "https://client.example/cb", Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		CodeDigest: digest("code of " + id), CodeExpiresAt: at.Add(time.Minute),
		CreatedAt: at, ExpiresAt: at.Add(time.Minute),
	}
}

// redeemed is a grant whose code was used.
func redeemed(id string) *authorization.Grant {
	g := fresh(id)
	g.RedeemedAt, g.RefreshedAt = at.Add(time.Second), at.Add(time.Second)
	g.FamilyDigest, g.RefreshDigest = digest("family of "+id), digest("refresh token of "+id)
	g.ExpiresAt = at.Add(time.Hour)
	return g
}

// complete has a value in every field.
func complete(id string) *authorization.Grant {
	g := redeemed(id)
	g.User = person("u_1")
	g.Scope, g.Resource, g.Nonce = "openid profile", "HTTPS://Api.example:443/mcp?a=%2F", "n-0S6_WzA2Mj"
	g.PreviousDigest = digest("refresh token before that of " + id)
	g.RefreshedAt = at.Add(time.Minute + time.Microsecond)
	g.RevokedAt = at.Add(time.Hour)
	return g
}

// clientFor creates a client that grants can belong to.
func clientFor(t *testing.T, s registration.Store, tenant, id string) *registration.Client {
	t.Helper()
	c := minimal(id)
	c.Tenant = tenant
	mustCreate(t, s, c)
	return c
}

func grantRoundTrip(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	wholeSecond := fresh("whole second")
	wholeSecond.CreatedAt, wholeSecond.ExpiresAt = at.Truncate(time.Second), at.Truncate(time.Minute)
	withoutRefresh := redeemed("without refresh")
	withoutRefresh.FamilyDigest, withoutRefresh.RefreshDigest, withoutRefresh.RefreshedAt = nil, nil, time.Time{}
	for _, g := range []*authorization.Grant{fresh("fresh"), redeemed("redeemed"), complete("complete"), wholeSecond, withoutRefresh} {
		t.Run(g.ID, func(t *testing.T) {
			must(t, s.CreateGrant(t.Context(), g))
			wantGrant(t, s, g)
		})
	}
	t.Run("a time of another zone, finer than a microsecond", func(t *testing.T) {
		g := complete("zoned")
		zoned := func(t time.Time) time.Time { return t.Add(999).In(time.FixedZone("", 9*60*60)) }
		stored := *g
		for _, of := range []*time.Time{
			&g.AuthenticatedAt, &g.CodeExpiresAt, &g.RedeemedAt, &g.RefreshedAt, &g.CreatedAt, &g.ExpiresAt, &g.RevokedAt,
		} {
			*of = zoned(*of)
		}
		must(t, s.CreateGrant(t.Context(), g))
		wantGrant(t, s, &stored)
	})
}

// keyOf is text as a key can be: not longer than an index takes.
func keyOf(text string) string { return text[:min(len(text), 200)] }

func grantHostileText(t *testing.T, s AuthorizationStore) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			key := keyOf(text)
			clientFor(t, s, "one", key)
			g := complete(key)
			g.ClientID, g.Scope, g.Resource, g.RedirectURI, g.Challenge, g.Nonce = key, text, text, text, text, text
			g.User = tenant.User{Subject: key, Login: text, Name: text, Email: text, HostedDomain: text, Groups: []string{text, ""}}
			g.RevokedAt = time.Time{}
			must(t, s.CreateGrant(t.Context(), g))
			wantGrant(t, s, g)
			wantGrants(t, s, key, at, g)

			c := consent(key)
			c.Subject, c.ClientID, c.Scope = key, key, text
			must(t, s.SaveConsent(t.Context(), c))
			wantConsent(t, s, c)

			must(t, s.SpendAssertion(t.Context(), "one", key, []byte(key), at))
			must(t, s.Disconnect(t.Context(), "one", key, key, act))
			wantNoConsent(t, s, c)
		})
	}
}

// notText are what PostgreSQL does not take, and so no store does.
var notText = map[string]string{"NUL": "a\x00b", "not UTF-8": "a\xffb"}

func grantNotText(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	for name, text := range notText {
		t.Run(name, func(t *testing.T) {
			for i, spoil := range []func(*authorization.Grant){
				func(g *authorization.Grant) { g.ID = text },
				func(g *authorization.Grant) { g.User.Subject = text },
				func(g *authorization.Grant) { g.Scope = text },
				func(g *authorization.Grant) { g.Resource = text },
				func(g *authorization.Grant) { g.RedirectURI = text },
				func(g *authorization.Grant) { g.Challenge = text },
				func(g *authorization.Grant) { g.Nonce = text },
			} {
				g := complete(fmt.Sprint("g", i))
				spoil(g)
				wantFault(t, "CreateGrant", s.CreateGrant(t.Context(), g))
				wantNoGrant(t, s, g)
			}
			c := consent("c_1")
			c.Scope = text
			wantFault(t, "SaveConsent", s.SaveConsent(t.Context(), c))
			wantNoConsent(t, s, c)
		})
	}
}

func grantTwice(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	first := complete("twice")
	must(t, s.CreateGrant(t.Context(), first))
	wantFault(t, "the second CreateGrant", s.CreateGrant(t.Context(), fresh("twice")))
	wantGrant(t, s, first)
}

func grantWithoutClient(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "two", "c_1")
	gone := clientFor(t, s, "one", "c_1")
	must(t, s.Delete(t.Context(), gone.Tenant, gone.ID, act))
	wantError(t, "CreateGrant", s.CreateGrant(t.Context(), fresh("g")), authorization.ErrSpent)
	wantNoGrant(t, s, fresh("g"))
}

func grantAbsent(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	here := redeemed("here")
	must(t, s.CreateGrant(t.Context(), here))
	for name, key := range map[string]string{
		"unknown": "gone", "empty": "", "prefix": "her", "longer": "heree", "other case": "HERE",
		"pattern": "%", "NUL": "here\x00", "not UTF-8": "here\xff", "quote": "' OR '1'='1",
	} {
		t.Run(name, func(t *testing.T) {
			g := redeemed(key)
			wantNoGrant(t, s, g)
			wantError(t, "RedeemCode", s.RedeemCode(t.Context(), g), authorization.ErrSpent)
			wantError(t, "RotateRefresh", s.RotateRefresh(t.Context(), g, here.RefreshDigest), authorization.ErrSpent)
			must(t, s.RevokeGrant(t.Context(), g.Tenant, g.ID, at))
			wantGrants(t, s, key, at)
			must(t, s.Disconnect(t.Context(), here.Tenant, key, here.ClientID, act))
			must(t, s.Disconnect(t.Context(), here.Tenant, here.User.Subject, key, act))
		})
	}
	wantGrant(t, s, here)
}

func redeem(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	for name, to := range map[string]*authorization.Grant{
		"with refresh tokens": redeemed("with"),
		"without": func() *authorization.Grant {
			g := redeemed("without")
			g.FamilyDigest, g.RefreshDigest, g.RefreshedAt = nil, nil, time.Time{}
			return g
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			g, bystander := fresh(to.ID), fresh(to.ID+" bystander")
			must(t, s.CreateGrant(t.Context(), g))
			must(t, s.CreateGrant(t.Context(), bystander))

			changed := *to
			changed.ClientID, changed.User, changed.Scope, changed.Nonce = "another", person("another"), "another", "another"
			changed.CodeDigest, changed.PreviousDigest, changed.RevokedAt = digest("another"), digest("another"), at
			must(t, s.RedeemCode(t.Context(), &changed))
			wantGrant(t, s, to)
			wantGrant(t, s, bystander)

			changed.RefreshDigest, changed.RedeemedAt = digest("another"), at.Add(time.Hour)
			wantError(t, "the second RedeemCode", s.RedeemCode(t.Context(), &changed), authorization.ErrSpent)
			wantGrant(t, s, to)
		})
	}
	t.Run("not of a revoked grant", func(t *testing.T) {
		g := fresh("revoked")
		g.RevokedAt = at
		must(t, s.CreateGrant(t.Context(), g))
		wantError(t, "RedeemCode", s.RedeemCode(t.Context(), redeemed(g.ID)), authorization.ErrSpent)
		wantGrant(t, s, g)
	})
}

func rotate(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	g, bystander := redeemed("g"), redeemed("bystander")
	must(t, s.CreateGrant(t.Context(), g))
	must(t, s.CreateGrant(t.Context(), bystander))

	first := g.RefreshDigest
	next := complete(g.ID)
	next.RefreshDigest, next.PreviousDigest = digest("second"), first
	next.FamilyDigest, next.RedeemedAt = digest("another"), at.Add(time.Hour)
	for name, present := range map[string][]byte{
		"nil": nil, "empty": {}, "part": first[:31], "another": digest("another"), "the bystander's": bystander.RefreshDigest,
	} {
		wantError(t, "RotateRefresh of "+name, s.RotateRefresh(t.Context(), next, present), authorization.ErrSpent)
	}
	wantGrant(t, s, g)

	must(t, s.RotateRefresh(t.Context(), next, first))
	g.RefreshDigest, g.PreviousDigest, g.RefreshedAt, g.ExpiresAt = next.RefreshDigest, first, next.RefreshedAt, next.ExpiresAt
	wantGrant(t, s, g)
	wantError(t, "RotateRefresh of a used token", s.RotateRefresh(t.Context(), next, first), authorization.ErrSpent)

	g.RefreshDigest, g.PreviousDigest = digest("third"), nil
	must(t, s.RotateRefresh(t.Context(), g, digest("second")))
	wantGrant(t, s, g)
	wantGrant(t, s, bystander)

	must(t, s.RevokeGrant(t.Context(), g.Tenant, g.ID, at))
	wantError(t, "RotateRefresh of a revoked grant", s.RotateRefresh(t.Context(), next, g.RefreshDigest), authorization.ErrSpent)

	unused := fresh("unused")
	must(t, s.CreateGrant(t.Context(), unused))
	wantError(t, "RotateRefresh without a token", s.RotateRefresh(t.Context(), redeemed(unused.ID), nil), authorization.ErrSpent)
	wantGrant(t, s, unused)
}

func revokeGrant(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	g, bystander := redeemed("g"), redeemed("bystander")
	must(t, s.CreateGrant(t.Context(), g))
	must(t, s.CreateGrant(t.Context(), bystander))
	g.RevokedAt = at.Add(time.Minute)
	for _, when := range []time.Time{g.RevokedAt, g.RevokedAt.Add(time.Hour)} {
		must(t, s.RevokeGrant(t.Context(), g.Tenant, g.ID, when))
		wantGrant(t, s, g)
	}
	wantGrant(t, s, bystander)
}

func grantsOfUser(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	clientFor(t, s, "one", "c_2")
	wantGrants(t, s, "u_1", at)

	oldest, newest, sameTime := redeemed("a"), redeemed("b"), redeemed("c")
	oldest.CreatedAt, oldest.ClientID = at.Add(-time.Hour), "c_2"
	newest.CreatedAt = at.Add(time.Hour)
	newest.User = person("u_1")
	sameTime.CreatedAt = newest.CreatedAt
	revoked, expired, others := redeemed("d"), redeemed("e"), redeemed("f")
	revoked.RevokedAt = at
	expired.ExpiresAt = at
	others.User.Subject = "u_2"
	for _, g := range []*authorization.Grant{newest, oldest, sameTime, revoked, expired, others, fresh("g")} {
		must(t, s.CreateGrant(t.Context(), g))
	}
	wantGrants(t, s, "u_1", at, sameTime, newest, oldest)
	wantGrants(t, s, "u_1", at.In(time.FixedZone("", -7*60*60)), sameTime, newest, oldest)
	wantGrants(t, s, "u_1", at.Add(-time.Microsecond), sameTime, newest, expired, oldest)
	wantGrants(t, s, "u_2", at, others)
}

func disconnect(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	clientFor(t, s, "one", "c_2")
	used, pending, revoked := redeemed("used"), fresh("pending"), redeemed("revoked")
	revoked.RevokedAt = at.Add(-time.Minute)
	otherClient, otherUser := redeemed("other client"), redeemed("other user")
	otherClient.ClientID, otherUser.User.Subject = "c_2", "u_2"
	for _, g := range []*authorization.Grant{used, pending, revoked, otherClient, otherUser} {
		must(t, s.CreateGrant(t.Context(), g))
	}
	first, second := consent("c_1"), consent("c_1")
	second.Target = []byte("another")
	kept := []*authorization.Consent{consent("c_2"), consent("c_1")}
	kept[1].Subject = "u_2"
	for _, c := range append(kept, first, second) {
		must(t, s.SaveConsent(t.Context(), c))
	}

	must(t, s.Disconnect(t.Context(), "one", "u_1", "c_1", act))
	used.RevokedAt, pending.RevokedAt = at, at
	for _, g := range []*authorization.Grant{used, pending, revoked, otherClient, otherUser} {
		wantGrant(t, s, g)
	}
	wantNoConsent(t, s, first)
	wantNoConsent(t, s, second)
	for _, c := range kept {
		wantConsent(t, s, c)
	}
}

func grantTenants(t *testing.T, s AuthorizationStore) {
	for _, name := range []string{"one", "two"} {
		clientFor(t, s, name, "c_1")
	}
	here, there := fresh("same"), redeemed("same")
	there.Tenant = "two"
	hereConsent, thereConsent := consent("c_1"), consent("c_1")
	thereConsent.Tenant, thereConsent.Scope = "two", "another"
	must(t, s.CreateGrant(t.Context(), here))
	must(t, s.SaveConsent(t.Context(), hereConsent))
	wantNoGrant(t, s, there)
	wantNoConsent(t, s, thereConsent)
	must(t, s.CreateGrant(t.Context(), there))
	must(t, s.SaveConsent(t.Context(), thereConsent))
	wantGrants(t, s, "u_1", at)
	must(t, s.SpendAssertion(t.Context(), "one", "c_1", []byte("jti"), at))
	must(t, s.SpendAssertion(t.Context(), "two", "c_1", []byte("jti"), at))

	present := there.RefreshDigest
	there.RefreshDigest = digest("next")
	must(t, s.RotateRefresh(t.Context(), there, present))
	must(t, s.RevokeGrant(t.Context(), "two", "same", at))
	must(t, s.Disconnect(t.Context(), "two", "u_1", "c_1", act))
	there.RevokedAt = at
	wantGrant(t, s, there)
	wantNoConsent(t, s, thereConsent)
	wantRemoved(t, 2)(s.DeleteExpiredGrants(t.Context(), "two", at.Add(time.Hour), 100))
	wantNoGrant(t, s, there)
	must(t, s.Delete(t.Context(), "two", "c_1", act))

	wantGrant(t, s, here)
	wantConsent(t, s, hereConsent)
	wantError(t, "SpendAssertion", s.SpendAssertion(t.Context(), "one", "c_1", []byte("jti"), at), authorization.ErrSpent)
}

func grantCancelled(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	g, used, c := fresh("g"), redeemed("used"), consent("c_1")
	must(t, s.CreateGrant(t.Context(), g))
	must(t, s.CreateGrant(t.Context(), used))
	must(t, s.SaveConsent(t.Context(), c))
	other := consent("c_1")
	other.Scope = "another"
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"CreateGrant":    func() error { return s.CreateGrant(ctx, fresh("never")) },
		"FindGrant":      func() error { _, err := s.FindGrant(ctx, "one", g.ID); return err },
		"RedeemCode":     func() error { return s.RedeemCode(ctx, redeemed(g.ID)) },
		"RotateRefresh":  func() error { return s.RotateRefresh(ctx, complete(used.ID), used.RefreshDigest) },
		"RevokeGrant":    func() error { return s.RevokeGrant(ctx, "one", g.ID, at) },
		"GrantsOf":       func() error { _, err := s.GrantsOf(ctx, "one", "u_1", at); return err },
		"Disconnect":     func() error { return s.Disconnect(ctx, "one", "u_1", "c_1", act) },
		"SaveConsent":    func() error { return s.SaveConsent(ctx, other) },
		"FindConsent":    func() error { _, err := s.FindConsent(ctx, "one", "u_1", "c_1", c.Target); return err },
		"SpendAssertion": func() error { return s.SpendAssertion(ctx, "one", "c_1", []byte("jti"), at) },
		"DeleteExpiredGrants": func() error {
			_, err := s.DeleteExpiredGrants(ctx, "one", at.Add(24*time.Hour), 100)
			return err
		},
	} {
		wantError(t, name, call(), context.Canceled)
	}
	wantGrant(t, s, g)
	wantGrant(t, s, used)
	wantConsent(t, s, c)
	wantNoGrant(t, s, fresh("never"))
	must(t, s.SpendAssertion(t.Context(), "one", "c_1", []byte("jti"), at))
}

func wantGrant(t *testing.T, s authorization.Store, want *authorization.Grant) {
	t.Helper()
	got, err := s.FindGrant(t.Context(), want.Tenant, want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found\n%+v\nwant\n%+v", got, want)
	}
}

func wantNoGrant(t *testing.T, s authorization.Store, g *authorization.Grant) {
	t.Helper()
	found, err := s.FindGrant(t.Context(), g.Tenant, g.ID)
	if found != nil {
		t.Errorf("FindGrant returned %v", found)
	}
	wantError(t, "FindGrant", err, authorization.ErrNotFound)
}

// wantGrants checks the grants of a user of the tenant "one", in their order.
func wantGrants(t *testing.T, s authorization.Store, subject string, at time.Time, want ...*authorization.Grant) {
	t.Helper()
	got, err := s.GrantsOf(t.Context(), "one", subject, at)
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("GrantsOf returned %d grants, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("grant %d is\n%+v\nwant\n%+v", i, got[i], want[i])
		}
	}
}

// wantRemoved returns a check of how many rows a clean-up removed.
func wantRemoved(t *testing.T, want int64) func(got int64, err error) {
	t.Helper()
	return func(got int64, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("the clean-up returned %d, %v, want %d", got, err, want)
		}
	}
}

// wantFault checks for an error that is neither an answer nor an outage.
func wantFault(t *testing.T, call string, err error) {
	t.Helper()
	if err == nil || isUnavailable(err) {
		t.Errorf("%s returned %v, want a fault", call, err)
	}
}
