package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
)

// mcp is the resource of the resource server that may introspect tokens in these tests.
const mcp = "https://mcp.example/mcp"

// resourceServers is their configuration; the secret is "secret".
const resourceServers = `
resource_servers:
  - id: files
    secret_sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
    audiences: [https://MCP.example/mcp]
  - id: other
    secret_sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
    audiences: [https://other.example/]
`

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registrar.yaml")
	if err := os.WriteFile(file, []byte(resourceServers), 0o600); err != nil {
		t.Fatal(err)
	}
	eachStoreWith(t, map[string]string{"REGISTRAR_CONFIG": file}, func(t *testing.T, s *server) {
		for _, group := range []struct {
			name string
			run  func(*testing.T, *server)
		}{
			{"a code", redeemCodes},
			{"client authentication", authenticateClients},
			{"private_key_jwt", authenticateByKey},
			{"request form", tokenForms},
			{"tokens", tokenContents},
			{"refresh", refreshTokens},
			{"resource", resources},
			{"userinfo", userInfo},
			{"revocation", revocation},
			{"introspection", introspection},
			{"a client that changes or goes", clientsThatChange},
			{"races", tokenRaces},
			{"the account page", accounts},
		} {
			t.Run(group.name, func(t *testing.T) { group.run(t, s) })
		}
	})
}

