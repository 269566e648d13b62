package authorization

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	first := w.tokens(t, "nonce", "n", "scope", "openid email", "resource", "https://mcp.example/")
	before := w.grant(t)
	clear(w.store.calls)
	w.clock = began.Add(time.Hour)
	second := w.mustToken(t, w.refreshing(first.RefreshToken))
	if second.Scope != "openid email" || second.ExpiresIn != AccessTokenLifetime || second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
		t.Errorf("got %+v", second)
	}
	if want := map[string]int{"Find": 1, "FindGrant": 1, "RotateRefresh": 1}; !reflect.DeepEqual(w.store.calls, want) {
		t.Errorf("statements: %v", w.store.calls)
	}
	want := before
	want.RefreshDigest, want.RefreshedAt, want.ExpiresAt = second.RefreshToken.Digest(), w.clock, w.clock.Add(RefreshIdle)
	if after := w.grant(t); !reflect.DeepEqual(after, want) {
		t.Errorf("got  %+v\nwant %+v", after, want)
	}
	one, _ := parseRefreshToken(first.RefreshToken)
	two, ok := parseRefreshToken(second.RefreshToken)
	if !ok || one.family != two.family || one.grantID != two.grantID {
		t.Error("the family changed")
	}
	third := w.mustToken(t, w.refreshing(second.RefreshToken))
	if claims(t, third.AccessToken)["aud"] != "https://mcp.example/" {
		t.Errorf("claims %v", claims(t, third.AccessToken))
	}
}

// TestRefreshReused: A-10. An old token ends the grant; one that is made up does not.
func TestRefreshReused(t *testing.T) {
	cases := []struct {
		name    string
		present func(w *world, old, present credential.Secret) credential.Secret
		ends    bool
	}{
		{"the one before", func(_ *world, old, _ credential.Secret) credential.Secret { return old }, true},
		{"never issued, of the family", func(_ *world, old, _ credential.Secret) credential.Secret {
			token, _ := parseRefreshToken(old)
			forged, _ := mintRefreshToken(zeros{}, token.grantID, token.family)
			return forged
		}, true},
		{"made up for the grant", func(_ *world, old, _ credential.Secret) credential.Secret {
			token, _ := parseRefreshToken(old)
			family, _ := drawFamily(zeros{})
			forged, _ := mintRefreshToken(zeros{}, token.grantID, family)
			return forged
		}, false},
		{"of a grant that is not there", func(w *world, old, _ credential.Secret) credential.Secret {
			token, _ := parseRefreshToken(old)
			id, _ := w.grantID(began)
			forged, _ := mintRefreshToken(zeros{}, id, token.family)
			return forged
		}, false},
		{"cut", func(_ *world, old, _ credential.Secret) credential.Secret { return old[:len(old)-1] }, false},
		{"with an id that is none", func(_ *world, _, _ credential.Secret) credential.Secret {
			family, _ := drawFamily(zeros{})
			forged, _ := mintRefreshToken(zeros{}, "!!!!!!!!!!!!!!!!!!!!!!!!!!", family)
			return forged
		}, false},
		{"of another kind", func(_ *world, _, _ credential.Secret) credential.Secret {
			forged, _ := credential.Mint(zeros{}, credential.ClientSecret, "")
			return forged
		}, false},
		{"no token", func(*world, credential.Secret, credential.Secret) credential.Secret { return "x" }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			old := w.tokens(t).RefreshToken
			present := w.mustToken(t, w.refreshing(old)).RefreshToken
			w.refuseToken(t, w.refreshing(c.present(w, old, present)), oauth.InvalidGrant)
			if !c.ends {
				w.mustToken(t, w.refreshing(present))
				return
			}
			w.refuseToken(t, w.refreshing(present), oauth.InvalidGrant)
			if w.grant(t).RevokedAt.IsZero() {
				t.Error("the grant stands")
			}
			want := registration.Act{At: w.clock, Actor: registration.ActorClient, Reason: "refresh_token presented by c_public"}
			if len(w.store.acts) != 1 || w.store.acts[0] != want {
				t.Errorf("the trail was told %+v, want %+v", w.store.acts, want)
			}
		})
	}
}

