package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// grantRow is a row of the table grants.
type grantRow struct {
	Tenant          string `gorm:"primaryKey"`
	ID              string `gorm:"primaryKey"`
	ClientID        string
	Subject         string
	UserData        string
	AuthenticatedAt time.Time
	Scope           string
	Resource        sql.Null[string]
	RedirectURI     string
	Challenge       string
	Nonce           sql.Null[string]
	CodeDigest      []byte
	CodeExpiresAt   time.Time
	RedeemedAt      sql.Null[time.Time]
	FamilyDigest    []byte
	RefreshDigest   []byte
	PreviousDigest  []byte
	RefreshedAt     sql.Null[time.Time]
	CreatedAt       time.Time `gorm:"autoCreateTime:false"`
	ExpiresAt       time.Time
	RevokedAt       sql.Null[time.Time]
}

// TableName is the name of the table.
func (grantRow) TableName() string { return "grants" }

func newGrantRow(g *authorization.Grant) (*grantRow, error) {
	if !storable(g.Tenant, g.ID, g.ClientID, g.User.Subject, g.Scope, g.Resource, g.RedirectURI, g.Challenge, g.Nonce) {
		return nil, errNotText
	}
	user, err := encodeUser(g.User)
	if err != nil {
		return nil, err
	}
	return &grantRow{
		Tenant: g.Tenant, ID: g.ID, ClientID: g.ClientID,
		Subject: g.User.Subject, UserData: user, AuthenticatedAt: moment(g.AuthenticatedAt),
		Scope: g.Scope, Resource: nullable(g.Resource), RedirectURI: g.RedirectURI,
		Challenge: g.Challenge, Nonce: nullable(g.Nonce),
		CodeDigest: g.CodeDigest, CodeExpiresAt: moment(g.CodeExpiresAt), RedeemedAt: nullable(moment(g.RedeemedAt)),
		FamilyDigest: g.FamilyDigest, RefreshDigest: g.RefreshDigest, PreviousDigest: g.PreviousDigest,
		RefreshedAt: nullable(moment(g.RefreshedAt)),
		CreatedAt:   moment(g.CreatedAt), ExpiresAt: moment(g.ExpiresAt), RevokedAt: nullable(moment(g.RevokedAt)),
	}, nil
}

// grantColumns are those that scanGrant takes: all but the subject, which is in user_data.
const grantColumns = `tenant, id, client_id, user_data, authenticated_at, scope, resource, redirect_uri,
	challenge, nonce, code_digest, code_expires_at, redeemed_at, family_digest, refresh_digest,
	previous_digest, refreshed_at, created_at, expires_at, revoked_at`

func scanGrant(row scanner) (r grantRow, err error) {
	err = row.Scan(&r.Tenant, &r.ID, &r.ClientID, &r.UserData, &r.AuthenticatedAt, &r.Scope, &r.Resource, &r.RedirectURI,
		&r.Challenge, &r.Nonce, &r.CodeDigest, &r.CodeExpiresAt, &r.RedeemedAt, &r.FamilyDigest, &r.RefreshDigest,
		&r.PreviousDigest, &r.RefreshedAt, &r.CreatedAt, &r.ExpiresAt, &r.RevokedAt)
	return r, err
}

func (r *grantRow) grant() (*authorization.Grant, error) {
	user, err := decodeUser(r.UserData)
	if err != nil {
		return nil, err
	}
	return &authorization.Grant{
		Tenant: r.Tenant, ID: r.ID, ClientID: r.ClientID,
		User: user, AuthenticatedAt: r.AuthenticatedAt.UTC(),
		Scope: r.Scope, Resource: r.Resource.V, RedirectURI: r.RedirectURI,
		Challenge: r.Challenge, Nonce: r.Nonce.V,
		CodeDigest: r.CodeDigest, CodeExpiresAt: r.CodeExpiresAt.UTC(), RedeemedAt: r.RedeemedAt.V.UTC(),
		FamilyDigest: r.FamilyDigest, RefreshDigest: r.RefreshDigest, PreviousDigest: r.PreviousDigest,
		RefreshedAt: r.RefreshedAt.V.UTC(),
		CreatedAt:   r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), RevokedAt: r.RevokedAt.V.UTC(),
	}, nil
}

// CreateGrant implements [authorization.Store].
func (s *Store) CreateGrant(ctx context.Context, g *authorization.Grant) error {
	row, err := newGrantRow(g)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "create a grant", func(db *gorm.DB) *gorm.DB {
		return db.Create(row)
	})
	if isOrphan(err) {
		return authorization.ErrSpent
	}
	return err
}

const findGrant = "SELECT " + grantColumns + " FROM grants WHERE tenant = ? AND id = ?"

