package authorization

import (
	"context"
	"errors"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// errRefreshToken is one answer for a refresh token that is unknown, another client's,
// expired, used or revoked.
var errRefreshToken = invalidGrant("the refresh token is not valid for this client, has expired or was used")

// maxRotations bounds how often a refresh starts over because another came first. Two
// that came first leave a token neither the present one nor the one before.
const maxRotations = 3

// refresh exchanges a refresh token for tokens and another refresh token (RFC 6749 §6, RFC
// 9700 §4.14.2).
func (s *Service) refresh(ctx context.Context, t *tenant.Tenant, client *registration.Client, r TokenRequest) (*Tokens, error) {
	if r.RefreshToken == "" {
		return nil, invalidRequest("refresh_token", "is required")
	}
	token, ok := parseRefreshToken(credential.Secret(r.RefreshToken))
	if !ok {
		return nil, errRefreshToken
	}
	for range maxRotations {
		tokens, err := s.refreshOnce(ctx, t, client, token, r)
		if !errors.Is(err, ErrSpent) {
			return tokens, err
		}
	}
	return nil, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the refresh token is being used by others, try again shortly"}
}

// refreshOnce returns ErrSpent if another refresh, or the end of the grant, came first.
func (s *Service) refreshOnce(ctx context.Context, t *tenant.Tenant, client *registration.Client, token refreshToken, r TokenRequest) (*Tokens, error) {
	g, err := s.grantOfRefresh(ctx, t, client, token, r)
	if err != nil {
		return nil, err
	}
	if err := checkResource(g, r.Resource); err != nil {
		return nil, err
	}
	scope, err := scopeNow(t.Policy, client, g, r.Scope)
	if err != nil {
		return nil, err
	}
	if err := s.checkStanding(ctx, t, g); err != nil {
		return nil, err
	}
	rotated, next, err := s.rotate(ctx, t, g, token)
	if err != nil {
		return nil, err
	}
	return s.issue(ctx, t, rotated, scope, "", next)
}

// grantOfRefresh returns the grant whose refresh token it is. Any other token of the
// family was used before: then it is not known which of two parties is the client, and
// the grant ends (RFC 9700 §4.14.2).
func (s *Service) grantOfRefresh(ctx context.Context, t *tenant.Tenant, client *registration.Client, token refreshToken, r TokenRequest) (*Grant, error) {
	g, err := s.grantOfFamily(ctx, t, token)
	switch now := s.now(); {
	case errors.Is(err, ErrNotFound):
		return nil, errRefreshToken
	case err != nil:
		return nil, err
	case g.ClientID != client.ID, !g.RevokedAt.IsZero(), !now.Before(g.refreshEnd()):
		return nil, errRefreshToken
	case !g.RefreshDigest.Verifies(token.secret) && !isGraced(t.Policy, g, token, now):
		return nil, s.endReused(ctx, g, client, r, errRefreshToken)
	}
	return g, nil
}

// grantOfFamily returns the grant that the token is, or was, of; ErrNotFound for a token
// that is made up.
func (s *Service) grantOfFamily(ctx context.Context, t *tenant.Tenant, token refreshToken) (*Grant, error) {
	g, err := s.Store.FindGrant(ctx, t.ID, token.grantID)
	if err == nil && !g.FamilyDigest.Verifies(token.family) {
		return nil, ErrNotFound
	}
	return g, err
}

// isGraced reports whether it is the token before the present one and may be used once
// more, because the answer that replaced it can have been lost.
func isGraced(policy tenant.Policy, g *Grant, token refreshToken, now time.Time) bool {
	return g.PreviousDigest.Verifies(token.secret) && now.Before(g.RefreshedAt.Add(policy.RefreshGrace))
}

// refreshEnd is when the present refresh token ends, used or not.
func (g *Grant) refreshEnd() time.Time {
	idle, absolute := g.RefreshedAt.Add(RefreshIdle), g.CreatedAt.Add(RefreshAbsolute)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

// checkStanding ends a grant whose user the upstream provider has dropped. It asks last,
// as that is a request to another server.
func (s *Service) checkStanding(ctx context.Context, t *tenant.Tenant, g *Grant) error {
	if err := checkUser(t, g); err != nil || !t.Policy.RecheckUpstream {
		return err
	}
	err := s.Recheck(ctx, t, g.User.Subject)
	if errors.Is(err, ErrUserGone) {
		return s.end(ctx, g, invalidGrant("the user is no longer known to the provider"))
	}
	return err
}

// rotate replaces the present refresh token. One that the grace covers has had its second
// use then and is not kept as the previous one again.
func (s *Service) rotate(ctx context.Context, t *tenant.Tenant, g *Grant, token refreshToken) (*Grant, credential.Secret, error) {
	secret, err := mintRefreshToken(s.Random, g.ID, token.family)
	if err != nil {
		return nil, "", err
	}
	now, rotated := s.now(), *g
	rotated.PreviousDigest = nil
	if t.Policy.RefreshGrace > 0 && g.RefreshDigest.Verifies(token.secret) {
		rotated.PreviousDigest = g.RefreshDigest
	}
	rotated.RefreshDigest = secret.Digest()
	rotated.setRefreshed(now)
	return &rotated, secret, s.Store.RotateRefresh(ctx, &rotated, g.RefreshDigest)
}

// setRefreshed dates the present refresh token. The last access token can outlive it.
func (g *Grant) setRefreshed(now time.Time) {
	g.RefreshedAt = now
	g.ExpiresAt = g.refreshEnd()
	if end := now.Add(AccessTokenLifetime); end.After(g.ExpiresAt) {
		g.ExpiresAt = end
	}
}

// beginFamily gives the grant its first refresh token.
func (s *Service) beginFamily(g *Grant, now time.Time) (credential.Secret, error) {
	family, err := drawFamily(s.Random)
	if err != nil {
		return "", err
	}
	secret, err := mintRefreshToken(s.Random, g.ID, family)
	if err != nil {
		return "", err
	}
	g.FamilyDigest, g.RefreshDigest = family.Digest(), secret.Digest()
	g.setRefreshed(now)
	return secret, nil
}
