package main

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The two metadata documents (RFC 8414 §3, OpenID Connect Discovery 1.0 §4).
const (
	serverMetadata   = "/.well-known/oauth-authorization-server"
	providerMetadata = "/.well-known/openid-configuration"
)

// publishedBy is what the authorization server metadata of this issuer holds, under the
// settings that stand in no variable.
func publishedBy(issuer string) object {
	return object{
		"issuer":                                           issuer,
		"authorization_endpoint":                           issuer + "/oauth/authorize",
		"token_endpoint":                                   issuer + "/oauth/token",
		"registration_endpoint":                            issuer + "/oauth/register",
		"jwks_uri":                                         issuer + "/oauth/jwks",
		"service_documentation":                            issuer + "/docs",
		"scopes_supported":                                 []string{"openid", "profile", "email", "offline_access"},
		"response_types_supported":                         []string{"code"},
		"response_modes_supported":                         []string{"query"},
		"grant_types_supported":                            []string{"authorization_code", "refresh_token"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"token_endpoint_auth_methods_supported":            []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "PS256", "ES256", "EdDSA"},

		"client_id_metadata_document_supported": true, "authorization_response_iss_parameter_supported": true,
		"revocation_endpoint":                                   issuer + "/oauth/revoke",
		"revocation_endpoint_auth_methods_supported":            []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		"revocation_endpoint_auth_signing_alg_values_supported": []string{"RS256", "PS256", "ES256", "EdDSA"},
		"introspection_endpoint":                                issuer + "/oauth/introspect",
		"introspection_endpoint_auth_methods_supported":         []string{"client_secret_basic", "client_secret_post"},
	}
}

// asProvider adds the members that OpenID Connect Discovery 1.0 §3 requires.
func asProvider(metadata object) object {
	return with(metadata, object{
		"userinfo_endpoint":                     metadata["issuer"].(string) + "/oauth/userinfo",
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name", "email", "email_verified"},
		"prompt_values_supported":               []string{"none", "login", "consent", "select_account"},
		"request_uri_parameter_supported":       false,
	})
}

func TestDiscovery(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		documents := map[string]object{
			serverMetadata:   publishedBy(s.URL),
			providerMetadata: asProvider(publishedBy(s.URL)),
		}
		for path, want := range documents {
			t.Run("A-01 A-03 "+path, func(t *testing.T) { tryDocument(t, s, path, want) })
		}
		t.Run("A-03 /oauth/jwks", func(t *testing.T) { tryKeys(t, s) })
		t.Run("A-01 nothing elsewhere", func(t *testing.T) {
			for _, path := range []string{serverMetadata + "/t1", providerMetadata + "/t1", "/t1" + providerMetadata, "/.well-known/", "/oauth", "/oauth/revoke/x", "/admin"} {
				answer := s.send(t, request{Method: http.MethodGet, Path: path})
				if answer.Status != http.StatusNotFound || answer.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: %s", path, answer)
				}
			}
		})
	})
}

func tryDocument(t *testing.T, s *server, path string, want object) {
	answer := s.send(t, request{Method: http.MethodGet, Path: path})
	if answer.Status != http.StatusOK || !reflect.DeepEqual(answer.Body, decoded(t, want)) {
		t.Errorf("%s\nwant %v", answer, want)
	}
	wantHeaders(t, answer, map[string]string{
		"Content-Type": "application/json", "Cache-Control": "public, max-age=300", "Pragma": "",
		"ETag": "", "Last-Modified": "", "Set-Cookie": "", "Location": "",
	})
	if strings.Contains(answer.Text, "null") {
		t.Errorf("a null: %s", answer)
	}
	if again := s.send(t, request{Method: http.MethodGet, Path: path}); again.Text != answer.Text {
		t.Errorf("another document: %s", again)
	}
	head := s.send(t, request{Method: http.MethodHead, Path: path})
	if head.Status != http.StatusOK || head.Text != "" || head.Header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %s", head)
	}
	post := s.send(t, request{Method: http.MethodPost, Path: path, Body: "{}"})
	if post.Status != http.StatusMethodNotAllowed || !strings.Contains(post.Header.Get("Allow"), http.MethodGet) {
		t.Errorf("POST: %s, Allow: %s", post, post.Header.Get("Allow"))
	}
}

// tryKeys expects one public key for each algorithm, and nothing of a private one.
func tryKeys(t *testing.T, s *server) {
	answer := s.send(t, request{Method: http.MethodGet, Path: "/oauth/jwks"})
	keys, _ := answer.Body["keys"].([]any)
	var algorithms []string
	for _, each := range keys {
		key, _ := each.(map[string]any)
		algorithm, _ := key["alg"].(string)
		algorithms = append(algorithms, algorithm)
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if key[private] != nil {
				t.Errorf("a private member: %s", private)
			}
		}
		if key["use"] != "sig" || key["kid"] == "" {
			t.Errorf("%v", key)
		}
	}
	if !slices.Equal(algorithms, []string{"ES256", "RS256"}) {
		t.Errorf("%s", answer)
	}
	wantHeaders(t, answer, map[string]string{"Cache-Control": "public, max-age=300", "Content-Type": "application/json"})
}

