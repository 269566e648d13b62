package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/registration"
)

func cascade(t *testing.T, s AuthorizationStore) {
	gone, stays := clientFor(t, s, "one", "c_1"), clientFor(t, s, "one", "c_2")
	kept := redeemed("kept")
	kept.ClientID = stays.ID
	grants := []*authorization.Grant{fresh("fresh"), redeemed("redeemed"), complete("complete")}
	for _, g := range append(grants, kept) {
		must(t, s.CreateGrant(t.Context(), g))
	}
	for _, id := range []string{gone.ID, stays.ID} {
		must(t, s.SaveConsent(t.Context(), consent(id)))
		must(t, s.SpendAssertion(t.Context(), "one", id, []byte("jti"), at))
	}

	must(t, s.Delete(t.Context(), gone.Tenant, gone.ID, act))
	for _, g := range grants {
		wantNoGrant(t, s, g)
		wantError(t, "RedeemCode", s.RedeemCode(t.Context(), g), authorization.ErrSpent)
		wantError(t, "RotateRefresh", s.RotateRefresh(t.Context(), g, g.RefreshDigest), authorization.ErrSpent)
	}
	wantNoConsent(t, s, consent(gone.ID))
	wantGrant(t, s, kept)
	wantConsent(t, s, consent(stays.ID))

	// A client of the same name begins with nothing.
	mustCreate(t, s, gone)
	wantGrants(t, s, "u_1", at, kept)
	wantNoConsent(t, s, consent(gone.ID))
	must(t, s.SpendAssertion(t.Context(), "one", gone.ID, []byte("jti"), at))
	wantError(t, "SpendAssertion", s.SpendAssertion(t.Context(), "one", stays.ID, []byte("jti"), at), authorization.ErrSpent)
}

func suspension(t *testing.T, s AuthorizationStore) {
	suspended, stays := clientFor(t, s, "one", "c_1"), clientFor(t, s, "one", "c_2")
	kept := redeemed("kept")
	kept.ClientID = stays.ID
	grants := []*authorization.Grant{fresh("fresh"), redeemed("redeemed"), complete("complete")}
	for _, g := range append(grants, kept) {
		must(t, s.CreateGrant(t.Context(), g))
	}
	later := at.Add(time.Minute)
	must(t, s.SetStatus(t.Context(), suspended.Tenant, suspended.ID, registration.StatusSuspended, actAt(later)))
	for _, g := range grants {
		wantError(t, "RedeemCode", s.RedeemCode(t.Context(), g), authorization.ErrSpent)
		wantError(t, "RotateRefresh", s.RotateRefresh(t.Context(), g, g.RefreshDigest), authorization.ErrSpent)
		if g.RevokedAt.IsZero() {
			g.RevokedAt = later
		}
		wantGrant(t, s, g)
	}
	wantGrant(t, s, kept)

	must(t, s.SetStatus(t.Context(), suspended.Tenant, suspended.ID, registration.StatusActive, actAt(later.Add(time.Minute))))
	for _, g := range grants {
		wantGrant(t, s, g)
	}
}

func grantExpiry(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	end := at.Add(time.Hour)
	grants := make([]*authorization.Grant, 12)
	for i := range grants {
		grants[i] = redeemed(fmt.Sprint("g", i))
		grants[i].ExpiresAt = end.Add(time.Duration(i-9) * time.Microsecond)
		must(t, s.CreateGrant(t.Context(), grants[i]))
	}
	for i, expiresAt := range []time.Time{end, end.Add(time.Microsecond)} {
		c := consent("c_1")
		c.Target, c.ExpiresAt = fmt.Append(nil, i), expiresAt
		must(t, s.SaveConsent(t.Context(), c))
		must(t, s.SpendAssertion(t.Context(), "one", "c_1", fmt.Append(nil, i), expiresAt))
	}

	for _, limit := range []int{0, -1} {
		wantRemoved(t, 0)(s.DeleteExpiredGrants(t.Context(), "one", end, limit))
	}
	wantRemoved(t, 0)(s.DeleteExpiredGrants(t.Context(), "one", at, 100))
	wantRemoved(t, 0)(s.DeleteExpiredGrants(t.Context(), "two", end, 100))
	wantRemoved(t, 0)(s.DeleteExpiredGrants(t.Context(), "\x00", end, 100))
	for _, g := range grants {
		wantGrant(t, s, g)
	}

	// The oldest go first, and the limit is one for grants, consents and assertions.
	zoned := end.In(time.FixedZone("", 5*60*60))
	wantRemoved(t, 4)(s.DeleteExpiredGrants(t.Context(), "one", zoned, 4))
	wantNoGrant(t, s, grants[3])
	wantGrant(t, s, grants[4])
	wantRemoved(t, 7)(s.DeleteExpiredGrants(t.Context(), "one", zoned, 7))
	wantRemoved(t, 1)(s.DeleteExpiredGrants(t.Context(), "one", zoned, 7))
	wantRemoved(t, 0)(s.DeleteExpiredGrants(t.Context(), "one", zoned, 7))
	wantNoGrant(t, s, grants[9])
	wantGrant(t, s, grants[10])
	wantGrant(t, s, grants[11])
	must(t, s.SpendAssertion(t.Context(), "one", "c_1", []byte("0"), end))
	wantError(t, "SpendAssertion", s.SpendAssertion(t.Context(), "one", "c_1", []byte("1"), end), authorization.ErrSpent)
}
