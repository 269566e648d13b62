package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/authorization"
)

// rivals is how many calls of a race start together.
const rivals = 20

func parallelRedemptions(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	must(t, s.CreateGrant(t.Context(), fresh("contended")))
	grants := make([]*authorization.Grant, rivals)
	errs := inParallel(rivals, func(i int) error {
		grants[i] = redeemed("contended")
		grants[i].RefreshDigest = digest(fmt.Sprint("token ", i))
		return s.RedeemCode(t.Context(), grants[i])
	})
	wantGrant(t, s, grants[onlySuccess(t, errs, authorization.ErrSpent)])
}

func parallelRotations(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	g := redeemed("contended")
	must(t, s.CreateGrant(t.Context(), g))
	grants := make([]*authorization.Grant, rivals)
	errs := inParallel(rivals, func(i int) error {
		grants[i] = redeemed("contended")
		grants[i].RefreshDigest = digest(fmt.Sprint("token ", i))
		return s.RotateRefresh(t.Context(), grants[i], g.RefreshDigest)
	})
	wantGrant(t, s, grants[onlySuccess(t, errs, authorization.ErrSpent)])
}

func parallelAssertions(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	errs := inParallel(rivals, func(int) error {
		return s.SpendAssertion(t.Context(), "one", "c_1", []byte("jti"), at)
	})
	onlySuccess(t, errs, authorization.ErrSpent)
}

func parallelConsents(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	for _, err := range inParallel(rivals, func(int) error { return s.SaveConsent(t.Context(), consent("c_1")) }) {
		must(t, err)
	}
	wantConsent(t, s, consent("c_1"))
	wantRemoved(t, 1)(s.DeleteExpiredGrants(t.Context(), "one", at.Add(365*24*time.Hour), 100))
}

func deletionBesideCreation(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	consents := make([]*authorization.Consent, rivals)
	errs := inParallel(rivals, func(i int) error {
		if i == rivals/2 {
			return s.Delete(t.Context(), "one", "c_1", act)
		}
		consents[i] = consent("c_1")
		consents[i].Target = fmt.Append(nil, i)
		return errors.Join(
			s.SaveConsent(t.Context(), consents[i]),
			orSpent(s.CreateGrant(t.Context(), redeemed(fmt.Sprint("g", i)))),
			orSpent(s.SpendAssertion(t.Context(), "one", "c_1", fmt.Append(nil, i), at)))
	})
	must(t, errors.Join(errs...))
	for i, c := range consents {
		wantNoGrant(t, s, redeemed(fmt.Sprint("g", i)))
		if c != nil {
			wantNoConsent(t, s, c)
		}
	}
	wantRemoved(t, 0)(s.DeleteExpiredGrants(t.Context(), "one", at.Add(365*24*time.Hour), 100))
}

func deletionBesideRedemption(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	id := func(i int) string { return fmt.Sprint("g", i) }
	for i := range rivals {
		must(t, s.CreateGrant(t.Context(), fresh(id(i))))
	}
	errs := inParallel(rivals, func(i int) error {
		if i == rivals/2 {
			return s.Delete(t.Context(), "one", "c_1", act)
		}
		return orSpent(s.RedeemCode(t.Context(), redeemed(id(i))))
	})
	must(t, errors.Join(errs...))
	for i := range rivals {
		wantNoGrant(t, s, fresh(id(i)))
		wantError(t, "RedeemCode", s.RedeemCode(t.Context(), redeemed(id(i))), authorization.ErrSpent)
	}
}

// orSpent takes the answer that something has ended for a good one.
func orSpent(err error) error {
	if errors.Is(err, authorization.ErrSpent) {
		return nil
	}
	return err
}

func parallelCleanUps(t *testing.T, s AuthorizationStore) {
	const grants, replicas, limit = 60, 4, 20
	clientFor(t, s, "one", "c_1")
	for i := range grants {
		must(t, s.CreateGrant(t.Context(), fresh(fmt.Sprint("g", i))))
	}
	removed := make([]int64, replicas)
	errs := inParallel(replicas, func(i int) (err error) {
		removed[i], err = s.DeleteExpiredGrants(t.Context(), "one", at.Add(time.Hour), limit)
		return err
	})
	must(t, errors.Join(errs...))
	rest, err := s.DeleteExpiredGrants(t.Context(), "one", at.Add(time.Hour), grants)
	must(t, err)
	sum := rest
	for i, n := range removed {
		if sum += n; n > limit {
			t.Errorf("clean-up %d removed %d rows, want at most %d", i, n, limit)
		}
	}
	if sum != grants {
		t.Errorf("%d rows were removed, want %d", sum, grants)
	}
}
