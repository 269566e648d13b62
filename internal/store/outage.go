package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// SQLSTATEs: of a write to a standby, and of constraints.
const (
	readOnlyTransaction = "25006"
	foreignKeyViolation = "23503"
	uniqueViolation     = "23505"
)

// Transactions that the database undid for the sake of another one: serialization
// failure and deadlock. Nothing of them is left, so they can be repeated. A connection
// that broke is another matter: the statement may have been carried out, so it is never
// repeated here, and the driver repeats only what it has not yet sent.
var undone = []string{"40001", "40P01"}

// maxAttempts is how often anything is tried, with firstPause and then twice as long,
// at most, in between.
const (
	maxAttempts = 6
	firstPause  = 10 * time.Millisecond
)

// repeat makes a call until it succeeds or fails in a way that another attempt would not
// mend, and returns how it last ended.
func repeat(ctx context.Context, mends func(error) bool, call func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := call()
		if err == nil || n == maxAttempts || !mends(err) {
			return err
		}
		if !wait(ctx, rand.N(pause)) { //nolint:gosec // rivals need to part, not to be unpredictable
			return err
		}
		pause *= 2
	}
}

// attempt runs a statement, again if the database undid it, and says what became of it:
// sql.ErrNoRows, the end of the caller's patience, a fault, or an *oauth.Error of code
// temporarily_unavailable.
func attempt(ctx context.Context, what string, statement func() error) error {
	return explain(ctx, what, repeat(ctx, wasUndone, statement))
}

func wasUndone(err error) bool { return slices.Contains(undone, sqlState(err)) }

// wait reports false if the context ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func explain(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", what, context.Canceled)
	case errors.Is(err, sql.ErrNoRows) || ourFault(err):
		return fmt.Errorf("%s: %w", what, err)
	}
	return &oauth.Error{
		Code:        oauth.TemporarilyUnavailable,
		Description: "the service cannot reach its database, try again shortly",
		Cause:       fmt.Errorf("%s: %w", what, err),
	}
}

// faultClasses are the SQLSTATE classes of statements that will never succeed: bad
// data, broken constraint, bad SQL or schema.
var faultClasses = []string{"22", "23", "42"}

// faultCodes are SQLite's primary codes for the same.
var faultCodes = []int{
	sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT,
	sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE,
}

// ourFault reports whether the database is well and the statement is not. An error that
// neither database has a code for comes from the way there.
func ourFault(err error) bool {
	if state := sqlState(err); state != "" {
		return slices.Contains(faultClasses, state[:2])
	}
	return slices.Contains(faultCodes, sqliteCode(err))
}

// isLocked reports whether another process has the SQLite file for itself.
func isLocked(err error) bool { return sqliteCode(err) == sqlite3.SQLITE_BUSY }

// isDuplicate reports whether a row with the same key exists.
func isDuplicate(err error) bool {
	code := sqliteExtendedCode(err)
	return sqlState(err) == uniqueViolation ||
		code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || code == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// isOrphan reports whether the row that the new one refers to is not there, or no longer.
func isOrphan(err error) bool {
	return sqlState(err) == foreignKeyViolation || sqliteExtendedCode(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// sqliteCode returns the primary code of a SQLite error, or 0.
func sqliteCode(err error) int { return sqliteExtendedCode(err) & 0xff }

func sqliteExtendedCode(err error) int {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code()
	}
	return 0
}

// sqlState returns the SQLSTATE of a PostgreSQL error, five characters, or nothing.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && len(pg.Code) == 5 {
		return pg.Code
	}
	return ""
}

// reason is the cause of a failure to connect, in one line for people.
func reason(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return oneLine(errors.New(pg.Message))
	}
	return oneLine(rootCause(err))
}

// rootCause is the innermost error, of the last attempt if there were several.
func rootCause(err error) error {
	for {
		var inner error
		switch e := err.(type) { //nolint:errorlint // it walks the chain link by link
		case interface{ Unwrap() error }:
			inner = e.Unwrap()
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				inner = all[len(all)-1]
			}
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
