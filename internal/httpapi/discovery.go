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
		RegistrationEndpoint:              t.Issuer + "/oauth/register",
		JwksURI:                           t.Issuer + "/oauth/jwks",
		ServiceDocumentation:              pointer(t.Issuer + "/docs"),
		ScopesSupported:                   t.Policy.Scopes,
		ResponseTypesSupported:            []string{oauth.ResponseTypeCode},
		ResponseModesSupported:            []string{"query"},
		GrantTypesSupported:               []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		TokenEndpointAuthMethodsSupported: methodNames(t.Policy.AuthMethods),
		CodeChallengeMethodsSupported:     []string{"S256"},
	}
	if slices.Contains(t.Policy.AuthMethods, oauth.AuthPrivateKeyJWT) {
		server.TokenEndpointAuthSigningAlgValuesSupported = assertionAlgorithms
	}
	return &metadata{server: server, provider: providerMetadata(server)}
}

// providerMetadata adds what OpenID Connect Discovery 1.0 §3 requires.
func providerMetadata(server api.AuthorizationServerMetadata) api.OpenIDProviderMetadata {
	return api.OpenIDProviderMetadata{
		UserinfoEndpoint:                           server.Issuer + "/oauth/userinfo",
		SubjectTypesSupported:                      []string{"public"},
		IDTokenSigningAlgValuesSupported:           []string{"RS256"},
		Issuer:                                     server.Issuer,
		AuthorizationEndpoint:                      server.AuthorizationEndpoint,
		TokenEndpoint:                              server.TokenEndpoint,
		RegistrationEndpoint:                       server.RegistrationEndpoint,
		JwksURI:                                    server.JwksURI,
		ServiceDocumentation:                       server.ServiceDocumentation,
		ScopesSupported:                            server.ScopesSupported,
		ResponseTypesSupported:                     server.ResponseTypesSupported,
		ResponseModesSupported:                     server.ResponseModesSupported,
		GrantTypesSupported:                        server.GrantTypesSupported,
		TokenEndpointAuthMethodsSupported:          server.TokenEndpointAuthMethodsSupported,
		TokenEndpointAuthSigningAlgValuesSupported: server.TokenEndpointAuthSigningAlgValuesSupported,
		CodeChallengeMethodsSupported:              server.CodeChallengeMethodsSupported,
	}
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

// GetJSONWebKeySet returns the signing keys: none, as long as no token is signed.
func (s *server) GetJSONWebKeySet(context.Context, api.GetJSONWebKeySetRequestObject) (api.GetJSONWebKeySetResponseObject, error) {
	return api.GetJSONWebKeySet200JSONResponse{
		Body:    api.JSONWebKeySet{Keys: []map[string]any{}},
		Headers: api.GetJSONWebKeySet200ResponseHeaders{CacheControl: cacheable},
	}, nil
}