func redeemCodes(t *testing.T, s *server) {
	client := s.public(t, callback, "https://c.example/other").str(t, "client_id")
	other := s.public(t, callback).str(t, "client_id")
	fresh := func(t *testing.T) string {
		return s.visitor(t).code(t, authorizationRequest(client, callback, nil))
	}
	t.Run("A-09 once", func(t *testing.T) {
		answer := s.tokens(t, redemption(client, fresh(t), map[string]string{"redirect_uri": callback}), nil)
		wantHeaders(t, answer, map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json"})
		if answer.Body["token_type"] != "Bearer" || answer.Body["expires_in"] != 600.0 {
			t.Errorf("%s", answer)
		}
	})
	for name, c := range map[string]struct {
		changed map[string]string
		code    string
	}{
		"A-07 wrong verifier":        {map[string]string{"code_verifier": strings.Repeat("a", 43)}, "invalid_grant"},
		"A-07 no verifier":           {map[string]string{"code_verifier": ""}, "invalid_request"},
		"A-07 verifier too short":    {map[string]string{"code_verifier": verifier[:42]}, "invalid_request"},
		"A-07 verifier too long":     {map[string]string{"code_verifier": strings.Repeat("a", 129)}, "invalid_request"},
		"A-07 the challenge instead": {map[string]string{"code_verifier": challenge}, "invalid_grant"},
		"A-07 other redirect_uri":    {map[string]string{"redirect_uri": "https://c.example/other"}, "invalid_grant"},
		"another client":             {map[string]string{"client_id": other}, "invalid_grant"},
		"no code":                    {map[string]string{"code": ""}, "invalid_request"},
		"resource only here":         {map[string]string{"resource": mcp}, "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) {
			code := fresh(t)
			s.token(t, redemption(client, code, c.changed), nil).wantError(t, http.StatusBadRequest, c.code)
			s.tokens(t, redemption(client, code, nil), nil)
		})
	}
	for name, code := range map[string]string{
		"invented":  "rgc_01k9qv5w3m8zr4t6y2b0n7xdce" + strings.Repeat("0", 59),
		"too short": "rgc_", "another kind": "rgr_01k9qv5w3m8zr4t6y2b0n7xdce", "huge": strings.Repeat("a", 4096), "odd": "\u202e\x00é",
	} {
		t.Run("a code that is "+name, func(t *testing.T) {
			s.token(t, redemption(client, code, nil), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
		})
	}
	t.Run("A-07 twice", func(t *testing.T) {
		code := fresh(t)
		first := s.tokens(t, redemption(client, code, nil), nil)
		s.token(t, redemption(client, code, nil), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
		s.token(t, refreshing(client, first.str(t, "refresh_token")), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
		s.wantDead(t, first)
	})
}

// wantDead expects that the access token of the answer is of no use at the userinfo endpoint.
func (s *server) wantDead(t *testing.T, tokens reply) {
	t.Helper()
	answer := s.send(t, request{Method: http.MethodGet, Path: "/oauth/userinfo", Token: tokens.str(t, "access_token")})
	answer.wantError(t, http.StatusUnauthorized, "invalid_token")
}

func (s *server) wantAlive(t *testing.T, tokens reply) {
	t.Helper()
	answer := s.send(t, request{Method: http.MethodGet, Path: "/oauth/userinfo", Token: tokens.str(t, "access_token")})
	if answer.Status != http.StatusOK {
		t.Errorf("%s", answer)
	}
}

func (s *server) confidential(t *testing.T, method string) (id, secret string) {
	t.Helper()
	body := object{"redirect_uris": []string{callback}}
	if method != "" {
		body["token_endpoint_auth_method"] = method
	}
	registered := s.register(t, body)
	return registered.str(t, "client_id"), registered.str(t, "client_secret")
}

// wantUnknown expects that the client has to register or authenticate anew (RFC 6749 §5.2).
func (s *server) wantUnknown(t *testing.T, answer reply) {
	t.Helper()
	answer.wantError(t, http.StatusUnauthorized, "invalid_client")
	wantHeaders(t, answer, map[string]string{
		"WWW-Authenticate": `Basic realm="` + s.URL + `"`, "Cache-Control": "no-store", "Content-Type": "application/json",
	})
}

func authenticateClients(t *testing.T, s *server) {
	for name, c := range map[string]struct {
		method string
		basic  bool
		taken  bool
	}{
		"R-28 basic":             {"client_secret_basic", true, true},
		"post by basic":          {"client_secret_post", true, false},
		"post":                   {"client_secret_post", false, true},
		"basic by post":          {"client_secret_basic", false, false},
		"never chosen, by basic": {"", true, true},
		"never chosen, by post":  {"", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			id, secret := s.confidential(t, c.method)
			code := s.visitor(t).code(t, authorizationRequest(id, callback, nil))
			form, header := redemption(id, code, map[string]string{"client_secret": secret}), map[string]string{}
			if c.basic {
				form, header = redemption(id, code, map[string]string{"client_id": ""}), basic(id, secret)
			}
			answer := s.token(t, form, header)
			if !c.taken {
				s.wantUnknown(t, answer)
				return
			}
			if answer.Status != http.StatusOK {
				t.Errorf("%s", answer)
			}
		})
	}
	id, secret := s.confidential(t, "client_secret_basic")
	open := s.public(t, callback).str(t, "client_id")
	code := s.visitor(t).code(t, authorizationRequest(id, callback, nil))
	for name, c := range map[string]struct {
		changed map[string]string
		header  map[string]string
	}{
		"R-28 wrong secret":        {map[string]string{"client_id": ""}, basic(id, secret+"x")},
		"no secret":                {map[string]string{"client_id": ""}, basic(id, "")},
		"as a public client":       {nil, nil},
		"A-09 unknown client":      {map[string]string{"client_id": "c_01k9qv5w3m8zr4t6y2b0n7xdce"}, nil},
		"unknown client by basic":  {map[string]string{"client_id": ""}, basic("c_01k9qv5w3m8zr4t6y2b0n7xdce", secret)},
		"no client at all":         {map[string]string{"client_id": ""}, nil},
		"a public one with secret": {map[string]string{"client_id": open, "client_secret": secret}, nil},
		"basic that is none":       {map[string]string{"client_id": ""}, map[string]string{"Authorization": "Basic ???"}},
	} {
		t.Run(name, func(t *testing.T) { s.wantUnknown(t, s.token(t, redemption(id, code, c.changed), c.header)) })
	}
	t.Run("two methods at once", func(t *testing.T) {
		form := redemption(id, code, map[string]string{"client_secret": secret})
		s.token(t, form, basic(id, secret)).wantError(t, http.StatusBadRequest, "invalid_request")
	})
	t.Run("client_id beside basic", func(t *testing.T) {
		s.token(t, redemption(open, code, nil), basic(id, secret)).wantError(t, http.StatusBadRequest, "invalid_request")
		s.tokens(t, redemption(id, code, nil), basic(id, secret))
	})
}

// assertion signs what a client says of itself (RFC 7523 §3), with the key of this name.
func assertion(t *testing.T, key *ecdsa.PrivateKey, name string, claims object) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: name}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func keyPair(t *testing.T, name string) (*ecdsa.PrivateKey, object) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: name, Algorithm: "ES256", Use: "sig"})
	if err != nil {
		t.Fatal(err)
	}
	return key, object{"keys": []json.RawMessage{encoded}}
}

