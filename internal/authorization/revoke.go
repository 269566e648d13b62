package authorization

import (
	"context"
	"errors"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Revoke ends the grant that the token belongs to, and so every token of it (RFC 7009 §2).
// A token that is not known, or no longer good for anything, needs no revoking: no error.
//
// It returns an *oauth.Error of code invalid_request without a token, of those of client
// authentication, and invalid_grant for a token of another client, which stays as it is;
// and what the signer and the store return.
func (s *Service) Revoke(ctx context.Context, t *tenant.Tenant, c Credentials, token credential.Secret) error {
	client, err := s.authenticate(ctx, t, c)
	if err != nil {
		return err
	}
	if token == "" {
		return invalidRequest("token", "is required")
	}
	g, err := s.grantOf(ctx, t, token)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case g.ClientID != client.ID:
		return invalidGrant("the token was issued to another client")
	}
	return s.end(ctx, g, nil)
}

// grantOf returns the grant of a refresh token, used ones too, or of an access token; or
// ErrNotFound. A token tells its kind, so the client's hint is not needed.
func (s *Service) grantOf(ctx context.Context, t *tenant.Tenant, token credential.Secret) (*Grant, error) {
	if refresh, ok := parseRefreshToken(token); ok {
		return s.grantOfFamily(ctx, t, refresh)
	}
	claims, err := s.readAccessToken(ctx, t, token)
	if err != nil {
		return nil, err
	}
	if claims == nil {
		return nil, ErrNotFound
	}
	return s.Store.FindGrant(ctx, t.ID, claims.grantID())
}
