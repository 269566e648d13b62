package authorization

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// UserInfo is what a client may know of the user (OpenID Connect Core 1.0 §5.1, §5.3.2);
// empty is what is not known or not granted.
type UserInfo struct {
	Subject string
	// Name takes the scope profile.
	Name string
	// Email and EmailVerified take the scope email; EmailVerified says nothing without Email.
	Email         string
	EmailVerified bool
}

// The errors of UserInfo (RFC 6750 §3.1).
var (
	// ErrAccessTokenMissing is a request without a token: its challenge has no error code.
	ErrAccessTokenMissing error = &oauth.Error{Code: oauth.InvalidToken, Description: "an access token is required"}
	errAccessToken        error = &oauth.Error{Code: oauth.InvalidToken, Description: "the access token is not valid here, has expired or was revoked"}
	errNotOpenID          error = &oauth.Error{Code: oauth.InsufficientScope, Description: "the access token does not have the scope openid"}
)

// UserInfo returns the claims that were granted, as of the approval. A token that was
// issued for another server is refused: that server could present it here.
//
// It returns ErrAccessTokenMissing, an *oauth.Error of code invalid_token or
// insufficient_scope, and what the signer and the store return.
func (s *Service) UserInfo(ctx context.Context, t *tenant.Tenant, token credential.Secret) (*UserInfo, error) {
	if token == "" {
		return nil, ErrAccessTokenMissing
	}
	claims, err := s.readAccessToken(ctx, t, token)
	if err != nil {
		return nil, err
	}
	if claims == nil || !sameResource(claims.Audience, t.Issuer) {
		return nil, errAccessToken
	}
	g, err := s.standing(ctx, t, claims)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, errAccessToken
	}
	scope := strings.Fields(claims.Scope)
	if !slices.Contains(scope, oauth.ScopeOpenID) {
		return nil, errNotOpenID
	}
	return infoOf(g.User, scope), nil
}

func infoOf(user tenant.User, scope []string) *UserInfo {
	info := &UserInfo{Subject: user.Subject}
	if slices.Contains(scope, oauth.ScopeProfile) {
		info.Name = user.Name
	}
	if slices.Contains(scope, oauth.ScopeEmail) {
		info.Email, info.EmailVerified = user.Email, user.EmailVerified
	}
	return info
}
