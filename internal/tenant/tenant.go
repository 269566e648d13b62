// Package tenant holds what an operator decides: a tenant's issuer and the
// policy under which its clients register.
package tenant

import "github.com/seed-9c856424/registrar/internal/oauth"

// Tenant is one issuer and its policy. Clients belong to exactly one tenant.
type Tenant struct {
	// ID leads every key in the store.
	ID string
	// Issuer is the issuer identifier, byte for byte as configured and published
	// (RFC 8414 §2); it never ends in a slash.
	Issuer string
	Policy Policy
}

// DefaultID is the id of the tenant that environment variables configure.
const DefaultID = "default"

// ScopeOverflow says what becomes of a requested scope that is not allowed.
type ScopeOverflow string

// The ways to treat scopes outside the allowlist.
const (
	// ScopeNarrow registers what is allowed and drops the rest.
	ScopeNarrow ScopeOverflow = "narrow"
	// ScopeReject refuses the registration.
	ScopeReject ScopeOverflow = "reject"
)

// Policy is what a tenant allows its clients to register.
type Policy struct {
	// Scopes is the allowlist, in the order in which metadata documents list it.
	Scopes []string
	// DefaultScopes are registered for a client that asks for none; a subset of Scopes.
	DefaultScopes []string
	ScopeOverflow ScopeOverflow
	// AuthMethods are the allowed values of token_endpoint_auth_method.
	AuthMethods []oauth.AuthMethod
	// DefaultAuthMethod is registered for a web client that names no method; one of AuthMethods.
	DefaultAuthMethod oauth.AuthMethod
	// CustomSchemes are the private-use redirect schemes without a dot that are accepted.
	CustomSchemes []string
	// StrictApplicationType refuses private-use redirect schemes to clients of type web.
	StrictApplicationType bool
	// RevokeMisusedToken revokes a registration access token that is presented
	// on another client of the tenant.
	RevokeMisusedToken bool
	// AllowedOrigins are the browser origins that may read answers; "*" is any.
	AllowedOrigins []string
}
