package authorization

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// asserting is a world with a client that signs with a key of every algorithm.
type asserting struct {
	*world
	ed ed25519.PrivateKey
	// stranger is a key that nobody registered.
	stranger *ecdsa.PrivateKey
}

func newAsserting(tb testing.TB) *asserting {
	tb.Helper()
	public, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	a := &asserting{world: newWorld(tb), ed: ed, stranger: stranger}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: a.keys[oauth.RS256].Public(), KeyID: "rs"},
		{Key: a.keys[oauth.ES256].Public(), KeyID: "ec", Use: "sig", Algorithm: "ES256"},
		{Key: public},
	}}
	a.client = a.register("c_jwt", withMethod(oauth.AuthPrivateKeyJWT), withKeys(tb, set))
	return a
}

func withKeys(tb testing.TB, set jose.JSONWebKeySet) func(*registration.Client) {
	tb.Helper()
	raw, err := json.Marshal(set)
	if err != nil {
		tb.Fatal(err)
	}
	return func(c *registration.Client) { c.Metadata.JWKS = raw }
}

// claims are sound ones, with a few changes; nil removes a claim.
func (a *asserting) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": a.client.ID, "sub": a.client.ID, "aud": issuer, "jti": "j1", "exp": a.clock.Add(5 * time.Minute).Unix(), "iat": a.clock.Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, value any) bool { return value == nil })
	return c
}

func (a *asserting) sign(tb testing.TB, algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, changes map[string]any) string {
	tb.Helper()
	payload, err := json.Marshal(a.claims(changes))
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := signWith(algorithm, key, payload, header)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

// signed is by the client's EC key.
func (a *asserting) signed(tb testing.TB, changes map[string]any) string {
	tb.Helper()
	return a.sign(tb, jose.ES256, a.keys[oauth.ES256], nil, changes)
}

func (a *asserting) authenticated(assertion string) (*registration.Client, error) {
	return a.authenticate(ctx, a.tenant, Credentials{AssertionType: assertionType, Assertion: assertion})
}

func TestAssertionAccepted(t *testing.T) {
	a := newAsserting(t)
	rs, ec := a.keys[oauth.RS256], a.keys[oauth.ES256]
	kid := func(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }
	cases := []struct {
		name    string
		signed  string
		changes map[string]any
	}{
		{"ES256", a.signed(t, map[string]any{"jti": "1"}), nil},
		{"RS256", a.sign(t, jose.RS256, rs, nil, map[string]any{"jti": "2"}), nil},
		{"PS256", a.sign(t, jose.PS256, rs, kid("rs"), map[string]any{"jti": "3"}), nil},
		{"EdDSA, key without kid", a.sign(t, jose.EdDSA, a.ed, kid("any"), map[string]any{"jti": "4"}), nil},
		{"kid", a.sign(t, jose.ES256, ec, kid("ec"), map[string]any{"jti": "5"}), nil},
		{"typ", a.sign(t, jose.ES256, ec, map[jose.HeaderKey]any{"typ": "client-authentication+jwt"}, map[string]any{"jti": "6"}), nil},
		{"aud is the token endpoint", a.signed(t, map[string]any{"jti": "7", "aud": issuer + "/oauth/token"}), nil},
		{"aud is an array of one", a.signed(t, map[string]any{"jti": "8", "aud": []string{issuer}}), nil},
		{"exp 10 minutes ahead", a.signed(t, map[string]any{"jti": "9", "exp": a.clock.Add(10 * time.Minute).Unix()}), nil},
		{"exp a moment ahead", a.signed(t, map[string]any{"jti": "10", "exp": a.clock.Unix() + 1}), nil},
		{"fractions", a.signed(t, map[string]any{"jti": "11", "exp": float64(a.clock.Unix()) + 9.5}), nil},
		{"iat and nbf a minute ahead", a.signed(t, map[string]any{"jti": "12", "iat": a.clock.Unix() + 60, "nbf": a.clock.Unix() + 60}), nil},
		{"no iat", a.signed(t, map[string]any{"jti": "13", "iat": nil}), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, err := a.authenticated(c.signed)
			if err != nil || client.ID != a.client.ID {
				t.Fatalf("got %v", err)
			}
			_, err = a.authenticated(c.signed)
			wantCode(t, err, oauth.InvalidClient)
		})
	}
}