func authenticateByKey(t *testing.T, s *server) {
	key, jwks := keyPair(t, "1")
	stranger, strangers := keyPair(t, "1")
	registered := s.register(t, object{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks})
	id := registered.str(t, "client_id")
	claims := func(changed object) object {
		now := time.Now().Unix()
		return with(object{"iss": id, "sub": id, "aud": s.URL, "iat": now, "exp": now + 300, "jti": rand.Text()}, changed)
	}
	form := func(code, assertion string) url.Values {
		return redemption(id, code, map[string]string{"client_id": "", "client_assertion_type": assertionType, "client_assertion": assertion})
	}
	fresh := func(t *testing.T) string {
		return s.visitor(t).code(t, authorizationRequest(id, callback, nil))
	}
	for name, changed := range map[string]object{
		"audience the issuer": nil, "audience the token endpoint": {"aud": s.URL + "/oauth/token"}, "audience in an array": {"aud": []string{s.URL}},
	} {
		t.Run(name, func(t *testing.T) { s.tokens(t, form(fresh(t), assertion(t, key, "1", claims(changed))), nil) })
	}
	now := time.Now().Unix()
	code := fresh(t)
	for name, c := range map[string]struct {
		key     *ecdsa.PrivateKey
		changed object
	}{
		"another key":           {stranger, nil},
		"another issuer":        {key, object{"iss": "c_other"}},
		"another subject":       {key, object{"sub": "c_other"}},
		"another audience":      {key, object{"aud": "https://other.example"}},
		"two audiences":         {key, object{"aud": []string{s.URL, "https://other.example"}}},
		"both of our audiences": {key, object{"aud": []string{s.URL, s.URL + "/oauth/token"}}},
		"no audience":           {key, object{"aud": nil}},
		"no expiry":             {key, object{"exp": nil}},
		"expired":               {key, object{"exp": now - 120}},
		"too long":              {key, object{"exp": now + 3600}},
		"not yet":               {key, object{"nbf": now + 300}},
		"no jti":                {key, object{"jti": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			s.wantUnknown(t, s.token(t, form(code, assertion(t, c.key, "1", claims(c.changed))), nil))
		})
	}
	t.Run("used twice", func(t *testing.T) {
		once := assertion(t, key, "1", claims(nil))
		s.tokens(t, form(fresh(t), once), nil)
		s.wantUnknown(t, s.token(t, form(code, once), nil))
	})
	t.Run("not signed", func(t *testing.T) {
		payload, _ := json.Marshal(claims(nil))
		encode := base64.RawURLEncoding.EncodeToString
		s.wantUnknown(t, s.token(t, form(code, encode([]byte(`{"alg":"none"}`))+"."+encode(payload)+"."), nil))
	})
	t.Run("of another type", func(t *testing.T) {
		sent := form(code, assertion(t, key, "1", claims(nil)))
		sent.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
		if answer := s.token(t, sent, nil); answer.Status != http.StatusUnauthorized && answer.Status != http.StatusBadRequest {
			t.Errorf("%s", answer)
		}
	})
	t.Run("P-22 a new key", func(t *testing.T) {
		s.update(t, registered, object{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "private_key_jwt", "jwks": strangers})
		s.wantUnknown(t, s.token(t, form(code, assertion(t, key, "1", claims(nil))), nil))
		s.tokens(t, form(fresh(t), assertion(t, stranger, "1", claims(nil))), nil)
	})
}

