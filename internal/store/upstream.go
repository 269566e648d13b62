package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/login"
)

const (
	saveUpstream = `INSERT INTO upstream_tokens (tenant, subject, sealed, kept_at) VALUES (?, ?, ?, ?)
	ON CONFLICT (tenant, subject) DO UPDATE SET sealed = excluded.sealed, kept_at = excluded.kept_at, held_until = NULL`
	touchUpstream = "UPDATE upstream_tokens SET kept_at = ? WHERE tenant = ? AND subject = ?"
	takeUpstream  = `UPDATE upstream_tokens SET held_until = ?
	WHERE tenant = ? AND subject = ? AND (held_until IS NULL OR held_until <= ?) RETURNING sealed`
	countUpstream  = "SELECT count(*) FROM upstream_tokens WHERE tenant = ? AND subject = ?"
	returnUpstream = `UPDATE upstream_tokens SET sealed = ?, kept_at = ?, held_until = NULL
	WHERE tenant = ? AND subject = ? AND sealed = ?`
	deleteUpstream = "DELETE FROM upstream_tokens WHERE tenant = ? AND subject = ? AND sealed = ?"
)

// SaveUpstreamToken implements [login.Store].
func (s *Store) SaveUpstreamToken(ctx context.Context, tenant, subject string, sealed []byte, at time.Time) error {
	if !storable(tenant, subject) {
		return errNotText
	}
	_, err := s.exec(ctx, "save an upstream token", func(db *gorm.DB) *gorm.DB {
		return db.Exec(saveUpstream, tenant, subject, sealed, moment(at))
	})
	return err
}

// TouchUpstreamToken implements [login.Store].
func (s *Store) TouchUpstreamToken(ctx context.Context, tenant, subject string, at time.Time) error {
	if !storable(tenant, subject) {
		return nil
	}
	_, err := s.exec(ctx, "touch an upstream token", func(db *gorm.DB) *gorm.DB {
		return db.Exec(touchUpstream, moment(at), tenant, subject)
	})
	return err
}

// TakeUpstreamToken implements [login.Store].
func (s *Store) TakeUpstreamToken(ctx context.Context, tenant, subject string, now, until time.Time) (sealed []byte, err error) {
	if !storable(tenant, subject) {
		return nil, login.ErrNotFound
	}
	err = s.attempt(ctx, "take an upstream token", func() error {
		return s.write.WithContext(ctx).Raw(takeUpstream, moment(until), tenant, subject, moment(now)).Row().Scan(&sealed)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, s.whyNotTaken(ctx, tenant, subject)
	}
	return sealed, err
}

// whyNotTaken tells a token that another has from one that does not exist.
func (s *Store) whyNotTaken(ctx context.Context, tenant, subject string) error {
	var rows int
	err := s.attempt(ctx, "find an upstream token", func() error {
		return s.read.WithContext(ctx).Raw(countUpstream, tenant, subject).Row().Scan(&rows)
	})
	switch {
	case err != nil:
		return err
	case rows == 0:
		return login.ErrNotFound
	}
	return login.ErrTaken
}

// ReturnUpstreamToken implements [login.Store].
func (s *Store) ReturnUpstreamToken(ctx context.Context, tenant, subject string, old, sealed []byte, at time.Time) error {
	if !storable(tenant, subject) {
		return nil
	}
	_, err := s.exec(ctx, "return an upstream token", func(db *gorm.DB) *gorm.DB {
		return db.Exec(returnUpstream, sealed, moment(at), tenant, subject, old)
	})
	return err
}

// DeleteUpstreamToken implements [login.Store].
func (s *Store) DeleteUpstreamToken(ctx context.Context, tenant, subject string, sealed []byte) error {
	if !storable(tenant, subject) {
		return login.ErrNotFound
	}
	deleted, err := s.exec(ctx, "delete an upstream token", func(db *gorm.DB) *gorm.DB {
		return db.Exec(deleteUpstream, tenant, subject, sealed)
	})
	if err == nil && deleted == 0 {
		return login.ErrNotFound
	}
	return err
}
