package main

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// acknowledged is a registration as the service last confirmed it.
type acknowledged struct {
	id, token string
	// name is empty while an update was sent and not answered: either name is right.
	name string
}

func (a acknowledged) request(method string, body any) request {
	return request{Method: method, Path: "/oauth/register/" + a.id, Token: a.token, Body: body}
}

// ledger is what a service must still know after whatever befell it.
type ledger struct {
	mu         sync.Mutex
	kept, gone map[string]acknowledged
	// total counts the acknowledgements.
	total int
}

func newLedger() *ledger {
	return &ledger{kept: map[string]acknowledged{}, gone: map[string]acknowledged{}}
}

func (l *ledger) keep(a acknowledged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept[a.id] = a
	l.total++
}

// forget is for a client of which nothing is certain.
func (l *ledger) forget(a acknowledged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.kept, a.id)
}

func (l *ledger) bury(a acknowledged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone[a.id] = a
	l.total++
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// verify reads everything back.
func (l *ledger) verify(t *testing.T, s *server) {
	t.Helper()
	for _, a := range l.kept {
		got := s.send(t, a.request("GET", nil))
		if got.Status != http.StatusOK || a.name != "" && got.Body["client_name"] != a.name {
			t.Errorf("acknowledged as %+v, now %s", a, got)
		}
	}
	for _, a := range l.gone {
		if got := s.send(t, a.request("GET", nil)); got.Status != http.StatusUnauthorized {
			t.Errorf("deleted, now %s", got)
		}
	}
	t.Logf("%d registrations read back, %d stay deleted", len(l.kept), len(l.gone))
}

// crowd are clients that register, update and delete until they are told to stop.
type crowd struct {
	t *testing.T
	*server
	*ledger
	members sync.WaitGroup
	done    chan struct{}
	// mayRefuse allows a proper 503, refused counts them, and slowest is in nanoseconds.
	mayRefuse        bool
	refused, slowest atomic.Int64
	// doomed is set before the server is killed: from then on a request may get no answer.
	doomed atomic.Bool
}

// crowdSize is how many connections are busy at once.
const crowdSize = 8

func (c *crowd) start() *crowd {
	c.done = make(chan struct{})
	for member := range crowdSize {
		c.members.Go(func() {
			for n := 0; !c.ended(); n++ {
				c.live(fmt.Sprintf("client %d of member %d", n, member), n)
			}
		})
	}
	return c
}

func (c *crowd) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return c.t.Failed()
	}
}

func (c *crowd) stop() {
	close(c.done)
	c.members.Wait()
}

// live is the life of one client: every one registers, every third updates itself, and
// every fifth goes.
func (c *crowd) live(name string, n int) {
	got, ok := c.ask(request{Method: "POST", Path: "/oauth/register", Body: with(minimal(), object{"client_name": name})}, http.StatusCreated)
	if !ok {
		return
	}
	a := acknowledged{name: name}
	a.id, _ = got.Body["client_id"].(string)
	a.token, _ = got.Body["registration_access_token"].(string)
	c.keep(a)
	if n%3 == 0 {
		renamed := with(minimal(), object{"client_id": a.id, "client_name": name + ", renamed"})
		a.name = ""
		c.keep(a)
		if _, ok := c.ask(a.request("PUT", renamed), http.StatusOK); ok {
			a.name = name + ", renamed"
			c.keep(a)
		}
	}
	if n%5 == 0 {
		c.forget(a)
		if _, ok := c.ask(a.request("DELETE", nil), http.StatusNoContent); ok {
			c.bury(a)
		}
	}
}

// ask reports whether the request was acknowledged with the status.
func (c *crowd) ask(r request, status int) (reply, bool) {
	began := time.Now()
	got, err := c.try(r)
	for took := int64(time.Since(began)); ; {
		if slowest := c.slowest.Load(); took <= slowest || c.slowest.CompareAndSwap(slowest, took) {
			break
		}
	}
	switch {
	case err != nil && c.doomed.Load():
	case err != nil:
		c.t.Errorf("%s %s: %v", r.Method, r.Path, err)
	case got.Status == status:
		return got, true
	case c.mayRefuse && got.Status == http.StatusServiceUnavailable && got.Body["error"] == "temporarily_unavailable" && got.Header.Get("Retry-After") != "":
		c.refused.Add(1)
	default:
		c.t.Errorf("%s %s: %s", r.Method, r.Path, got)
	}
	return got, false
}

// await waits until the service acknowledged that many more.
func (c *crowd) await(t *testing.T, more int) {
	t.Helper()
	goal := c.count() + more
	eventually(t, 30*time.Second, fmt.Sprintf("%d acknowledgements more", more), func() bool { return c.count() >= goal || t.Failed() })
}

// testKill kills the server under load, again and again on the same database.
func (p program) testKill(t *testing.T, store string) {
	settings := map[string]string{"REGISTRAR_DATABASE_URL": stores[store](t)}
	noted := newLedger()
	for range 3 {
		r := p.serve(t, settings, "--migrate")
		c := (&crowd{t: t, server: r.server, ledger: noted}).start()
		c.await(t, 60)
		c.doomed.Store(true)
		if err := r.end(t, syscall.SIGKILL); err == nil {
			t.Error("the server ended by itself")
		}
		c.stop()
	}
	noted.verify(t, p.serve(t, settings).server)
	if len(noted.kept) == 0 || len(noted.gone) == 0 {
		t.Errorf("the load was %d registrations and %d deletions", len(noted.kept), len(noted.gone))
	}
}
