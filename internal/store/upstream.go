package store

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/login"
)

const (
	saveUpstream = `INSERT INTO upstream_tokens (tenant, subject, sealed) VALUES (?, ?, ?)
	ON CONFLICT (tenant, subject) DO UPDATE SET sealed = excluded.sealed`
	replaceUpstream = "UPDATE upstream_tokens SET sealed = ? WHERE tenant = ? AND subject = ? AND sealed = ?"
	findUpstream    = "SELECT sealed FROM upstream_tokens WHERE tenant = ? AND subject = ?"
)

// SaveUpstreamToken implements [login.Store].
func (s *Store) SaveUpstreamToken(ctx context.Context, tenant, subject string, sealed []byte) error {
	if !storable(tenant, subject) {
		return errNotText
	}
	_, err := s.exec(ctx, "save an upstream token", func(db *gorm.DB) *gorm.DB {
		return db.Exec(saveUpstream, tenant, subject, sealed)
	})
	return err
}

// ReplaceUpstreamToken implements [login.Store].
func (s *Store) ReplaceUpstreamToken(ctx context.Context, tenant, subject string, old, sealed []byte) error {
	if !storable(tenant, subject) {
		return login.ErrNotFound
	}
	replaced, err := s.exec(ctx, "replace an upstream token", func(db *gorm.DB) *gorm.DB {
		return db.Exec(replaceUpstream, sealed, tenant, subject, old)
	})
	if err != nil {
		return err
	}
	if replaced == 0 {
		return login.ErrNotFound
	}
	return nil
}

// FindUpstreamToken implements [login.Store].
func (s *Store) FindUpstreamToken(ctx context.Context, tenant, subject string) (sealed []byte, err error) {
	if !storable(tenant, subject) {
		return nil, login.ErrNotFound
	}
	err = s.attempt(ctx, "find an upstream token", func() error {
		return s.read.WithContext(ctx).Raw(findUpstream, tenant, subject).Row().Scan(&sealed)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, login.ErrNotFound
	}
	return sealed, err
}
