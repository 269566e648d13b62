package httpapi

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/credential"
)

// IssueToken redeems a code or a refresh token (RFC 6749 §3.2).
func (s *server) IssueToken(ctx context.Context, request api.IssueTokenRequestObject) (api.IssueTokenResponseObject, error) {
	form := request.Body
	tokens, err := s.Authorization.Token(ctx, s.Tenant, authorization.TokenRequest{
		Credentials: credentials(ctx, form.ClientID, form.ClientSecret, form.ClientAssertionType, form.ClientAssertion),
		GrantType:   string(form.GrantType), Code: value(form.Code), RedirectURI: value(form.RedirectURI),
		CodeVerifier: value(form.CodeVerifier), RefreshToken: value(form.RefreshToken),
		Scope: value(form.Scope), Resource: value(form.Resource),
	})
	if err != nil {
		return nil, err
	}
	return api.IssueToken200JSONResponse{TokensJSONResponse: api.TokensJSONResponse{
		Body: api.TokenResponse{
			AccessToken: tokens.AccessToken.Reveal(), TokenType: tokenType,
			ExpiresIn: int(tokens.ExpiresIn.Seconds()), Scope: tokens.Scope,
			RefreshToken: present(tokens.RefreshToken.Reveal()), IDToken: present(tokens.IDToken.Reveal()),
		},
		Headers: api.TokensResponseHeaders{CacheControl: noStore, Pragma: noCache},
	}}, nil
}

// credentials are those of the form and of the Authorization header.
func credentials(ctx context.Context, clientID, clientSecret, assertionType, assertion *string) authorization.Credentials {
	x := exchangeOf(ctx)
	return authorization.Credentials{
		ClientID: value(clientID), ClientSecret: credential.Secret(value(clientSecret)), Basic: x.basic,
		AssertionType: value(assertionType), Assertion: value(assertion), By: x.access,
	}
}

// tokenType is that of all access tokens (RFC 6750 §6.1.1).
const tokenType = "Bearer"

// RevokeToken ends a token (RFC 7009 §2).
func (s *server) RevokeToken(ctx context.Context, request api.RevokeTokenRequestObject) (api.RevokeTokenResponseObject, error) {
	form := request.Body
	presented := credentials(ctx, form.ClientID, form.ClientSecret, form.ClientAssertionType, form.ClientAssertion)
	if err := s.Authorization.Revoke(ctx, s.Tenant, presented, credential.Secret(form.Token)); err != nil {
		return nil, err
	}
	return api.RevokeToken200Response{Headers: api.RevokeToken200ResponseHeaders{CacheControl: noStore, Pragma: noCache}}, nil
}

// IntrospectToken tells a resource server what a token is worth (RFC 7662 §2).
func (s *server) IntrospectToken(ctx context.Context, request api.IntrospectTokenRequestObject) (api.IntrospectTokenResponseObject, error) {
	form := request.Body
	presented := credentials(ctx, form.ClientID, form.ClientSecret, nil, nil)
	found, err := s.Authorization.Introspect(ctx, s.Tenant, presented, credential.Secret(form.Token))
	if err != nil {
		return nil, err
	}
	return api.IntrospectToken200JSONResponse{IntrospectedJSONResponse: api.IntrospectedJSONResponse{
		Body:    introspection(found),
		Headers: api.IntrospectedResponseHeaders{CacheControl: noStore, Pragma: noCache},
	}}, nil
}

// introspection tells nothing of a token that is not active (RFC 7662 §2.2).
func introspection(i *authorization.Introspection) api.Introspection {
	if !i.Active {
		return api.Introspection{}
	}
	return api.Introspection{
		Active: true, TokenType: pointer(tokenType), Scope: present(i.Scope), ClientID: present(i.ClientID),
		Sub: present(i.Subject), Aud: present(i.Audience), Iss: present(i.Issuer), Jti: present(i.ID),
		Exp: pointer(i.ExpiresAt.Unix()), Iat: pointer(i.IssuedAt.Unix()),
	}
}

// basicCredentials reads an Authorization header of the scheme Basic, whose parts are
// form-encoded before they are put together (RFC 6749 §2.3.1). It returns nil for another
// scheme, and no client's credentials for one that cannot be read.
func basicCredentials(header string) *authorization.Basic {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	user, password, found := strings.Cut(string(decoded), ":")
	id, idErr := url.QueryUnescape(user)
	secret, secretErr := url.QueryUnescape(password)
	if err != nil || !found || idErr != nil || secretErr != nil {
		return &authorization.Basic{}
	}
	return &authorization.Basic{ID: id, Secret: credential.Secret(secret)}
}