// An issuer that has a path: everything is below it, the metadata also with it inserted.
func TestDiscoveryOfIssuerWithPath(t *testing.T) {
	for _, path := range []string{"/t1", "/auth/realms/a.b~c_d-e"} {
		t.Run("A-02 "+path, func(t *testing.T) {
			s := startServer(t, map[string]string{"REGISTRAR_ISSUER": "http://{address}" + path})
			issuer := s.URL + path
			below := &server{URL: issuer, Client: &http.Client{Transport: newContractTransport(t, issuer)}}
			s.Client = http.DefaultClient
			documents := map[string]object{
				serverMetadata:   publishedBy(issuer),
				providerMetadata: asProvider(publishedBy(issuer)),
			}
			for document, want := range documents {
				tryDocument(t, below, document, want)
				inserted := s.send(t, request{Method: http.MethodGet, Path: document + path})
				if inserted.Status != http.StatusOK || !reflect.DeepEqual(inserted.Body, decoded(t, want)) {
					t.Errorf("inserted: %s", inserted)
				}
			}
			checkIssued(t, below, below.register(t, minimal()))
			below.wantReadBack(t, below.register(t, minimal()))
			tryBareRoot(t, s)
		})
	}
}

// tryBareRoot expects nothing of a tenant without its path, save health for probes.
func tryBareRoot(t *testing.T, s *server) {
	for _, path := range []string{serverMetadata, providerMetadata, serverMetadata + "/other", "/oauth/register", "/oauth/jwks", "/docs", "/openapi.json"} {
		if answer := s.send(t, request{Method: http.MethodGet, Path: path}); answer.Status != http.StatusNotFound {
			t.Errorf("%s: %s", path, answer)
		}
	}
	s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: minimal()}).wantError(t, http.StatusNotFound, "invalid_request")
	for _, path := range []string{"/healthz", "/readyz"} {
		if answer := s.send(t, request{Method: http.MethodGet, Path: path}); answer.Status != http.StatusOK {
			t.Errorf("%s: %s", path, answer)
		}
	}
}

// The issuer is configured: nothing in a request changes what the server says of itself.
func TestIssuerIsNeverTakenFromTheRequest(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_ISSUER": "https://id.example"})
	// The contract of this server is about another address than the one of the test.
	s.Client = http.DefaultClient
	forged := map[string]string{
		"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Prefix": "/evil", "X-Forwarded-For": "192.0.2.1",
		"Forwarded": "host=evil.example", "X-Original-URL": "/evil", "X-Rewrite-URL": "/evil", "Referer": "https://evil.example/",
	}
	for _, r := range []request{
		{Method: http.MethodPost, Path: "/oauth/register", Body: minimal()},
		{Method: http.MethodPost, Path: "/oauth/register", Body: "{}"},
		{Method: http.MethodGet, Path: "/oauth/register/c_x"},
		{Method: http.MethodGet, Path: serverMetadata},
		{Method: http.MethodGet, Path: providerMetadata},
		{Method: http.MethodGet, Path: "/docs"},
		{Method: http.MethodGet, Path: "/openapi.yaml"},
	} {
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			r.Header = forged
			sent, err := s.build(r)
			if err != nil {
				t.Fatal(err)
			}
			sent.Host = "evil.example"
			answer, err := s.do(sent)
			if err != nil {
				t.Fatal(err)
			}
			told := answer.Text + strings.Join(slices.Concat(slices.Collect(maps.Values(answer.Header))...), "\n")
			if strings.Contains(told, "evil") || strings.Contains(told, s.URL) || !strings.Contains(told, "https://id.example") {
				t.Errorf("%s with %v", answer, answer.Header)
			}
		})
	}
}

func TestDiscoveryFollowsTheSettings(t *testing.T) {
	s := startServer(t, map[string]string{
		"REGISTRAR_SCOPES": "openid calendar.read", "REGISTRAR_DEFAULT_SCOPES": "openid",
		"REGISTRAR_AUTH_METHODS": "none client_secret_post", "REGISTRAR_DEFAULT_AUTH_METHOD": "none",
	})
	want := with(publishedBy(s.URL), object{
		"scopes_supported":                                 []string{"openid", "calendar.read"},
		"token_endpoint_auth_methods_supported":            []string{"none", "client_secret_post"},
		"token_endpoint_auth_signing_alg_values_supported": nil,

		"revocation_endpoint_auth_methods_supported":            []string{"none", "client_secret_post"},
		"revocation_endpoint_auth_signing_alg_values_supported": nil,
	})
	tryDocument(t, s, serverMetadata, want)
	tryDocument(t, s, providerMetadata, asProvider(want))
}

