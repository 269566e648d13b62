package ratelimit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newTestLocal(t *testing.T, c *clock) *Local {
	t.Helper()
	return NewLocal(DefaultKeys, c.Now)
}

func TestLocalOverTime(t *testing.T) {
	c := newClock()
	local := newTestLocal(t, c)
	steps := []struct {
		name    string
		wait    time.Duration
		allowed bool
		left    int
		retry   time.Duration
	}{
		{"first", 0, true, 2, 0},
		{"second", 0, true, 1, 0},
		{"third", 0, true, 0, 0},
		{"one too many", 0, false, 0, 20 * time.Second},
		{"half the time", 10 * time.Second, false, 0, 10 * time.Second},
		{"a moment before", 9900 * time.Millisecond, false, 0, 100 * time.Millisecond},
		{"in time", 100 * time.Millisecond, true, 0, 0},
		{"again too many", 0, false, 0, 20 * time.Second},
		{"two grown back", 45 * time.Second, true, 1, 0},
		{"never above the burst", 24 * time.Hour, true, 2, 0},
		{"a clock set back gives nothing", -time.Hour, true, 1, 0},
	}
	for _, s := range steps {
		c.advance(s.wait)
		want := Decision{Allowed: s.allowed, Limit: Limit{3, time.Minute}, Remaining: s.left, RetryAfter: s.retry}
		got := local.Allow(t.Context(), "key", Limit{3, time.Minute})
		got.RetryAfter = got.RetryAfter.Round(time.Millisecond)
		if got != want {
			t.Errorf("%s: got %+v, want %+v", s.name, got, want)
		}
	}
}

// Whoever waits as long as told is let in, whatever the limit.
func TestLocalRetryAfterIsEnough(t *testing.T) {
	for _, limit := range []Limit{{1, time.Second}, {3, time.Second}, {7, time.Hour}, {10, time.Hour}, {997, 31 * time.Hour}, {10_000, 744 * time.Hour}} {
		t.Run(limit.String(), func(t *testing.T) {
			c := newClock()
			local := newTestLocal(t, c)
			d := Decision{Allowed: true}
			for d.Allowed {
				d = local.Allow(t.Context(), "key", limit)
			}
			for i := range 100 {
				c.advance(d.RetryAfter)
				if d = local.Allow(t.Context(), "key", limit); !d.Allowed {
					t.Fatalf("round %d: refused after the wait, told to wait %v more", i, d.RetryAfter)
				}
				if d = local.Allow(t.Context(), "key", limit); d.Allowed {
					t.Fatalf("round %d: allowed one too many", i)
				}
			}
		})
	}
}

func TestLocalAllowsExactlyTheCount(t *testing.T) {
	local := newTestLocal(t, newClock())
	if got := allowedOf(100, func() bool { return local.Allow(t.Context(), "key", tenAnHour).Allowed }); got != 10 {
		t.Errorf("100 at once: %d allowed, want 10", got)
	}
}

// allowedOf runs the function n times at once and counts.
func allowedOf(n int, allow func() bool) int {
	var allowed atomic.Int64
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-begin
			if allow() {
				allowed.Add(1)
			}
		})
	}
	close(begin)
	wg.Wait()
	return int(allowed.Load())
}

func TestLocalIsBounded(t *testing.T) {
	local := NewLocal(100, newClock().Now)
	once := Limit{1, time.Hour}
	allow := func(key string) bool { return local.Allow(t.Context(), key, once).Allowed }

	allow("busy")
	for i := range 10_000 {
		allow(fmt.Sprint("flood ", i))
		if i%50 == 0 && allow("busy") {
			t.Fatalf("after %d other keys, a key in use is forgotten", i)
		}
	}
	if n := local.keys.Len(); n != 100 {
		t.Errorf("%d keys are kept, want 100", n)
	}
	if !allow("flood 0") {
		t.Error("a key that was long unused is still kept")
	}
}