// TestRefreshGrace: the token before the present one gets one more, once, in time, for
// the same client.
func TestRefreshGrace(t *testing.T) {
	w := newWorld(t, grace(30*time.Second))
	zero := w.tokens(t).RefreshToken
	w.mustToken(t, w.refreshing(zero))
	w.clock = began.Add(30*time.Second - time.Microsecond)
	two := w.mustToken(t, w.refreshing(zero)).RefreshToken
	if g := w.grant(t); g.PreviousDigest != nil || !g.RefreshDigest.Verifies(two) || !g.RefreshedAt.Equal(w.clock) {
		t.Errorf("got %+v", g)
	}
	three := w.mustToken(t, w.refreshing(two)).RefreshToken
	if g := w.grant(t); !g.PreviousDigest.Verifies(two) || !g.RefreshDigest.Verifies(three) {
		t.Errorf("got %+v", g)
	}

	ends := map[string]func(w *world, old, present credential.Secret) TokenRequest{
		"too late": func(w *world, old, _ credential.Secret) TokenRequest {
			w.clock = w.clock.Add(30 * time.Second)
			return w.refreshing(old)
		},
		"a second time": func(w *world, old, _ credential.Secret) TokenRequest {
			w.mustToken(t, w.refreshing(old))
			return w.refreshing(old)
		},
		"the one that got lost": func(w *world, old, present credential.Secret) TokenRequest {
			w.mustToken(t, w.refreshing(old))
			return w.refreshing(present)
		},
		"the one before that": func(w *world, old, present credential.Secret) TokenRequest {
			w.mustToken(t, w.refreshing(present))
			return w.refreshing(old)
		},
		"the policy changed": func(w *world, old, _ credential.Secret) TokenRequest {
			w.tenant.Policy.RefreshGrace = 0
			return w.refreshing(old)
		},
	}
	for name, prepare := range ends {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, grace(30*time.Second))
			old := w.tokens(t).RefreshToken
			present := w.mustToken(t, w.refreshing(old)).RefreshToken
			w.refuseToken(t, prepare(w, old, present), oauth.InvalidGrant)
			if w.grant(t).RevokedAt.IsZero() {
				t.Error("the grant stands")
			}
			want := registration.Act{At: w.clock, Actor: registration.ActorClient, Reason: "refresh_token presented by c_public"}
			if len(w.store.acts) != 1 || w.store.acts[0] != want {
				t.Errorf("the trail was told %+v, want %+v", w.store.acts, want)
			}
		})
	}
}

// TestRefreshGraceIsTheClients: another client neither uses the grace nor ends the grant.
func TestRefreshGraceIsTheClients(t *testing.T) {
	w := newWorld(t, grace(30*time.Second))
	w.register("c_other")
	old := w.tokens(t).RefreshToken
	present := w.mustToken(t, w.refreshing(old)).RefreshToken
	w.refuseToken(t, w.refreshing(old, func(r *TokenRequest) { r.ClientID = "c_other" }), oauth.InvalidGrant)
	w.mustToken(t, w.refreshing(present))
}

func TestRefreshEnds(t *testing.T) {
	const day = 24 * time.Hour
	cases := []struct {
		name string
		// uses are when the token is used, after the approval; the last one is judged.
		uses []time.Duration
		ok   bool
	}{
		{"just not idle too long", []time.Duration{30*day - time.Microsecond}, true},
		{"idle too long", []time.Duration{30 * day}, false},
		{"kept in use", []time.Duration{29 * day, 58 * day, 87 * day}, true},
		{"kept in use, then idle too long", []time.Duration{29 * day, 59 * day}, false},
		{"just not too old", []time.Duration{29 * day, 58 * day, 87 * day, 116 * day, 145 * day, 174 * day, 203 * day, 232 * day, 261 * day, 290 * day, 319 * day, 348 * day, 365*day - time.Microsecond}, true},
		{"too old", []time.Duration{29 * day, 58 * day, 87 * day, 116 * day, 145 * day, 174 * day, 203 * day, 232 * day, 261 * day, 290 * day, 319 * day, 348 * day, 365 * day}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			token := w.tokens(t).RefreshToken
			last := len(c.uses) - 1
			for _, use := range c.uses[:last] {
				w.clock = began.Add(use)
				token = w.mustToken(t, w.refreshing(token)).RefreshToken
			}
			w.clock = began.Add(c.uses[last])
			if !c.ok {
				w.refuseToken(t, w.refreshing(token), oauth.InvalidGrant)
				return
			}
			w.mustToken(t, w.refreshing(token))
			g := w.grant(t)
			if g.ExpiresAt.After(began.Add(RefreshAbsolute).Add(AccessTokenLifetime)) || g.ExpiresAt.Before(w.clock.Add(AccessTokenLifetime)) {
				t.Errorf("the grant expires at %v", g.ExpiresAt)
			}
		})
	}
}

