package ratelimit

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

var tenAnHour = Limit{10, time.Hour}

func TestBucketOfAddress(t *testing.T) {
	office, floor, hall, six := Limit{100, time.Hour}, Limit{50, time.Hour}, Limit{25, time.Hour}, Limit{75, time.Hour}
	p := Policy{Name: "registration", Default: tenAnHour, Ranges: []Range{
		{netip.MustParsePrefix("20.0.0.0/8"), office},
		{netip.MustParsePrefix("20.1.2.3/24"), floor},
		{netip.MustParsePrefix("20.1.0.0/16"), hall},
		{netip.MustParsePrefix("2001:db8:5::/48"), six},
	}}
	tests := map[string]struct {
		from  string
		key   string
		limit Limit
	}{
		"IPv4":                         {"198.51.100.7", "registration:198.51.100.7", tenAnHour},
		"IPv4-mapped IPv6":             {"::ffff:198.51.100.7", "registration:198.51.100.7", tenAnHour},
		"IPv6":                         {"2001:db8:1:2:3:4:5:6", "registration:2001:db8:1:2::/64", tenAnHour},
		"IPv6, same network":           {"2001:db8:1:2:ffff::1", "registration:2001:db8:1:2::/64", tenAnHour},
		"IPv6, next network":           {"2001:db8:1:3::1", "registration:2001:db8:1:3::/64", tenAnHour},
		"IPv6 with a zone":             {"fe80::1%eth0", "registration:fe80::/64", tenAnHour},
		"range":                        {"20.200.0.1", "registration:20.0.0.0/8", office},
		"longest of three":             {"20.1.2.200", "registration:20.1.2.0/24", floor},
		"second longest":               {"20.1.3.1", "registration:20.1.0.0/16", hall},
		"range, mapped":                {"::ffff:20.200.0.1", "registration:20.0.0.0/8", office},
		"IPv6 range":                   {"2001:db8:5:9::1", "registration:2001:db8:5::/48", six},
		"IPv6 range, with a zone":      {"2001:db8:5:9::1%eth0", "registration:2001:db8:5::/48", six},
		"IPv6 that looks like a range": {"2014::1", "registration:2014::/64", tenAnHour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			key, limit := p.bucket(netip.MustParseAddr(tt.from))
			if key != tt.key || limit != tt.limit {
				t.Errorf("got %q %v, want %q %v", key, limit, tt.key, tt.limit)
			}
		})
	}
	if key, limit := p.bucket(netip.Addr{}); key == "" || limit != tenAnHour {
		t.Errorf("an unknown address: %q %v", key, limit)
	}
}

func TestGate(t *testing.T) {
	c := newClock()
	limits := newTestLocal(t, c)
	gate := Gate{limits, Policy{Name: "registration", Default: Limit{2, time.Minute}}}
	refused := Gate{limits, Policy{Name: "refused", Default: Limit{1, time.Minute}}}
	take := func(g Gate, from string) error { return g.Take(t.Context(), netip.MustParseAddr(from)) }

	for i := range 2 {
		if err := take(gate, "192.0.2.1"); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	var exceeded *Exceeded
	if err := take(gate, "192.0.2.1"); !errors.As(err, &exceeded) {
		t.Fatalf("the third event: %v", err)
	}
	want := Exceeded{"registration", Decision{Limit: Limit{2, time.Minute}, RetryAfter: 30 * time.Second}}
	if *exceeded != want {
		t.Errorf("got %+v, want %+v", *exceeded, want)
	}
	if err := take(gate, "192.0.2.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	if err := take(refused, "192.0.2.1"); err != nil {
		t.Errorf("another policy: %v", err)
	}
	c.advance(30 * time.Second)
	if err := take(gate, "192.0.2.1"); err != nil {
		t.Errorf("after the time that was told: %v", err)
	}
}

type forbidden struct{ t *testing.T }

func (f forbidden) Allow(context.Context, string, Limit) Decision {
	f.t.Error("a policy that is off asks its limiter")
	return Decision{}
}

func (forbidden) Return(context.Context, string, Limit) {}

func TestGateThatIsOff(t *testing.T) {
	if err := (Gate{}).Take(t.Context(), netip.MustParseAddr("192.0.2.1")); err != nil {
		t.Errorf("zero gate: %v", err)
	}
	free := Gate{forbidden{t}, Policy{Name: "registration", Default: tenAnHour, Ranges: []Range{{Prefix: netip.MustParsePrefix("192.0.2.0/24")}}}}
	if err := free.Take(t.Context(), netip.MustParseAddr("192.0.2.1")); err != nil {
		t.Errorf("range without a limit: %v", err)
	}
}

func TestReturnGivesBack(t *testing.T) {
	c := newClock()
	gate := Gate{newTestLocal(t, c), Policy{Name: "registration", Default: Limit{2, time.Minute}}}
	from := netip.MustParseAddr("198.51.100.7")
	for range 10 {
		if err := gate.Take(t.Context(), from); err != nil {
			t.Fatalf("what was given back still counts: %v", err)
		}
		gate.Return(t.Context(), from)
	}
	gate.Return(t.Context(), from)
	for n, want := range []bool{true, true, false} {
		if err := gate.Take(t.Context(), from); (err == nil) != want {
			t.Errorf("event %d: %v, want it allowed: %v", n, err, want)
		}
		c.advance(time.Nanosecond)
	}
}
