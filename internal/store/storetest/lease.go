package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Leases is a store of leases, by which replicas agree on who does a chore.
type Leases interface {
	// TakeLease makes holder the holder of the named lease until the given time, and
	// reports whether it is.
	TakeLease(ctx context.Context, name, holder string, now, until time.Time) (bool, error)
}

// RunLease runs the suite of [Leases]. For open, see [Run].
func RunLease(t *testing.T, open func(t *testing.T) Leases) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Leases)
	}{
		{"a lease is held, renewed and lost", leaseTurns},
		{"leases of other names are apart", leaseNames},
		{"times of any zone are compared", leaseZones},
		{"a cancelled call takes no lease", leaseCancelled},
		{"of parallel takers of a lease one wins", parallelLeases},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func leaseTurns(t *testing.T, s Leases) {
	for _, step := range []struct {
		name, holder string
		now, until   time.Duration
		want         bool
	}{
		{"nobody has it", "a", 0, 10, true},
		{"another waits", "b", 5, 15, false},
		{"the holder renews", "a", 5, 20, true},
		{"another still waits", "b", 19, 29, false},
		{"it has expired", "b", 20, 30, true},
		{"the former holder waits", "a", 21, 31, false},
		{"the holder renews late", "b", 40, 50, true},
		{"the holder gives it up", "b", 41, 41, true},
		{"it is free", "a", 41, 51, true},
	} {
		got, err := s.TakeLease(t.Context(), "chore", step.holder, at.Add(step.now*time.Second), at.Add(step.until*time.Second))
		if err != nil || got != step.want {
			t.Errorf("%s: TakeLease returned %t, %v, want %t", step.name, got, err, step.want)
		}
	}
}

func leaseNames(t *testing.T, s Leases) {
	for name, holder := range map[string]string{"chore": "a", "CHORE": "b", "another": "c", "'": "d"} {
		wantLease(t, s, name, holder, at, true)
	}
	wantLease(t, s, "chore", "b", at, false)
}

func leaseZones(t *testing.T, s Leases) {
	east, west := time.FixedZone("", 14*60*60), time.FixedZone("", -12*60*60)
	wantLease(t, s, "chore", "a", at.In(east), true)
	wantLease(t, s, "chore", "b", at.Add(leaseTerm-time.Microsecond).In(east), false)
	wantLease(t, s, "chore", "b", at.Add(leaseTerm).In(west), true)
	wantLease(t, s, "chore", "a", at.Add(leaseTerm), false)
}

func leaseCancelled(t *testing.T, s Leases) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	taken, err := s.TakeLease(ctx, "chore", "a", at, at.Add(time.Hour))
	if taken || !errors.Is(err, context.Canceled) {
		t.Errorf("TakeLease returned %t, %v, want context.Canceled", taken, err)
	}
	wantLease(t, s, "chore", "b", at, true)
}

// They compete for a lease that nobody has had, and for one that has expired.
func parallelLeases(t *testing.T, s Leases) {
	errHeld := errors.New("another holds it")
	now := at
	for _, state := range []string{"new", "expired"} {
		errs := inParallel(rivals, func(i int) error {
			taken, err := s.TakeLease(t.Context(), "chore", fmt.Sprint(state, i), now, now.Add(leaseTerm))
			if err == nil && !taken {
				return errHeld
			}
			return err
		})
		winner := onlySuccess(t, errs, errHeld)
		wantLease(t, s, "chore", fmt.Sprint(state, winner), now, true)
		now = now.Add(leaseTerm)
	}
}

const leaseTerm = time.Minute

func wantLease(t *testing.T, s Leases, name, holder string, now time.Time, want bool) {
	t.Helper()
	got, err := s.TakeLease(t.Context(), name, holder, now, now.Add(leaseTerm))
	if err != nil || got != want {
		t.Errorf("TakeLease of %s for %s returned %t, %v, want %t", name, holder, got, err, want)
	}
}