// FindGrant implements [authorization.Store].
func (s *Store) FindGrant(ctx context.Context, tenant, id string) (*authorization.Grant, error) {
	if !storable(tenant, id) {
		return nil, authorization.ErrNotFound
	}
	var r grantRow
	err := s.attempt(ctx, "find a grant", func() (err error) {
		r, err = scanGrant(s.read.WithContext(ctx).Raw(findGrant, tenant, id).Row())
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, authorization.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return r.grant()
}

// The client of a grant needs no check: without it, there is no grant.
const (
	redeemCode = `UPDATE grants
	SET redeemed_at = ?, family_digest = ?, refresh_digest = ?, refreshed_at = ?, expires_at = ?
	WHERE tenant = ? AND id = ? AND revoked_at IS NULL AND redeemed_at IS NULL`
	rotateRefresh = `UPDATE grants
	SET refresh_digest = ?, previous_digest = ?, refreshed_at = ?, expires_at = ?
	WHERE tenant = ? AND id = ? AND revoked_at IS NULL AND refresh_digest = ?`
)

// RedeemCode implements [authorization.Store].
func (s *Store) RedeemCode(ctx context.Context, g *authorization.Grant) error {
	return s.spend(ctx, "redeem a code", g, redeemCode,
		moment(g.RedeemedAt), []byte(g.FamilyDigest), []byte(g.RefreshDigest), nullable(moment(g.RefreshedAt)), moment(g.ExpiresAt),
		g.Tenant, g.ID)
}

// RotateRefresh implements [authorization.Store].
func (s *Store) RotateRefresh(ctx context.Context, g *authorization.Grant, present []byte) error {
	return s.spend(ctx, "rotate a refresh token", g, rotateRefresh,
		[]byte(g.RefreshDigest), []byte(g.PreviousDigest), nullable(moment(g.RefreshedAt)), moment(g.ExpiresAt),
		g.Tenant, g.ID, present)
}

// spend runs an update of the grant that finds its row once only.
func (s *Store) spend(ctx context.Context, what string, g *authorization.Grant, update string, args ...any) error {
	if !storable(g.Tenant, g.ID) {
		return authorization.ErrSpent
	}
	updated, err := s.exec(ctx, what, func(db *gorm.DB) *gorm.DB {
		return db.Exec(update, args...)
	})
	if err != nil {
		return err
	}
	if updated == 0 {
		return authorization.ErrSpent
	}
	return nil
}

const revokeGrant = "UPDATE grants SET revoked_at = ? WHERE tenant = ? AND id = ? AND revoked_at IS NULL"

// RevokeGrant implements [authorization.Store].
func (s *Store) RevokeGrant(ctx context.Context, tenant, id string, at time.Time) error {
	if !storable(tenant, id) {
		return nil
	}
	_, err := s.exec(ctx, "revoke a grant", func(db *gorm.DB) *gorm.DB {
		return db.Exec(revokeGrant, moment(at), tenant, id)
	})
	return err
}

// RevokeReused implements [authorization.Store].
func (s *Store) RevokeReused(ctx context.Context, g *authorization.Grant, act registration.Act) error {
	if !storable(g.Tenant, g.ID) {
		return nil
	}
	revocation := statement{revokeGrant, []any{moment(act.At), g.Tenant, g.ID}}
	_, err := s.changeOne(ctx, "revoke a grant", revocation, newEntry(g.Tenant, audit.GrantReused, g.ClientID, act))
	return err
}

const grantsOf = "SELECT " + grantColumns + ` FROM grants
	WHERE tenant = ? AND subject = ? AND redeemed_at IS NOT NULL AND revoked_at IS NULL AND expires_at > ?
	ORDER BY created_at DESC, id DESC`

// GrantsOf implements [authorization.Store].
func (s *Store) GrantsOf(ctx context.Context, tenant, subject string, at time.Time) ([]*authorization.Grant, error) {
	if !storable(tenant, subject) {
		return nil, nil
	}
	rows, err := queryAll(ctx, s, "list the grants of a user", scanGrant, grantsOf, tenant, subject, moment(at))
	if err != nil {
		return nil, err
	}
	grants := make([]*authorization.Grant, len(rows))
	for i, r := range rows {
		if grants[i], err = r.grant(); err != nil {
			return nil, err
		}
	}
	return grants, nil
}

const (
	revokeGrantsFor = `UPDATE grants SET revoked_at = ?
	WHERE tenant = ? AND client_id = ? AND subject = ? AND revoked_at IS NULL`
	forgetConsents = "DELETE FROM consents WHERE tenant = ? AND client_id = ? AND subject = ?"
)

// Disconnect implements [authorization.Store].
func (s *Store) Disconnect(ctx context.Context, tenant, subject, clientID string, act registration.Act) error {
	if !storable(tenant, subject, clientID) {
		return nil
	}
	entry := newEntry(tenant, audit.ClientDisconnected, clientID, act)
	return s.transact(ctx, "disconnect a client", func(tx *gorm.DB) error {
		revoked := tx.Exec(revokeGrantsFor, moment(act.At), tenant, clientID, subject)
		if revoked.Error != nil {
			return revoked.Error
		}
		forgotten := tx.Exec(forgetConsents, tenant, clientID, subject)
		if forgotten.Error != nil || revoked.RowsAffected+forgotten.RowsAffected == 0 {
			return forgotten.Error
		}
		return tx.Create(entry).Error
	})
}
