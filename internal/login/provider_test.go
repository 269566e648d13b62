package login

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/credential"
)

const (
	testClientID = "registrar"
	testSecret   = "s3cret/+:"
	testRedirect = "https://registrar.example/login/callback"
)

// object is a JSON object.
type object map[string]any

// testProvider is an OpenID Provider that does as it should, or as a test says.
type testProvider struct {
	t      testing.TB
	clock  *clock
	issuer string
	mux    *http.ServeMux

	mu       sync.Mutex
	requests map[string]int
	// instead answers in place of an endpoint, by path.
	instead map[string]http.HandlerFunc
	// metadata, header, claims and userInfo are changed before they are sent.
	metadata, header, claims, userInfo func(object)
	// sealed replaces the signed ID token.
	sealed func(signed string) string
	// keys are published; signer signs.
	keys   []jose.JSONWebKey
	signer jose.JSONWebKey
	// codes are what the provider knows of the codes that it issued.
	codes map[string]url.Values
	// refreshes are the refresh tokens that are good.
	refreshes map[string]bool
	issued    int
}

func newTestProvider(t testing.TB, c *clock, issuer string) *testProvider {
	nothing := func(object) {}
	p := &testProvider{
		t: t, clock: c, issuer: issuer, mux: http.NewServeMux(),
		requests: map[string]int{}, instead: map[string]http.HandlerFunc{}, codes: map[string]url.Values{}, refreshes: map[string]bool{},
		metadata: nothing, header: nothing, claims: nothing, userInfo: nothing,
		sealed: func(signed string) string { return signed },
	}
	p.rotate("first")
	p.mux.HandleFunc("GET /.well-known/openid-configuration", p.serveMetadata)
	p.mux.HandleFunc("GET /keys", p.serveKeys)
	p.mux.HandleFunc("POST /token", p.serveToken)
	p.mux.HandleFunc("GET /userinfo", p.serveUserInfo)
	return p
}

// listen serves on a loopback port, which becomes the issuer.
func (p *testProvider) listen() {
	server := httptest.NewServer(p)
	p.t.Cleanup(server.Close)
	p.issuer = server.URL
}

func (p *testProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.URL.Path = strings.TrimPrefix(r.URL.Path, p.path())
	p.mu.Lock()
	p.requests[r.URL.Path]++
	instead := p.instead[r.URL.Path]
	p.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	p.mux.ServeHTTP(w, r)
}

// path is that of the issuer.
func (p *testProvider) path() string {
	u, err := url.Parse(p.issuer)
	if err != nil {
		p.t.Error(err)
	}
	return u.Path
}

func (p *testProvider) asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[path]
}

// answers replaces an endpoint; nil gives it back.
func (p *testProvider) answers(path string, handler http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instead[path] = handler
}

// rotate signs with a new key, and publishes it alone.
func (p *testProvider) rotate(kid string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signer = jose.JSONWebKey{Key: private, KeyID: kid, Algorithm: string(jose.ES256)}
	p.keys = []jose.JSONWebKey{p.signer.Public()}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (p *testProvider) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	document := object{
		"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token",
		"jwks_uri": p.issuer + "/keys", "userinfo_endpoint": p.issuer + "/userinfo",
		"id_token_signing_alg_values_supported":          []string{"none", "HS256", "ES256"},
		"authorization_response_iss_parameter_supported": true,
	}
	p.metadata(document)
	reply(w, http.StatusOK, document)
}

func (p *testProvider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: p.keys})
}

// authorize is the user who logs in and is sent back (OpenID Connect Core 1.0 §3.1.2).
func (p *testProvider) authorize(location string) Callback {
	endpoint, query, _ := strings.Cut(location, "?")
	asked, err := url.ParseQuery(query)
	if err != nil || endpoint != p.issuer+"/authorize" {
		p.t.Fatalf("the browser is sent to %s: %v", location, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issued++
	code := "code-" + strings.Repeat("x", p.issued)
	p.codes[code] = asked
	return Callback{Code: code, State: asked.Get("state"), Issuer: p.issuer}
}

func (p *testProvider) serveToken(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id, _ = url.QueryUnescape(id); id != testClientID {
		reply(w, http.StatusUnauthorized, object{"error": "invalid_client"})
		return
	}
	if secret, _ = url.QueryUnescape(secret); secret != testSecret {
		reply(w, http.StatusUnauthorized, object{"error": "invalid_client"})
		return
	}
	p.grant(w, r)
}

// grant answers a client that is authenticated.
func (p *testProvider) grant(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := object{"access_token": "access", "token_type": "Bearer", "expires_in": 60}
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		asked, known := p.codes[r.PostFormValue("code")]
		delete(p.codes, r.PostFormValue("code"))
		if !known || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") || !isChallengeOf(asked.Get("code_challenge"), r.PostFormValue("code_verifier")) {
			reply(w, http.StatusBadRequest, object{"error": "invalid_grant"})
			return
		}
		answer["id_token"] = p.idToken(asked.Get("nonce"))
		if strings.Contains(asked.Get("scope"), "offline_access") {
			answer["refresh_token"] = p.refreshToken()
		}
	case "refresh_token":
		if !p.refreshes[r.PostFormValue("refresh_token")] {
			reply(w, http.StatusBadRequest, object{"error": "invalid_grant"})
			return
		}
		delete(p.refreshes, r.PostFormValue("refresh_token"))
		answer["refresh_token"] = p.refreshToken()
	}
	reply(w, http.StatusOK, answer)
}

