package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/login"
)

// attemptRow is a row of the table login_attempts.
type attemptRow struct {
	Tenant     string `gorm:"primaryKey"`
	ID         string `gorm:"primaryKey"`
	Digest     []byte
	Browser    []byte
	ContinueTo string
	ExpiresAt  time.Time
}

// TableName is the name of the table.
func (attemptRow) TableName() string { return "login_attempts" }

// CreateAttempt implements [login.Store].
func (s *Store) CreateAttempt(ctx context.Context, a *login.Attempt) error {
	if !storable(a.Tenant, a.ID, a.Continue) {
		return errNotText
	}
	row := &attemptRow{
		Tenant: a.Tenant, ID: a.ID, Digest: a.Digest, Browser: a.Browser,
		ContinueTo: a.Continue, ExpiresAt: moment(a.ExpiresAt),
	}
	_, err := s.exec(ctx, "create a login attempt", func(db *gorm.DB) *gorm.DB {
		return db.Create(row)
	})
	return err
}

const takeAttempt = `DELETE FROM login_attempts WHERE tenant = ? AND id = ?
	RETURNING digest, browser, continue_to, expires_at`

// TakeAttempt implements [login.Store]. An attempt whose answer is lost on the way from
// the database is lost with it: the user begins again.
func (s *Store) TakeAttempt(ctx context.Context, tenant, id string) (*login.Attempt, error) {
	if !storable(tenant, id) {
		return nil, login.ErrNotFound
	}
	r := attemptRow{Tenant: tenant, ID: id}
	err := s.attempt(ctx, "take a login attempt", func() error {
		return s.write.WithContext(ctx).Raw(takeAttempt, tenant, id).Row().Scan(
			&r.Digest, &r.Browser, &r.ContinueTo, &r.ExpiresAt)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, login.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &login.Attempt{
		Tenant: r.Tenant, ID: r.ID, Digest: r.Digest, Browser: r.Browser,
		Continue: r.ContinueTo, ExpiresAt: r.ExpiresAt.UTC(),
	}, nil
}
