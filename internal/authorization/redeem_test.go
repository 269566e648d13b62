package authorization

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func TestRedeem(t *testing.T) {
	w := newWorld(t)
	code := w.code(t, "scope", "tools openid")
	before := w.grant(t)
	clear(w.store.calls)
	tokens := w.mustToken(t, w.redemption(code))
	if tokens.Scope != "tools openid" || tokens.ExpiresIn != 10*time.Minute || tokens.AccessToken == "" || tokens.RefreshToken == "" || tokens.IDToken == "" {
		t.Errorf("got %+v", tokens)
	}
	if want := map[string]int{"Find": 1, "FindGrant": 1, "RedeemCode": 1}; !reflect.DeepEqual(w.store.calls, want) {
		t.Errorf("statements: %v", w.store.calls)
	}
	after := w.grant(t)
	token, ok := parseRefreshToken(tokens.RefreshToken)
	if !ok || token.grantID != after.ID || !after.FamilyDigest.Verifies(token.family) || !after.RefreshDigest.Verifies(tokens.RefreshToken) {
		t.Errorf("refresh token %+v of %+v", token, after)
	}
	want := before
	want.RedeemedAt, want.RefreshedAt, want.ExpiresAt = began, began, began.Add(30*24*time.Hour)
	want.FamilyDigest, want.RefreshDigest = after.FamilyDigest, after.RefreshDigest
	if !reflect.DeepEqual(after, want) {
		t.Errorf("got  %+v\nwant %+v", after, want)
	}
}

func TestRedeemWithoutRefresh(t *testing.T) {
	w := newWorld(t)
	w.client.Metadata.GrantTypes = []oauth.GrantType{oauth.GrantAuthorizationCode}
	tokens := w.tokens(t, "scope", "tools")
	g := w.grant(t)
	if tokens.RefreshToken != "" || tokens.IDToken != "" || g.FamilyDigest != nil || g.RefreshDigest != nil ||
		!g.RefreshedAt.IsZero() || !g.ExpiresAt.Equal(began.Add(10*time.Minute)) {
		t.Errorf("got %+v, %+v", tokens, g)
	}
}

// TestRedeemRefused: a code that was presented the wrong way still works the right way.
func TestRedeemRefused(t *testing.T) {
	set := func(change func(*TokenRequest)) func(*TokenRequest) { return change }
	cases := []struct {
		name   string
		change func(*TokenRequest)
		code   oauth.Code
	}{
		{"no grant_type", set(func(r *TokenRequest) { r.GrantType = "" }), oauth.InvalidRequest},
		{"unknown grant_type", set(func(r *TokenRequest) { r.GrantType = "password" }), oauth.UnsupportedGrantType},
		{"no code", set(func(r *TokenRequest) { r.Code = "" }), oauth.InvalidRequest},
		{"made-up code", set(func(r *TokenRequest) { r.Code = "x" }), oauth.InvalidGrant},
		{"code with another letter", set(func(r *TokenRequest) { r.Code = r.Code[:len(r.Code)-1] + "!" }), oauth.InvalidGrant},
		{"another code of the grant", set(func(r *TokenRequest) { r.Code = another(r.Code) }), oauth.InvalidGrant},
		{"a refresh token", set(func(r *TokenRequest) { r.Code = "rgf_" + r.Code[4:] }), oauth.InvalidGrant},
		{"no verifier", set(func(r *TokenRequest) { r.CodeVerifier = "" }), oauth.InvalidRequest},
		{"malformed verifier", set(func(r *TokenRequest) { r.CodeVerifier = "short" }), oauth.InvalidRequest},
		{"A-07 wrong verifier", set(func(r *TokenRequest) { r.CodeVerifier = strings.Repeat("a", 43) }), oauth.InvalidGrant},
		{"the challenge as verifier", set(func(r *TokenRequest) { r.CodeVerifier = challenge }), oauth.InvalidGrant},
		{"A-07 other redirect_uri", set(func(r *TokenRequest) { r.RedirectURI = loopback }), oauth.InvalidGrant},
		{"redirect_uri with more query", set(func(r *TokenRequest) { r.RedirectURI += "&y=2" }), oauth.InvalidGrant},
		{"another resource", set(func(r *TokenRequest) { r.Resource = "https://mcp.example/2" }), oauth.InvalidTarget},
		{"another client", set(func(r *TokenRequest) { r.ClientID = "c_other" }), oauth.InvalidGrant},
		{"unknown client", set(func(r *TokenRequest) { r.ClientID = "c_unknown" }), oauth.InvalidClient},
		{"two ways to authenticate", set(func(r *TokenRequest) { r.ClientSecret, r.Basic = secret, basic("c_public", secret) }), oauth.InvalidRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.register("c_other")
			code := w.code(t, "resource", "https://mcp.example/")
			w.refuseToken(t, w.redemption(code, c.change), c.code)
			w.mustToken(t, w.redemption(code))
		})
	}
}