func TestRefreshRefused(t *testing.T) {
	cases := []struct {
		name   string
		end    func(*world)
		change func(*TokenRequest)
		code   oauth.Code
	}{
		{"no token", nil, func(r *TokenRequest) { r.RefreshToken = "" }, oauth.InvalidRequest},
		{"another client", nil, func(r *TokenRequest) { r.ClientID = "c_other" }, oauth.InvalidGrant},
		{"another resource", nil, func(r *TokenRequest) { r.Resource = "https://mcp.example/2" }, oauth.InvalidTarget},
		{"more scope", nil, func(r *TokenRequest) { r.Scope = "openid tools" }, oauth.InvalidScope},
		{"malformed scope", nil, func(r *TokenRequest) { r.Scope = "openid  email" }, oauth.InvalidScope},
		{"D-05 client deleted", func(w *world) { w.store.deleteClient("c_public") }, nil, oauth.InvalidClient},
		{"grant no longer registered", func(w *world) { w.client.Metadata.GrantTypes = []oauth.GrantType{oauth.GrantAuthorizationCode} }, nil, oauth.UnauthorizedClient},
		{"grant revoked", func(w *world) { _ = w.Disconnect(ctx, w.tenant, "u_alice", "c_public", registration.Access{}) }, nil, oauth.InvalidGrant},
		{"user no longer let in", func(w *world) { w.tenant.Policy.LoginRequirement.Subjects = []string{"bob"} }, nil, oauth.InvalidGrant},
		{"scope no longer allowed", func(w *world) { w.tenant.Policy.Scopes = []string{"tools"} }, nil, oauth.InvalidScope},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.register("c_other")
			token := w.tokens(t, "scope", "openid email", "resource", "https://mcp.example/").RefreshToken
			if c.end != nil {
				c.end(w)
			}
			changes := []func(*TokenRequest){}
			if c.change != nil {
				changes = append(changes, c.change)
			}
			w.refuseToken(t, w.refreshing(token, changes...), c.code)
			if c.end == nil {
				w.mustToken(t, w.refreshing(token))
			}
		})
	}
}

// TestRefreshScope: less can be asked for, once, and the present registration applies.
func TestRefreshScope(t *testing.T) {
	w := newWorld(t)
	token := w.tokens(t, "scope", "openid email tools").RefreshToken
	refreshed := func(want string, changes ...func(*TokenRequest)) {
		t.Helper()
		tokens := w.mustToken(t, w.refreshing(token, changes...))
		if token = tokens.RefreshToken; tokens.Scope != want || claims(t, tokens.AccessToken)["scope"] != want {
			t.Errorf("got %q, want %q", tokens.Scope, want)
		}
	}
	refreshed("email", func(r *TokenRequest) { r.Scope = "email" })
	refreshed("openid email tools")
	refreshed("openid", func(r *TokenRequest) { r.Scope = "openid admin" })
	w.client.Metadata.Scope = "tools profile"
	refreshed("tools")
	w.tenant.Policy.ScopeOverflow = tenant.ScopeReject
	w.refuseToken(t, w.refreshing(token), oauth.InvalidScope)
	refreshed("tools", func(r *TokenRequest) { r.Scope = "tools" })
}

