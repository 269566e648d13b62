package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/httpapi"
	"github.com/seed-9c856424/registrar/internal/metrics"
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
	warn(log, settings)
	tuneMemory(settings)
	db, err := openStore(ctx, settings, migrate)
	if err != nil {
		return err
	}
	defer db.Close()
	m := metrics.New(version)
	m.Database(db.Stats)
	limits, err := newGates(settings, m, log)
	if err != nil {
		return err
	}
	defer func() { _ = limits.close() }()
	trail := newTrail(db, settings.Tenant().ID, log)
	defer trail.stop()
	used := newUsage(db, settings.Tenant().ID, log)
	defer used.stop()
	options, err := assemble(ctx, settings, db, limits, trail, used, m, p.outside, log)
	if err != nil {
		return err
	}
	handler, err := httpapi.New(options)
	if err != nil {
		return err
	}
	cleaner := newCleanup(db, options.Tenant.ID, settings.AuditRetention, m, log)
	defer cleaner.stop()
	stopMetrics, err := serveMetrics(ctx, settings.MetricsAddr, m, log)
	if err != nil {
		return fmt.Errorf("%sMETRICS_ADDR: %w", config.Prefix, err)
	}
	defer stopMetrics()
	return p.listen(ctx, settings, log, db, handler)
}

// warn says at start what an operator may have meant otherwise.
func warn(log *slog.Logger, settings *config.Config) {
	for _, warning := range settings.StartWarnings() {
		variable, text, _ := strings.Cut(warning, ": ")
		log.Warn(text, "variable", variable)
	}
}

// Within memoryLimit the process runs with a third fewer collections; hashing passwords
// takes passwordMemory beside.
const (
	memoryLimit    = 36 << 20
	passwordMemory = 80 << 20
)

// tuneMemory trades a little memory for speed, within a bound that keeps the process
// small. An operator's own GOGC or GOMEMLIMIT stands.
func tuneMemory(settings *config.Config) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := int64(memoryLimit)
	if settings.Login() == config.LoginUsers {
		limit += passwordMemory
	}
	debug.SetMemoryLimit(limit)
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
		{"login", describeLogin(settings)},
	} {
		fmt.Fprintf(p.out, "  %-9s %s\n", line[0], line[1])
	}
}
