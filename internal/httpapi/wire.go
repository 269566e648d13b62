package httpapi

import (
	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// metadataFrom takes from a validated body what a client may choose.
func metadataFrom(body api.ClientMetadata) registration.Metadata {
	return registration.Metadata{
		RedirectURIs:            body.RedirectUris,
		TokenEndpointAuthMethod: oauth.AuthMethod(value(body.TokenEndpointAuthMethod)),
		GrantTypes:              body.GrantTypes,
		ResponseTypes:           body.ResponseTypes,
		Scope:                   value(body.Scope),
		ApplicationType:         oauth.ApplicationType(value(body.ApplicationType)),
		ClientName:              value(body.ClientName),
		ClientURI:               value(body.ClientURI),
		LogoURI:                 value(body.LogoURI),
		TosURI:                  value(body.TosURI),
		PolicyURI:               value(body.PolicyURI),
		Localized:               localizedFrom(body.AdditionalProperties),
		Contacts:                body.Contacts,
		JWKS:                    value(body.Jwks),
		JWKSURI:                 value(body.JwksURI),
		SoftwareID:              value(body.SoftwareID),
		SoftwareVersion:         value(body.SoftwareVersion),
	}
}

// metadataPart is an update without what tells which registration it is about.
func metadataPart(body api.ClientUpdate) api.ClientMetadata {
	return api.ClientMetadata{
		ApplicationType:         body.ApplicationType,
		ClientName:              body.ClientName,
		ClientURI:               body.ClientURI,
		Contacts:                body.Contacts,
		GrantTypes:              body.GrantTypes,
		Jwks:                    body.Jwks,
		JwksURI:                 body.JwksURI,
		LogoURI:                 body.LogoURI,
		PolicyURI:               body.PolicyURI,
		RedirectUris:            body.RedirectUris,
		ResponseTypes:           body.ResponseTypes,
		Scope:                   body.Scope,
		SoftwareID:              body.SoftwareID,
		SoftwareVersion:         body.SoftwareVersion,
		TokenEndpointAuthMethod: body.TokenEndpointAuthMethod,
		TosURI:                  body.TosURI,
		AdditionalProperties:    body.AdditionalProperties,
	}
}

// information is a registration as the contract describes it (RFC 7592 §3): no member is
// null or empty.
func (s *server) information(r *registration.Registered) api.ClientInformation {
	m := r.Client.Metadata
	return api.ClientInformation{
		ClientID:                r.Client.ID,
		ClientSecret:            present(r.Secret.Reveal()),
		ClientIDIssuedAt:        r.Client.CreatedAt.Unix(),
		RegistrationClientURI:   pointer(s.Tenant.Issuer + "/oauth/register/" + r.Client.ID),
		RegistrationAccessToken: present(r.AccessToken.Reveal()),
		RedirectUris:            m.RedirectURIs,
		TokenEndpointAuthMethod: api.TokenEndpointAuthMethod(m.TokenEndpointAuthMethod),
		GrantTypes:              m.GrantTypes,
		ResponseTypes:           m.ResponseTypes,
		Scope:                   present(m.Scope),
		ApplicationType:         present(api.ApplicationType(m.ApplicationType)),
		ClientName:              present(m.ClientName),
		ClientURI:               present(m.ClientURI),
		LogoURI:                 present(m.LogoURI),
		TosURI:                  present(m.TosURI),
		PolicyURI:               present(m.PolicyURI),
		AdditionalProperties:    localizedMembers(m.Localized),
		Contacts:                m.Contacts,
		Jwks:                    keys(m.JWKS),
		JwksURI:                 present(m.JWKSURI),
		SoftwareID:              present(m.SoftwareID),
		SoftwareVersion:         present(m.SoftwareVersion),
	}
}

// localizedFrom takes the additional members; validation left strings only.
func localizedFrom(members map[string]any) map[string]string {
	if len(members) == 0 {
		return nil
	}
	localized := make(map[string]string, len(members))
	for name, member := range members {
		localized[name], _ = member.(string)
	}
	return localized
}

func localizedMembers(localized map[string]string) map[string]any {
	if len(localized) == 0 {
		return nil
	}
	members := make(map[string]any, len(localized))
	for name, member := range localized {
		members[name] = member
	}
	return members
}

func keys(jwks api.ClientKeys) *api.ClientKeys {
	if len(jwks) == 0 {
		return nil
	}
	return &jwks
}

// present is nil for what is omitted.
func present[S ~string](s S) *S {
	if s == "" {
		return nil
	}
	return &s
}

// value is the zero value for what is omitted.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func pointer[T any](v T) *T { return &v }
