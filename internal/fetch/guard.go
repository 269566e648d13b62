package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// DefaultTimeout bounds a fetch from the first question to the last byte.
	DefaultTimeout = 5 * time.Second
	// maxConcurrent bounds what a flood of URLs that never answer can hold: more are refused,
	// not queued.
	maxConcurrent = 64
)

// Guard fetches what a stranger named, and cannot be turned against anyone by it. The zero
// Guard works, without limits.
type Guard struct {
	// Lookup returns every address of a host; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to an address that was checked; nil: a plain dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots verify hosts; nil: the system's.
	Roots *x509.CertPool
	// Insecure lets through http, any port, any host and any address: for development alone.
	Insecure bool
	// Timeout bounds a fetch as a whole; 0: [DefaultTimeout].
	Timeout time.Duration
	// LimitCaller, then LimitHost are asked before each fetch that goes out: not for what the
	// cache answers, nor for who joins a fetch under way. An error refuses. nil: no limit.
	LimitCaller func(ctx context.Context, from netip.Addr) error
	LimitHost   func(ctx context.Context, host string) error
	// Observe is told of every fetch that was tried, refused ones too; nil: nobody is.
	Observe func(context.Context, Event)
	// Now is the time; nil: time.Now.
	Now func() time.Time

	cache   cache
	flights singleflight.Group
	running atomic.Int64
}

// Request is what to fetch, and for whom.
type Request struct {
	URL  string
	Kind *Kind
	// From is the address of the client on whose behalf it is fetched, as far as known.
	From netip.Addr
	// NotBefore is how old a cached answer may be beyond its own lifetime; it is not asked of
	// a fetch under way. Zero: any is good.
	NotBefore time.Time
}

func (r Request) key() string { return r.Kind.Name + " " + r.URL }

// Kind is a sort of thing to fetch. Answers are cached by kind.
type Kind struct {
	// Name is for metrics.
	Name     string
	MaxBytes int
	Media    Media
	// Check judges a body before it is cached, so that a bad one is asked for again. The text
	// of its error is shown as the detail of an [Error], which wraps it. nil: all are good.
	Check func(url string, body []byte) error
}

// Response is what was fetched. It is shared: nobody may change it.
type Response struct {
	Body []byte
	// FetchedAt is when the answer was complete.
	FetchedAt time.Time
}

// Succeeded is the outcome of a fetch that gave an answer.
const Succeeded = "succeeded"

// Event tells of a fetch that was tried.
type Event struct {
	Kind string
	From netip.Addr
	// Host is lower case, and empty where the URL names none. Strangers choose it: it is no
	// label for a metric.
	Host string
	// Outcome is [Succeeded], a [Reason], or "failed" for a fault of this server.
	Outcome string
	// Status is that of the answer, 0 without one.
	Status int
	// Bytes is how much of the body was read.
	Bytes    int
	Duration time.Duration
}

// Get returns what the URL holds, from the cache while that is fresh. Concurrent requests
// for the same share one fetch, which outlives any of them. Without an answer it returns an
// *Error, or the context's error where that ended first.
func (g *Guard) Get(ctx context.Context, r Request) (*Response, error) {
	for {
		if known := g.cache.get(r.key(), g.now(), r.NotBefore); known != nil {
			return known, nil
		}
		response, led, err := g.join(ctx, r)
		var refused *Error
		if !led && errors.As(err, &refused) && refused.leadersOwn {
			continue
		}
		return response, err
	}
}

// join waits for the fetch of the same that is under way, or begins and so leads one.
func (g *Guard) join(ctx context.Context, r Request) (response *Response, led bool, err error) {
	leads := false
	landed := g.flights.DoChan(r.key(), func() (any, error) {
		leads = true
		// The fetch does not end with the request that happened to come first.
		return g.fetch(context.WithoutCancel(ctx), r)
	})
	select {
	case <-ctx.Done():
		return nil, false, ctx.Err()
	case flight := <-landed:
		response, _ = flight.Val.(*Response)
		return response, leads, flight.Err
	}
}

func (g *Guard) fetch(ctx context.Context, r Request) (response *Response, err error) {
	// One may have landed since the cache was asked.
	if known := g.cache.get(r.key(), g.now(), r.NotBefore); known != nil {
		return known, nil
	}
	event, began := Event{Kind: r.Kind.Name, From: r.From}, g.now()
	defer func() {
		// No request's panic guard covers this goroutine, and what a stranger wrote, read by a
		// check that has a fault, must not end the process.
		if fault := recover(); fault != nil {
			response, err = nil, fmt.Errorf("fetch panicked: %v\n%s", fault, debug.Stack())
		}
		event.Duration, event.Outcome = g.now().Sub(began), outcome(err)
		if g.Observe != nil {
			g.Observe(ctx, event)
		}
	}()
	return g.attempt(ctx, r, &event)
}

func outcome(err error) string {
	var refused *Error
	switch {
	case err == nil:
		return Succeeded
	case errors.As(err, &refused):
		return string(refused.Reason)
	}
	return "failed"
}

// attempt fetches, step by step, and keeps the answer.
func (g *Guard) attempt(ctx context.Context, r Request, event *Event) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout())
	defer cancel()
	t, err := g.target(r.URL)
	if err != nil {
		return nil, err
	}
	event.Host = t.host
	if g.running.Add(1) > maxConcurrent {
		g.running.Add(-1)
		return nil, &Error{Reason: Limited, Detail: "too much is being fetched, try again in a minute"}
	}
	defer g.running.Add(-1)
	if err := g.limit(ctx, r.From, t.host); err != nil {
		return nil, err
	}
	addrs, err := g.resolve(ctx, t.host)
	if err != nil {
		return nil, err
	}
	began := g.now()
	a, err := g.ask(ctx, t, addrs, r.Kind, event)
	if err != nil {
		return nil, err
	}
	if err := r.Kind.check(r.URL, a.body); err != nil {
		return nil, err
	}
	response := &Response{Body: a.body, FetchedAt: g.now()}
	g.cache.put(r.key(), response, began.Add(lifetime(a.header, began)))
	return response, nil
}

func (g *Guard) limit(ctx context.Context, from netip.Addr, host string) error {
	if g.LimitCaller != nil {
		if err := g.LimitCaller(ctx, from); err != nil {
			return &Error{Reason: Limited, Detail: "your address caused too many fetches, try again in a minute", cause: err, leadersOwn: true}
		}
	}
	if g.LimitHost != nil {
		if err := g.LimitHost(ctx, host); err != nil {
			return &Error{Reason: Limited, Detail: "its host was asked too often, try again in a minute", cause: err}
		}
	}
	return nil
}

func (k *Kind) check(url string, body []byte) error {
	if k.Check == nil {
		return nil
	}
	if err := k.Check(url, body); err != nil {
		return &Error{Reason: Unacceptable, Detail: err.Error(), cause: err}
	}
	return nil
}

func (g *Guard) timeout() time.Duration {
	if g.Timeout == 0 {
		return DefaultTimeout
	}
	return g.Timeout
}

func (g *Guard) now() time.Time {
	if g.Now == nil {
		return time.Now()
	}
	return g.Now()
}
