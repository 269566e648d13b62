package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// initialRow is a row of the table initial_access_tokens.
type initialRow struct {
	Tenant    string `gorm:"primaryKey"`
	ID        string `gorm:"primaryKey"`
	Name      string
	Digest    []byte
	Bounds    sql.Null[string]
	UsesLeft  sql.Null[int64]
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	ExpiresAt sql.Null[time.Time]
	RevokedAt sql.Null[time.Time]
}

// TableName is the name of the table.
func (initialRow) TableName() string { return "initial_access_tokens" }

func newInitialRow(token *registration.InitialAccessToken) (*initialRow, error) {
	if !storable(token.Tenant, token.ID, token.Name) {
		return nil, errNotText
	}
	bounds, err := encodeBounds(token.Bounds)
	if err != nil {
		return nil, err
	}
	row := &initialRow{
		Tenant: token.Tenant, ID: token.ID, Name: token.Name, Digest: token.Digest, Bounds: bounds,
		CreatedAt: moment(token.CreatedAt), ExpiresAt: nullable(moment(token.ExpiresAt)), RevokedAt: nullable(moment(token.RevokedAt)),
	}
	if token.UsesLeft != nil {
		row.UsesLeft = sql.Null[int64]{V: *token.UsesLeft, Valid: true}
	}
	return row, nil
}

func (r *initialRow) token() (*registration.InitialAccessToken, error) {
	token := &registration.InitialAccessToken{
		Tenant: r.Tenant, ID: r.ID, Name: r.Name, Digest: r.Digest,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.V.UTC(), RevokedAt: r.RevokedAt.V.UTC(),
	}
	if r.UsesLeft.Valid {
		token.UsesLeft = &r.UsesLeft.V
	}
	return token, decodeBounds(r.Bounds, &token.Bounds)
}

// encodeBounds is NULL for none.
func encodeBounds(b registration.Bounds) (sql.Null[string], error) {
	if b.IsZero() {
		return sql.Null[string]{}, nil
	}
	doc, err := json.Marshal(b)
	if err != nil {
		return sql.Null[string]{}, fmt.Errorf("bounds: %w", err)
	}
	return nullable(string(doc)), nil
}

func decodeBounds(doc sql.Null[string], into *registration.Bounds) error {
	if !doc.Valid {
		return nil
	}
	if err := json.Unmarshal([]byte(doc.V), into); err != nil {
		return fmt.Errorf("bounds: %w", err)
	}
	return nil
}

// CreateInitialToken implements [registration.Store].
func (s *Store) CreateInitialToken(ctx context.Context, token *registration.InitialAccessToken, act registration.Act) error {
	row, err := newInitialRow(token)
	if err != nil {
		return err
	}
	entry := newEntry(token.Tenant, audit.InitialTokenIssued, "", act)
	return s.transact(ctx, "create an initial access token", func(tx *gorm.DB) error {
		if err := tx.Create(row).Error; err != nil {
			return err
		}
		return tx.Exec(insertEntry, entry.values()...).Error
	})
}

// FindInitialToken implements [registration.Store].
func (s *Store) FindInitialToken(ctx context.Context, tenant, id string) (*registration.InitialAccessToken, error) {
	if !storable(tenant, id) {
		return nil, registration.ErrNotFound
	}
	var row initialRow
	err := s.attempt(ctx, "find an initial access token", func() error {
		return s.read.WithContext(ctx).Where("tenant = ? AND id = ?", tenant, id).Take(&row).Error
	})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, registration.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return row.token()
}

// InitialTokens implements [registration.Store].
func (s *Store) InitialTokens(ctx context.Context, tenant string) ([]*registration.InitialAccessToken, error) {
	var rows []initialRow
	err := s.attempt(ctx, "list the initial access tokens", func() error {
		return s.read.WithContext(ctx).Where("tenant = ?", tenant).Order("id DESC").Find(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	tokens := make([]*registration.InitialAccessToken, len(rows))
	for i := range rows {
		if tokens[i], err = rows[i].token(); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

const revokeToken = "UPDATE initial_access_tokens SET revoked_at = ? WHERE tenant = ? AND id = ? AND revoked_at IS NULL"

// RevokeInitialToken implements [registration.Store].
func (s *Store) RevokeInitialToken(ctx context.Context, tenant, id string, act registration.Act) error {
	if !storable(tenant, id) {
		return registration.ErrNotFound
	}
	revocation := statement{revokeToken, []any{moment(act.At), tenant, id}}
	revoked, err := s.changeOne(ctx, "revoke an initial access token", revocation, newEntry(tenant, audit.InitialTokenRevoked, "", act))
	if err == nil && !revoked {
		return registration.ErrNotFound
	}
	return err
}

const spendToken = `UPDATE initial_access_tokens SET uses_left = uses_left - 1
	WHERE tenant = ? AND id = ? AND revoked_at IS NULL
	AND (expires_at IS NULL OR expires_at > ?) AND (uses_left IS NULL OR uses_left > 0)`

// CreateWithToken implements [registration.Store].
func (s *Store) CreateWithToken(ctx context.Context, c *registration.Client, at time.Time) error {
	if !storable(c.Tenant, c.InitialToken) {
		return registration.ErrSpent
	}
	r, err := newClientRow(c)
	if err != nil {
		return err
	}
	var spent bool
	err = s.transact(ctx, "create a client with a token", func(tx *gorm.DB) error {
		taken := tx.Exec(spendToken, c.Tenant, c.InitialToken, moment(at))
		if spent = taken.RowsAffected == 0; taken.Error != nil || spent {
			return taken.Error
		}
		return tx.Exec(createClient, r.values()...).Error
	})
	if err == nil && spent {
		return registration.ErrSpent
	}
	return err
}