// originCase is a request of a web page.
type originCase struct {
	name, method, path, origin string
	// allowed is the origin that may read the answer, "" for none.
	allowed string
}

func TestOrigins(t *testing.T) {
	policies := map[string]struct {
		settings map[string]string
		cases    []originCase
	}{
		"every origin": {nil, []originCase{
			{"F-09 a web page", http.MethodPost, "/oauth/register", "https://app.example", "*"},
			{"F-09 a local page", http.MethodPost, "/oauth/register", "http://localhost:6274", "*"},
			{"F-09 no origin to speak of", http.MethodPost, "/oauth/register", "null", "*"},
			{"F-09 managing", http.MethodPut, "/oauth/register/c_x", "https://app.example", "*"},
			{"F-09 metadata", http.MethodGet, serverMetadata, "https://app.example", "*"},
			{"F-09 OpenID metadata", http.MethodGet, providerMetadata, "https://app.example", "*"},
			{"F-09 keys", http.MethodGet, "/oauth/jwks", "https://app.example", "*"},
			{"F-09 token", http.MethodPost, "/oauth/token", "https://app.example", "*"},
			{"F-09 revocation", http.MethodPost, "/oauth/revoke", "https://app.example", "*"},
			{"F-09 introspection is for resource servers", http.MethodPost, "/oauth/introspect", "https://app.example", ""},
			{"F-09 authorize is for browsers, not pages", http.MethodGet, "/oauth/authorize", "https://app.example", ""},
		}},
		"two origins": {map[string]string{"REGISTRAR_CORS_ORIGINS": "https://app.example http://localhost:6274"}, []originCase{
			{"F-09 the first", http.MethodPost, "/oauth/register", "https://app.example", "https://app.example"},
			{"F-09 the second", http.MethodPost, "/oauth/register", "http://localhost:6274", "http://localhost:6274"},
			{"F-10 another", http.MethodPost, "/oauth/register", "https://evil.example", ""},
			{"F-10 one that begins alike", http.MethodPost, "/oauth/register", "https://app.example.evil.example", ""},
			{"F-10 one that ends alike", http.MethodPost, "/oauth/register", "https://evilapp.example", ""},
			{"F-10 another scheme", http.MethodPost, "/oauth/register", "http://app.example", ""},
			{"F-10 another port", http.MethodPost, "/oauth/register", "https://app.example:8443", ""},
			{"F-10 null", http.MethodPost, "/oauth/register", "null", ""},
			{"F-10 managing", http.MethodDelete, "/oauth/register/c_x", "https://evil.example", ""},
		}},
		"no origin": {map[string]string{"REGISTRAR_CORS_ORIGINS": "none"}, []originCase{
			{"F-10 a web page", http.MethodPost, "/oauth/register", "https://app.example", ""},
		}},
	}
	for name, p := range policies {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, p.settings)
			for _, c := range p.cases {
				t.Run(c.name, func(t *testing.T) { c.try(t, s) })
			}
		})
	}
}

func (c originCase) try(t *testing.T, s *server) {
	preflight := s.send(t, request{Method: http.MethodOptions, Path: c.path, Header: map[string]string{
		"Origin": c.origin, "Access-Control-Request-Method": c.method, "Access-Control-Request-Headers": "content-type, authorization, mcp-protocol-version"}})
	c.check(t, preflight)
	methods, names := preflight.Header.Get("Access-Control-Allow-Methods"), strings.ToLower(preflight.Header.Get("Access-Control-Allow-Headers"))
	lets := strings.Contains(methods, c.method) && containsAll(names, "content-type", "authorization", "mcp-protocol-version")
	if lets != (c.allowed != "") || c.allowed != "" && preflight.Status != http.StatusNoContent {
		t.Errorf("the preflight lets it: %v: %d %v", lets, preflight.Status, preflight.Header)
	}
	for _, body := range []string{valid, "{}"} {
		r := request{Method: c.method, Path: c.path, Header: map[string]string{"Origin": c.origin}}
		if c.method != http.MethodGet {
			r.Body = body
		}
		c.check(t, s.send(t, r))
	}
}

// check holds an answer to what the origin is allowed; a cache must not mix origins up.
func (c originCase) check(t *testing.T, answer reply) {
	t.Helper()
	wantHeaders(t, answer, map[string]string{"Access-Control-Allow-Origin": c.allowed, "Access-Control-Allow-Credentials": ""})
	if reflected := c.allowed != "" && c.allowed != "*"; reflected && !slices.Contains(answer.Header.Values("Vary"), "Origin") {
		t.Errorf("Vary: %v", answer.Header.Values("Vary"))
	}
}