func TestAssertionRefused(t *testing.T) {
	a := newAsserting(t)
	ec := a.keys[oauth.ES256]
	now := a.clock.Unix()
	with := func(claim string, value any) string { return a.signed(t, map[string]any{claim: value}) }
	headed := func(name jose.HeaderKey, value any) string {
		return a.sign(t, jose.ES256, ec, map[jose.HeaderKey]any{name: value}, nil)
	}
	a.register("c_other", withMethod(oauth.AuthPrivateKeyJWT), withKeys(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: a.stranger.Public()}}}))
	sound := a.signed(t, nil)
	parts := strings.Split(sound, ".")
	cases := []struct{ name, assertion string }{
		{"empty", ""},
		{"no JWT", "x"},
		{"alg none", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."},
		{"HMAC", a.sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), nil, nil)},
		{"ES384", a.sign(t, jose.ES384, mustP384(t), nil, nil)},
		{"another key", a.sign(t, jose.ES256, a.stranger, nil, nil)},
		{"another key that it brings along", a.sign(t, jose.ES256, a.stranger, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: a.stranger.Public()}}, nil)},
		{"payload of another", parts[0] + "." + strings.Split(with("jti", "j2"), ".")[1] + "." + parts[2]},
		{"signature cut", sound[:len(sound)-4]},
		{"line break", parts[0] + ".\n" + parts[1] + "." + parts[2]},
		{"another kid", headed("kid", "rs")},
		{"critical extension", headed("crit", []string{"x"})},
		{"critical b64", headed("crit", []string{"b64"})},
		{"too long", with("x", strings.Repeat("x", MaxAssertionBytes))},
		{"no iss", with("iss", nil)},
		{"no sub", with("sub", nil)},
		{"neither", a.signed(t, map[string]any{"iss": nil, "sub": nil})},
		{"iss is another", with("iss", "c_other")},
		{"sub is another", with("sub", "c_other")},
		{"another client's name", a.signed(t, map[string]any{"iss": "c_other", "sub": "c_other"})},
		{"unknown client", a.signed(t, map[string]any{"iss": "c_unknown", "sub": "c_unknown"})},
		{"client of another method", a.signed(t, map[string]any{"iss": "c_public", "sub": "c_public"})},
		{"no aud", with("aud", nil)},
		{"aud empty", with("aud", []string{})},
		{"aud is another server", with("aud", "https://other.example")},
		{"aud has a slash more", with("aud", issuer+"/")},
		{"aud is the authorize endpoint", with("aud", issuer+"/oauth/authorize")},
		{"aud has two values", with("aud", []string{issuer, "https://other.example"})},
		{"aud has the same twice", with("aud", []string{issuer, issuer})},
		{"aud has null", with("aud", []any{issuer, nil})},
		{"aud is a number", with("aud", 1)},
		{"no exp", with("exp", nil)},
		{"exp is text", with("exp", "9999999999")},
		{"expired", with("exp", now)},
		{"expired long ago", with("exp", now-3600)},
		{"exp too far ahead", with("exp", now+601)},
		{"exp beyond any clock", with("exp", 1e300)},
		{"nbf ahead", with("nbf", now+62)},
		{"nbf beyond any clock", with("nbf", 1e300)},
		{"iat ahead", with("iat", now+62)},
		{"no jti", with("jti", nil)},
		{"jti empty", with("jti", "")},
		{"jti is a number", with("jti", 7)},
		{"repeated claim", mustSignRaw(t, ec, `{"jti":"a","jti":"b"}`)},
		{"claims in capitals", mustSignRaw(t, ec, `{"ISS":"c_jwt","SUB":"c_jwt","AUD":"`+issuer+`","JTI":"a","EXP":9999999999}`)},
		{"no object", mustSignRaw(t, ec, `[]`)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, err := a.authenticated(c.assertion)
			wantCode(t, err, oauth.InvalidClient)
			if client != nil {
				t.Errorf("authenticated as %s", client.ID)
			}
		})
	}
	if len(a.store.spent) != 0 {
		t.Errorf("spent: %v", a.store.spent)
	}
	if _, err := a.authenticated(sound); err != nil {
		t.Errorf("the sound one: %v", err)
	}
}

