package httpapi

import (
	"encoding/json"
	"time"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// metadataFrom takes from a validated body, and the localised members beside it, what a
// client may choose.
func metadataFrom(body api.ClientMetadata, localized map[string]string) registration.Metadata {
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
		Localized:               localized,
		Contacts:                body.Contacts,
		JWKS:                    value(body.Jwks),
		JWKSURI:                 value(body.JwksURI),
		SoftwareID:              value(body.SoftwareID),
		SoftwareVersion:         value(body.SoftwareVersion),
		SoftwareStatement:       value(body.SoftwareStatement),
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
		SoftwareStatement:       body.SoftwareStatement,
		TokenEndpointAuthMethod: body.TokenEndpointAuthMethod,
		TosURI:                  body.TosURI,
	}
}

// information is a registration as the contract describes it (RFC 7592 §3): no member is
// null or empty.
func (s *server) information(r *registration.Registered) information {
	m := r.Client.Metadata
	return information{localized: m.Localized, ClientInformation: api.ClientInformation{
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
		Contacts:                m.Contacts,
		Jwks:                    keys(m.JWKS),
		JwksURI:                 present(m.JWKSURI),
		SoftwareID:              present(m.SoftwareID),
		SoftwareVersion:         present(m.SoftwareVersion),
		SoftwareStatement:       present(m.SoftwareStatement),
	}}
}

// information is a registration with its localised members, which the generated type has
// no place for.
type information struct {
	api.ClientInformation
	localized map[string]string
}

// MarshalJSON adds the localised members.
func (i information) MarshalJSON() ([]byte, error) {
	encoded, err := json.Marshal(i.ClientInformation)
	if err != nil || len(i.localized) == 0 {
		return encoded, err
	}
	localized, err := json.Marshal(i.localized)
	if err != nil {
		return nil, err
	}
	encoded[len(encoded)-1] = ','
	return append(encoded, localized[1:]...), nil
}

// envelope is a registration in its envelope; Code is always 0.
type envelope struct {
	Code      int         `json:"code"`
	Data      information `json:"data"`
	Message   string      `json:"message"`
	Timestamp time.Time   `json:"timestamp"`
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