func tokenForms(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	form := func(body string) request {
		return request{Method: http.MethodPost, Path: "/oauth/token", Body: body, Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
	}
	for name, c := range map[string]struct {
		sent   request
		status int
		code   string
	}{
		"no body":            {form(""), 400, "invalid_request"},
		"no grant_type":      {form("client_id=" + client), 400, "invalid_request"},
		"empty grant_type":   {form("grant_type=&client_id=" + client), 400, "invalid_request"},
		"another grant_type": {form("grant_type=client_credentials&client_id=" + client), 400, "unsupported_grant_type"},
		"a grant_type twice": {form("grant_type=refresh_token&grant_type=refresh_token&client_id=" + client), 400, "invalid_request"},
		"a code twice":       {form("grant_type=authorization_code&code=a&code=b&client_id=" + client), 400, "invalid_request"},
		"a resource twice":   {form("grant_type=authorization_code&code=a&resource=a&resource=b&client_id=" + client), 400, "invalid_request"},
		"bad escape":         {form("grant_type=%zz"), 400, "invalid_request"},
		"semicolons":         {form("grant_type=authorization_code;client_id=" + client), 400, "invalid_request"},
		"JSON":               {request{Method: http.MethodPost, Path: "/oauth/token", Body: object{"grant_type": "authorization_code"}}, 415, "invalid_request"},
		"too large":          {form("grant_type=authorization_code&code=" + strings.Repeat("x", 70<<10)), 413, "invalid_request"},
		"parameters in the query": {request{Method: http.MethodPost, Path: "/oauth/token?grant_type=authorization_code&client_id=" + client, Body: "",
			Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.send(t, c.sent)
			answer.wantError(t, c.status, c.code)
			wantHeaders(t, answer, map[string]string{"Cache-Control": "no-store"})
		})
	}
	t.Run("unknown parameters are ignored", func(t *testing.T) {
		code := s.visitor(t).code(t, authorizationRequest(client, callback, nil))
		sent := redemption(client, code, map[string]string{"x_unknown": "1"})
		sent.Add("x_unknown", "2")
		s.tokens(t, sent, nil)
	})
	t.Run("GET", func(t *testing.T) {
		answer := s.send(t, request{Method: http.MethodGet, Path: "/oauth/token"})
		if answer.Status != http.StatusMethodNotAllowed || !strings.Contains(answer.Header.Get("Allow"), http.MethodPost) {
			t.Errorf("%s", answer)
		}
	})
}

// claims reads a token and verifies it by the published keys.
func (s *server) claims(t *testing.T, token, typ string, algorithm jose.SignatureAlgorithm) object {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed.Headers[0].ExtraHeaders["typ"]; got != typ {
		t.Errorf("typ %v, want %s", got, typ)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.send(t, request{Method: http.MethodGet, Path: "/oauth/jwks"}).Text), &keys); err != nil {
		t.Fatal(err)
	}
	claims := object{}
	if err := parsed.Claims(keys, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func tokenContents(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	before := float64(time.Now().Unix())
	code := s.visitor(t).code(t, authorizationRequest(client, callback, map[string]string{"nonce": "n-1", "scope": "openid email"}))
	answer := s.tokens(t, redemption(client, code, nil), nil)
	access := s.claims(t, answer.str(t, "access_token"), "at+jwt", jose.ES256)
	for name, want := range (object{"iss": s.URL, "aud": s.URL, "client_id": client, "scope": "openid email"}) {
		if access[name] != want {
			t.Errorf("access token: %s is %v, want %v", name, access[name], want)
		}
	}
	if issued, ok := access["iat"].(float64); !ok || issued < before-1 || access["exp"] != issued+600 || access["jti"] == "" || access["sub"] == "" {
		t.Errorf("access token: %v", access)
	}
	id := s.claims(t, answer.str(t, "id_token"), "JWT", jose.RS256)
	for name, want := range (object{"iss": s.URL, "aud": client, "nonce": "n-1", "sub": access["sub"]}) {
		if id[name] != want {
			t.Errorf("ID token: %s is %v, want %v", name, id[name], want)
		}
	}
	if at, ok := id["auth_time"].(float64); !ok || at < before-1 || id["at_hash"] == "" {
		t.Errorf("ID token: %v", id)
	}
	t.Run("no openid, no ID token", func(t *testing.T) {
		code := s.visitor(t).code(t, authorizationRequest(client, callback, map[string]string{"scope": "email"}))
		if answer := s.tokens(t, redemption(client, code, nil), nil); answer.Body["id_token"] != nil {
			t.Errorf("%s", answer)
		}
	})
	t.Run("no refresh_token grant, no refresh token", func(t *testing.T) {
		client := s.register(t, object{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code"}}).str(t, "client_id")
		code := s.visitor(t).code(t, authorizationRequest(client, callback, nil))
		if answer := s.tokens(t, redemption(client, code, nil), nil); answer.Body["refresh_token"] != nil {
			t.Errorf("%s", answer)
		}
		s.token(t, refreshing(client, "x"), nil).wantError(t, http.StatusBadRequest, "unauthorized_client")
	})
}

func refreshTokens(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	other := s.public(t, callback).str(t, "client_id")
	fresh := func(t *testing.T) reply {
		return s.tokens(t, redemption(client, s.visitor(t).code(t, authorizationRequest(client, callback, nil)), nil), nil)
	}
	t.Run("R-18 A-10 it is replaced", func(t *testing.T) {
		first := fresh(t)
		second := s.tokens(t, refreshing(client, first.str(t, "refresh_token")), nil)
		if second.str(t, "refresh_token") == first.str(t, "refresh_token") || second.str(t, "access_token") == first.str(t, "access_token") {
			t.Error("the tokens are the same")
		}
		third := s.tokens(t, refreshing(client, second.str(t, "refresh_token")), nil)
		s.wantAlive(t, third)
	})
	t.Run("A-10 an old one ends all", func(t *testing.T) {
		first := fresh(t)
		second := s.tokens(t, refreshing(client, first.str(t, "refresh_token")), nil)
		s.token(t, refreshing(client, first.str(t, "refresh_token")), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
		s.token(t, refreshing(client, second.str(t, "refresh_token")), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
		s.wantDead(t, second)
	})
	t.Run("an invented one ends nothing", func(t *testing.T) {
		first := fresh(t)
		invented := first.str(t, "refresh_token")
		invented = invented[:len(invented)-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(invented, "0")]
		s.token(t, refreshing(client, invented), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
		s.tokens(t, refreshing(client, first.str(t, "refresh_token")), nil)
	})
	t.Run("another client", func(t *testing.T) {
		first := fresh(t)
		s.token(t, refreshing(other, first.str(t, "refresh_token")), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
	})
	t.Run("fewer scopes", func(t *testing.T) {
		form := refreshing(client, fresh(t).str(t, "refresh_token"))
		form.Set("scope", "openid")
		narrowed := s.tokens(t, form, nil)
		if narrowed.Body["scope"] != "openid" {
			t.Errorf("%s", narrowed)
		}
		again := s.tokens(t, refreshing(client, narrowed.str(t, "refresh_token")), nil)
		if again.Body["scope"] != "openid profile email offline_access" {
			t.Errorf("the grant itself was narrowed: %s", again)
		}
	})
	t.Run("no token", func(t *testing.T) {
		s.token(t, url.Values{"grant_type": {"refresh_token"}, "client_id": {client}}, nil).wantError(t, http.StatusBadRequest, "invalid_request")
	})
}

func resources(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	code := func(t *testing.T) string {
		return s.visitor(t).code(t, authorizationRequest(client, callback, map[string]string{"resource": "HTTPS://MCP.example"}))
	}
	t.Run("aud is the value as sent", func(t *testing.T) {
		answer := s.tokens(t, redemption(client, code(t), nil), nil)
		if aud := s.claims(t, answer.str(t, "access_token"), "at+jwt", jose.ES256)["aud"]; aud != "HTTPS://MCP.example" {
			t.Errorf("aud %v", aud)
		}
		again := s.tokens(t, refreshing(client, answer.str(t, "refresh_token")), nil)
		if aud := s.claims(t, again.str(t, "access_token"), "at+jwt", jose.ES256)["aud"]; aud != "HTTPS://MCP.example" {
			t.Errorf("aud after a refresh %v", aud)
		}
	})
	t.Run("the same in another spelling", func(t *testing.T) {
		s.tokens(t, redemption(client, code(t), map[string]string{"resource": "https://mcp.example/"}), nil)
	})
	t.Run("another at the token endpoint", func(t *testing.T) {
		s.token(t, redemption(client, code(t), map[string]string{"resource": "https://other.example/"}), nil).wantError(t, http.StatusBadRequest, "invalid_target")
	})
	t.Run("userinfo refuses it", func(t *testing.T) {
		s.wantDead(t, s.tokens(t, redemption(client, code(t), nil), nil))
	})
}

func userInfo(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	ask := func(t *testing.T, scope string) reply {
		code := s.visitor(t).code(t, authorizationRequest(client, callback, map[string]string{"scope": scope}))
		token := s.tokens(t, redemption(client, code, nil), nil).str(t, "access_token")
		posted := s.send(t, request{Method: http.MethodPost, Path: "/oauth/userinfo", Token: token})
		got := s.send(t, request{Method: http.MethodGet, Path: "/oauth/userinfo", Token: token})
		if posted.Text != got.Text {
			t.Errorf("POST: %s, GET: %s", posted, got)
		}
		return got
	}
	t.Run("by scope", func(t *testing.T) {
		bare := ask(t, "openid")
		if len(bare.Body) != 1 || bare.Body["sub"] == "" {
			t.Errorf("openid: %s", bare)
		}
		full := ask(t, "openid profile email")
		if full.Body["sub"] != bare.Body["sub"] || full.Body["name"] != "ada" {
			t.Errorf("openid profile email: %s", full)
		}
	})
	t.Run("without openid", func(t *testing.T) {
		answer := ask(t, "email")
		answer.wantError(t, http.StatusForbidden, "insufficient_scope")
		wantHeaders(t, answer, map[string]string{"WWW-Authenticate": `Bearer realm="` + s.URL + `", error="insufficient_scope"`})
	})
	t.Run("no token", func(t *testing.T) {
		answer := s.send(t, request{Method: http.MethodGet, Path: "/oauth/userinfo"})
		answer.wantError(t, http.StatusUnauthorized, "invalid_token")
		wantHeaders(t, answer, map[string]string{"WWW-Authenticate": `Bearer realm="` + s.URL + `"`})
	})
	for name, token := range map[string]string{"garbage": "x", "an unsigned token": "eyJhbGciOiJub25lIn0.e30.", "huge": strings.Repeat("a", 9000)} {
		t.Run(name, func(t *testing.T) {
			answer := s.send(t, request{Method: http.MethodGet, Path: "/oauth/userinfo", Token: token})
			answer.wantError(t, http.StatusUnauthorized, "invalid_token")
			wantHeaders(t, answer, map[string]string{"WWW-Authenticate": `Bearer realm="` + s.URL + `", error="invalid_token"`})
		})
	}
	t.Run("an ID token is no access token", func(t *testing.T) {
		code := s.visitor(t).code(t, authorizationRequest(client, callback, nil))
		token := s.tokens(t, redemption(client, code, nil), nil).str(t, "id_token")
		s.send(t, request{Method: http.MethodGet, Path: "/oauth/userinfo", Token: token}).wantError(t, http.StatusUnauthorized, "invalid_token")
	})
}

func revocation(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	other := s.public(t, callback).str(t, "client_id")
	fresh := func(t *testing.T) reply {
		return s.tokens(t, redemption(client, s.visitor(t).code(t, authorizationRequest(client, callback, nil)), nil), nil)
	}
	revoke := func(t *testing.T, client, token string) reply {
		return s.form(t, "/oauth/revoke", url.Values{"client_id": {client}, "token": {token}}, nil)
	}
	for _, kind := range []string{"refresh_token", "access_token"} {
		t.Run(kind, func(t *testing.T) {
			tokens := fresh(t)
			if answer := revoke(t, client, tokens.str(t, kind)); answer.Status != http.StatusOK || answer.Text != "" {
				t.Fatalf("%s", answer)
			}
			s.wantDead(t, tokens)
			s.token(t, refreshing(client, tokens.str(t, "refresh_token")), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
			if again := revoke(t, client, tokens.str(t, kind)); again.Status != http.StatusOK {
				t.Errorf("again: %s", again)
			}
		})
		t.Run(kind+" of another client", func(t *testing.T) {
			tokens := fresh(t)
			revoke(t, other, tokens.str(t, kind))
			s.wantAlive(t, tokens)
		})
	}
	t.Run("an unknown token", func(t *testing.T) {
		if answer := revoke(t, client, "x"); answer.Status != http.StatusOK {
			t.Errorf("%s", answer)
		}
	})
	t.Run("an unknown client", func(t *testing.T) { s.wantUnknown(t, revoke(t, "c_01k9qv5w3m8zr4t6y2b0n7xdce", "x")) })
	t.Run("no token", func(t *testing.T) {
		s.form(t, "/oauth/revoke", url.Values{"client_id": {client}}, nil).wantError(t, http.StatusBadRequest, "invalid_request")
	})
}

func introspection(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	code := s.visitor(t).code(t, authorizationRequest(client, callback, map[string]string{"resource": mcp, "scope": "openid email"}))
	tokens := s.tokens(t, redemption(client, code, nil), nil)
	ask := func(t *testing.T, server, token string) reply {
		return s.form(t, "/oauth/introspect", url.Values{"token": {token}}, basic(server, "secret"))
	}
	inactive := func(t *testing.T, answer reply) {
		t.Helper()
		if answer.Status != http.StatusOK || len(answer.Body) != 1 || answer.Body["active"] != false {
			t.Errorf("%s", answer)
		}
	}
	t.Run("a token for it", func(t *testing.T) {
		answer := ask(t, "files", tokens.str(t, "access_token"))
		for name, want := range (object{"active": true, "client_id": client, "scope": "openid email", "aud": mcp, "iss": s.URL, "token_type": "Bearer"}) {
			if answer.Body[name] != want {
				t.Errorf("%s is %v, want %v", name, answer.Body[name], want)
			}
		}
		if answer.Body["exp"].(float64) != answer.Body["iat"].(float64)+600 || answer.Body["sub"] == "" || answer.Body["jti"] == "" {
			t.Errorf("%s", answer)
		}
		posted := s.form(t, "/oauth/introspect", url.Values{"token": {tokens.str(t, "access_token")}, "client_id": {"files"}, "client_secret": {"secret"}}, nil)
		if posted.Text != answer.Text {
			t.Errorf("by post: %s", posted)
		}
	})
	t.Run("a token for another", func(t *testing.T) { inactive(t, ask(t, "other", tokens.str(t, "access_token"))) })
	t.Run("a refresh token", func(t *testing.T) { inactive(t, ask(t, "files", tokens.str(t, "refresh_token"))) })
	t.Run("garbage", func(t *testing.T) { inactive(t, ask(t, "files", "x")) })
	for name, header := range map[string]map[string]string{
		"wrong secret": basic("files", "x"), "unknown": basic("nobody", "secret"), "a client": basic(client, "secret"), "nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s.wantUnknown(t, s.form(t, "/oauth/introspect", url.Values{"token": {tokens.str(t, "access_token")}}, header))
		})
	}
	t.Run("after revocation", func(t *testing.T) {
		s.form(t, "/oauth/revoke", url.Values{"client_id": {client}, "token": {tokens.str(t, "refresh_token")}}, nil)
		inactive(t, ask(t, "files", tokens.str(t, "access_token")))
	})
}

func clientsThatChange(t *testing.T, s *server) {
	public := object{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none"}
	begin := func(t *testing.T) (reply, reply, string) {
		registered := s.register(t, public)
		id := registered.str(t, "client_id")
		tokens := s.tokens(t, redemption(id, s.visitor(t).code(t, authorizationRequest(id, callback, nil)), nil), nil)
		return registered, tokens, s.visitor(t).code(t, authorizationRequest(id, callback, nil))
	}
	t.Run("P-01 another redirect", func(t *testing.T) {
		registered, _, _ := begin(t)
		s.update(t, registered, with(public, object{"redirect_uris": []string{"https://c.example/new"}}))
		wantPage(t, s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(registered.str(t, "client_id"), callback, nil).Encode()), "invalid_request")
	})
	t.Run("P-13 none to client_secret_basic", func(t *testing.T) {
		registered, tokens, _ := begin(t)
		id := registered.str(t, "client_id")
		secret := s.update(t, registered, with(public, object{"token_endpoint_auth_method": "client_secret_basic"})).str(t, "client_secret")
		form := refreshing(id, tokens.str(t, "refresh_token"))
		s.wantUnknown(t, s.token(t, form, nil))
		form.Del("client_id")
		s.tokens(t, form, basic(id, secret))
	})
	t.Run("P-14 client_secret_basic to none", func(t *testing.T) {
		registered := s.register(t, with(public, object{"token_endpoint_auth_method": "client_secret_basic"}))
		id, secret := registered.str(t, "client_id"), registered.str(t, "client_secret")
		s.update(t, registered, public)
		code := s.visitor(t).code(t, authorizationRequest(id, callback, nil))
		s.wantUnknown(t, s.token(t, redemption(id, code, nil), basic(id, secret)))
		s.tokens(t, redemption(id, code, nil), nil)
	})
	t.Run("fewer scopes", func(t *testing.T) {
		registered, tokens, code := begin(t)
		id := registered.str(t, "client_id")
		s.update(t, registered, with(public, object{"scope": "openid"}))
		if got := s.tokens(t, redemption(id, code, nil), nil).Body["scope"]; got != "openid" {
			t.Errorf("redeemed for %v", got)
		}
		if got := s.tokens(t, refreshing(id, tokens.str(t, "refresh_token")), nil).Body["scope"]; got != "openid" {
			t.Errorf("refreshed for %v", got)
		}
	})
	t.Run("suspended", func(t *testing.T) {
		registered, tokens, code := begin(t)
		id := registered.str(t, "client_id")
		s.setStatus(t, "suspend", id)
		s.wantUnknown(t, s.token(t, redemption(id, code, nil), nil))
		s.wantUnknown(t, s.token(t, refreshing(id, tokens.str(t, "refresh_token")), nil))
		s.wantDead(t, tokens)
		page := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode())
		wantPage(t, page, "invalid_client")
		if !strings.Contains(page.Text, "suspended") {
			t.Errorf("the page does not say why: %s", page.Text)
		}
		if answer := s.manage(t, http.MethodGet, registered, nil); answer.Status != http.StatusOK {
			t.Errorf("its registration cannot be read: %s", answer)
		}

		s.setStatus(t, "approve", id)
		s.wantDead(t, tokens)
		s.tokens(t, redemption(id, s.visitor(t).code(t, authorizationRequest(id, callback, nil)), nil), nil)
	})
	t.Run("D-04 D-05 deleted", func(t *testing.T) {
		registered, tokens, code := begin(t)
		id := registered.str(t, "client_id")
		s.manage(t, http.MethodDelete, registered, nil)
		s.wantUnknown(t, s.token(t, redemption(id, code, nil), nil))
		s.wantUnknown(t, s.token(t, refreshing(id, tokens.str(t, "refresh_token")), nil))
		s.wantDead(t, tokens)
	})
}

// setStatus has the client suspended, or let in again, from the command line.
func (s *server) setStatus(t *testing.T, verb, id string) {
	t.Helper()
	environ := []string{"REGISTRAR_DATABASE_URL=" + s.Database, "REGISTRAR_SECRET_KEY=" + secretKey}
	if err := run(t.Context(), []string{"client", verb, id}, environ, io.Discard, io.Discard); err != nil {
		t.Fatalf("client %s: %v", verb, err)
	}
}

func tokenRaces(t *testing.T, s *server) {
	const rivals = 20
	client := s.public(t, callback).str(t, "client_id")
	race := func(form url.Values) (won []reply) {
		var mu sync.Mutex
		var all sync.WaitGroup
		for range rivals {
			all.Go(func() {
				answer := s.token(t, form, nil)
				mu.Lock()
				defer mu.Unlock()
				if answer.Status == http.StatusOK {
					won = append(won, answer)
				} else if answer.Status != http.StatusBadRequest {
					t.Errorf("%s", answer)
				}
			})
		}
		all.Wait()
		return won
	}
	t.Run("one code", func(t *testing.T) {
		won := race(redemption(client, s.visitor(t).code(t, authorizationRequest(client, callback, nil)), nil))
		if len(won) != 1 {
			t.Fatalf("%d tokens for one code", len(won))
		}
		s.wantDead(t, won[0])
	})
	t.Run("one refresh token", func(t *testing.T) {
		first := s.tokens(t, redemption(client, s.visitor(t).code(t, authorizationRequest(client, callback, nil)), nil), nil)
		won := race(refreshing(client, first.str(t, "refresh_token")))
		if len(won) != 1 {
			t.Fatalf("%d family members of one refresh token", len(won))
		}
		s.wantDead(t, won[0])
		s.token(t, refreshing(client, won[0].str(t, "refresh_token")), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
	})
	t.Run("delete against redeem", func(t *testing.T) {
		for range 5 {
			registered := s.public(t, callback)
			id := registered.str(t, "client_id")
			code := s.visitor(t).code(t, authorizationRequest(id, callback, nil))
			var tokens reply
			var both sync.WaitGroup
			both.Go(func() { tokens = s.token(t, redemption(id, code, nil), nil) })
			both.Go(func() { s.manage(t, http.MethodDelete, registered, nil) })
			both.Wait()
			switch tokens.Status {
			case http.StatusOK:
				s.wantDead(t, tokens)
			case http.StatusUnauthorized, http.StatusBadRequest:
			default:
				t.Errorf("%s", tokens)
			}
		}
	})
}

func accounts(t *testing.T, s *server) {
	registered := s.register(t, object{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none", "client_name": "Notes <b>&"})
	client := registered.str(t, "client_id")
	v := s.visitor(t)
	t.Run("without a session", func(t *testing.T) {
		if at := location(t, v.get(t, "/account")); at.Path != "/login" {
			t.Errorf("%s", at)
		}
	})
	v.logIn(t, "accountant", "/account")
	tokens := s.tokens(t, redemption(client, v.code(t, authorizationRequest(client, callback, nil)), nil), nil)
	t.Run("lists what is connected", func(t *testing.T) {
		if page := v.get(t, "/account"); page.Status != http.StatusOK || !strings.Contains(page.Text, "Notes &lt;b&gt;&amp;") {
			t.Errorf("%s", page)
		}
	})
	t.Run("another user's disconnection changes nothing", func(t *testing.T) {
		other := s.visitor(t)
		other.logIn(t, "grace", "/account")
		other.post(t, "/account/disconnect", url.Values{"client_id": {client}})
		s.wantAlive(t, tokens)
	})
	t.Run("disconnects", func(t *testing.T) {
		if answer := v.post(t, "/account/disconnect", url.Values{"client_id": {client}}); answer.Status != http.StatusSeeOther {
			t.Fatalf("%s", answer)
		}
		s.wantDead(t, tokens)
		if page := v.get(t, "/account"); strings.Contains(page.Text, "Notes") {
			t.Errorf("still there: %s", page)
		}
		if !v.asks(t, authorizationRequest(client, callback, nil)) {
			t.Error("the approval is still remembered")
		}
	})
	t.Run("logs out", func(t *testing.T) {
		v.post(t, "/account/logout", nil)
		if at := location(t, v.get(t, "/account")); at.Path != "/login" {
			t.Errorf("%s", at)
		}
	})
}
