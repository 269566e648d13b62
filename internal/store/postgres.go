package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

const (
	postgresConnections = 32
	postgresLifetime    = 30 * time.Minute
	// postgresTimeout bounds a connection attempt unless the URL has a connect_timeout.
	postgresTimeout = 5 * time.Second
	// Replicas that start together look every second, for at most 5 minutes, whether the
	// one that migrates is done.
	migrationLockSeconds, migrationLockAttempts = 1, 300
)

func postgresDatabase(databaseURL string) (database, error) {
	config, err := postgresConfig(databaseURL)
	if err != nil {
		return database{}, err
	}
	connections, err := poolSize(config)
	if err != nil {
		return database{}, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrationLockSeconds, migrationLockAttempts))
	if err != nil {
		return database{}, err
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxLifetime(postgresLifetime)
	return database{
		description: describePostgres(config),
		present:     func() error { return nil },
		writers:     pool,
		readers:     pool,
		dialector: func(pool *sql.DB) gorm.Dialector {
			return postgres.New(postgres.Config{Conn: pool})
		},
		folder:      "postgres",
		dialect:     goose.DialectPostgres,
		locking:     []goose.ProviderOption{goose.WithSessionLocker(locker)},
		hasVersions: "SELECT to_regclass('goose_db_version') IS NOT NULL",
		nestsWrites: true,
		skipLocked:  "FOR UPDATE SKIP LOCKED",
	}, nil
}

// postgresConfig reads the URL. Its errors, and what it takes for names, hold no part of
// a password whose @ and / were not percent-encoded: such a URL is refused.
func postgresConfig(databaseURL string) (*pgx.ConnConfig, error) {
	_, rest, _ := strings.Cut(databaseURL, "://")
	authority, tail, _ := strings.Cut(rest, "/")
	if strings.Count(authority, "@") > 1 || strings.Contains(tail, "@") {
		return nil, errors.New("the database URL is ambiguous: percent-encode every / in user and password, and every @ but the one before the host")
	}
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil && !strings.Contains(authority, "@") && strings.Contains(authority, ":") {
		return nil, errors.New("the database URL is not valid: is USER:PASSWORD@ missing, or a port no number?")
	}
	if err != nil {
		return nil, fmt.Errorf("the database URL is not valid: %s", oneLine(err))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresTimeout
	}
	config.OnPgError = keepConnection
	return config, nil
}

// keepConnection reports whether a connection is of use after an error. One to a server
// that became read-only is not: after a failover, a new one finds the new primary.
func keepConnection(_ *pgconn.PgConn, err *pgconn.PgError) bool {
	return !strings.EqualFold(err.Severity, "FATAL") && err.Code != readOnlyTransaction
}

// poolSize takes pool_max_conns, as it is called in pgx, out of the parameters that go
// to the server.
func poolSize(config *pgx.ConnConfig) (int, error) {
	const name = "pool_max_conns"
	value, given := config.RuntimeParams[name]
	if !given {
		return postgresConnections, nil
	}
	delete(config.RuntimeParams, name)
	size, err := strconv.Atoi(value)
	if err != nil || size < 1 {
		return 0, fmt.Errorf("%s in the database URL must be a positive number", name)
	}
	return size, nil
}

func describePostgres(config *pgx.ConnConfig) string {
	hosts := []string{hostPort(config.Host, config.Port)}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, hostPort(f.Host, f.Port))
	}
	return "PostgreSQL, " + strings.Join(slices.Compact(hosts), ",") + "/" + config.Database
}

func hostPort(host string, port uint16) string {
	return host + ":" + strconv.Itoa(int(port))
}
