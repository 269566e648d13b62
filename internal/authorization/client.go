package authorization

import (
	"context"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Credentials are with what a client, or a resource server, says who it is; empty is what
// was not sent.
type Credentials struct {
	// ClientID and ClientSecret are of the form (RFC 6749 §2.3.1, §3.2.1).
	ClientID     string
	ClientSecret credential.Secret
	// Basic is of the Authorization header, form-decoded; nil without one.
	Basic *Basic
	// AssertionType and Assertion are of RFC 7521 §4.2.
	AssertionType, Assertion string
	// By is whoever presents them.
	By registration.Access
}

// Basic is HTTP Basic authentication (RFC 6749 §2.3.1).
type Basic struct {
	ID     string
	Secret credential.Secret
}

// errUnauthenticated is one answer for an unknown client and a wrong secret, so that
// clients that are gone register anew.
var errUnauthenticated = invalidClient("the client is not known here, or its credentials are wrong")

func invalidClient(description string) error {
	return &oauth.Error{Code: oauth.InvalidClient, Description: description}
}

// authenticate returns the client that presents the credentials (RFC 6749 §2.3, RFC 7523
// §2.2). The error is an *oauth.Error of code invalid_request for credentials that
// contradict one another, or invalid_client; or what the store returns.
func (s *Service) authenticate(ctx context.Context, t *tenant.Tenant, c Credentials) (*registration.Client, error) {
	method, err := c.method()
	if err != nil {
		return nil, err
	}
	if method == oauth.AuthPrivateKeyJWT {
		return s.authenticateByAssertion(ctx, t, c)
	}
	id, secret := c.named()
	client, err := s.claimant(ctx, t, id, method, c.By)
	if err != nil {
		return nil, err
	}
	if method.UsesSecret() && !client.SecretDigest.Verifies(secret) {
		return nil, errUnauthenticated
	}
	return client, nil
}

// claimant finds the client that the credentials name, if it may use the method.
func (s *Service) claimant(ctx context.Context, t *tenant.Tenant, id string, method oauth.AuthMethod, by registration.Access) (*registration.Client, error) {
	client, err := s.calling(ctx, t, id, by)
	if err != nil {
		return nil, err
	}
	if !mayUse(client, method) {
		return nil, invalidClient("the client must authenticate as it registered, with the method " + string(client.Metadata.TokenEndpointAuthMethod))
	}
	return client, nil
}

// mayUse lets a client that never chose among the ways to send its secret use either.
func mayUse(client *registration.Client, method oauth.AuthMethod) bool {
	registered := client.Metadata.TokenEndpointAuthMethod
	return method == registered || client.AuthMethodDefaulted && method.UsesSecret() && registered.UsesSecret()
}

// method is the one method that the credentials are of. A client must not use more than
// one (RFC 6749 §2.3).
func (c Credentials) method() (oauth.AuthMethod, error) {
	var used []oauth.AuthMethod
	if c.Basic != nil {
		used = append(used, oauth.AuthClientSecretBasic)
	}
	if c.ClientSecret != "" {
		used = append(used, oauth.AuthClientSecretPost)
	}
	if c.Assertion != "" || c.AssertionType != "" {
		used = append(used, oauth.AuthPrivateKeyJWT)
	}
	switch {
	case len(used) > 1:
		return "", &oauth.Error{Code: oauth.InvalidRequest, Description: "the client must authenticate in one way alone"}
	case c.Basic != nil && c.ClientID != "" && c.ClientID != c.Basic.ID:
		return "", invalidRequest("client_id", "is not the one of the Authorization header")
	case len(used) == 1:
		return used[0], nil
	}
	return oauth.AuthNone, nil
}

// named is who the credentials say it is, and the secret to prove it.
func (c Credentials) named() (id string, secret credential.Secret) {
	if c.Basic != nil {
		return c.Basic.ID, c.Basic.Secret
	}
	return c.ClientID, c.ClientSecret
}
