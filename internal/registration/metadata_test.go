package registration

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// rulesPolicy is the default policy, with a few changes.
func rulesPolicy(changes ...func(*tenant.Policy)) tenant.Policy {
	policy := tenant.Policy{
		Scopes:        []string{"openid", "profile", "email", "offline_access"},
		DefaultScopes: []string{"openid", "profile"},
		ScopeOverflow: tenant.ScopeNarrow,
		AuthMethods: []oauth.AuthMethod{
			oauth.AuthNone, oauth.AuthClientSecretBasic, oauth.AuthClientSecretPost, oauth.AuthPrivateKeyJWT,
		},
		DefaultAuthMethod: oauth.AuthClientSecretBasic,
		CustomSchemes:     []string{"cursor", "vscode", "vscode-insiders", "windsurf", "zed"},
	}
	for _, change := range changes {
		change(&policy)
	}
	return policy
}

func strictType(p *tenant.Policy)   { p.StrictApplicationType = true }
func rejectScopes(p *tenant.Policy) { p.ScopeOverflow = tenant.ScopeReject }
func secretsOnly(p *tenant.Policy) {
	p.AuthMethods = []oauth.AuthMethod{oauth.AuthClientSecretBasic, oauth.AuthClientSecretPost}
}

// minimal is the smallest registration, with a few members more.
func minimal(changes ...func(*Metadata)) Metadata {
	asked := Metadata{RedirectURIs: []string{"https://c.example/cb"}}
	for _, change := range changes {
		change(&asked)
	}
	return asked
}

func deepCopy(m Metadata) Metadata {
	m.RedirectURIs, m.GrantTypes, m.ResponseTypes = slices.Clone(m.RedirectURIs), slices.Clone(m.GrantTypes), slices.Clone(m.ResponseTypes)
	m.Contacts, m.JWKS, m.Localized = slices.Clone(m.Contacts), slices.Clone(m.JWKS), maps.Clone(m.Localized)
	return m
}

// mustRegister applies the rules and checks what holds for every registration:
// asked is as it was, and what is registered registers again as itself.
func mustRegister(t testing.TB, policy tenant.Policy, asked Metadata) (Metadata, bool) {
	t.Helper()
	before := deepCopy(asked)
	registered, defaulted, err := applyRules(policy, asked)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	if !reflect.DeepEqual(asked, before) {
		t.Errorf("asked was changed:\n got %+v\nwant %+v", asked, before)
	}
	again, defaultedAgain, err := applyRules(policy, registered)
	if err != nil || defaultedAgain || !reflect.DeepEqual(again, registered) {
		t.Errorf("registered again:\n got %+v (%v)\nwant %+v", again, err, registered)
	}
	return registered, defaulted
}

// mustRefuse applies the rules and checks the error: its code, that it names the
// member first, that nothing is registered and that RFC 6749 §5.2 lets it be sent.
func mustRefuse(t testing.TB, policy tenant.Policy, asked Metadata, code oauth.Code, member string) string {
	t.Helper()
	before := deepCopy(asked)
	registered, _, err := applyRules(policy, asked)
	if err == nil {
		t.Fatalf("registered: %+v", registered)
	}
	if !reflect.DeepEqual(registered, Metadata{}) || !reflect.DeepEqual(asked, before) {
		t.Errorf("registered %+v, asked %+v", registered, asked)
	}
	refusal := sendableError(t, err)
	if refusal.Code != code || !strings.HasPrefix(refusal.Description, member+": ") {
		t.Errorf("refused with %v, want %s naming %s", err, code, member)
	}
	return refusal.Description
}

func sendableError(t testing.TB, err error) *oauth.Error {
	t.Helper()
	var refusal *oauth.Error
	if !errors.As(err, &refusal) || refusal.Cause != nil {
		t.Fatalf("error %#v, want an *oauth.Error without cause", err)
	}
	for _, r := range refusal.Description {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			t.Errorf("description %q has %q", refusal.Description, r)
		}
	}
	return refusal
}

func TestDefaults(t *testing.T) {
	registered, defaulted := mustRegister(t, rulesPolicy(), minimal())
	want := Metadata{
		RedirectURIs:            []string{"https://c.example/cb"},
		TokenEndpointAuthMethod: oauth.AuthClientSecretBasic,
		GrantTypes:              []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		ResponseTypes:           []string{"code"},
		Scope:                   "openid profile",
		ApplicationType:         oauth.ApplicationWeb,
	}
	if !defaulted || !reflect.DeepEqual(registered, want) {
		t.Errorf("got %+v, defaulted %v\nwant %+v, defaulted true", registered, defaulted, want)
	}
}

