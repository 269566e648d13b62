package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/seed-9c856424/registrar/internal/fetch"
	"github.com/seed-9c856424/registrar/internal/metrics"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/ratelimit"
)

// registerOperation is the contract's name for a registration.
const registerOperation = "registerClient"

// observe is what the edge tells of each request.
func observe(m *metrics.Metrics, tenant string) func(operation string, status int, code oauth.Code, took time.Duration) {
	return func(operation string, status int, code oauth.Code, took time.Duration) {
		m.Request(operation, status, string(code), took)
		if operation == registerOperation {
			m.Registration(tenant, string(code))
		}
	}
}

// countedLimiter counts what the limiter refuses.
type countedLimiter struct {
	ratelimit.Limiter
	refused func()
}

// Allow implements [ratelimit.Limiter].
func (c countedLimiter) Allow(ctx context.Context, key string, l ratelimit.Limit) ratelimit.Decision {
	decision := c.Limiter.Allow(ctx, key, l)
	if !decision.Allowed {
		c.refused()
	}
	return decision
}

// observeFetch tells several of a fetch.
func observeFetch(all ...func(context.Context, fetch.Event)) func(context.Context, fetch.Event) {
	return func(ctx context.Context, e fetch.Event) {
		for _, tell := range all {
			tell(ctx, e)
		}
	}
}

// profileTime is what a profile may take, beside the time that it is asked for.
const profileTime = 2 * time.Minute

// serveMetrics shows metrics and profiles at an address of their own, until it is stopped. An
// empty address is none.
func serveMetrics(ctx context.Context, addr string, m *metrics.Metrics, log *slog.Logger) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: profileTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are no longer served", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}
