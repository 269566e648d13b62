package authorization

import (
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Grant is what a user approved for a client, and the state of the code and the refresh
// tokens that stand for it: one row, whatever becomes of it.
type Grant struct {
	Tenant   string
	ID       string
	ClientID string
	// User is the user as they were known when they approved.
	User            tenant.User
	AuthenticatedAt time.Time
	// Scope is what was approved: scope tokens separated by single spaces.
	Scope string
	// Resource is the value of resource as it was sent; empty for none (RFC 8707 §2).
	Resource string
	// RedirectURI is where the code was sent.
	RedirectURI string
	// Challenge is the S256 code challenge (RFC 7636 §4.2).
	Challenge string
	Nonce     string

	CodeDigest    credential.Digest
	CodeExpiresAt time.Time
	// RedeemedAt is zero while the code was not used.
	RedeemedAt time.Time

	// FamilyDigest tells the refresh tokens of this grant, old ones too, from anything
	// made up; nil before the code is redeemed and for a grant without refresh tokens.
	FamilyDigest credential.Digest
	// RefreshDigest is the present refresh token's, PreviousDigest the one's before it
	// while that may still be used, and nil otherwise.
	RefreshDigest, PreviousDigest credential.Digest
	// RefreshedAt is when the present refresh token was issued.
	RefreshedAt time.Time

	CreatedAt time.Time
	// ExpiresAt is when nothing that was issued is valid any longer: of the code, then of
	// the access token or the refresh token. The row can go then.
	ExpiresAt time.Time
	// RevokedAt is zero while the grant stands.
	RevokedAt time.Time
}

// Consent is an approval that is remembered, so that the same question is not asked
// again: of one user, for one client, one redirect URI and one resource.
type Consent struct {
	Tenant   string
	Subject  string
	ClientID string
	// Target is the digest of redirect URI and resource.
	Target []byte
	// Scope is what was approved.
	Scope string
	// ClientDigest is that of what the client had registered when the user approved.
	ClientDigest []byte
	GrantedAt    time.Time
	ExpiresAt    time.Time
}
