package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// Create implements [registration.Store].
func (s *Store) Create(ctx context.Context, c *registration.Client) error {
	r, err := newClientRow(c)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "create a client", func(db *gorm.DB) *gorm.DB { return db.Exec(createClient, r.values()...) })
	return err
}

// createClient is written out: on the path that every registration takes, building it
// anew would cost more than the database does.
const createClient = `INSERT INTO clients (tenant, id, owner, origin, scope_policy, status, metadata, auth_method_defaulted,
	secret_digest, access_token_digest, created_at, created_from, created_agent, created_trace, initial_token, bounds, updated_at, version)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func (r *clientRow) values() []any {
	return []any{
		r.Tenant, r.ID, r.Owner, r.Origin, r.ScopePolicy, r.Status, r.Metadata, r.AuthMethodDefaulted,
		r.SecretDigest, r.AccessTokenDigest, r.CreatedAt, r.CreatedFrom, r.CreatedAgent, r.CreatedTrace, r.InitialToken, r.Bounds, r.UpdatedAt, r.Version,
	}
}

const findClient = `SELECT owner, origin, scope_policy, status, metadata, auth_method_defaulted,
	secret_digest, access_token_digest, created_at, created_from, created_agent, created_trace, initial_token, bounds,
	updated_at, document_fetched_at, version
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
			&r.SecretDigest, &r.AccessTokenDigest, &r.CreatedAt, &r.CreatedFrom, &r.CreatedAgent, &r.CreatedTrace, &r.InitialToken, &r.Bounds,
			&r.UpdatedAt, &r.DocumentFetchedAt, &r.Version)
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
	updateClient = `UPDATE clients SET metadata = ?, auth_method_defaulted = ?, secret_digest = ?, access_token_digest = ?,
	updated_at = ?, version = version + 1 WHERE tenant = ? AND id = ? AND version = ?`
	revokeAccessToken = `UPDATE clients SET access_token_digest = NULL, version = version + 1
	WHERE tenant = ? AND id = ? AND access_token_digest = ?`
)

// Update implements [registration.Store].
func (s *Store) Update(ctx context.Context, c *registration.Client, act registration.Act) error {
	if !storable(c.Tenant, c.ID) {
		return registration.ErrConflict
	}
	metadata, err := encodeMetadata(c.Metadata)
	if err != nil {
		return err
	}
	update := statement{updateClient, []any{
		metadata, c.AuthMethodDefaulted, []byte(c.SecretDigest), []byte(c.AccessTokenDigest), c.UpdatedAt, c.Tenant, c.ID, c.Version,
	}}
	updated, err := s.changeOne(ctx, "update a client", update, newEntry(c.Tenant, audit.ClientUpdated, c.ID, act))
	if err != nil {
		return err
	}
	if !updated {
		return registration.ErrConflict
	}
	c.Version++
	return nil
}

// RevokeAccessToken implements [registration.Store].
func (s *Store) RevokeAccessToken(ctx context.Context, tenant, id string, digest credential.Digest, act registration.Act) error {
	if !storable(tenant, id) {
		return nil
	}
	revocation := statement{revokeAccessToken, []any{tenant, id, []byte(digest)}}
	_, err := s.changeOne(ctx, "revoke an access token", revocation, newEntry(tenant, audit.TokenMisused, id, act))
	return err
}

const saveDocument = `INSERT INTO clients (tenant, id, origin, scope_policy, status, metadata, auth_method_defaulted,
	created_at, created_from, created_agent, created_trace, updated_at, document_fetched_at, version)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
	ON CONFLICT (tenant, id) DO UPDATE SET metadata = excluded.metadata, updated_at = excluded.updated_at,
	document_fetched_at = excluded.document_fetched_at, version = clients.version + 1
	WHERE clients.origin = excluded.origin
	AND (clients.document_fetched_at IS NULL OR clients.document_fetched_at < excluded.document_fetched_at)
	RETURNING version`