func isChallengeOf(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return challenge == base64.RawURLEncoding.EncodeToString(sum[:])
}

func (p *testProvider) refreshToken() string {
	p.issued++
	token := "refresh-" + strings.Repeat("x", p.issued)
	p.refreshes[token] = true
	return token
}

func (p *testProvider) idToken(nonce string) string {
	now := p.clock.Now()
	hash := sha256.Sum256([]byte("access"))
	claims := object{
		"iss": p.issuer, "sub": "248289761001", "aud": testClientID, "nonce": nonce,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "at_hash": base64.RawURLEncoding.EncodeToString(hash[:16]),
		"name": "Alice B", "email": "alice@example.com", "email_verified": true, "hd": "example.com", "groups": []string{"staff"},
	}
	p.claims(claims)
	header := object{"typ": "JWT", "kid": p.signer.KeyID}
	p.header(header)
	return p.sealed(sign(p.t, p.signer, header, claims))
}

// sign returns a JWT in the compact form.
func sign(t testing.TB, key jose.JSONWebKey, header, claims object) string {
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	for name, value := range header {
		options.ExtraHeaders[jose.HeaderKey(name)] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key.Key}, options)
	if err != nil {
		t.Error(err)
		return ""
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Error(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Error(err)
		return ""
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Error(err)
	}
	return text
}

func (p *testProvider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer access" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	claims := object{"sub": "248289761001", "name": "Alice of UserInfo", "email": "userinfo@example.com", "email_verified": "true"}
	p.userInfo(claims)
	reply(w, http.StatusOK, claims)
}

// direct serves requests without a network, whatever their host.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	inner := r.Clone(r.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	d.handler.ServeHTTP(recorder, inner)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// upstreamUnderTest is a login at a provider, from a browser.
type upstreamUnderTest struct {
	*Upstream
	*testProvider
	memory  *memory
	browser credential.Secret
}

func (u *upstreamUnderTest) advance(d time.Duration) { u.clock.advance(d) }

// newUpstream is of a provider that listens.
func newUpstream(t testing.TB) *upstreamUnderTest {
	t.Helper()
	p := newTestProvider(t, newClock(), "")
	p.listen()
	return upstreamOf(t, p, http.DefaultTransport)
}

// newDirectUpstream is of a provider that no network stands before.
func newDirectUpstream(t testing.TB, issuer string) *upstreamUnderTest {
	t.Helper()
	p := newTestProvider(t, newClock(), issuer)
	return upstreamOf(t, p, direct{p})
}

func upstreamOf(t testing.TB, p *testProvider, transport http.RoundTripper) *upstreamUnderTest {
	t.Helper()
	u := &upstreamUnderTest{testProvider: p, memory: newMemory(), browser: newBrowser(t)}
	u.Upstream = &Upstream{
		UpstreamConfig: UpstreamConfig{
			Issuer: p.issuer, ClientID: testClientID, ClientSecret: testSecret, Scopes: []string{"openid", "profile", "email"}, RedirectURI: testRedirect,
		},
		Store: u.memory, Client: &http.Client{Transport: transport}, Now: p.clock.Now, Random: rand.Reader,
		Seal: sealForTest, Open: openForTest,
	}
	return u
}

func newBrowser(t testing.TB) credential.Secret {
	t.Helper()
	browser, err := credential.Mint(rand.Reader, credential.Browser, "")
	if err != nil {
		t.Fatal(err)
	}
	return browser
}

const testContinue = "/oauth/authorize?client_id=c_1&state=a%20b"

func (u *upstreamUnderTest) begin(t testing.TB, hint Hint) string {
	t.Helper()
	location, err := u.Begin(t.Context(), "t", testContinue, u.browser, hint)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func (u *upstreamUnderTest) complete(t testing.TB, c Callback) (Completion, error) {
	t.Helper()
	return u.Complete(t.Context(), "t", c, u.browser)
}

// login is a whole one.
func (u *upstreamUnderTest) login(t testing.TB) (Completion, error) {
	t.Helper()
	return u.complete(t, u.authorize(u.begin(t, Hint{})))
}

// parameters are those of a location.
func parameters(t testing.TB, location string) url.Values {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// with returns a function that sets members; nil removes one.
func with(members object) func(object) {
	return func(o object) {
		maps.Copy(o, members)
		maps.DeleteFunc(o, func(_ string, value any) bool { return value == nil })
	}
}
