package registration

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// MaxContacts is how many contacts a client may register.
const MaxContacts = 10

// rules are applied in this order to one copy of what a client asks for; each
// fills in the default of its member and refuses what it must. Every fault of
// redirect_uris is found before any other, so that it decides the error code.
var rules = []func(tenant.Policy, *Metadata) error{
	checkRedirectURIs,
	setApplicationType,
	checkStrictApplicationType,
	dropRepeatedRedirectURIs,
	setGrantTypes,
	setResponseTypes,
	setScope,
	setAuthMethod,
	checkStrings,
	setLocalized,
	setContacts,
	setJWKS,
	checkKeySource,
}

// applyRules returns what is registered when a client asks for this metadata
// under this policy, with every default filled in, and whether
// token_endpoint_auth_method was one of the defaults. The answer shares nothing
// with asked, and asking for it again registers the same.
//
// The error is an *oauth.Error of code invalid_redirect_uri, wherever
// redirect_uris is at fault, or invalid_client_metadata (RFC 7591 §3.2.2). Its
// description names the member and the rule and never repeats a value, save
// grant types of the RFCs and scopes.
func applyRules(policy tenant.Policy, asked Metadata) (registered Metadata, methodDefaulted bool, err error) {
	registered = asked
	for _, apply := range rules {
		if err := apply(policy, &registered); err != nil {
			return Metadata{}, false, err
		}
	}
	return registered, asked.TokenEndpointAuthMethod == "", nil
}

func invalidMetadata(member, reason string) error {
	return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: member + ": " + reason}
}

// element names one element of an array member: contacts[2].
func element(member string, index int) string {
	return member + "[" + strconv.Itoa(index) + "]"
}

// rule is one reason to refuse a value.
type rule[T any] struct {
	broken func(T) bool
	reason string
}

// firstBroken returns the reason of the first rule that the value breaks, or "".
func firstBroken[T any](rules []rule[T], value T) string {
	for _, r := range rules {
		if r.broken(value) {
			return r.reason
		}
	}
	return ""
}

// distinct returns the values without repetitions, in order. It is meant for the
// few dozen values that the limits leave.
func distinct[T comparable](values []T) []T {
	kept := make([]T, 0, len(values))
	for _, v := range values {
		if !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// setApplicationType defaults to native when no redirect URI could be a web
// server's (OpenID Connect Registration 1.0 §2 has web in every case).
func setApplicationType(_ tenant.Policy, m *Metadata) error {
	switch m.ApplicationType {
	case oauth.ApplicationWeb, oauth.ApplicationNative:
	case "":
		m.ApplicationType = oauth.ApplicationNative
		if !allNative(m.RedirectURIs) {
			m.ApplicationType = oauth.ApplicationWeb
		}
	default:
		return invalidMetadata("application_type", "must be web or native")
	}
	return nil
}

var defaultGrantTypes = []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}

// refusedGrantTypes must not be dropped in silence: a client that asks for one
// means to use it in place of authorization_code.
var refusedGrantTypes = []oauth.GrantType{"implicit", "password", "client_credentials"}

func setGrantTypes(_ tenant.Policy, m *Metadata) error {
	if m.GrantTypes == nil {
		m.GrantTypes = slices.Clone(defaultGrantTypes)
		return nil
	}
	kept := make([]oauth.GrantType, 0, len(defaultGrantTypes))
	for i, grant := range m.GrantTypes {
		switch {
		case slices.Contains(kept, grant):
		case slices.Contains(defaultGrantTypes, grant):
			kept = append(kept, grant)
		case slices.Contains(refusedGrantTypes, grant):
			return invalidMetadata(element("grant_types", i), grant+" is not offered to clients that register themselves")
		case !isExtensionGrant(grant):
			return invalidMetadata(element("grant_types", i), "is not a known grant type")
		}
	}
	if !slices.Contains(kept, oauth.GrantAuthorizationCode) {
		return invalidMetadata("grant_types", "must include authorization_code")
	}
	m.GrantTypes = kept
	return nil
}

// isExtensionGrant reports whether the grant type is an absolute URI (RFC 6749
// §4.5). Clients list such grants for other servers beside authorization_code;
// none is offered here, so they are left out of what is registered.
func isExtensionGrant(grant oauth.GrantType) bool {
	u := cutURI(grant)
	return u.scheme != "" && len(grant) > len(u.scheme)+1 && isURIText(grant)
}

// setResponseTypes registers the one response type that agrees with
// authorization_code (RFC 7591 §2.1).
func setResponseTypes(_ tenant.Policy, m *Metadata) error {
	notCode := func(t string) bool { return t != oauth.ResponseTypeCode }
	switch {
	case m.ResponseTypes != nil && len(m.ResponseTypes) == 0:
		return invalidMetadata("response_types", "must include code, to agree with grant_types")
	case slices.ContainsFunc(m.ResponseTypes, notCode):
		return invalidMetadata("response_types", "must be code alone, to agree with grant_types")
	}
	m.ResponseTypes = []string{oauth.ResponseTypeCode}
	return nil
}

func setAuthMethod(policy tenant.Policy, m *Metadata) error {
	if m.TokenEndpointAuthMethod == "" {
		m.TokenEndpointAuthMethod = defaultAuthMethod(policy, m.RedirectURIs)
	}
	if slices.Contains(policy.AuthMethods, m.TokenEndpointAuthMethod) {
		return nil
	}
	return invalidMetadata("token_endpoint_auth_method", "must be one of "+joinMethods(policy.AuthMethods))
}

// defaultAuthMethod takes a client with a native redirect URI for a public one,
// as it cannot keep a secret (RFC 8252 §8.5).
func defaultAuthMethod(policy tenant.Policy, redirectURIs []string) oauth.AuthMethod {
	if slices.ContainsFunc(redirectURIs, isNative) && slices.Contains(policy.AuthMethods, oauth.AuthNone) {
		return oauth.AuthNone
	}
	return policy.DefaultAuthMethod
}

func joinMethods(methods []oauth.AuthMethod) string {
	names := make([]string, len(methods))
	for i, method := range methods {
		names[i] = string(method)
	}
	return strings.Join(names, ", ")
}

// setContacts makes an empty array an omitted member, as the two say the same.
func setContacts(_ tenant.Policy, m *Metadata) error {
	if len(m.Contacts) > MaxContacts {
		return invalidMetadata("contacts", "must have at most "+strconv.Itoa(MaxContacts)+" entries")
	}
	for i, contact := range m.Contacts {
		if reason := contactFault(contact); reason != "" {
			return invalidMetadata(element("contacts", i), reason)
		}
	}
	m.Contacts = append([]string(nil), m.Contacts...)
	return nil
}

func contactFault(contact string) string {
	if contact == "" {
		return "must not be empty"
	}
	return textFault(contact)
}

// checkKeySource holds a client to one source of keys (RFC 7591 §2), and one that
// signs its token requests to having it.
func checkKeySource(_ tenant.Policy, m *Metadata) error {
	switch {
	case m.JWKS != nil && m.JWKSURI != "":
		return invalidMetadata("jwks", "must not stand beside jwks_uri")
	case m.TokenEndpointAuthMethod == oauth.AuthPrivateKeyJWT && m.JWKS == nil && m.JWKSURI == "":
		return invalidMetadata("token_endpoint_auth_method", "private_key_jwt needs jwks or jwks_uri")
	}
	return nil
}