func TestRefreshRecheck(t *testing.T) {
	w := newWorld(t)
	token := w.tokens(t).RefreshToken
	var asked []string
	answer := error(nil)
	w.Recheck = func(_ context.Context, t *tenant.Tenant, subject string) error {
		asked = append(asked, t.ID+" "+subject)
		return answer
	}
	token = w.mustToken(t, w.refreshing(token)).RefreshToken
	if asked != nil {
		t.Errorf("asked without the policy: %v", asked)
	}
	w.tenant.Policy.RecheckUpstream = true
	token = w.mustToken(t, w.refreshing(token)).RefreshToken
	if !reflect.DeepEqual(asked, []string{"one u_alice"}) {
		t.Errorf("asked %v", asked)
	}
	answer = &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the provider is down"}
	w.refuseToken(t, w.refreshing(token), oauth.TemporarilyUnavailable)
	answer = nil
	token = w.mustToken(t, w.refreshing(token)).RefreshToken
	answer = errors.Join(errors.New("said the provider"), ErrUserGone)
	w.refuseToken(t, w.refreshing(token), oauth.InvalidGrant)
	if w.grant(t).RevokedAt.IsZero() {
		t.Error("the grant of a user who is gone stands")
	}
	answer, asked = nil, nil
	w.refuseToken(t, w.refreshing(token), oauth.InvalidGrant)
	if asked != nil {
		t.Error("asked for a grant that has ended")
	}
}

func TestRefreshRace(t *testing.T) {
	const count = 20
	cases := []struct {
		name  string
		grace time.Duration
		hook  func()
		most  int
	}{
		{"as it comes", 0, nil, 1},
		{"all have read before one writes", 0, meet(count), 1},
		{"grace", time.Minute, nil, 2},
		{"grace, all have read before one writes", time.Minute, meet(count), 2},
		{"grace, the same once more", time.Minute, meet(count, count-1), 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, grace(c.grace))
			present := w.tokens(t).RefreshToken
			w.store.afterFindGrant = c.hook
			live := []credential.Secret{present}
			var mu sync.Mutex
			succeeded, failed := parallel(count, func() error {
				tokens, err := w.Token(ctx, w.tenant, w.refreshing(present))
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					live = append(live, tokens.RefreshToken)
				}
				return err
			})
			if succeeded < 1 || succeeded > c.most {
				t.Errorf("%d refreshes with one token", succeeded)
			}
			for _, err := range failed {
				wantCode(t, err, oauth.InvalidGrant)
			}
			w.store.afterFindGrant = nil
			for _, token := range live {
				w.refuseToken(t, w.refreshing(token), oauth.InvalidGrant)
			}
			if w.grant(t).RevokedAt.IsZero() {
				t.Error("the grant stands")
			}
		})
	}
}

// TestRefreshWhileDeleted: the client goes between the reading and the writing.
func TestRefreshWhileDeleted(t *testing.T) {
	w := newWorld(t)
	token := w.tokens(t).RefreshToken
	w.store.afterFindGrant = func() { w.store.deleteClient(w.client.ID) }
	w.refuseToken(t, w.refreshing(token), oauth.InvalidGrant)
}

// TestRefreshAlwaysOvertaken: a store on which another always comes first does not keep
// the client waiting for ever.
func TestRefreshAlwaysOvertaken(t *testing.T) {
	w := newWorld(t)
	token := w.tokens(t).RefreshToken
	w.Store = overtaken{w.store}
	w.refuseToken(t, w.refreshing(token), oauth.TemporarilyUnavailable)
}

type overtaken struct{ *memory }

func (overtaken) RotateRefresh(context.Context, *Grant, []byte) error { return ErrSpent }

// TestRefreshFails: a fault costs the client nothing before the rotation.
func TestRefreshFails(t *testing.T) {
	for _, method := range []string{"Find", "FindGrant", "RotateRefresh"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			token := w.tokens(t).RefreshToken
			w.store.breakDown(method)
			if tokens, err := w.Token(ctx, w.tenant, w.refreshing(token)); !errors.Is(err, errNoDatabase) || tokens != nil {
				t.Errorf("got %v, %v", tokens, err)
			}
			w.store.err = nil
			w.mustToken(t, w.refreshing(token))
		})
	}
	w := newWorld(t)
	token := w.tokens(t).RefreshToken
	w.Random = iotest.ErrReader(errors.New("no entropy"))
	if tokens, err := w.Token(ctx, w.tenant, w.refreshing(token)); err == nil || tokens != nil || !w.grant(t).RefreshDigest.Verifies(token) {
		t.Errorf("without entropy: %v, %v", tokens, err)
	}
}