// another is well formed and for the same grant.
func another(code string) string {
	id, _ := credential.Subject(credential.AuthorizationCode, credential.Secret(code))
	minted, err := credential.Mint(zeros{}, credential.AuthorizationCode, id)
	if err != nil {
		panic(err)
	}
	return minted.Reveal()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestRedeemAccepted(t *testing.T) {
	const resource = "https://MCP.example"
	cases := []struct {
		name   string
		change func(*TokenRequest)
	}{
		{"no redirect_uri", func(r *TokenRequest) { r.RedirectURI = "" }},
		{"the resource as sent", func(r *TokenRequest) { r.Resource = resource }},
		{"the resource in another spelling", func(r *TokenRequest) { r.Resource = "https://mcp.example/" }},
		{"a scope, which has no meaning here", func(r *TokenRequest) { r.Scope = "admin" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			tokens := w.mustToken(t, w.redemption(w.code(t, "resource", resource), c.change))
			if aud := claims(t, tokens.AccessToken)["aud"]; aud != resource {
				t.Errorf("aud %v", aud)
			}
		})
	}
}

// TestRedeemResourceLate: the user never saw a resource that only the token request names.
func TestRedeemResourceLate(t *testing.T) {
	w := newWorld(t)
	code := w.code(t)
	for _, late := range []string{"https://mcp.example/", issuer} {
		w.refuseToken(t, w.redemption(code, func(r *TokenRequest) { r.Resource = late }), oauth.InvalidTarget)
	}
}

func TestRedeemInTime(t *testing.T) {
	w := newWorld(t)
	late, inTime := w.code(t), w.code(t)
	w.clock = began.Add(time.Minute - time.Microsecond)
	w.mustToken(t, w.redemption(inTime))
	w.clock = began.Add(time.Minute)
	w.refuseToken(t, w.redemption(late), oauth.InvalidGrant)
}

// TestRedeemTwice: A-07. The second use ends what the first one issued, however late and
// whoever presents it.
func TestRedeemTwice(t *testing.T) {
	cases := []struct {
		name   string
		after  time.Duration
		change func(*TokenRequest)
	}{
		{"at once", 0, func(*TokenRequest) {}},
		{"after the code expired", time.Hour, func(*TokenRequest) {}},
		{"by another client", 0, func(r *TokenRequest) { r.ClientID = "c_other" }},
		{"with another verifier", 0, func(r *TokenRequest) { r.CodeVerifier = strings.Repeat("a", 43) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.register("c_other")
			code := w.code(t)
			tokens := w.mustToken(t, w.redemption(code))
			w.clock = began.Add(c.after)
			w.refuseToken(t, w.redemption(code, c.change), oauth.InvalidGrant)
			if g := w.grant(t); !g.RevokedAt.Equal(w.clock) {
				t.Errorf("revoked at %v", g.RevokedAt)
			}
			w.refuseToken(t, w.refreshing(tokens.RefreshToken), oauth.InvalidGrant)
		})
	}
}

func TestRedeemAfterTheEnd(t *testing.T) {
	cases := []struct {
		name string
		end  func(*world)
		code oauth.Code
	}{
		{"D-04 client deleted", func(w *world) { w.store.deleteClient(w.client.ID) }, oauth.InvalidClient},
		{"grant revoked", func(w *world) { _ = w.Disconnect(ctx, w.tenant, "u_alice", w.client.ID, registration.Access{}) }, oauth.InvalidGrant},
		{"user no longer let in", func(w *world) { w.tenant.Policy.LoginRequirement.Groups = []string{"root"} }, oauth.InvalidGrant},
		{"scope no longer registered", func(w *world) { w.client.Metadata.Scope = "offline_access" }, oauth.InvalidScope},
		{"scope no longer allowed", func(w *world) { w.tenant.Policy.Scopes = []string{"admin"} }, oauth.InvalidScope},
		{"grant no longer registered", func(w *world) { w.client.Metadata.GrantTypes = []oauth.GrantType{oauth.GrantRefreshToken} }, oauth.UnauthorizedClient},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			code := w.code(t)
			c.end(w)
			w.refuseToken(t, w.redemption(code), c.code)
		})
	}
}

