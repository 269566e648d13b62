// Package store keeps clients, grants, sessions, keys and the audit trail in SQLite or
// PostgreSQL, through GORM. It is the only package that knows the schema and the databases' errors.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/signing"
)

// Store is a database. Its methods are safe for concurrent use.
type Store struct {
	database
	write, read *gorm.DB
	migrator    *goose.Provider
}

var (
	_ registration.Store  = (*Store)(nil)
	_ authorization.Store = (*Store)(nil)
	_ login.Store         = (*Store)(nil)
	_ signing.Store       = (*Store)(nil)
	_ audit.Store         = (*Store)(nil)
)

// database is what differs between the databases. Its pools connect when they are used.
type database struct {
	// description names the database to people, without its password.
	description string
	embedded    bool
	// writers and readers are the same pool where the database takes many writers.
	writers, readers *sql.DB
	dialector        func(*sql.DB) gorm.Dialector
	// present returns an error once the database is no longer where it was opened, which
	// an open file does not notice: what it still took would be lost.
	present func() error
	// folder holds the migrations, in the SQL of dialect.
	folder  string
	dialect goose.Dialect
	locking []goose.ProviderOption
	// hasVersions asks whether any migration was ever applied.
	hasVersions string
	// nestsWrites says that a statement can write within another one.
	nestsWrites bool
	// skipLocked ends a sub-select so that it passes over the rows that other statements
	// are changing; empty where there is one writer.
	skipLocked string
}

var databases = map[string]func(databaseURL string) (database, error){
	"sqlite":     sqliteDatabase,
	"postgres":   postgresDatabase,
	"postgresql": postgresDatabase,
}

// Open connects to the database that the URL names:
//
//   - sqlite://PATH, a file, created if there is none, for the eyes of its owner only.
//     The path is relative or absolute and taken as it stands: nothing in it is
//     percent-decoded, and it takes no parameters.
//   - postgres://… or postgresql://…, with the parameters of libpq, and pool_max_conns,
//     the bound on open connections (32 without it). Through a PgBouncer that pools
//     transactions and does not track prepared statements, add
//     default_query_exec_mode=exec; migrate past it, without it in between.
//
// The schema is left as it is: see [Store.Migrate]. An error is one line for people and
// never holds the password.
func Open(ctx context.Context, databaseURL string) (*Store, error) {
	scheme, _, _ := strings.Cut(databaseURL, "://")
	prepare, known := databases[scheme]
	if !known {
		return nil, errors.New("the database URL must begin with sqlite://, postgres:// or postgresql://")
	}
	d, err := prepare(databaseURL)
	if err != nil {
		return nil, err
	}
	s := &Store{database: d}
	if err := s.connect(ctx); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("cannot open %s: %s", d.description, reason(err))
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context) (err error) {
	// A process that finds a SQLite file on its way to WAL mode is refused at once.
	err = repeat(ctx, isLocked, func() error {
		return errors.Join(s.writers.PingContext(ctx), s.readers.PingContext(ctx))
	})
	if err != nil {
		return err
	}
	if s.write, err = s.attach(s.writers); err != nil {
		return err
	}
	if s.read, err = s.attach(s.readers); err != nil {
		return err
	}
	s.migrator, err = s.newMigrator()
	return err
}

// attach puts GORM before a pool. Every statement is a transaction of its own, and
// GORM's logger, which prints values, is off.
func (d database) attach(pool *sql.DB) (*gorm.DB, error) {
	return gorm.Open(d.dialector(pool), &gorm.Config{
		Logger:                 logger.Discard,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
	})
}

// Close ends all connections. Calls that are under way fail.
func (s *Store) Close() error {
	return errors.Join(s.readers.Close(), s.writers.Close())
}

// Stats are those of the pools of connections, by name.
func (s *Store) Stats() map[string]sql.DBStats {
	return map[string]sql.DBStats{"readers": s.readers.Stats(), "writers": s.writers.Stats()}
}

// Describe names the database to people: "SQLite, registrar.db" or
// "PostgreSQL, db.example:5432/registrar". It holds no password.
func (s *Store) Describe() string { return s.description }

// Embedded reports whether the database lives in this process and its file, and so has
// no operator who migrates it.
func (s *Store) Embedded() bool { return s.embedded }

// attempt runs a statement where the database still is in its place; see [attempt].
func (s *Store) attempt(ctx context.Context, what string, statement func() error) error {
	return attempt(ctx, what, func() error {
		if err := s.present(); err != nil {
			return err
		}
		return statement()
	})
}

// transact runs writing statements in one transaction. They may run again, and return only
// the database's own errors.
func (s *Store) transact(ctx context.Context, what string, statements func(tx *gorm.DB) error) error {
	return s.attempt(ctx, what, func() error { return s.write.WithContext(ctx).Transaction(statements) })
}

// exec runs one writing statement and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, what string, write func(*gorm.DB) *gorm.DB) (rows int64, err error) {
	err = s.attempt(ctx, what, func() error {
		done := write(s.write.WithContext(ctx))
		rows = done.RowsAffected
		return done.Error
	})
	return rows, err
}

// scanner is a row of a result.
type scanner interface{ Scan(columns ...any) error }

// queryAll runs one reading statement and returns what scan makes of each row.
func queryAll[T any](ctx context.Context, s *Store, what string, scan func(scanner) (T, error), query string, args ...any) (all []T, err error) {
	err = s.attempt(ctx, what, func() error {
		rows, err := s.read.WithContext(ctx).Raw(query, args...).Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		all = nil
		for rows.Next() {
			one, err := scan(rows)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		return rows.Err()
	})
	return all, err
}
