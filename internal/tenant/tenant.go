// Package tenant holds what an operator decides: a tenant's issuer and the
// policy under which its clients register.
package tenant

import (
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

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

// RegistrationMode says who may register a client (RFC 7591 §1.2).
type RegistrationMode string

const (
	// RegistrationOpen lets anybody.
	RegistrationOpen RegistrationMode = "open"
	// RegistrationToken lets whoever presents an initial access token.
	RegistrationToken RegistrationMode = "token"
	// RegistrationClosed lets nobody; clients that are registered look after themselves.
	RegistrationClosed RegistrationMode = "closed"
)

// SoftwareStatements says which software statements are approved, and whether one is needed.
type SoftwareStatements struct {
	Required bool
	// Issuers are the approved ones, by iss.
	Issuers            map[string]StatementIssuer
	RevokedSoftwareIDs []string
}

// StatementIssuer publishes its keys at JWKSURI, or they are JWKS.
type StatementIssuer struct {
	JWKS    []byte
	JWKSURI string
}

// Policy is what a tenant allows its clients to register and its users to grant.
type Policy struct {
	// Scopes is the allowlist, in the order in which metadata documents list it.
	Scopes []string
	// DefaultScopes are registered for a client that asks for none; a subset of Scopes.
	DefaultScopes []string
	ScopeOverflow ScopeOverflow
	// RegistrationMode says who may register.
	RegistrationMode RegistrationMode
	// ApprovalRequired has every client wait until an administrator lets it in.
	ApprovalRequired bool
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
	// RedirectHosts are the hosts of https redirect URIs; those on a user's own machine are
	// none of its business.
	RedirectHosts HostPolicy
	// MetadataDocuments says which clients can be known by their metadata document
	// (draft-ietf-oauth-client-id-metadata-document-02), MetadataDocumentHosts which are
	// listed.
	MetadataDocuments     MetadataDocuments
	MetadataDocumentHosts Hosts
	// SoftwareStatements says what is made of software statements (RFC 7591 §2.3).
	SoftwareStatements SoftwareStatements
	// AllowedOrigins are the browser origins that may read answers; "*" is any.
	AllowedOrigins []string

	// Resources are those that tokens can be issued for (RFC 8707), in normal form; none:
	// any https or loopback URI.
	Resources []string
	// TrustedRedirectHosts are hosts to which an error may be sent before anybody has
	// logged in (RFC 9700 §4.11.2).
	TrustedRedirectHosts []string
	// ScopeTexts say what a scope allows, to people, by scope.
	ScopeTexts map[string]string
	// ScopeRequirements are what a user must meet to grant a scope, by scope.
	ScopeRequirements map[string]Requirement
	// LoginRequirement is what a user must meet to log in.
	LoginRequirement Requirement
	// RefreshGrace is how long the refresh token before the present one still gets one
	// more instead of ending the grant; 0 for not at all.
	RefreshGrace time.Duration
	// RecheckUpstream makes every refresh ask the upstream provider for the user again.
	RecheckUpstream bool
	// AccessTokenAlgorithm and IDTokenAlgorithm sign the tokens of their name.
	AccessTokenAlgorithm, IDTokenAlgorithm oauth.Algorithm
	// ResourceServers may introspect tokens.
	ResourceServers []ResourceServer
}

// ResourceServer is one that the operator lets introspect tokens (RFC 7662 §2.1).
type ResourceServer struct {
	ID           string
	SecretDigest credential.Digest
	// Audiences are the values of aud that concern it.
	Audiences []string
}
