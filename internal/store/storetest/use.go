package storetest

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/registration"
)

// usageStore keeps what a quota counts as well.
type usageStore interface {
	registration.Store
	registration.QuotaStore
	MarkUsed(ctx context.Context, tenant string, ids []string, at time.Time) error
}

// from is a client that registered from the address, so long after [at].
func from(id, address string, age time.Duration) *registration.Client {
	c := minimal(id)
	c.CreatedFrom, c.CreatedAt = netip.MustParseAddr(address), at.Add(age)
	return c
}

func reclaim(t *testing.T, registry registration.Store) {
	s, ok := registry.(usageStore)
	if !ok {
		t.Fatalf("%T keeps no count", registry)
	}
	kept := []*registration.Client{
		from("c_a5", "192.0.2.1", time.Hour), from("c_b1", "192.0.2.2", 0), from("c_used", "192.0.2.1", 0), from("c_admin", "192.0.2.1", 0),
		from("c_suspended", "192.0.2.1", 0),
	}
	kept[3].Origin, kept[4].Status = "admin", registration.StatusSuspended
	for _, c := range kept {
		mustCreate(t, s, c)
	}
	for n := range 4 {
		mustCreate(t, s, from(fmt.Sprint("c_a", n+1), "192.0.2.1", time.Duration(n)*time.Minute))
	}
	other := from("c_other", "192.0.2.1", 0)
	other.Tenant = "two"
	mustCreate(t, s, other)
	must(t, s.MarkUsed(t.Context(), "one", []string{"c_used", "c_unknown"}, at))
	wantCount := func(limit, want int) {
		t.Helper()
		if count, err := s.CountClients(t.Context(), "one", limit); err != nil || count != want {
			t.Errorf("%d clients, %v; want %d", count, err, want)
		}
	}
	wantReclaimed := func(limit, want int) {
		t.Helper()
		if gone, err := s.ReclaimClients(t.Context(), "one", at.Add(time.Hour), limit, act); err != nil || gone != want {
			t.Errorf("%d gave way, %v; want %d", gone, err, want)
		}
	}
	wantCount(100, 9)
	wantCount(3, 3)
	wantReclaimed(3, 3)
	for n := range 3 {
		wantAbsent(t, s, minimal(fmt.Sprint("c_a", n+1)))
	}
	wantStored(t, s, from("c_a4", "192.0.2.1", 3*time.Minute))
	wantReclaimed(100, 1)
	wantReclaimed(100, 1)
	wantReclaimed(100, 0)
	wantAbsent(t, s, minimal("c_b1"))
	for _, c := range append(kept[2:], kept[0], other) {
		wantStored(t, s, c)
	}
}
