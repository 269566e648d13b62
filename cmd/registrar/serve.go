package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/httpapi"
	"github.com/seed-9c856424/registrar/internal/ratelimit"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/store"
)

// The time limits of a connection. A request that was accepted has an answer within
// requestTime, and a client that dawdles is dropped.
const (
	headerTime   = 5 * time.Second
	readTime     = 15 * time.Second
	requestTime  = 10 * time.Second
	writeTime    = 30 * time.Second
	idleTime     = 2 * time.Minute
	shutdownTime = 25 * time.Second

	maxHeaderBytes = 16 << 10
	// maxConnections bounds what clients that dawdle can hold: each at most a header and a
	// body. Others wait in the system's queue.
	maxConnections = 2048
)

// refusalRate limits the refused registrations of one address.
var refusalRate = ratelimit.Limit{Count: 60, Per: time.Hour}

func serveCommand(p *process) *cobra.Command {
	var migrate bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API",
		Long: "Serve the API until the process is told to stop (SIGTERM, SIGINT); requests that were accepted are finished.\n" +
			"The embedded database is migrated at start; PostgreSQL with --migrate, or by registrar migrate.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.serve(c.Context(), migrate) },
	}
	c.Flags().BoolVar(&migrate, "migrate", false, "migrate PostgreSQL at start")
	return c
}

func (p *process) serve(ctx context.Context, migrate bool) error {
	settings, err := config.Load(p.environ)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(p.log, &slog.HandlerOptions{Level: settings.LogLevel}))
	warn(log, settings, p.environ)
	tuneMemory()
	db, err := openStore(ctx, settings, migrate)
	if err != nil {
		return err
	}
	defer db.Close()
	limits, err := newGates(settings, log)
	if err != nil {
		return err
	}
	defer func() { _ = limits.close() }()
	handler, err := httpapi.New(httpapi.Options{
		Tenant:         settings.Tenant(),
		Registry:       &registration.Service{Store: db, Admit: limits.admit, Readmit: limits.readmit, Now: time.Now, Random: rand.Reader},
		Refused:        limits.refused,
		Ready:          db.Ready,
		TrustedProxies: settings.TrustedProxies,
		MaxBody:        int64(settings.MaxBody),
		RequestTime:    requestTime,
		Enveloped:      settings.Envelope == config.EnvelopeAlways,
		Log:            log,
		Now:            time.Now,
	})
	if err != nil {
		return err
	}
	return p.listen(ctx, settings, log, db, handler)
}

// warn says at start what an operator may have meant otherwise.
func warn(log *slog.Logger, settings *config.Config, environ []string) {
	for _, name := range config.Unknown(environ) {
		log.Warn("this variable is not a setting of this version and has no effect", "variable", name)
	}
	if settings.RegistrationRate.Off {
		log.Warn("registrations are not limited", "variable", config.Prefix+"REGISTRATION_RATE")
	}
}

// tuneMemory trades a little memory for a third fewer collections, within a bound that
// keeps the process small. An operator's own GOGC or GOMEMLIMIT stands.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(40 << 20)
	}
}

// openStore opens the database and sees to it that its schema is the one this program needs.
func openStore(ctx context.Context, settings *config.Config, migrate bool) (*store.Store, error) {
	db, err := store.Open(ctx, settings.DatabaseURL)
	if err != nil {
		return nil, err
	}
	if db.Embedded() || migrate {
		err = db.Migrate(ctx)
	} else {
		err = requireMigrated(ctx, db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func requireMigrated(ctx context.Context, db *store.Store) error {
	pending, err := db.Pending(ctx)
	if err == nil && pending > 0 {
		err = fmt.Errorf("%s needs %d migrations: run registrar migrate, or serve --migrate", db.Describe(), pending)
	}
	return err
}

// gates are the limits of a registration.
type gates struct {
	admit, refused func(context.Context, netip.Addr) error
	readmit        func(context.Context, netip.Addr)
	close          func() error
}

// noGates limits nothing.
func noGates() *gates {
	unlimited := func(context.Context, netip.Addr) error { return nil }
	return &gates{admit: unlimited, refused: unlimited, readmit: func(context.Context, netip.Addr) {}, close: func() error { return nil }}
}

// newGates builds the limits, in this process or shared through Redis. Each policy has a
// table of its own, so that refused requests from many addresses do not make the other
// forget what it counted.
func newGates(settings *config.Config, log *slog.Logger) (*gates, error) {
	if settings.RegistrationRate.Off {
		return noGates(), nil
	}
	registrations, closeOne, err := newLimiter(settings, log)
	if err != nil {
		return nil, err
	}
	refusals, closeOther, err := newLimiter(settings, log)
	if err != nil {
		return nil, errors.Join(err, closeOne())
	}
	registration := ratelimit.Gate{Limiter: registrations, Policy: ratelimit.Policy{
		Name: "registration", Default: settings.RegistrationRate.Limit, Ranges: settings.SharedEgress,
	}}
	refusal := ratelimit.Gate{Limiter: refusals, Policy: ratelimit.Policy{Name: "refusal", Default: refusalRate}}
	return &gates{
		admit: registration.Take, readmit: registration.Return, refused: refusal.Take,
		close: func() error { return errors.Join(closeOne(), closeOther()) },
	}, nil
}

func newLimiter(settings *config.Config, log *slog.Logger) (ratelimit.Limiter, func() error, error) {
	local, err := ratelimit.NewLocal(ratelimit.DefaultKeys, time.Now)
	if err != nil || settings.RedisURL == "" {
		return local, func() error { return nil }, err
	}
	shared, err := ratelimit.NewShared(settings.RedisURL, local, log, time.Now)
	if err != nil {
		return nil, nil, fmt.Errorf("%sREDIS_URL: %w", config.Prefix, err)
	}
	return shared, shared.Close, nil
}

// listen serves until ctx ends and then finishes what was accepted.
func (p *process) listen(ctx context.Context, settings *config.Config, log *slog.Logger, db *store.Store, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", settings.Addr)
	if err != nil {
		return err
	}
	bounded := boundedListener{listener, make(chan struct{}, maxConnections)}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         bounded.release,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	p.announce(settings, db, listener.Addr())
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		stopped <- server.Shutdown(bounded)
	}()
	if err := server.Serve(bounded); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// announce says where to look, for the person who started the process.
func (p *process) announce(settings *config.Config, db *store.Store, addr net.Addr) {
	fmt.Fprintf(p.out, "Registrar %s listens on %s\n", version, addr)
	for _, line := range [][2]string{
		{"issuer", settings.Issuer},
		{"register", settings.Issuer + "/oauth/register"},
		{"docs", settings.Issuer + "/docs"},
		{"database", db.Describe()},
	} {
		fmt.Fprintf(p.out, "  %-9s %s\n", line[0], line[1])
	}
}