func everyMember() Metadata {
	return Metadata{
		RedirectURIs:            []string{"https://c.example/cb", "https://c.example/cb2?x=1"},
		TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT,
		GrantTypes:              []oauth.GrantType{oauth.GrantRefreshToken, oauth.GrantAuthorizationCode},
		ResponseTypes:           []string{"code"},
		Scope:                   "email openid",
		ApplicationType:         oauth.ApplicationNative,
		ClientName:              "A client",
		ClientURI:               "https://c.example/",
		LogoURI:                 "https://c.example/logo.png",
		TosURI:                  "https://c.example/tos#top",
		PolicyURI:               "https://c.example/policy",
		Localized:               map[string]string{"client_name#ja": "あ", "client_name#fr-CA": "B", "tos_uri#de": "https://c.example/de"},
		Contacts:                []string{"a@b.c", "Zoë <z@b.c>"},
		JWKS:                    json.RawMessage(` { "keys" : [` + ecKey + `] } `),
		SoftwareID:              "4NRB1-0XZABZI9E6-5SM3R",
		SoftwareVersion:         "2.2",
	}
}

func TestEveryMemberIsRegisteredAsSent(t *testing.T) {
	registered, defaulted := mustRegister(t, rulesPolicy(), everyMember())
	if defaulted || !reflect.DeepEqual(registered, everyMember()) {
		t.Errorf("got %+v, defaulted %v\nwant %+v, defaulted false", registered, defaulted, everyMember())
	}
}

func TestRegisteredSharesNothingWithAsked(t *testing.T) {
	asked := everyMember()
	registered, _ := mustRegister(t, rulesPolicy(), asked)
	registered.RedirectURIs[0], registered.GrantTypes[0], registered.ResponseTypes[0] = "x", "x", "x"
	registered.Contacts[0], registered.JWKS[0], registered.Localized["client_name#ja"] = "x", 'x', "x"
	if !reflect.DeepEqual(asked, everyMember()) {
		t.Errorf("asked became %+v", asked)
	}
	defaults, _ := mustRegister(t, rulesPolicy(), minimal())
	defaults.GrantTypes[0] = "x"
	if again, _ := mustRegister(t, rulesPolicy(), minimal()); again.GrantTypes[0] == "x" {
		t.Error("the default grant types are shared")
	}
}

func TestMetadataRefused(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Metadata)
		member string
	}{
		{"grant_types empty", func(m *Metadata) { m.GrantTypes = []string{} }, "grant_types"},
		{"grant_types refresh_token alone", func(m *Metadata) { m.GrantTypes = []string{"refresh_token"} }, "grant_types"},
		{"grant_types password", func(m *Metadata) { m.GrantTypes = []string{"password"} }, "grant_types[0]"},
		{"grant_types implicit beside code", func(m *Metadata) { m.GrantTypes = []string{"authorization_code", "implicit"} }, "grant_types[1]"},
		{"grant_types client_credentials beside code", func(m *Metadata) { m.GrantTypes = []string{"authorization_code", "client_credentials"} }, "grant_types[1]"},
		{"grant_types unknown", func(m *Metadata) { m.GrantTypes = []string{"authorization_code", "foo"} }, "grant_types[1]"},
		{"grant_types empty string", func(m *Metadata) { m.GrantTypes = []string{"authorization_code", ""} }, "grant_types[1]"},
		{"grant_types in capitals", func(m *Metadata) { m.GrantTypes = []string{"AUTHORIZATION_CODE"} }, "grant_types[0]"},
		{"grant_types a scheme and nothing", func(m *Metadata) { m.GrantTypes = []string{"authorization_code", "urn:"} }, "grant_types[1]"},
		{"grant_types a URI with a blank", func(m *Metadata) { m.GrantTypes = []string{"authorization_code", "urn:a b"} }, "grant_types[1]"},
		{"grant_types an extension alone", func(m *Metadata) { m.GrantTypes = []string{"urn:ietf:params:oauth:grant-type:device_code"} }, "grant_types"},
		{"response_types empty", func(m *Metadata) { m.ResponseTypes = []string{} }, "response_types"},
		{"response_types token", func(m *Metadata) { m.ResponseTypes = []string{"token"} }, "response_types"},
		{"response_types token beside code", func(m *Metadata) { m.ResponseTypes = []string{"code", "token"} }, "response_types"},
		{"response_types code id_token", func(m *Metadata) { m.ResponseTypes = []string{"code id_token"} }, "response_types"},
		{"response_types empty string", func(m *Metadata) { m.ResponseTypes = []string{""} }, "response_types"},
		{"application_type desktop", func(m *Metadata) { m.ApplicationType = "desktop" }, "application_type"},
		{"application_type in capitals", func(m *Metadata) { m.ApplicationType = "Web" }, "application_type"},
		{"auth method unknown", func(m *Metadata) { m.TokenEndpointAuthMethod = "tls_client_auth" }, "token_endpoint_auth_method"},
		{"auth method client_secret_jwt", func(m *Metadata) { m.TokenEndpointAuthMethod = "client_secret_jwt" }, "token_endpoint_auth_method"},
		{"private_key_jwt without keys", func(m *Metadata) { m.TokenEndpointAuthMethod = oauth.AuthPrivateKeyJWT }, "token_endpoint_auth_method"},
		{"private_key_jwt with an empty jwks", func(m *Metadata) {
			m.TokenEndpointAuthMethod, m.JWKS = oauth.AuthPrivateKeyJWT, json.RawMessage{}
		}, "token_endpoint_auth_method"},
		{"jwks beside jwks_uri", func(m *Metadata) {
			m.JWKS, m.JWKSURI = json.RawMessage(`{"keys":[`+ecKey+`]}`), "https://c.example/jwks"
		}, "jwks"},
		{"contacts too many", func(m *Metadata) { m.Contacts = make([]string, MaxContacts+1) }, "contacts"},
		{"contacts with a line break", func(m *Metadata) { m.Contacts = []string{"a@b.c", "a\n@b.c"} }, "contacts[1]"},
		{"contacts with an empty one", func(m *Metadata) { m.Contacts = []string{"a@b.c", ""} }, "contacts[1]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			mustRefuse(t, rulesPolicy(), minimal(c.change), oauth.InvalidClientMetadata, c.member)
		})
	}
}