// TestRedeemScopeNow: the present registration and policy apply.
func TestRedeemScopeNow(t *testing.T) {
	narrowing := func(w *world) { w.client.Metadata.Scope = "openid tools" }
	w := newWorld(t)
	code := w.code(t)
	narrowing(w)
	if tokens := w.mustToken(t, w.redemption(code)); tokens.Scope != "openid tools" || claims(t, tokens.AccessToken)["scope"] != "openid tools" {
		t.Errorf("got %+v", tokens)
	}
	w = newWorld(t, reject)
	code = w.code(t)
	narrowing(w)
	w.refuseToken(t, w.redemption(code), oauth.InvalidScope)
}

// parallel runs so many at once and returns how many succeeded and the other errors.
func parallel(count int, run func() error) (succeeded int, failed []error) {
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		start = make(chan struct{})
	)
	for range count {
		wait.Go(func() {
			<-start
			err := run()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
				return
			}
			succeeded++
		})
	}
	close(start)
	wait.Wait()
	return succeeded, failed
}

// meet makes the first so many callers wait for one another, so that all have read before
// any of them writes; and then as many as the next count says.
func meet(counts ...int) func() {
	var (
		mu   sync.Mutex
		here int
		gate = make(chan struct{})
	)
	return func() {
		mu.Lock()
		if len(counts) == 0 {
			mu.Unlock()
			return
		}
		mine := gate
		if here++; here == counts[0] {
			close(mine)
			counts, here, gate = counts[1:], 0, make(chan struct{})
		}
		mu.Unlock()
		<-mine
	}
}

func TestRedeemRace(t *testing.T) {
	const count = 20
	for name, hook := range map[string]func(){"as it comes": nil, "all have read before one writes": meet(count)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			code := w.code(t)
			w.store.afterFindGrant = hook
			var issued []*Tokens
			var mu sync.Mutex
			succeeded, failed := parallel(count, func() error {
				tokens, err := w.Token(ctx, w.tenant, w.redemption(code))
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					issued = append(issued, tokens)
				}
				return err
			})
			if succeeded != 1 {
				t.Fatalf("%d redemptions of one code: %v", succeeded, failed)
			}
			for _, err := range failed {
				wantCode(t, err, oauth.InvalidGrant)
			}
			if w.grant(t).RevokedAt.IsZero() {
				t.Error("the grant stands, though its code was used twice")
			}
			if len(w.store.acts) == 0 || w.store.acts[0].Reason != "authorization_code presented by c_public" {
				t.Errorf("the trail was told %+v", w.store.acts)
			}
			w.store.afterFindGrant = nil
			w.refuseToken(t, w.refreshing(issued[0].RefreshToken), oauth.InvalidGrant)
		})
	}
}

// TestRedeemWhileDeleted: the client goes between the reading and the writing.
func TestRedeemWhileDeleted(t *testing.T) {
	w := newWorld(t)
	code := w.code(t)
	w.store.afterFindGrant = func() { w.store.deleteClient(w.client.ID) }
	w.refuseToken(t, w.redemption(code), oauth.InvalidGrant)
}