func mustP384(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustSignRaw(t *testing.T, key crypto.Signer, payload string) string {
	t.Helper()
	signed, err := signWith(jose.ES256, key, []byte(payload), nil)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestAssertionBesideOtherParameters(t *testing.T) {
	a := newAsserting(t)
	cases := []struct {
		name, id, kind string
		code           oauth.Code
	}{
		{"the same client_id", "c_jwt", assertionType, ""},
		{"another client_id", "c_public", assertionType, oauth.InvalidRequest},
		{"another type", "", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", oauth.InvalidRequest},
		{"no type", "", "", oauth.InvalidRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := a.authenticate(ctx, a.tenant, Credentials{ClientID: c.id, AssertionType: c.kind, Assertion: a.signed(t, nil)})
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAssertionKeys(t *testing.T) {
	a := newAsserting(t)
	ec := a.keys[oauth.ES256].Public()
	cases := []struct {
		name string
		keys []jose.JSONWebKey
		ok   bool
	}{
		{"P-22 the key", []jose.JSONWebKey{{Key: ec}}, true},
		{"P-22 another key", []jose.JSONWebKey{{Key: a.stranger.Public()}}, false},
		{"after another", []jose.JSONWebKey{{Key: a.stranger.Public()}, {Key: ec}}, true},
		{"for encryption", []jose.JSONWebKey{{Key: ec, Use: "enc"}}, false},
		{"for another algorithm", []jose.JSONWebKey{{Key: ec, Algorithm: "ES384"}}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a.client = a.register("c_jwt", withMethod(oauth.AuthPrivateKeyJWT), withKeys(t, jose.JSONWebKeySet{Keys: c.keys}))
			_, err := a.authenticated(a.signed(t, map[string]any{"jti": c.name}))
			if !c.ok {
				wantCode(t, err, oauth.InvalidClient)
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAssertionKeysElsewhere: keys at jwks_uri are asked for again when one is not known.
func TestAssertionKeysElsewhere(t *testing.T) {
	a := newAsserting(t)
	a.client = a.register("c_jwt", withMethod(oauth.AuthPrivateKeyJWT, func(c *registration.Client) { c.Metadata.JWKSURI = "https://c.example/jwks" }))
	own := jose.JSONWebKey{Key: a.keys[oauth.ES256].Public(), KeyID: "own"}
	other := jose.JSONWebKey{Key: a.stranger.Public(), KeyID: "other"}
	down := &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "down"}
	noKeys := &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "jwks_uri: no keys"}
	cases := []struct {
		name string
		kid  any
		// known and renewed are the keys before and after they were asked for again.
		known, renewed []jose.JSONWebKey
		err            error
		renews         bool
		code           oauth.Code
	}{
		{"known", "own", []jose.JSONWebKey{other, own}, nil, nil, false, ""},
		{"not known yet", "own", []jose.JSONWebKey{other}, []jose.JSONWebKey{own}, nil, true, ""},
		{"not known at all", "own", []jose.JSONWebKey{other}, []jose.JSONWebKey{other}, nil, true, oauth.InvalidClient},
		{"without a name", nil, nil, []jose.JSONWebKey{own}, nil, true, ""},
		{"another's name", "other", []jose.JSONWebKey{other}, []jose.JSONWebKey{own}, nil, false, oauth.InvalidClient},
		{"they cannot be had", "own", nil, nil, down, false, oauth.TemporarilyUnavailable},
		{"they are no keys", "own", nil, nil, noKeys, false, oauth.InvalidClient},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			renewed := false
			a.Keys = func(_ context.Context, client *registration.Client, from netip.Addr, renew bool) ([]jose.JSONWebKey, error) {
				if client.ID != "c_jwt" || from != visitor.From {
					t.Errorf("the keys of %s are asked for by %s", client.ID, from)
				}
				if renewed = renewed || renew; renew {
					return c.renewed, c.err
				}
				return c.known, c.err
			}
			header := map[jose.HeaderKey]any{}
			if c.kid != nil {
				header["kid"] = c.kid
			}
			signed := a.sign(t, jose.ES256, a.keys[oauth.ES256], header, map[string]any{"jti": c.name})
			_, err := a.authenticate(ctx, a.tenant, Credentials{AssertionType: assertionType, Assertion: signed, By: visitor})
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil {
				t.Fatal(err)
			}
			if renewed != c.renews {
				t.Errorf("asked again: %t", renewed)
			}
		})
	}
}

// TestAssertionKeysUnreadable: that is this server's fault, not the client's.
func TestAssertionKeysUnreadable(t *testing.T) {
	a := newAsserting(t)
	a.client.Metadata.JWKS = []byte("{")
	client, err := a.authenticated(a.signed(t, nil))
	var fault *oauth.Error
	if client != nil || err == nil || errors.As(err, &fault) {
		t.Errorf("got %v, %v", client, err)
	}
}

// TestAssertionSpent: what is kept is a digest, for as long as the assertion is valid; two
// clients may draw the same jti.
func TestAssertionSpent(t *testing.T) {
	a := newAsserting(t)
	exp := a.clock.Unix() + 9
	if _, err := a.authenticated(a.signed(t, map[string]any{"exp": float64(exp) + 0.5})); err != nil {
		t.Fatal(err)
	}
	if until := a.store.spent[key("one", "c_jwt", string(digestText("j1")))]; until.Unix() != exp+1 {
		t.Errorf("kept until %v: %v", until, a.store.spent)
	}
	a.client = a.register("c_second", withMethod(oauth.AuthPrivateKeyJWT), func(c *registration.Client) { c.Metadata.JWKS = a.client.Metadata.JWKS })
	if _, err := a.authenticated(a.signed(t, nil)); err != nil {
		t.Errorf("another client's jti: %v", err)
	}
}

func TestAssertionStoreFails(t *testing.T) {
	a := newAsserting(t)
	signed := a.signed(t, nil)
	a.store.breakDown("")
	if client, err := a.authenticated(signed); !errors.Is(err, errNoDatabase) || client != nil {
		t.Errorf("got %v, %v", client, err)
	}
}

// FuzzAssertion: whatever is sent, nobody is authenticated but by one of the assertions
// that the client did sign, and only once.
func FuzzAssertion(f *testing.F) {
	a := newAsserting(f)
	sound := map[string]bool{}
	for _, s := range []string{
		a.signed(f, nil),
		a.sign(f, jose.RS256, a.keys[oauth.RS256], map[jose.HeaderKey]any{"kid": "rs"}, map[string]any{"jti": "j2"}),
		a.sign(f, jose.EdDSA, a.ed, nil, map[string]any{"jti": "j3", "aud": []string{issuer}}),
	} {
		sound[s] = true
		f.Add(s)
	}
	f.Add(a.sign(f, jose.ES256, a.stranger, nil, nil))
	f.Add(a.signed(f, map[string]any{"exp": 1e300, "nbf": -1, "aud": []any{nil}}))
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		a.store.spent = map[string]time.Time{}
		client, err := a.authenticated(text)
		if err != nil {
			var fault *oauth.Error
			if !errors.As(err, &fault) || client != nil {
				t.Fatalf("got %v, %v", client, err)
			}
			return
		}
		if !sameToken(sound, text) {
			t.Errorf("authenticated by %q", text)
		}
		if _, err := a.authenticated(text); err == nil {
			t.Error("authenticated twice")
		}
	})
}

// sameToken allows for the bits of base64 that say nothing (RFC 4648 §3.5): an ECDSA
// signature and a header have other spellings that decode to the same.
func sameToken(sound map[string]bool, text string) bool {
	for s := range sound {
		if decodes(s) == decodes(text) {
			return true
		}
	}
	return false
}

func decodes(token string) string {
	var all []string
	for part := range strings.SplitSeq(token, ".") {
		raw, _ := base64.RawURLEncoding.DecodeString(part)
		all = append(all, string(raw))
	}
	return strings.Join(all, "\x00")
}
