package audit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 23, 9, 8, 7, 654321000, time.UTC)

func refused() Act {
	return Act{
		Tenant: "one", Action: RegistrationRefused, At: at, From: netip.MustParseAddr("192.0.2.1"),
		Agent: "Agent/1.0", Reason: "invalid_redirect_uri: redirect_uris", TraceID: "first",
	}
}

// flushed is what the tally writes.
func flushed(t *testing.T, tally *Tally) (entries []Entry) {
	t.Helper()
	err := tally.Flush(t.Context(), func(_ context.Context, e []Entry) error { entries = e; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestTallyCountsWhatIsAlike(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Act)
		// alike says that it is one entry with the act that it is a change of.
		alike bool
	}{
		{"the same", func(*Act) {}, true},
		{"later in the minute", func(a *Act) { a.At = at.Add(52 * time.Second) }, true},
		{"in another zone", func(a *Act) { a.At = at.In(time.FixedZone("", 3600)) }, true},
		{"another agent and trace", func(a *Act) { a.Agent, a.TraceID = "Another/1.0", "second" }, true},
		{"the address, mapped", func(a *Act) { a.From = netip.MustParseAddr("::ffff:192.0.2.1") }, true},
		{"in the next minute", func(a *Act) { a.At = at.Add(53 * time.Second) }, false},
		{"from another address", func(a *Act) { a.From = netip.MustParseAddr("192.0.2.2") }, false},
		{"from nowhere", func(a *Act) { a.From = netip.Addr{} }, false},
		{"for another reason", func(a *Act) { a.Reason = "rate_limit_exceeded" }, false},
		{"another action", func(a *Act) { a.Action = Fetched("logo") }, false},
		{"in another tenant", func(a *Act) { a.Tenant = "two" }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tally, second := &Tally{}, refused()
			c.change(&second)
			tally.Add(refused())
			tally.Add(second)
			entries := flushed(t, tally)
			if alike := len(entries) == 1; alike != c.alike {
				t.Fatalf("%d entries: %+v", len(entries), entries)
			}
			if again := flushed(t, tally); len(again) != 0 {
				t.Errorf("written twice: %+v", again)
			}
			want := Entry{
				Tenant: "one", ID: entries[0].ID, At: at.Truncate(time.Minute), Action: RegistrationRefused, Actor: Anonymous, Count: 2,
				Address: "192.0.2.1", Agent: "Agent/1.0", Reason: "invalid_redirect_uri: redirect_uris", TraceID: "first",
			}
			if c.alike && entries[0] != want {
				t.Errorf("got %+v, want %+v", entries[0], want)
			}
			// Another process gives what is alike the same id, and that another one, within a tenant.
			other := &Tally{}
			other.Add(second)
			if id := flushed(t, other)[0].ID; c.alike && id != want.ID {
				t.Errorf("ids %s and %s", id, want.ID)
			}
			if !c.alike && entries[0].ID == entries[1].ID && entries[0].Tenant == entries[1].Tenant {
				t.Errorf("one id, %s", entries[0].ID)
			}
		})
	}
}

func TestTallyTakesANetworkForAnAddress(t *testing.T) {
	tally := &Tally{}
	for i := range 100 {
		act := refused()
		act.From = netip.MustParseAddr(fmt.Sprintf("2001:db8:1:2::%x", i))
		tally.Add(act)
	}
	if entries := flushed(t, tally); len(entries) != 1 || entries[0].Count != 100 || entries[0].Address != "2001:db8:1:2::/64" {
		t.Errorf("got %+v", entries)
	}
}

func TestTallyIsBounded(t *testing.T) {
	tally := &Tally{}
	fill := func() {
		for i := range 4 * maxTallied {
			act := refused()
			act.At, act.Reason = at.Add(time.Duration(i)*time.Minute), fmt.Sprint("reason ", i)
			tally.Add(act)
		}
	}
	fill()
	failed := errors.New("no database")
	if err := tally.Flush(t.Context(), func(context.Context, []Entry) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("Flush returned %v", err)
	}
	fill()
	entries, sum := flushed(t, tally), int64(0)
	for _, e := range entries {
		sum += e.Count
	}
	others := slices.IndexFunc(entries, func(e Entry) bool { return e.Reason == OtherReasons })
	if len(entries) != maxTallied+1 || sum != 8*maxTallied || others < 0 || entries[others].Address != "" || entries[others].Agent != "" {
		t.Errorf("%d entries of %d acts, others at %d", len(entries), sum, others)
	}
	if !slices.IsSortedFunc(entries, cmpIDs) {
		t.Error("they are not in order")
	}
}

func cmpIDs(a, b Entry) int { return strings.Compare(a.ID, b.ID) }

func TestTallyBesideItsFlush(t *testing.T) {
	const writers, acts = 8, 200
	tally, sum := &Tally{}, int64(0)
	save := func(_ context.Context, entries []Entry) error {
		for _, e := range entries {
			sum += e.Count
		}
		return nil
	}
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for range acts {
				tally.Add(refused())
			}
		})
	}
	for range 50 {
		if err := tally.Flush(t.Context(), save); err != nil {
			t.Fatal(err)
		}
	}
	running.Wait()
	if err := tally.Flush(t.Context(), save); err != nil || sum != writers*acts {
		t.Errorf("%d acts were written, %v, want %d", sum, err, writers*acts)
	}
}
