package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/login"
)

// sessionRow is a row of the table sessions.
type sessionRow struct {
	Tenant          string `gorm:"primaryKey"`
	ID              string `gorm:"primaryKey"`
	Digest          []byte
	UserData        string
	AuthenticatedAt time.Time
	SeenAt          time.Time
	ExpiresAt       time.Time
}

// TableName is the name of the table.
func (sessionRow) TableName() string { return "sessions" }

func newSessionRow(n *login.Session) (*sessionRow, error) {
	if !storable(n.Tenant, n.ID) {
		return nil, errNotText
	}
	user, err := encodeUser(n.User)
	if err != nil {
		return nil, err
	}
	return &sessionRow{
		Tenant: n.Tenant, ID: n.ID, Digest: n.Digest,
		UserData: user, AuthenticatedAt: moment(n.AuthenticatedAt),
		SeenAt: moment(n.SeenAt), ExpiresAt: moment(n.ExpiresAt),
	}, nil
}

func (r *sessionRow) session() (*login.Session, error) {
	user, err := decodeUser(r.UserData)
	if err != nil {
		return nil, err
	}
	return &login.Session{
		Tenant: r.Tenant, ID: r.ID, Digest: r.Digest,
		User: user, AuthenticatedAt: r.AuthenticatedAt.UTC(),
		SeenAt: r.SeenAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(),
	}, nil
}

// CreateSession implements [login.Store].
func (s *Store) CreateSession(ctx context.Context, n *login.Session) error {
	row, err := newSessionRow(n)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "create a session", func(db *gorm.DB) *gorm.DB {
		return db.Create(row)
	})
	return err
}

const findSession = `SELECT digest, user_data, authenticated_at, seen_at, expires_at
	FROM sessions WHERE tenant = ? AND id = ?`

// FindSession implements [login.Store].
func (s *Store) FindSession(ctx context.Context, tenant, id string) (*login.Session, error) {
	if !storable(tenant, id) {
		return nil, login.ErrNotFound
	}
	r := sessionRow{Tenant: tenant, ID: id}
	err := s.attempt(ctx, "find a session", func() error {
		return s.read.WithContext(ctx).Raw(findSession, tenant, id).Row().Scan(
			&r.Digest, &r.UserData, &r.AuthenticatedAt, &r.SeenAt, &r.ExpiresAt)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, login.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return r.session()
}

const touchSession = "UPDATE sessions SET seen_at = ? WHERE tenant = ? AND id = ?"

// TouchSession implements [login.Store].
func (s *Store) TouchSession(ctx context.Context, tenant, id string, at time.Time) error {
	if !storable(tenant, id) {
		return nil
	}
	_, err := s.exec(ctx, "touch a session", func(db *gorm.DB) *gorm.DB {
		return db.Exec(touchSession, moment(at), tenant, id)
	})
	return err
}

// DeleteSession implements [login.Store].
func (s *Store) DeleteSession(ctx context.Context, tenant, id string) error {
	if !storable(tenant, id) {
		return nil
	}
	_, err := s.exec(ctx, "delete a session", func(db *gorm.DB) *gorm.DB {
		return db.Where("tenant = ? AND id = ?", tenant, id).Delete(&sessionRow{})
	})
	return err
}
