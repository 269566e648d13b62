package authorization

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Introspection is what a resource server learns of a token (RFC 7662 §2.2); of one that
// is not active, nothing.
type Introspection struct {
	Active    bool
	Scope     string
	ClientID  string
	Subject   string
	Audience  string
	Issuer    string
	ID        string
	TokenType string
	ExpiresAt time.Time
	IssuedAt  time.Time
	// AuthenticatedAt is when the user logged in (auth_time).
	AuthenticatedAt time.Time
}

// TokenTypeBearer is the type of every access token (RFC 6750 §4).
const TokenTypeBearer = "Bearer"

// Introspect tells a resource server that the operator has configured whether an access
// token stands. It learns nothing of tokens that are for others (RFC 7662 §4). Refresh
// tokens are no business of resource servers: they are not active here.
//
// It returns an *oauth.Error of code invalid_request or invalid_client, and what the
// signer and the store return.
func (s *Service) Introspect(ctx context.Context, t *tenant.Tenant, c Credentials, token credential.Secret) (*Introspection, error) {
	server, err := resourceServer(t.Policy, c)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, invalidRequest("token", "is required")
	}
	claims, err := s.readAccessToken(ctx, t, token)
	if err != nil {
		return nil, err
	}
	if claims == nil || !containsResource(server.Audiences, claims.Audience) {
		return &Introspection{}, nil
	}
	g, err := s.standing(ctx, t, claims)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return &Introspection{}, nil
	}
	return &Introspection{
		Active: true, Scope: claims.Scope, ClientID: claims.ClientID, Subject: claims.Subject,
		Audience: claims.Audience, Issuer: claims.Issuer, ID: claims.ID, TokenType: TokenTypeBearer,
		ExpiresAt: time.Unix(claims.Expiry, 0).UTC(), IssuedAt: time.Unix(claims.IssuedAt, 0).UTC(),
		AuthenticatedAt: time.Unix(claims.AuthTime, 0).UTC(),
	}, nil
}

// resourceServer returns the one that presents the credentials.
func resourceServer(policy tenant.Policy, c Credentials) (*tenant.ResourceServer, error) {
	if _, err := c.method(); err != nil {
		return nil, err
	}
	id, secret := c.named()
	i := slices.IndexFunc(policy.ResourceServers, func(server tenant.ResourceServer) bool { return server.ID == id })
	if i < 0 || secret == "" || !policy.ResourceServers[i].SecretDigest.Verifies(secret) {
		return nil, errNoResourceServer
	}
	return &policy.ResourceServers[i], nil
}

var errNoResourceServer error = &oauth.Error{Code: oauth.InvalidClient, Description: "the resource server is not known here, or its secret is wrong"}

// standing returns the grant of the token, or nil if it was revoked or is gone with its client.
func (s *Service) standing(ctx context.Context, t *tenant.Tenant, claims *accessClaims) (*Grant, error) {
	g, err := s.Store.FindGrant(ctx, t.ID, claims.grantID())
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil || !g.RevokedAt.IsZero() {
		return nil, err
	}
	return g, nil
}
