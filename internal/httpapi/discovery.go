package httpapi

import (
	"context"
	"slices"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// metadata is what a tenant publishes of itself; it does not change while the process runs.
type metadata struct {
	server   api.AuthorizationServerMetadata
	provider api.OpenIDProviderMetadata
}

// assertionAlgorithms are those that a client's assertion may be signed with.
var assertionAlgorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

func newMetadata(t *tenant.Tenant) *metadata {
	server := api.AuthorizationServerMetadata{
		Issuer:                            t.Issuer,
		AuthorizationEndpoint:             t.Issuer + "/oauth/authorize",
		TokenEndpoint:                     t.Issuer + "/oauth/token",
		RegistrationEndpoint:              registrationEndpoint(t),
		JwksURI:                           t.Issuer + "/oauth/jwks",
		ServiceDocumentation:              pointer(t.Issuer + "/docs"),
		ScopesSupported:                   t.Policy.Scopes,
		ResponseTypesSupported:            []string{oauth.ResponseTypeCode},
		ResponseModesSupported:            []string{"query"},
		GrantTypesSupported:               []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		TokenEndpointAuthMethodsSupported: methodNames(t.Policy.AuthMethods),
		CodeChallengeMethodsSupported:     []string{"S256"},

		AuthorizationResponseIssParameterSupported: true,
		ClientIDMetadataDocumentSupported:          t.Policy.MetadataDocuments != tenant.MetadataDocumentsOff,
		RevocationEndpoint:                         t.Issuer + "/oauth/revoke",
		RevocationEndpointAuthMethodsSupported:     methodNames(t.Policy.AuthMethods),
		IntrospectionEndpoint:                      t.Issuer + "/oauth/introspect",
		IntrospectionEndpointAuthMethodsSupported:  methodNames([]oauth.AuthMethod{oauth.AuthClientSecretBasic, oauth.AuthClientSecretPost}),
	}
	if slices.Contains(t.Policy.AuthMethods, oauth.AuthPrivateKeyJWT) {
		server.TokenEndpointAuthSigningAlgValuesSupported = assertionAlgorithms
		server.RevocationEndpointAuthSigningAlgValuesSupported = assertionAlgorithms
	}
	return &metadata{server: server, provider: providerMetadata(server, t.Policy)}
}

// registrationEndpoint is not advertised where nobody can register.
func registrationEndpoint(t *tenant.Tenant) *string {
	if t.Policy.RegistrationMode == tenant.RegistrationClosed {
		return nil
	}
	return pointer(t.Issuer + "/oauth/register")
}

// providerMetadata adds what OpenID Connect Discovery 1.0 §3 requires.
func providerMetadata(server api.AuthorizationServerMetadata, policy tenant.Policy) api.OpenIDProviderMetadata {
	return api.OpenIDProviderMetadata{
		UserinfoEndpoint:                 server.Issuer + "/oauth/userinfo",
		SubjectTypesSupported:            []string{"public"},
		IDTokenSigningAlgValuesSupported: []string{string(policy.IDTokenAlgorithm)},
		ClaimsSupported:                  claimsSupported,
		PromptValuesSupported:            []string{"none", "login", "consent", "select_account"},
		RequestURIParameterSupported:     pointer(false),

		Issuer:                            server.Issuer,
		AuthorizationEndpoint:             server.AuthorizationEndpoint,
		TokenEndpoint:                     server.TokenEndpoint,
		RegistrationEndpoint:              server.RegistrationEndpoint,
		JwksURI:                           server.JwksURI,
		ServiceDocumentation:              server.ServiceDocumentation,
		ScopesSupported:                   server.ScopesSupported,
		ResponseTypesSupported:            server.ResponseTypesSupported,
		ResponseModesSupported:            server.ResponseModesSupported,
		GrantTypesSupported:               server.GrantTypesSupported,
		TokenEndpointAuthMethodsSupported: server.TokenEndpointAuthMethodsSupported,
		TokenEndpointAuthSigningAlgValuesSupported:      server.TokenEndpointAuthSigningAlgValuesSupported,
		CodeChallengeMethodsSupported:                   server.CodeChallengeMethodsSupported,
		AuthorizationResponseIssParameterSupported:      server.AuthorizationResponseIssParameterSupported,
		ClientIDMetadataDocumentSupported:               server.ClientIDMetadataDocumentSupported,
		RevocationEndpoint:                              server.RevocationEndpoint,
		RevocationEndpointAuthMethodsSupported:          server.RevocationEndpointAuthMethodsSupported,
		RevocationEndpointAuthSigningAlgValuesSupported: server.RevocationEndpointAuthSigningAlgValuesSupported,
		IntrospectionEndpoint:                           server.IntrospectionEndpoint,
		IntrospectionEndpointAuthMethodsSupported:       server.IntrospectionEndpointAuthMethodsSupported,
	}
}

// claimsSupported are those of ID tokens and of the userinfo endpoint.
var claimsSupported = []string{
	"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name", "email", "email_verified",
}

func methodNames(methods []oauth.AuthMethod) []string {
	names := make([]string, len(methods))
	for i, method := range methods {
		names[i] = string(method)
	}
	return names
}

// GetAuthorizationServerMetadata returns the metadata of RFC 8414 §3.2.
func (s *server) GetAuthorizationServerMetadata(context.Context, api.GetAuthorizationServerMetadataRequestObject) (api.GetAuthorizationServerMetadataResponseObject, error) {
	return api.GetAuthorizationServerMetadata200JSONResponse{
		Body:    s.metadata.server,
		Headers: api.GetAuthorizationServerMetadata200ResponseHeaders{CacheControl: cacheable},
	}, nil
}

// GetOpenIDConfiguration returns the metadata of OpenID Connect Discovery 1.0 §4.2.
func (s *server) GetOpenIDConfiguration(context.Context, api.GetOpenIDConfigurationRequestObject) (api.GetOpenIDConfigurationResponseObject, error) {
	return api.GetOpenIDConfiguration200JSONResponse{
		Body:    s.metadata.provider,
		Headers: api.GetOpenIDConfiguration200ResponseHeaders{CacheControl: cacheable},
	}, nil
}

// GetJSONWebKeySet returns the public signing keys (RFC 7517 §5).
func (s *server) GetJSONWebKeySet(ctx context.Context, _ api.GetJSONWebKeySetRequestObject) (api.GetJSONWebKeySetResponseObject, error) {
	keys, err := s.Keys(ctx)
	return api.GetJSONWebKeySet200JSONResponse{
		Body:    api.JSONWebKeySet{Keys: keys},
		Headers: api.GetJSONWebKeySet200ResponseHeaders{CacheControl: cacheable},
	}, err
}