func TestWhichFaultDecides(t *testing.T) {
	bad := []string{"javascript:alert(1)"}
	cases := []struct {
		name   string
		asked  Metadata
		code   oauth.Code
		member string
	}{
		{"nothing", Metadata{}, oauth.InvalidRedirectURI, "redirect_uris"},
		{"empty redirect_uris", Metadata{RedirectURIs: []string{}}, oauth.InvalidRedirectURI, "redirect_uris"},
		{"code without redirect_uris", Metadata{GrantTypes: []string{"authorization_code"}}, oauth.InvalidRedirectURI, "redirect_uris"},
		{"code and password without redirect_uris", Metadata{GrantTypes: []string{"password", "authorization_code"}}, oauth.InvalidRedirectURI, "redirect_uris"},
		{"client_credentials without redirect_uris", Metadata{GrantTypes: []string{"client_credentials"}, ResponseTypes: []string{}}, oauth.InvalidClientMetadata, "grant_types[0]"},
		{"client_credentials with empty redirect_uris", Metadata{GrantTypes: []string{"client_credentials"}, RedirectURIs: []string{}}, oauth.InvalidClientMetadata, "grant_types[0]"},
		{"no grant without redirect_uris", Metadata{GrantTypes: []string{}}, oauth.InvalidClientMetadata, "grant_types"},
		{"client_credentials with a bad redirect", Metadata{GrantTypes: []string{"client_credentials"}, RedirectURIs: bad}, oauth.InvalidRedirectURI, "redirect_uris[0]"},
		{"everything bad", Metadata{
			RedirectURIs: bad, GrantTypes: []string{"x"}, ResponseTypes: []string{"x"}, Scope: `"`, ApplicationType: "x",
			TokenEndpointAuthMethod: "x", ClientName: "\x00", LogoURI: "x", Contacts: []string{"\x00"}, JWKS: json.RawMessage("x"), JWKSURI: "x",
		}, oauth.InvalidRedirectURI, "redirect_uris[0]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { mustRefuse(t, rulesPolicy(), c.asked, c.code, c.member) })
	}
}

func TestGrantAndResponseTypesRegistered(t *testing.T) {
	device := "urn:ietf:params:oauth:grant-type:device_code"
	cases := []struct {
		name        string
		asked, want []oauth.GrantType
	}{
		{"code alone", []string{"authorization_code"}, []string{"authorization_code"}},
		{"order kept", []string{"refresh_token", "authorization_code"}, []string{"refresh_token", "authorization_code"}},
		{"repeated", []string{"authorization_code", "authorization_code", "refresh_token", "authorization_code"}, []string{"authorization_code", "refresh_token"}},
		{"extension dropped", []string{device, "authorization_code"}, []string{"authorization_code"}},
		{"shortest extension dropped", []string{"x:y", "authorization_code"}, []string{"authorization_code"}},
		{"https extension dropped", []string{"authorization_code", "https://c.example/grant"}, []string{"authorization_code"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := minimal(func(m *Metadata) { m.GrantTypes, m.ResponseTypes = c.asked, []string{"code", "code"} })
			registered, _ := mustRegister(t, rulesPolicy(), asked)
			if !slices.Equal(registered.GrantTypes, c.want) || !slices.Equal(registered.ResponseTypes, []string{"code"}) {
				t.Errorf("got %v and %v, want %v and [code]", registered.GrantTypes, registered.ResponseTypes, c.want)
			}
		})
	}
}

func TestAuthMethodAndApplicationType(t *testing.T) {
	const web, loopback, private = "https://c.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb"
	cases := []struct {
		name      string
		policy    tenant.Policy
		uris      []string
		method    oauth.AuthMethod
		kind      oauth.ApplicationType
		want      oauth.AuthMethod
		defaulted bool
		wantKind  oauth.ApplicationType
	}{
		{"web", rulesPolicy(), []string{web}, "", "", oauth.AuthClientSecretBasic, true, oauth.ApplicationWeb},
		{"loopback", rulesPolicy(), []string{loopback}, "", "", oauth.AuthNone, true, oauth.ApplicationNative},
		{"private-use", rulesPolicy(), []string{private}, "", "", oauth.AuthNone, true, oauth.ApplicationNative},
		{"loopback and private-use", rulesPolicy(), []string{loopback, private}, "", "", oauth.AuthNone, true, oauth.ApplicationNative},
		{"web and loopback", rulesPolicy(), []string{web, loopback}, "", "", oauth.AuthNone, true, oauth.ApplicationWeb},
		{"web and private-use", rulesPolicy(), []string{private, web}, "", "", oauth.AuthNone, true, oauth.ApplicationWeb},
		{"loopback called web", rulesPolicy(), []string{loopback}, "", "web", oauth.AuthNone, true, oauth.ApplicationWeb},
		{"web called native", rulesPolicy(), []string{web}, "", "native", oauth.AuthClientSecretBasic, true, oauth.ApplicationNative},
		{"chosen none", rulesPolicy(), []string{web}, "none", "", oauth.AuthNone, false, oauth.ApplicationWeb},
		{"chosen secret on loopback", rulesPolicy(), []string{loopback}, "client_secret_post", "", oauth.AuthClientSecretPost, false, oauth.ApplicationNative},
		{"public clients not allowed", rulesPolicy(secretsOnly), []string{loopback}, "", "", oauth.AuthClientSecretBasic, true, oauth.ApplicationNative},
		{"default of the policy", rulesPolicy(func(p *tenant.Policy) { p.DefaultAuthMethod = "client_secret_post" }), []string{web}, "", "", oauth.AuthClientSecretPost, true, oauth.ApplicationWeb},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := Metadata{RedirectURIs: c.uris, TokenEndpointAuthMethod: c.method, ApplicationType: c.kind}
			got, defaulted := mustRegister(t, c.policy, asked)
			if got.TokenEndpointAuthMethod != c.want || defaulted != c.defaulted || got.ApplicationType != c.wantKind {
				t.Errorf("got %s, defaulted %v, %s\nwant %s, defaulted %v, %s",
					got.TokenEndpointAuthMethod, defaulted, got.ApplicationType, c.want, c.defaulted, c.wantKind)
			}
		})
	}
}