// TestRedeemFails: a fault is no refusal, and a code that was not spent still works.
func TestRedeemFails(t *testing.T) {
	for _, method := range []string{"Find", "FindGrant", "RedeemCode"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			code := w.code(t)
			w.store.breakDown(method)
			if tokens, err := w.Token(ctx, w.tenant, w.redemption(code)); !errors.Is(err, errNoDatabase) || tokens != nil {
				t.Errorf("got %v, %v", tokens, err)
			}
			w.store.err = nil
			w.mustToken(t, w.redemption(code))
		})
	}
}

// TestRedeemWithoutEntropy: the more of it there is, the later it fails.
func TestRedeemWithoutEntropy(t *testing.T) {
	for _, enough := range []int64{0, familyBytes, familyBytes + 32} {
		w := newWorld(t)
		code := w.code(t)
		w.Random = io.LimitReader(rand.Reader, enough)
		if tokens, err := w.Token(ctx, w.tenant, w.redemption(code)); !errors.Is(err, io.EOF) || tokens != nil {
			t.Errorf("with %d bytes: %v, %v", enough, tokens, err)
		}
	}
}

// TestRedeemTwiceFails: a reuse that could not be acted on is not passed off as one that was.
func TestRedeemTwiceFails(t *testing.T) {
	w := newWorld(t)
	code := w.code(t)
	w.mustToken(t, w.redemption(code))
	w.store.breakDown("RevokeGrant")
	if tokens, err := w.Token(ctx, w.tenant, w.redemption(code)); !errors.Is(err, errNoDatabase) || tokens != nil {
		t.Errorf("got %v, %v", tokens, err)
	}
}

// TestRedeemSignerFails: the code is spent, and nothing is issued.
func TestRedeemSignerFails(t *testing.T) {
	cases := []struct {
		name   string
		signer Signer
	}{
		{"no keys at all", brokenSigner{}},
		{"no key for ID tokens", only{testKeys(), oauth.ES256}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			code := w.code(t)
			w.Signer = c.signer
			if tokens, err := w.Token(ctx, w.tenant, w.redemption(code)); !errors.Is(err, errNoKeys) || tokens != nil {
				t.Errorf("got %v, %v", tokens, err)
			}
			w.Signer = w.keys
			w.refuseToken(t, w.redemption(code), oauth.InvalidGrant)
		})
	}
}

// only has a key of one algorithm.
type only struct {
	signer
	algorithm oauth.Algorithm
}

func (o only) Sign(ctx context.Context, tenant string, algorithm oauth.Algorithm, typ string, claims any) (string, error) {
	if algorithm != o.algorithm {
		return "", errNoKeys
	}
	return o.signer.Sign(ctx, tenant, algorithm, typ, claims)
}

// TestRedeemOfAnotherTenant: codes stay where they were issued.
func TestRedeemOfAnotherTenant(t *testing.T) {
	w := newWorld(t)
	code := w.code(t)
	other := &tenant.Tenant{ID: "two", Issuer: "https://two.example", Policy: w.tenant.Policy}
	twin := *w.client
	twin.Tenant = "two"
	w.store.clients[key("two", w.client.ID)] = &twin
	tokens, err := w.Token(ctx, other, w.redemption(code))
	wantCode(t, err, oauth.InvalidGrant)
	if tokens != nil {
		t.Error("got tokens")
	}
}

// TestRedeemConfidential: the code is worth nothing without the secret.
func TestRedeemConfidential(t *testing.T) {
	w := newWorld(t)
	w.client = w.register("c_basic", withMethod(oauth.AuthClientSecretBasic, func(c *registration.Client) { c.Metadata.Scope = "openid" }))
	code := w.code(t)
	w.refuseToken(t, w.redemption(code), oauth.InvalidClient)
	w.refuseToken(t, w.redemption(code, func(r *TokenRequest) { r.Basic = basic("c_basic", "rgs_wrong") }), oauth.InvalidClient)
	w.mustToken(t, w.redemption(code, func(r *TokenRequest) { r.Basic = basic("c_basic", secret) }))
}
