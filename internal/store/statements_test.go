package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
)

// recorder stands between GORM and its pool and notes every statement, preparation and
// transaction by its first word.
type recorder struct {
	*sql.DB
	mu   sync.Mutex
	seen []string
}

func record(db *gorm.DB, pool *sql.DB) *recorder {
	r := &recorder{DB: pool}
	db.ConnPool, db.Statement.ConnPool = r, r
	return r
}

func (r *recorder) note(statement string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, strings.Fields(statement)[0])
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

func (r *recorder) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	r.note("PREPARE")
	return r.DB.PrepareContext(ctx, query)
}

func (r *recorder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.note(query)
	return r.DB.ExecContext(ctx, query, args...)
}

func (r *recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.note(query)
	return r.DB.QueryContext(ctx, query, args...)
}

func (r *recorder) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.note(query)
	return r.DB.QueryRowContext(ctx, query, args...)
}

func (r *recorder) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	r.note("BEGIN")
	return r.DB.BeginTx(ctx, opts)
}

func TestEveryCallIsOneStatement(t *testing.T) {
	for name, url := range databaseURLs {
		t.Run(name, func(t *testing.T) {
			s := openMigrated(t, url(t))
			recorders := []*recorder{record(s.write, s.writers), record(s.read, s.readers)}
			c := client("c_1")
			for _, step := range []struct {
				name string
				call func() error
				want []string
			}{
				{"Create", func() error { return s.Create(t.Context(), c) }, []string{"INSERT"}},
				{"Find", func() error { _, err := s.Find(t.Context(), c.Tenant, c.ID); return err }, []string{"SELECT"}},
				{"Update", func() error { return s.Update(t.Context(), c) }, []string{"UPDATE"}},
				{"Revoke", func() error { return s.RevokeAccessToken(t.Context(), c.Tenant, c.ID, c.AccessTokenDigest) }, []string{"UPDATE"}},
				{"Delete", func() error { return s.Delete(t.Context(), c.Tenant, c.ID) }, []string{"DELETE"}},
			} {
				if err := step.call(); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				if got := slices.Concat(recorders[0].take(), recorders[1].take()); !slices.Equal(got, step.want) {
					t.Errorf("%s ran %v, want %v", step.name, got, step.want)
				}
			}
		})
	}
}
