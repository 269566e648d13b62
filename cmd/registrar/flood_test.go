package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestUnreachableDocuments: a flood of authorization requests whose documents never answer
// leaves the registrations and tokens of others within twice their usual time.
func TestUnreachableDocuments(t *testing.T) {
	eachStoreElsewhere(t, map[string]string{"REGISTRAR_TRUSTED_PROXIES": "127.0.0.0/8"}, func(t *testing.T, s *server, e *elsewhere) {
		e.silence()
		client := s.public(t, callback).str(t, "client_id")
		refresh := s.tokens(t, redemption(client, s.visitor(t).code(t, authorizationRequest(client, callback, nil)), nil), nil)
		work := func() {
			s.register(t, minimal())
			refresh = s.tokens(t, refreshing(client, refresh.str(t, "refresh_token")), nil)
		}
		var ratios []float64
		for range 3 {
			quiet := slowest(work)
			stop := s.flood(t)
			flooded := slowest(work)
			stop()
			ratios = append(ratios, flooded.Seconds()/quiet.Seconds())
		}
		slices.Sort(ratios)
		t.Logf("p99 under the flood against p99 without it: %.2f", ratios)
		if ratios[len(ratios)/2] > 2 {
			t.Errorf("the flood slows others down %.2f times", ratios[len(ratios)/2])
		}
	})
}

// slowest returns how long the slowest hundredth of calls takes, and no less than what the
// machine's own jitter would.
func slowest(call func()) time.Duration {
	const calls, jitter = 100, 3 * time.Millisecond
	took := make([]time.Duration, calls)
	for i := range took {
		began := time.Now()
		call()
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return max(took[calls*99/100-1], jitter)
}

// flood sends authorization requests of ever new clients and addresses until it is stopped.
func (s *server) flood(t *testing.T) (stop func()) {
	t.Helper()
	const perSecond = 200
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(time.Second / perSecond)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				running.Go(func() { s.bringDocument(ctx, n) })
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

func (s *server) bringDocument(ctx context.Context, n int) {
	query := authorizationRequest(fmt.Sprintf("https://host%d.example/client.json", n), callback, nil)
	sent, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/oauth/authorize?"+query.Encode(), nil)
	if err != nil {
		return
	}
	sent.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.%d.%d", n/250%250, n%250))
	if answer, err := http.DefaultClient.Do(sent); err == nil {
		_ = answer.Body.Close()
	}
}

// silence lets nobody be reached: connections hang until whoever dials gives up.
func (e *elsewhere) silence() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dialer = func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
}
