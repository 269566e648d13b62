package authorization

import (
	"context"
	"slices"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// TokenRequest is a request to the token endpoint (RFC 6749 §4.1.3, §6; RFC 7636 §4.5;
// RFC 8707 §2.2); empty is what was not sent.
type TokenRequest struct {
	Credentials
	GrantType    string
	Code         string
	RedirectURI  string
	CodeVerifier string
	RefreshToken string
	Scope        string
	Resource     string
}

// Tokens are what a client gets (RFC 6749 §5.1).
type Tokens struct {
	AccessToken credential.Secret
	// RefreshToken is empty for a client that did not register the grant, IDToken without
	// the scope openid.
	RefreshToken, IDToken credential.Secret
	// ExpiresIn is how long the access token lasts.
	ExpiresIn time.Duration
	// Scope is what was granted, less than what was asked for at times.
	Scope string
}

// exchange turns what a grant type presents into tokens.
type exchange func(*Service, context.Context, *tenant.Tenant, *registration.Client, TokenRequest) (*Tokens, error)

var exchanges = map[oauth.GrantType]exchange{
	oauth.GrantAuthorizationCode: (*Service).redeem,
	oauth.GrantRefreshToken:      (*Service).refresh,
}

// Token issues tokens for a code or a refresh token. It returns an *oauth.Error of a code
// of RFC 6749 §5.2, or invalid_target (RFC 8707 §2.2), for what the client did wrong; what
// Recheck, the signer and the store return, as it is.
func (s *Service) Token(ctx context.Context, t *tenant.Tenant, r TokenRequest) (*Tokens, error) {
	if r.GrantType == "" {
		return nil, invalidRequest("grant_type", "is required")
	}
	perform, known := exchanges[r.GrantType]
	if !known {
		return nil, invalid(oauth.UnsupportedGrantType, "grant_type", "must be authorization_code or refresh_token")
	}
	client, err := s.authenticate(ctx, t, r.Credentials)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(client.Metadata.GrantTypes, r.GrantType) {
		return nil, errGrantNotRegistered
	}
	tokens, err := perform(s, ctx, t, client, r)
	if err != nil {
		return nil, err
	}
	s.Used(t.ID, client.ID)
	return tokens, nil
}

func invalidGrant(description string) error {
	return &oauth.Error{Code: oauth.InvalidGrant, Description: description}
}

// checkUser holds a grant to the tenant's present demands on its users: who would no
// longer be let in gets no more tokens.
func checkUser(t *tenant.Tenant, g *Grant) error {
	if t.Policy.LoginRequirement.Admits(g.User) {
		return nil
	}
	return invalidGrant("the user is no longer let in here")
}
