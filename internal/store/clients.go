package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// Create implements [registration.Store].
func (s *Store) Create(ctx context.Context, c *registration.Client) error {
	r, err := newClientRow(c)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "create a client", func(db *gorm.DB) *gorm.DB {
		return db.Exec(createClient, r.Tenant, r.ID, r.Owner, r.Origin, r.ScopePolicy, r.Status, r.Metadata, r.AuthMethodDefaulted,
			r.SecretDigest, r.AccessTokenDigest, r.CreatedAt, r.CreatedFrom, r.CreatedAgent, r.UpdatedAt, r.Version)
	})
	return err
}

// createClient is written out: on the path that every registration takes, building it
// anew would cost more than the database does.
const createClient = `INSERT INTO clients (tenant, id, owner, origin, scope_policy, status, metadata, auth_method_defaulted,
	secret_digest, access_token_digest, created_at, created_from, created_agent, updated_at, version)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const findClient = `SELECT owner, origin, scope_policy, status, metadata, auth_method_defaulted,
	secret_digest, access_token_digest, created_at, created_from, created_agent, updated_at, document_fetched_at, version
	FROM clients WHERE tenant = ? AND id = ?`

// Find implements [registration.Store].
func (s *Store) Find(ctx context.Context, tenant, id string) (*registration.Client, error) {
	if !storable(tenant, id) {
		return nil, registration.ErrNotFound
	}
	r := clientRow{Tenant: tenant, ID: id}
	err := s.attempt(ctx, "find a client", func() error {
		return s.read.WithContext(ctx).Raw(findClient, tenant, id).Row().Scan(
			&r.Owner, &r.Origin, &r.ScopePolicy, &r.Status, &r.Metadata, &r.AuthMethodDefaulted,
			&r.SecretDigest, &r.AccessTokenDigest, &r.CreatedAt, &r.CreatedFrom, &r.CreatedAgent, &r.UpdatedAt, &r.DocumentFetchedAt, &r.Version)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, registration.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return r.client()
}

const (
	byKey     = "tenant = ? AND id = ?"
	byVersion = byKey + " AND version = ?"
	byToken   = byKey + " AND access_token_digest = ?"
)

// Update implements [registration.Store].
func (s *Store) Update(ctx context.Context, c *registration.Client) error {
	if !storable(c.Tenant, c.ID) {
		return registration.ErrConflict
	}
	metadata, err := encodeMetadata(c.Metadata)
	if err != nil {
		return err
	}
	changes := map[string]any{
		"metadata": metadata, "auth_method_defaulted": c.AuthMethodDefaulted,
		"secret_digest": []byte(c.SecretDigest), "access_token_digest": []byte(c.AccessTokenDigest),
		"updated_at": c.UpdatedAt, "version": c.Version + 1,
	}
	updated, err := s.exec(ctx, "update a client", func(db *gorm.DB) *gorm.DB {
		return db.Model(&clientRow{}).Where(byVersion, c.Tenant, c.ID, c.Version).Updates(changes)
	})
	if err != nil {
		return err
	}
	if updated == 0 {
		return registration.ErrConflict
	}
	c.Version++
	return nil
}

// RevokeAccessToken implements [registration.Store].
func (s *Store) RevokeAccessToken(ctx context.Context, tenant, id string, digest credential.Digest) error {
	if !storable(tenant, id) {
		return nil
	}
	changes := map[string]any{"access_token_digest": nil, "version": gorm.Expr("version + 1")}
	_, err := s.exec(ctx, "revoke an access token", func(db *gorm.DB) *gorm.DB {
		return db.Model(&clientRow{}).Where(byToken, tenant, id, []byte(digest)).Updates(changes)
	})
	return err
}

const saveDocument = `INSERT INTO clients (tenant, id, origin, scope_policy, status, metadata, auth_method_defaulted,
	created_at, created_from, created_agent, updated_at, document_fetched_at, version)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (tenant, id) DO UPDATE SET metadata = excluded.metadata, updated_at = excluded.updated_at,
	document_fetched_at = excluded.document_fetched_at, version = clients.version + 1
	WHERE clients.origin = excluded.origin
	AND (clients.document_fetched_at IS NULL OR clients.document_fetched_at < excluded.document_fetched_at)`

// SaveDocument implements [registration.Store].
func (s *Store) SaveDocument(ctx context.Context, c *registration.Client) error {
	r, err := newClientRow(c)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "save a client's document", func(db *gorm.DB) *gorm.DB {
		return db.Exec(saveDocument, r.Tenant, r.ID, r.Origin, r.ScopePolicy, r.Status, r.Metadata, r.AuthMethodDefaulted,
			r.CreatedAt, r.CreatedFrom, r.CreatedAgent, r.UpdatedAt, r.DocumentFetchedAt, r.Version)
	})
	return err
}

const endGrants = "UPDATE grants SET revoked_at = ? WHERE tenant = ? AND client_id = ? AND revoked_at IS NULL"

// SetStatus implements [registration.Store].
func (s *Store) SetStatus(ctx context.Context, tenant, id string, status registration.Status, at time.Time) error {
	if !storable(tenant, id) {
		return registration.ErrNotFound
	}
	changes := map[string]any{"status": string(status), "updated_at": moment(at), "version": gorm.Expr("version + 1")}
	var known bool
	err := s.transact(ctx, "set the status of a client", func(tx *gorm.DB) error {
		updated := tx.Model(&clientRow{}).Where(byKey, tenant, id).Updates(changes)
		known = updated.RowsAffected > 0
		if updated.Error != nil || status == registration.StatusActive {
			return updated.Error
		}
		return tx.Exec(endGrants, moment(at), tenant, id).Error
	})
	if err == nil && !known {
		return registration.ErrNotFound
	}
	return err
}

// Delete implements [registration.Store].
func (s *Store) Delete(ctx context.Context, tenant, id string) error {
	if !storable(tenant, id) {
		return registration.ErrNotFound
	}
	deleted, err := s.exec(ctx, "delete a client", func(db *gorm.DB) *gorm.DB {
		return db.Where(byKey, tenant, id).Delete(&clientRow{})
	})
	if err != nil {
		return err
	}
	if deleted == 0 {
		return registration.ErrNotFound
	}
	return nil
}
