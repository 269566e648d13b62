package authorization

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

const (
	issuer   = "https://as.example/t1"
	redirect = "https://c.example/cb?x=1"
	loopback = "http://127.0.0.1/cb"
	app      = "com.example.app:/cb"
	mcp      = "https://mcp.example/mcp"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// challenge is the verifier's, as RFC 7636 appendix B gives it.
const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

var began = time.Date(2026, 11, 23, 9, 8, 7, 654321000, time.UTC)

var ctx = context.Background()

// visitor is whose browser brings a request.
var visitor = registration.Access{From: netip.MustParseAddr("192.0.2.7"), Agent: "Browser/1"}

// world is a service with a tenant, a clock that stands until it is moved, and a store.
type world struct {
	*Service
	tenant *tenant.Tenant
	store  *memory
	clock  time.Time
	// client is a public one, user somebody with a session.
	client *registration.Client
	user   *Identity
	// keys are what Signer signs with.
	keys signer
}

func newWorld(tb testing.TB, changes ...func(*tenant.Policy)) *world {
	tb.Helper()
	w := &world{store: newMemory(), clock: began, keys: testKeys()}
	w.tenant = &tenant.Tenant{ID: "one", Issuer: issuer, Policy: tenant.Policy{
		Scopes:        []string{"openid", "profile", "email", "offline_access", "tools"},
		ScopeOverflow: tenant.ScopeNarrow, AccessTokenAlgorithm: oauth.ES256, IDTokenAlgorithm: oauth.RS256,
	}}
	for _, change := range changes {
		change(&w.tenant.Policy)
	}
	w.Service = &Service{
		Store: w.store, Signer: w.keys, Now: func() time.Time { return w.clock }, Random: rand.Reader,
		Recheck: func(context.Context, *tenant.Tenant, string) error { return errors.New("not to be asked") },
		Admit:   func(context.Context, netip.Addr) error { return nil },
		Quota:   func(context.Context) error { return nil },
		Used:    func(string, string) {},
		Document: func(context.Context, *tenant.Tenant, string, netip.Addr) (*Document, error) {
			return nil, errors.New("not to be fetched")
		},
	}
	w.client = w.register("c_public")
	w.user = &Identity{AuthenticatedAt: began.Add(-time.Minute), User: tenant.User{
		Subject: "u_alice", Login: "alice", Name: "Alice", Email: "alice@corp.example", EmailVerified: true, Groups: []string{"staff"},
	}}
	return w
}

func reject(p *tenant.Policy) { p.ScopeOverflow = tenant.ScopeReject }

func grace(d time.Duration) func(*tenant.Policy) {
	return func(p *tenant.Policy) { p.RefreshGrace = d }
}

// register stores a client, with a few changes.
func (w *world) register(id string, changes ...func(*registration.Client)) *registration.Client {
	c := &registration.Client{
		Tenant: w.tenant.ID, ID: id, Origin: registration.OriginDynamic, ScopePolicy: registration.ScopeExplicit,
		Status: registration.StatusActive, Version: 1,
		Metadata: registration.Metadata{
			RedirectURIs: []string{redirect, loopback, app}, TokenEndpointAuthMethod: oauth.AuthNone,
			GrantTypes:    []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
			ResponseTypes: []string{oauth.ResponseTypeCode}, Scope: "openid profile email tools",
		},
	}
	for _, change := range changes {
		change(c)
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.clients[key(c.Tenant, c.ID)] = c
	return c
}

// params are those of a sound request of the public client, with a few changes; an empty
// value removes the parameter.
func (w *world) params(changes ...string) url.Values {
	p := url.Values{
		"response_type": {"code"}, "client_id": {w.client.ID}, "redirect_uri": {redirect},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}, "state": {"s"},
	}
	for i := 0; i < len(changes); i += 2 {
		if p.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			p.Del(changes[i])
		}
	}
	return p
}

func (w *world) request(tb testing.TB, changes ...string) *Request {
	tb.Helper()
	r, err := w.Request(ctx, w.tenant, w.params(changes...), visitor)
	if err != nil {
		tb.Fatalf("request refused: %v", err)
	}
	return r
}

// code is one that the user has approved, for all that was asked.
func (w *world) code(tb testing.TB, changes ...string) string {
	tb.Helper()
	r := w.request(tb, changes...)
	location, err := w.Approve(ctx, w.tenant, r, w.user, r.Scope)
	if err != nil {
		tb.Fatalf("not approved: %v", err)
	}
	return query(tb, location).Get("code")
}

// grant is the only one in the store.
func (w *world) grant(tb testing.TB) Grant {
	tb.Helper()
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if len(w.store.grants) != 1 {
		tb.Fatalf("%d grants", len(w.store.grants))
	}
	for _, g := range w.store.grants {
		return *g
	}
	panic("unreachable")
}

// wantCode checks that the error is an *oauth.Error that can be sent (RFC 6749 §5.2).
func wantCode(tb testing.TB, err error, code oauth.Code) {
	tb.Helper()
	var fault *oauth.Error
	if !errors.As(err, &fault) || fault.Code != code {
		tb.Fatalf("got %v, want %s", err, code)
	}
	for _, r := range fault.Description {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			tb.Errorf("description %q has %q", fault.Description, r)
		}
	}
	if fault.Description == "" {
		tb.Error("no description")
	}
}

// wantRefusal checks that the client is told.
func wantRefusal(tb testing.TB, err error, code oauth.Code) Refusal {
	tb.Helper()
	wantCode(tb, err, code)
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		tb.Fatalf("%v is no refusal", err)
	}
	return *refusal
}

// wantLocal checks that nobody is sent anywhere.
func wantLocal(tb testing.TB, err error, code oauth.Code) {
	tb.Helper()
	wantCode(tb, err, code)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		tb.Fatalf("%v would be sent to %s", err, refusal.RedirectURI)
	}
}

func query(tb testing.TB, location string) url.Values {
	tb.Helper()
	u, err := url.Parse(location)
	if err != nil {
		tb.Fatal(err)
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		tb.Fatal(err)
	}
	return values
}

// signer signs with a key for each algorithm, whatever the tenant.
type signer map[oauth.Algorithm]crypto.Signer

var testKeys = sync.OnceValue(func() signer {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return signer{oauth.ES256: ec, oauth.RS256: rs}
})

func (k signer) Sign(_ context.Context, _ string, algorithm oauth.Algorithm, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return signWith(jose.SignatureAlgorithm(algorithm), k[algorithm], payload, map[jose.HeaderKey]any{"typ": typ})
}

func signWith(algorithm jose.SignatureAlgorithm, key any, payload []byte, header map[jose.HeaderKey]any) (string, error) {
	by, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		return "", err
	}
	signed, err := by.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

func (k signer) Verify(_ context.Context, _, typ, token string) ([]byte, bool, error) {
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil || parsed.Signatures[0].Protected.ExtraHeaders["typ"] != typ {
		return nil, false, nil
	}
	payload, err := parsed.Verify(k[oauth.Algorithm(parsed.Signatures[0].Protected.Algorithm)].Public())
	return payload, err == nil, nil
}

func digestText(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
