package registration

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

const (
	notText  = "value must be a string"
	notTexts = "value must be an array"
)

// memberReaders put the value of a member where it belongs, or return why it cannot be.
var memberReaders = map[string]func(*Metadata, any) string{
	"redirect_uris":              texts(func(m *Metadata) *[]string { return &m.RedirectURIs }),
	"token_endpoint_auth_method": text(func(m *Metadata) *oauth.AuthMethod { return &m.TokenEndpointAuthMethod }),
	"grant_types":                texts(func(m *Metadata) *[]string { return &m.GrantTypes }),
	"response_types":             texts(func(m *Metadata) *[]string { return &m.ResponseTypes }),
	"scope":                      text(func(m *Metadata) *string { return &m.Scope }),
	"application_type":           text(func(m *Metadata) *oauth.ApplicationType { return &m.ApplicationType }),
	"client_name":                text(func(m *Metadata) *string { return &m.ClientName }),
	"client_uri":                 text(func(m *Metadata) *string { return &m.ClientURI }),
	"logo_uri":                   text(func(m *Metadata) *string { return &m.LogoURI }),
	"tos_uri":                    text(func(m *Metadata) *string { return &m.TosURI }),
	"policy_uri":                 text(func(m *Metadata) *string { return &m.PolicyURI }),
	"contacts":                   texts(func(m *Metadata) *[]string { return &m.Contacts }),
	"jwks":                       readJWKS,
	"jwks_uri":                   text(func(m *Metadata) *string { return &m.JWKSURI }),
	"software_id":                text(func(m *Metadata) *string { return &m.SoftwareID }),
	"software_version":           text(func(m *Metadata) *string { return &m.SoftwareVersion }),
}

// decodeMetadata takes from a JSON object what a client may choose. What is null or empty
// counts as omitted, and a member that is not known is ignored (RFC 7591 §2). The error is
// an *oauth.Error that names a member of another type.
func decodeMetadata(object map[string]any) (Metadata, error) {
	var m Metadata
	err := m.readAll(object)
	return m, err
}

func (m *Metadata) readAll(object map[string]any) error {
	var worst error
	for _, name := range slices.Sorted(maps.Keys(object)) {
		reason := m.read(name, object[name])
		switch {
		case reason == "":
		case name == "redirect_uris":
			return invalidRedirectURI(name, reason)
		case worst == nil:
			base, _, _ := strings.Cut(name, "#")
			worst = invalidMetadata(base, reason)
		}
	}
	return worst
}

func (m *Metadata) read(name string, value any) string {
	read, known := memberReaders[name]
	switch {
	case value == nil, value == "":
		return ""
	case known:
		return read(m, value)
	case IsLocalized(name):
		return m.readLocalized(name, value)
	}
	return ""
}

func (m *Metadata) readLocalized(name string, value any) string {
	text, isText := value.(string)
	if !isText {
		return notText
	}
	if m.Localized == nil {
		m.Localized = map[string]string{}
	}
	m.Localized[name] = text
	return ""
}

// text reads a member that is a string.
func text[S ~string](field func(*Metadata) *S) func(*Metadata, any) string {
	return func(m *Metadata, value any) string {
		text, isText := value.(string)
		if !isText {
			return notText
		}
		*field(m) = S(text)
		return ""
	}
}

// texts reads a member that is an array of strings.
func texts(field func(*Metadata) *[]string) func(*Metadata, any) string {
	return func(m *Metadata, value any) string {
		array, isArray := value.([]any)
		if !isArray {
			return notTexts
		}
		all := make([]string, len(array))
		for i, element := range array {
			text, isText := element.(string)
			if !isText {
				return "entry " + strconv.Itoa(i) + ": " + notText
			}
			all[i] = text
		}
		*field(m) = all
		return ""
	}
}

// readJWKS writes the object out again, as the rules read its text.
func readJWKS(m *Metadata, value any) string {
	if _, isObject := value.(map[string]any); !isObject {
		return "value must be an object"
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return "value must be a set of JSON Web Keys"
	}
	m.JWKS = raw
	return ""
}
