package authorization

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// errCode is one answer for a code that is unknown, another client's, expired or used.
var errCode = invalidGrant("the code is not valid for this client, has expired or was used")

// redeem exchanges a code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.6). A code that is
// presented with the wrong verifier, redirect URI or resource stays what it is; one that
// is presented twice ends all that it has issued (RFC 6749 §4.1.2).
func (s *Service) redeem(ctx context.Context, t *tenant.Tenant, client *registration.Client, r TokenRequest) (*Tokens, error) {
	if err := checkCodeRequest(r); err != nil {
		return nil, err
	}
	g, err := s.grantOfCode(ctx, t, client, r)
	if err != nil {
		return nil, err
	}
	if err := checkRedemption(g, client, r, s.now()); err != nil {
		return nil, err
	}
	if err := checkUser(t, g); err != nil {
		return nil, err
	}
	scope, err := scopeNow(t.Policy, client, g, "")
	if err != nil {
		return nil, err
	}
	refreshToken, err := s.spendCode(ctx, client, g, r)
	if err != nil {
		return nil, err
	}
	return s.issue(ctx, t, g, scope, g.Nonce, refreshToken)
}

func checkCodeRequest(r TokenRequest) error {
	switch {
	case r.Code == "":
		return invalidRequest("code", "is required")
	case r.CodeVerifier == "":
		return invalidRequest("code_verifier", "is required")
	case !isVerifier(r.CodeVerifier):
		return invalidRequest("code_verifier", "must be 43 to 128 letters, digits, hyphens, dots, underscores and tildes")
	}
	return nil
}

// grantOfCode returns the grant whose code it is, if it was not used.
func (s *Service) grantOfCode(ctx context.Context, t *tenant.Tenant, client *registration.Client, r TokenRequest) (*Grant, error) {
	code := credential.Secret(r.Code)
	id, ok := credential.Subject(credential.AuthorizationCode, code)
	if !ok || !isGrantID(id) {
		return nil, errCode
	}
	g, err := s.Store.FindGrant(ctx, t.ID, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, errCode
	case err != nil:
		return nil, err
	case !g.CodeDigest.Verifies(code):
		return nil, errCode
	case !g.RedeemedAt.IsZero():
		return nil, s.endReused(ctx, g, client, r, errCode)
	}
	return g, nil
}

func isGrantID(text string) bool {
	_, err := ulid.ParseStrict(text)
	return err == nil
}

// end revokes the grant and returns the reason, or why that failed.
func (s *Service) end(ctx context.Context, g *Grant, reason error) error {
	if err := s.Store.RevokeGrant(ctx, g.Tenant, g.ID, s.now()); err != nil {
		return err
	}
	return reason
}

// endReused revokes the grant whose code or refresh token the client has presented again, and
// returns the reason, or why that failed.
func (s *Service) endReused(ctx context.Context, g *Grant, client *registration.Client, r TokenRequest, reason error) error {
	act := r.By.Act(s.now(), registration.ActorClient, r.GrantType+" presented by "+client.ID)
	if err := s.Store.RevokeReused(ctx, g, act); err != nil {
		return err
	}
	return reason
}

// checkRedemption holds the code to the client, the redirect URI, the challenge and the
// resource that it was issued for.
func checkRedemption(g *Grant, client *registration.Client, r TokenRequest, now time.Time) error {
	switch {
	case g.ClientID != client.ID, !g.RevokedAt.IsZero(), !now.Before(g.CodeExpiresAt):
		return errCode
	case r.RedirectURI != "" && r.RedirectURI != g.RedirectURI:
		return invalidGrant("redirect_uri: is not where the code was sent")
	case !answers(g.Challenge, r.CodeVerifier):
		return invalidGrant("code_verifier: is not the one of the code_challenge")
	}
	return checkResource(g, r.Resource)
}

// spendCode takes the code's one use, and begins the refresh tokens of the grant where the
// client registered them. Whoever comes second in a race has presented a used code.
func (s *Service) spendCode(ctx context.Context, client *registration.Client, g *Grant, r TokenRequest) (refreshToken credential.Secret, err error) {
	now := s.now()
	g.RedeemedAt, g.ExpiresAt = now, now.Add(AccessTokenLifetime)
	if slices.Contains(client.Metadata.GrantTypes, oauth.GrantRefreshToken) {
		if refreshToken, err = s.beginFamily(g, now); err != nil {
			return "", err
		}
	}
	err = s.Store.RedeemCode(ctx, g)
	if errors.Is(err, ErrSpent) {
		return "", s.endReused(ctx, g, client, r, errCode)
	}
	return refreshToken, err
}
