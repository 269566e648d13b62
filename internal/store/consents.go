package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/authorization"
)

const saveConsent = `INSERT INTO consents (tenant, client_id, subject, target, scope, client_digest, granted_at, expires_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (tenant, client_id, subject, target) DO UPDATE
	SET scope = excluded.scope, client_digest = excluded.client_digest,
		granted_at = excluded.granted_at, expires_at = excluded.expires_at`

// SaveConsent implements [authorization.Store].
func (s *Store) SaveConsent(ctx context.Context, c *authorization.Consent) error {
	if !storable(c.Tenant, c.ClientID, c.Subject, c.Scope) {
		return errNotText
	}
	_, err := s.exec(ctx, "save a consent", func(db *gorm.DB) *gorm.DB {
		return db.Exec(saveConsent, c.Tenant, c.ClientID, c.Subject, c.Target,
			c.Scope, c.ClientDigest, moment(c.GrantedAt), moment(c.ExpiresAt))
	})
	if isOrphan(err) {
		return nil
	}
	return err
}

const findConsent = `SELECT scope, client_digest, granted_at, expires_at
	FROM consents WHERE tenant = ? AND client_id = ? AND subject = ? AND target = ?`

// FindConsent implements [authorization.Store].
func (s *Store) FindConsent(ctx context.Context, tenant, subject, clientID string, target []byte) (*authorization.Consent, error) {
	if !storable(tenant, subject, clientID) {
		return nil, authorization.ErrNotFound
	}
	c := &authorization.Consent{Tenant: tenant, Subject: subject, ClientID: clientID, Target: target}
	err := s.attempt(ctx, "find a consent", func() error {
		return s.read.WithContext(ctx).Raw(findConsent, tenant, clientID, subject, target).Row().Scan(
			&c.Scope, &c.ClientDigest, &c.GrantedAt, &c.ExpiresAt)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, authorization.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	c.GrantedAt, c.ExpiresAt = c.GrantedAt.UTC(), c.ExpiresAt.UTC()
	return c, nil
}

const spendAssertion = "INSERT INTO assertions (tenant, client_id, digest, expires_at) VALUES (?, ?, ?, ?)"

// SpendAssertion implements [authorization.Store].
func (s *Store) SpendAssertion(ctx context.Context, tenant, clientID string, digest []byte, expiresAt time.Time) error {
	if !storable(tenant, clientID) {
		return authorization.ErrSpent
	}
	_, err := s.exec(ctx, "spend an assertion", func(db *gorm.DB) *gorm.DB {
		return db.Exec(spendAssertion, tenant, clientID, digest, moment(expiresAt))
	})
	if isDuplicate(err) || isOrphan(err) {
		return authorization.ErrSpent
	}
	return err
}
