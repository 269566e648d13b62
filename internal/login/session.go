package login

import (
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Session is one browser in which a user has logged in.
type Session struct {
	Tenant string
	ID     string
	// Digest is that of the secret that the browser holds, which embeds ID.
	Digest          credential.Digest
	User            tenant.User
	AuthenticatedAt time.Time
	// SeenAt is when the session was last used, to within a few minutes.
	SeenAt time.Time
	// ExpiresAt is when the session ends however much it is used.
	ExpiresAt time.Time
}

// Attempt is a login that is under way at the upstream provider.
type Attempt struct {
	Tenant string
	// ID is what the state parameter embeds, Digest the state's.
	ID     string
	Digest credential.Digest
	// Browser is the digest of what the browser that began it holds.
	Browser credential.Digest
	// Continue is where the browser goes afterwards, below the issuer.
	Continue  string
	ExpiresAt time.Time
}
