package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// clientRow is a row of the table clients.
type clientRow struct {
	Tenant              string `gorm:"primaryKey"`
	ID                  string `gorm:"primaryKey"`
	Owner               sql.Null[string]
	Origin              string
	ScopePolicy         string
	Status              string
	Metadata            string
	AuthMethodDefaulted bool
	SecretDigest        []byte
	AccessTokenDigest   []byte
	CreatedAt           time.Time `gorm:"autoCreateTime:false"`
	CreatedFrom         sql.Null[string]
	CreatedAgent        string
	CreatedTrace        sql.Null[string]
	InitialToken        sql.Null[string]
	Bounds              sql.Null[string]
	UpdatedAt           time.Time `gorm:"autoUpdateTime:false"`
	DocumentFetchedAt   sql.Null[time.Time]
	Version             int64
}

// TableName is the name of the table.
func (clientRow) TableName() string { return "clients" }

func newClientRow(c *registration.Client) (*clientRow, error) {
	if !storable(c.Tenant, c.ID) {
		return nil, errNotText
	}
	metadata, err := encodeMetadata(c.Metadata)
	if err != nil {
		return nil, err
	}
	row := &clientRow{
		Tenant: c.Tenant, ID: c.ID, Owner: nullable(c.Owner),
		Origin: string(c.Origin), ScopePolicy: string(c.ScopePolicy), Status: string(c.Status),
		Metadata: metadata, AuthMethodDefaulted: c.AuthMethodDefaulted,
		SecretDigest: c.SecretDigest, AccessTokenDigest: c.AccessTokenDigest,
		CreatedAt: c.CreatedAt, CreatedAgent: asText(c.CreatedAgent), CreatedTrace: nullable(asText(c.CreatedTrace)),
		InitialToken: nullable(c.InitialToken),
		UpdatedAt:    c.UpdatedAt, DocumentFetchedAt: nullable(moment(c.DocumentFetchedAt)), Version: c.Version,
	}
	if row.Bounds, err = encodeBounds(c.Bounds); err != nil {
		return nil, err
	}
	if c.CreatedFrom.IsValid() {
		row.CreatedFrom = nullable(c.CreatedFrom.String())
	}
	return row, nil
}

func (r *clientRow) client() (*registration.Client, error) {
	c := &registration.Client{
		Tenant: r.Tenant, ID: r.ID, Owner: r.Owner.V,
		Origin: registration.Origin(r.Origin), ScopePolicy: registration.ScopePolicy(r.ScopePolicy),
		Status:              registration.Status(r.Status),
		AuthMethodDefaulted: r.AuthMethodDefaulted,
		SecretDigest:        r.SecretDigest, AccessTokenDigest: r.AccessTokenDigest,
		CreatedAt: r.CreatedAt.UTC(), CreatedAgent: r.CreatedAgent, CreatedTrace: r.CreatedTrace.V, InitialToken: r.InitialToken.V,
		UpdatedAt: r.UpdatedAt.UTC(), DocumentFetchedAt: r.DocumentFetchedAt.V.UTC(), Version: r.Version,
	}
	if err := json.Unmarshal([]byte(r.Metadata), &c.Metadata); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if err := decodeBounds(r.Bounds, &c.Bounds); err != nil {
		return nil, err
	}
	if !r.CreatedFrom.Valid {
		return c, nil
	}
	from, err := netip.ParseAddr(r.CreatedFrom.V)
	if err != nil {
		return nil, fmt.Errorf("created_from: %w", err)
	}
	c.CreatedFrom = from
	return c, nil
}

// encodeMetadata writes the JSON of m. The client's jwks goes in byte for byte, where
// encoding/json would rewrite it.
func encodeMetadata(m registration.Metadata) (string, error) {
	jwks := m.JWKS
	m.JWKS = nil
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		return "", fmt.Errorf("metadata: %w", err)
	}
	object := strings.TrimSuffix(doc.String(), "}\n")
	if len(jwks) == 0 {
		return object + "}", nil
	}
	if !json.Valid(jwks) {
		return "", errors.New("metadata: jwks is not JSON")
	}
	return object + `,"jwks":` + string(jwks) + "}", nil
}

// nullable is NULL for the zero value.
func nullable[T comparable](v T) sql.Null[T] {
	var zero T
	return sql.Null[T]{V: v, Valid: v != zero}
}

// storable reports whether text columns can hold all of these: PostgreSQL refuses
// anything else, even in a comparison.
func storable(texts ...string) bool {
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			return false
		}
	}
	return true
}

// errNotText is a row that one of the databases would refuse, and so neither takes.
var errNotText = errors.New("text in a row is UTF-8 without NUL")

// moment is the time as both databases keep and compare it. SQLite alone would keep the
// zone and the nanoseconds, in text that does not sort by time.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func encodeUser(u tenant.User) (string, error) {
	doc, err := json.Marshal(u)
	if err != nil {
		return "", fmt.Errorf("user: %w", err)
	}
	return string(doc), nil
}

func decodeUser(doc string) (u tenant.User, err error) {
	if err := json.Unmarshal([]byte(doc), &u); err != nil {
		return tenant.User{}, fmt.Errorf("user: %w", err)
	}
	return u, nil
}

// asText makes what came in a header storable.
func asText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