func TestAuthMethodOutsidePolicy(t *testing.T) {
	asked := minimal(func(m *Metadata) { m.TokenEndpointAuthMethod = oauth.AuthNone })
	said := mustRefuse(t, rulesPolicy(secretsOnly), asked, oauth.InvalidClientMetadata, "token_endpoint_auth_method")
	if !strings.HasSuffix(said, "client_secret_basic, client_secret_post") {
		t.Errorf("%q does not say what is allowed", said)
	}
}

func TestContactsRegistered(t *testing.T) {
	cases := []struct {
		name        string
		asked, want []string
	}{
		{"omitted", nil, nil},
		{"empty is omitted", []string{}, nil},
		{"as many as allowed", slices.Repeat([]string{"a@b.c"}, MaxContacts), slices.Repeat([]string{"a@b.c"}, MaxContacts)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			registered, _ := mustRegister(t, rulesPolicy(), minimal(func(m *Metadata) { m.Contacts = c.asked }))
			if !reflect.DeepEqual(registered.Contacts, c.want) {
				t.Errorf("got %#v, want %#v", registered.Contacts, c.want)
			}
		})
	}
}

// typical is what a connector sends.
func typical() Metadata {
	return Metadata{
		RedirectURIs:            []string{"https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"},
		TokenEndpointAuthMethod: oauth.AuthClientSecretPost,
		GrantTypes:              []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		ResponseTypes:           []string{"code"},
		Scope:                   "openid email offline_access",
		ClientName:              "Claude",
		ClientURI:               "https://claude.ai",
		LogoURI:                 "https://claude.ai/logo.png",
	}
}

func BenchmarkMetadata(b *testing.B) {
	policy := rulesPolicy()
	for _, c := range []struct {
		name  string
		asked Metadata
	}{{"minimal", minimal()}, {"typical", typical()}, {"full", everyMember()}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := applyRules(policy, c.asked); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