// SaveDocument implements [registration.Store].
func (s *Store) SaveDocument(ctx context.Context, c *registration.Client, act registration.Act) error {
	r, err := newClientRow(c)
	if err != nil {
		return err
	}
	err = s.transact(ctx, "save a client's document", func(tx *gorm.DB) error {
		var version int64
		err := tx.Raw(saveDocument, r.Tenant, r.ID, r.Origin, r.ScopePolicy, r.Status, r.Metadata, r.AuthMethodDefaulted,
			r.CreatedAt, r.CreatedFrom, r.CreatedAgent, r.CreatedTrace, r.UpdatedAt, r.DocumentFetchedAt).Row().Scan(&version)
		if err != nil || version > 1 && act.Reason == "" {
			return err
		}
		return tx.Create(newEntry(c.Tenant, documentAction(c.Status, version), c.ID, act)).Error
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil // The stored copy is as new, or the id another client's.
	}
	return err
}

// documentAction is what brought a client of this status to this version.
func documentAction(status registration.Status, version int64) audit.Action {
	switch {
	case version > 1:
		return audit.ClientUpdated
	case status == registration.StatusActive:
		return audit.ClientRegistered
	}
	return statusActions[status]
}

const (
	setStatus = "UPDATE clients SET status = ?, updated_at = ?, version = version + 1 WHERE tenant = ? AND id = ?"
	endGrants = "UPDATE grants SET revoked_at = ? WHERE tenant = ? AND client_id = ? AND revoked_at IS NULL"
)

// statusActions are what the trail calls the change to a status.
var statusActions = map[registration.Status]audit.Action{
	registration.StatusActive:    audit.ClientApproved,
	registration.StatusSuspended: audit.ClientSuspended,
}

// SetStatus implements [registration.Store].
func (s *Store) SetStatus(ctx context.Context, tenant, id string, status registration.Status, act registration.Act) error {
	if !storable(tenant, id) {
		return registration.ErrNotFound
	}
	at, entry := moment(act.At), newEntry(tenant, statusActions[status], id, act)
	err := s.transact(ctx, "set the status of a client", func(tx *gorm.DB) error {
		updated := tx.Exec(setStatus, string(status), at, tenant, id)
		if updated.Error == nil && updated.RowsAffected == 0 {
			return sql.ErrNoRows
		}
		if updated.Error == nil && status != registration.StatusActive {
			updated = tx.Exec(endGrants, at, tenant, id)
		}
		if updated.Error != nil {
			return updated.Error
		}
		return tx.Create(entry).Error
	})
	if errors.Is(err, sql.ErrNoRows) {
		return registration.ErrNotFound
	}
	return err
}

const (
	deleteClient   = `DELETE FROM clients WHERE tenant = ? AND id = ?` + deletedColumns
	deletedColumns = ` RETURNING created_at, created_from, created_agent, created_trace, initial_token`
)

// Delete implements [registration.Store].
func (s *Store) Delete(ctx context.Context, tenant, id string, act registration.Act) error {
	if !storable(tenant, id) {
		return registration.ErrNotFound
	}
	deleted, err := s.deleteClient(ctx, deleteClient, tenant, id, act)
	if err == nil && !deleted {
		return registration.ErrNotFound
	}
	return err
}

// deleteClient makes the deletion and, if it finds its row, the entries of it.
func (s *Store) deleteClient(ctx context.Context, sentence, tenant, id string, act registration.Act) (deleted bool, err error) {
	deletion := newEntry(tenant, audit.ClientDeleted, id, act)
	err = s.transact(ctx, "delete a client", func(tx *gorm.DB) error {
		r := clientRow{Tenant: tenant, ID: id}
		err := tx.Raw(sentence, tenant, id).Row().Scan(&r.CreatedAt, &r.CreatedFrom, &r.CreatedAgent, &r.CreatedTrace, &r.InitialToken)
		if err != nil {
			return err
		}
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(append(r.registrationEntry(), deletion)).Error
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// registrant is who registered the client.
func (r *clientRow) registrant() string {
	if !r.InitialToken.Valid {
		return audit.Anonymous
	}
	return audit.InitialToken + r.InitialToken.V
}

// registrationEntry is what listing reads from the row while that stands; none for a client
// whose registration has an entry of its own.
func (r *clientRow) registrationEntry() []*entryRow {
	id, isOurs := strings.CutPrefix(r.ID, registration.ClientIDPrefix)
	if !isOurs {
		return nil
	}
	return []*entryRow{{
		Tenant: r.Tenant, ID: id, Action: string(audit.ClientRegistered), At: moment(r.CreatedAt), ClientID: nullable(r.ID),
		Actor: r.registrant(), Address: r.CreatedFrom, Agent: nullable(r.CreatedAgent), TraceID: r.CreatedTrace, Count: 1,
	}}
}
