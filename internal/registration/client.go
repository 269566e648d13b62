package registration

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

// Metadata is what a client registers (RFC 7591 §2). As input, a nil slice or an
// empty string is an omitted member and a non-nil empty slice is an empty array.
// As registered, every default is filled in.
type Metadata struct {
	RedirectURIs            []string              `json:"redirect_uris"`
	TokenEndpointAuthMethod oauth.AuthMethod      `json:"token_endpoint_auth_method"`
	GrantTypes              []oauth.GrantType     `json:"grant_types"`
	ResponseTypes           []string              `json:"response_types"`
	Scope                   string                `json:"scope"`
	ApplicationType         oauth.ApplicationType `json:"application_type"`
	ClientName              string                `json:"client_name,omitempty"`
	ClientURI               string                `json:"client_uri,omitempty"`
	LogoURI                 string                `json:"logo_uri,omitempty"`
	TosURI                  string                `json:"tos_uri,omitempty"`
	PolicyURI               string                `json:"policy_uri,omitempty"`
	// Localized holds the members that carry a language tag, by their full name:
	// "client_name#ja" (RFC 7591 §2.2).
	Localized       map[string]string `json:"localized,omitempty"`
	Contacts        []string          `json:"contacts,omitempty"`
	JWKS            json.RawMessage   `json:"jwks,omitempty"`
	JWKSURI         string            `json:"jwks_uri,omitempty"`
	SoftwareID      string            `json:"software_id,omitempty"`
	SoftwareVersion string            `json:"software_version,omitempty"`
	// SoftwareStatement is as it was presented (RFC 7591 §2.3).
	SoftwareStatement string `json:"software_statement,omitempty"`
}

// Origin says how a client came to be.
type Origin string

// OriginDynamic is a client that registered itself (RFC 7591 §3).
const OriginDynamic Origin = "dynamic"

// OriginDocument is a client that is known by its metadata document
// (draft-ietf-oauth-client-id-metadata-document-02).
const OriginDocument Origin = "document"

// ScopePolicy says which scopes a client can obtain.
type ScopePolicy string

// ScopeExplicit lets a client obtain only the scopes that it registered.
const ScopeExplicit ScopePolicy = "explicit"

// Status says what a client may do.
type Status string

const (
	// StatusActive is a client like any other.
	StatusActive Status = "active"
	// StatusPending is a client that waits for an administrator to let it in. It can read,
	// change and delete its registration.
	StatusPending Status = "pending"
	// StatusSuspended is a client that gets no codes and no tokens, and whose grants have
	// ended. It can still read, change and delete its registration.
	StatusSuspended Status = "suspended"
)

// Client is a registered client as it is stored.
type Client struct {
	Tenant string
	ID     string
	// Owner is the account that the client belongs to; empty for a client that
	// belongs to its tenant, as every dynamically registered one does.
	Owner       string
	Origin      Origin
	ScopePolicy ScopePolicy
	Status      Status
	Metadata    Metadata
	// AuthMethodDefaulted is true while the client never chose its
	// token_endpoint_auth_method.
	AuthMethodDefaulted bool
	// SecretDigest is nil for a client without a secret.
	SecretDigest credential.Digest
	// AccessTokenDigest is the registration access token's; nil once it is revoked.
	AccessTokenDigest credential.Digest
	// InitialToken is the id of the initial access token that it was registered with, if it
	// was, and Bounds are what that imposes.
	InitialToken string
	Bounds       Bounds
	CreatedAt    time.Time
	// CreatedFrom and CreatedAgent are the address and the User-Agent that registered, and
	// CreatedTrace is the trace id of that request; empty is not known.
	CreatedFrom  netip.Addr
	CreatedAgent string
	CreatedTrace string
	UpdatedAt    time.Time
	// DocumentFetchedAt is when the copy of the document that Metadata is of was fetched;
	// zero for all others.
	DocumentFetchedAt time.Time
	// Version counts updates, for optimistic concurrency; 1 as created.
	Version int64
}

// IsVouchedFor reports whether anybody but the client itself stands for what it says.
func (c *Client) IsVouchedFor() bool {
	return c.Origin != OriginDynamic && c.Origin != OriginDocument
}

// IsLocalized reports whether a member's name is that of a localised variant, such as
// client_name#ja (RFC 7591 §2.2). Whether its language tag is well formed is a rule.
func IsLocalized(name string) bool { return localizableFault(name) != nil }
