package ratelimit

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-9c856424/registrar/internal/testenv"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) count(what string) int { return strings.Count(j.String(), what) }

const (
	down = "Redis does not answer"
	up   = "Redis answers again"
)

// newTestShared returns a limiter that waits until a busy machine lets Redis answer.
func newTestShared(t *testing.T, url string, c *clock) (*Shared, *journal) {
	t.Helper()
	return newPatientShared(t, url, c, 20*time.Second)
}

func newPatientShared(t *testing.T, url string, c *clock, patience time.Duration) (*Shared, *journal) {
	t.Helper()
	log := new(journal)
	s, err := newShared(url, &Shared{
		local: newTestLocal(t, c), log: slog.New(slog.NewTextHandler(log, nil)), now: c.Now, patience: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, log
}

func TestSharedCountsTogether(t *testing.T) {
	server, c := testenv.Redis(t), newClock()
	one, oneLog := newTestShared(t, server.URL, c)
	two, twoLog := newTestShared(t, server.URL, c)
	limit := Limit{4, time.Hour}

	for i, s := range []*Shared{one, two, one, two} {
		d := s.Allow(t.Context(), "registration:192.0.2.1", limit)
		if want := (Decision{Allowed: true, Limit: limit, Remaining: 3 - i}); d != want {
			t.Fatalf("event %d: got %+v, want %+v", i, d, want)
		}
	}
	for name, s := range map[string]*Shared{"one": one, "two": two} {
		d := s.Allow(t.Context(), "registration:192.0.2.1", limit)
		if d.Allowed || d.Remaining != 0 || d.RetryAfter <= 14*time.Minute || d.RetryAfter > 15*time.Minute {
			t.Errorf("%s, one too many: %+v", name, d)
		}
	}
	if d := two.Allow(t.Context(), "registration:192.0.2.2", limit); !d.Allowed {
		t.Errorf("another key: %+v", d)
	}
	if logs := oneLog.String() + twoLog.String(); logs != "" {
		t.Errorf("logged without an outage: %s", logs)
	}
	keys, err := one.client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 2 || !strings.HasPrefix(keys[0], "rate:registrar:registration:") {
		t.Errorf("keys %q, %v", keys, err)
	}
	if ttl, err := one.client.TTL(t.Context(), keys[0]).Result(); err != nil || ttl <= 0 || ttl > time.Hour {
		t.Errorf("a key lives for %v, %v", ttl, err)
	}
}

func TestSharedAllowsExactlyTheCount(t *testing.T) {
	server, c := testenv.Redis(t), newClock()
	s, log := newTestShared(t, server.URL, c)
	got := allowedOf(100, func() bool { return s.Allow(t.Context(), "key", tenAnHour).Allowed })
	if log.String() != "" {
		t.Fatalf("Redis was not asked: %s", log)
	}
	if got != 10 {
		t.Errorf("100 at once: %d allowed, want 10", got)
	}
}

func TestSharedOutage(t *testing.T) {
	server, c := testenv.Redis(t), newClock()
	s, log := newTestShared(t, server.URL, c)
	limit := Limit{2, 24 * time.Hour}
	allow := func(key string) Decision { return s.Allow(t.Context(), key, limit) }
	if d := allow("key"); !d.Allowed || d.Remaining != 1 {
		t.Fatalf("before the outage: %+v", d)
	}

	server.Stop()
	if got := allowedOf(100, func() bool { return allow("key").Allowed }); got != 2 {
		t.Errorf("without Redis %d of 100 are allowed, want 2", got)
	}
	for range 59 {
		c.advance(time.Second)
		if allow("key").Allowed {
			t.Error("without Redis, one too many is allowed")
		}
	}
	if n := log.count(down); n != 1 {
		t.Errorf("reported %d times within a minute, want 1: %s", n, log)
	}
	c.advance(time.Second)
	allow("key")
	if n := log.count(down); n != 2 {
		t.Errorf("reported %d times in more than a minute, want 2: %s", n, log)
	}

	server.Start()
	if allow("key").Allowed {
		t.Error("Redis is asked before its respite is over")
	}
	awaitAnswer(t, s, c)
	if d := allow("key"); !d.Allowed || d.Remaining != 1 {
		t.Errorf("after the outage, of an empty Redis: %+v", d)
	}
	if n := log.count(up); n != 1 {
		t.Errorf("the end is reported %d times, want 1: %s", n, log)
	}
}

// awaitAnswer takes events of another key until Redis answers one.
func awaitAnswer(t *testing.T, s *Shared, c *clock) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		c.advance(respite)
		s.Allow(t.Context(), "other", Limit{1_000_000, time.Hour})
		if !s.outage.resting(c.Now()) {
			return
		}
	}
	t.Fatal("Redis runs, but the limiter does not return to it")
}

// A Redis that accepts connections and says nothing costs one request its patience,
// and the requests of the next second nothing.
func TestSharedSilentRedis(t *testing.T) {
	c := newClock()
	s, log := newPatientShared(t, "redis://"+silentServer(t), c, defaultPatience)
	begin := time.Now()
	if got := allowedOf(50, func() bool { return s.Allow(t.Context(), "key", tenAnHour).Allowed }); got != 10 {
		t.Errorf("%d of 50 are allowed, want 10", got)
	}
	for range 1000 {
		s.Allow(t.Context(), "key", tenAnHour)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("1,050 requests took %v: each waits for Redis", took)
	}
	if n := log.count(down); n != 1 {
		t.Errorf("reported %d times, want 1: %s", n, log)
	}
}

func silentServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepted []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			accepted = append(accepted, conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, conn := range accepted {
			_ = conn.Close()
		}
	})
	return l.Addr().String()
}

// A client that hangs up does not turn its replica to limits of its own.
func TestSharedOutlivesTheRequest(t *testing.T) {
	server, c := testenv.Redis(t), newClock()
	s, log := newTestShared(t, server.URL, c)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if d := s.Allow(gone, "key", tenAnHour); !d.Allowed || s.outage.resting(c.Now()) || log.String() != "" {
		t.Errorf("%+v; log %s", d, log)
	}
	if n, err := s.client.Exists(t.Context(), "rate:registrar:key").Result(); n != 1 || err != nil {
		t.Errorf("Redis counts %d keys, %v", n, err)
	}
}

func TestSharedTellsNoPassword(t *testing.T) {
	for _, url := range []string{"redis://:hunter2@host:port", "redis://:hunter/2@host", "http://:hunter2@host", "hunter2"} {
		_, err := NewShared(url, nil, slog.Default(), time.Now)
		if err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%q: %v", url, err)
		}
	}

	server, c := testenv.Redis(t), newClock()
	opts, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s, log := newTestShared(t, "redis://:hunter2@"+opts.Addr, c)
	if d := s.Allow(t.Context(), "key", tenAnHour); !d.Allowed {
		t.Errorf("with a wrong password: %+v", d)
	}
	if log.count(down) != 1 || log.count("hunter2") != 0 {
		t.Errorf("with a wrong password: log %s", log)
	}
}

func TestSharedReturnGivesBack(t *testing.T) {
	s, _ := newTestShared(t, testenv.Redis(t).URL, newClock())
	limit := Limit{2, time.Hour}
	allow := func() bool { return s.Allow(t.Context(), t.Name(), limit).Allowed }
	for n, want := range []bool{true, true, false} {
		if allow() != want {
			t.Fatalf("event %d: want it allowed: %v", n, want)
		}
	}
	s.Return(t.Context(), t.Name(), limit)
	if !allow() || allow() {
		t.Error("not the one event that was given back")
	}
}
