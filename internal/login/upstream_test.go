package login

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func TestUpstreamLogin(t *testing.T) {
	u := newUpstream(t)
	done, err := u.login(t)
	if err != nil {
		t.Fatal(err)
	}
	want := Completion{Continue: testContinue, AuthenticatedAt: storedTime(u.clock.Now()), User: tenant.User{
		Subject: subjectOf(u.Issuer, "248289761001"), Login: "248289761001", Name: "Alice B",
		Email: "alice@example.com", EmailVerified: true, HostedDomain: "example.com", Groups: []string{"staff"},
	}}
	if !reflect.DeepEqual(done, want) {
		t.Errorf("got %+v, want %+v", done, want)
	}
	if n := u.asked("/userinfo"); n != 0 {
		t.Errorf("UserInfo is asked %d times for what the ID token says", n)
	}
}

// A session is as old as the login at the provider, which can be long ago.
func TestLoggedInAt(t *testing.T) {
	for name, c := range map[string]struct{ told, want time.Duration }{
		"long ago": {-8 * time.Hour, -8 * time.Hour}, "a clock that is fast": {time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			now := u.clock.Now()
			u.claims = with(object{"auth_time": now.Add(c.told).Unix()})
			done, err := u.complete(t, u.authorize(u.begin(t, Hint{})))
			if want := now.Add(c.want).Truncate(time.Second); err != nil || !done.AuthenticatedAt.Truncate(time.Second).Equal(want) {
				t.Errorf("logged in at %v, %v, want %v", done.AuthenticatedAt, err, want)
			}
		})
	}
}

func TestBeginAsks(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	got := parameters(t, u.begin(t, Hint{}))
	state := credential.Secret(got.Get("state"))
	id, reauthenticate, ok := readState(state)
	if !ok || reauthenticate {
		t.Errorf("state %q", got.Get("state"))
	}
	for _, secret := range []string{"nonce", "code_challenge"} {
		if len(got.Get(secret)) != 43 {
			t.Errorf("%s is %q", secret, got.Get(secret))
		}
		got.Del(secret)
	}
	got.Del("state")
	want := url.Values{
		"client_id": {testClientID}, "redirect_uri": {testRedirect}, "response_type": {"code"},
		"scope": {"openid profile email"}, "code_challenge_method": {"S256"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
	attempt := u.memory.attempts["t/"+id]
	wantAttempt := Attempt{
		Tenant: "t", ID: id, Digest: state.Digest(), Browser: u.browser.Digest(), Continue: testContinue,
		ExpiresAt: u.clock.Now().Truncate(time.Microsecond).Add(10 * time.Minute),
	}
	if !reflect.DeepEqual(attempt, wantAttempt) {
		t.Errorf("stored %+v, want %+v", attempt, wantAttempt)
	}
}

func TestBeginHints(t *testing.T) {
	const standardIssuer, googleIssuer, entraIssuer = "https://idp.example", "https://accounts.google.com", "https://login.microsoftonline.com/7d6a7c5e-0000-4000-8000-000000000001/v2.0"
	cases := []struct {
		name, issuer string
		offline      bool
		hint         Hint
		want         map[string]string
	}{
		{"login hint", standardIssuer, false, Hint{LoginHint: "alice@example.com"}, map[string]string{"login_hint": "alice@example.com"}},
		{"hint too long", standardIssuer, false, Hint{LoginHint: strings.Repeat("a", 257)}, nil},
		{"hint not printable", standardIssuer, false, Hint{LoginHint: "a\nb"}, nil},
		{"again", standardIssuer, false, Hint{Reauthenticate: true}, map[string]string{"prompt": "login", "max_age": "0"}},
		{"offline", standardIssuer, true, Hint{}, map[string]string{"prompt": "consent", "scope": "openid profile email offline_access"}},
		{"again and offline", standardIssuer, true, Hint{Reauthenticate: true}, map[string]string{"prompt": "login consent", "max_age": "0", "scope": "openid profile email offline_access"}},
		{"Google, again", googleIssuer, false, Hint{Reauthenticate: true}, map[string]string{"prompt": "select_account", "max_age": "0"}},
		{"Google, offline", googleIssuer, true, Hint{}, map[string]string{"prompt": "consent", "access_type": "offline"}},
		{"Entra, again", entraIssuer, false, Hint{Reauthenticate: true}, map[string]string{"prompt": "login", "max_age": "0"}},
		{"Entra, offline", entraIssuer, true, Hint{}, map[string]string{"scope": "openid profile email offline_access"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, c.issuer)
			u.OfflineAccess = c.offline
			got := parameters(t, u.begin(t, c.hint))
			want := map[string]string{"scope": "openid profile email"}
			maps.Copy(want, c.want)
			for _, name := range []string{"scope", "prompt", "max_age", "login_hint", "access_type"} {
				if got.Get(name) != want[name] || len(got[name]) > 1 {
					t.Errorf("%s is %q, want %q", name, got[name], want[name])
				}
			}
		})
	}
}

func TestScopesHaveOpenID(t *testing.T) {
	for _, c := range []struct {
		name        string
		asked, want []string
	}{
		{"none", nil, []string{"openid"}},
		{"others", []string{"email"}, []string{"openid", "email"}},
		{"itself", []string{"email", "openid"}, []string{"email", "openid"}},
		{"offline already", []string{"offline_access"}, []string{"openid", "offline_access"}},
	} {
		u := &Upstream{UpstreamConfig: UpstreamConfig{Scopes: c.asked, OfflineAccess: c.name == "offline already"}}
		if got := u.scopes(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestBeginRefuses(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	session, err := credential.Mint(strings.NewReader(strings.Repeat("x", 32)), credential.Session, "")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, path string
		browser    credential.Secret
		want       oauth.Code
	}{
		{"no browser", "/", "", "fault"},
		{"secret of another kind", "/", session, "fault"},
		{"no path", "", u.browser, oauth.InvalidRequest},
		{"another host", "https://evil.example/", u.browser, oauth.InvalidRequest},
		{"another host without a scheme", "//evil.example/", u.browser, oauth.InvalidRequest},
		{"backslash", `/\evil.example/`, u.browser, oauth.InvalidRequest},
		{"tab", "/\t/evil.example/", u.browser, oauth.InvalidRequest},
		{"line feed", "/a\nSet-Cookie: x", u.browser, oauth.InvalidRequest},
		{"not ASCII", "/é", u.browser, oauth.InvalidRequest},
		{"relative", "account", u.browser, oauth.InvalidRequest},
		{"too long", "/" + strings.Repeat("a", 16<<10), u.browser, oauth.InvalidRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			location, err := u.Begin(t.Context(), "t", c.path, c.browser, Hint{})
			wantOutcome(t, err, c.want)
			if location != "" || len(u.memory.attempts) != 0 {
				t.Errorf("%q, %d attempts", location, len(u.memory.attempts))
			}
		})
	}
}

func TestBeginFails(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	u.memory.fail("CreateAttempt", errDown)
	if location, err := u.Begin(t.Context(), "t", "/", u.browser, Hint{}); !errors.Is(err, errDown) || location != "" {
		t.Errorf("store down: %q, %v", location, err)
	}
	broken := errors.New("no entropy")
	u.Random = iotest.ErrReader(broken)
	if location, err := u.Begin(t.Context(), "t", "/", u.browser, Hint{}); !errors.Is(err, broken) || location != "" {
		t.Errorf("no randomness: %q, %v", location, err)
	}
}

// TestDerivedTakesBothSecrets: who sees the state, in an address, knows neither nonce nor
// verifier.
func TestDerivedTakesBothSecrets(t *testing.T) {
	one, other := newBrowser(t), newBrowser(t)
	seen := map[string]bool{}
	for _, browser := range []credential.Secret{one, other} {
		for _, state := range []credential.Secret{"a", "b"} {
			for _, label := range []string{"nonce", "code verifier"} {
				seen[derived(browser, label, state)] = true
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d values, want 8", len(seen))
	}
}

func TestStateTellsWhatItIsOf(t *testing.T) {
	for _, last := range "0123456789abcdefghjkmnpqrstvwxyz" {
		for _, reauthenticate := range []bool{false, true} {
			want := "01k9qv5w3m8zr4t6y2b0n7xdc" + string(last)
			state, err := credential.Mint(strings.NewReader(strings.Repeat("x", 32)), credential.LoginState, stateSubject(want, reauthenticate))
			if err != nil {
				t.Fatal(err)
			}
			if id, again, ok := readState(state); id != want || again != reauthenticate || !ok {
				t.Errorf("of %s, %v: read %q, %v, %v", want, reauthenticate, id, again, ok)
			}
		}
	}
}

func TestCallbackRefused(t *testing.T) {
	minted := func(kind credential.Kind, subject string) string {
		secret, err := credential.Mint(strings.NewReader(strings.Repeat("x", 32)), kind, subject)
		if err != nil {
			t.Fatal(err)
		}
		return secret.Reveal()
	}
	const id = "01k9qv5w3m8zr4t6y2b0n7xdce"
	cases := []struct {
		name   string
		change func(*upstreamUnderTest, *Callback)
		want   oauth.Code
		// back says that the browser may go on to where the login was begun.
		back bool
	}{
		{"no state", func(_ *upstreamUnderTest, c *Callback) { c.State = "" }, oauth.InvalidRequest, false},
		{"state that is none", func(_ *upstreamUnderTest, c *Callback) { c.State = "x" }, oauth.InvalidRequest, false},
		{"state of another kind", func(_ *upstreamUnderTest, c *Callback) { c.State = minted(credential.Session, id) }, oauth.InvalidRequest, false},
		{"state without an id", func(_ *upstreamUnderTest, c *Callback) { c.State = minted(credential.LoginState, "") }, oauth.InvalidRequest, false},
		{"state of an unknown attempt", func(_ *upstreamUnderTest, c *Callback) { c.State = minted(credential.LoginState, id) }, oauth.InvalidRequest, false},
		{"another state of the attempt", func(_ *upstreamUnderTest, c *Callback) {
			known, _, _ := readState(credential.Secret(c.State))
			c.State = minted(credential.LoginState, known)
		}, oauth.InvalidRequest, false},
		{"no browser", func(u *upstreamUnderTest, _ *Callback) { u.browser = "" }, oauth.InvalidRequest, false},
		{"other browser", func(u *upstreamUnderTest, _ *Callback) { u.browser = newBrowser(t) }, oauth.InvalidRequest, false},
		{"too late", func(u *upstreamUnderTest, _ *Callback) { u.advance(10 * time.Minute) }, oauth.InvalidRequest, false},
		{"missing iss", func(_ *upstreamUnderTest, c *Callback) { c.Issuer = "" }, oauth.InvalidRequest, true},
		{"other iss", func(_ *upstreamUnderTest, c *Callback) { c.Issuer += "/" }, oauth.InvalidRequest, true},
		{"other iss with an error", func(_ *upstreamUnderTest, c *Callback) { c.Issuer, c.Error = "https://evil.example", "access_denied" }, oauth.InvalidRequest, true},
		{"denied", func(_ *upstreamUnderTest, c *Callback) { c.Error = "access_denied" }, oauth.AccessDenied, true},
		{"no consent", func(_ *upstreamUnderTest, c *Callback) { c.Error = "consent_required" }, oauth.AccessDenied, true},
		{"overloaded", func(_ *upstreamUnderTest, c *Callback) { c.Error = "temporarily_unavailable" }, oauth.TemporarilyUnavailable, true},
		{"broken", func(_ *upstreamUnderTest, c *Callback) { c.Error = "server_error" }, oauth.TemporarilyUnavailable, true},
		{"wrongly configured", func(_ *upstreamUnderTest, c *Callback) { c.Error = "unauthorized_client" }, "fault", true},
		{"no code", func(_ *upstreamUnderTest, c *Callback) { c.Code = "" }, "fault", true},
		{"code of another login", func(u *upstreamUnderTest, c *Callback) { c.Code = u.authorize(u.begin(t, Hint{})).Code }, oauth.InvalidRequest, true},
		{"unknown code", func(_ *upstreamUnderTest, c *Callback) { c.Code = "x" }, oauth.InvalidRequest, true},
		{"store down", func(u *upstreamUnderTest, _ *Callback) { u.memory.fail("TakeAttempt", errDown) }, oauth.TemporarilyUnavailable, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			callback := u.authorize(u.begin(t, Hint{}))
			c.change(u, &callback)
			done, err := u.complete(t, callback)
			wantOutcome(t, err, c.want)
			if done.User.Subject != "" || done.RefreshToken != "" || (done.Continue == testContinue) != c.back {
				t.Errorf("got %+v", done)
			}
		})
	}
}

func TestCallbackJustInTime(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	callback := u.authorize(u.begin(t, Hint{}))
	u.advance(10*time.Minute - time.Microsecond)
	if _, err := u.complete(t, callback); err != nil {
		t.Error(err)
	}
}

func TestCallbackReplayed(t *testing.T) {
	u := newUpstream(t)
	callback := u.authorize(u.begin(t, Hint{}))
	var completed atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch _, err := u.complete(t, callback); outcome(err) {
			case "":
				completed.Add(1)
			case oauth.InvalidRequest:
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := completed.Load(); n != 1 {
		t.Errorf("%d of 20 callbacks completed", n)
	}
	if n := u.asked("/token"); n != 1 {
		t.Errorf("the code is sent %d times", n)
	}
}

// TestMalformedCallbackLeavesTheAttempt: what cannot be this browser's does not reach the
// store, and the login can still be finished.
func TestMalformedCallbackLeavesTheAttempt(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	callback := u.authorize(u.begin(t, Hint{}))
	cases := []struct {
		name, state string
		browser     credential.Secret
	}{
		{"no browser", callback.State, ""},
		{"malformed browser", callback.State, u.browser[1:]},
		{"no state", "", u.browser},
		{"malformed state", callback.State + "x", u.browser},
	}
	for _, c := range cases {
		_, err := u.Complete(t.Context(), "t", Callback{Code: callback.Code, State: c.state, Issuer: u.Issuer}, c.browser)
		if outcome(err) != oauth.InvalidRequest || u.memory.called("TakeAttempt") != 0 {
			t.Errorf("%s: %v, %d attempts taken", c.name, err, u.memory.called("TakeAttempt"))
		}
	}
	if _, err := u.complete(t, callback); err != nil {
		t.Error(err)
	}
}

// unsigned replaces the header of a JWT by one of algorithm none, and drops the signature.
func unsigned(signed string) string {
	parts := strings.Split(signed, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
}

// TestIDTokenRefused: what a provider must not send, or somebody in its place.
func TestIDTokenRefused(t *testing.T) {
	claim := func(name string, value any) func(*upstreamUnderTest) {
		return func(u *upstreamUnderTest) { u.claims = with(object{name: value}) }
	}
	cases := []struct {
		name   string
		tamper func(*upstreamUnderTest)
		hint   Hint
	}{
		{"wrong nonce", claim("nonce", "other"), Hint{}},
		{"no nonce", claim("nonce", nil), Hint{}},
		{"wrong aud", claim("aud", "other"), Hint{}},
		{"wrong aud, several", claim("aud", []string{"other", "another"}), Hint{}},
		{"no aud", claim("aud", nil), Hint{}},
		{"other azp", func(u *upstreamUnderTest) {
			u.claims = with(object{"aud": []string{testClientID, "other"}, "azp": "other"})
		}, Hint{}},
		{"expired", func(u *upstreamUnderTest) {
			u.claims = with(object{"exp": u.clock.Now().Add(-time.Second).Unix()})
		}, Hint{}},
		{"no exp", claim("exp", nil), Hint{}},
		{"not yet valid", func(u *upstreamUnderTest) {
			u.claims = with(object{"nbf": u.clock.Now().Add(time.Hour).Unix()})
		}, Hint{}},
		{"other issuer", claim("iss", "https://evil.example"), Hint{}},
		{"no issuer", claim("iss", nil), Hint{}},
		{"other at_hash", claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), Hint{}},
		{"no sub", claim("sub", nil), Hint{}},
		{"empty sub", claim("sub", ""), Hint{}},
		{"long sub", claim("sub", strings.Repeat("a", 256)), Hint{}},
		{"sub in two spellings", claim("\u017fub", "another"), Hint{}},
		{"sub with NUL", claim("sub", "a\x00"), Hint{}},
		{"alg none", func(u *upstreamUnderTest) { u.sealed = unsigned }, Hint{}},
		{"HMAC with the client secret", func(u *upstreamUnderTest) {
			u.signer = jose.JSONWebKey{Key: []byte(strings.Repeat(testSecret, 4)), KeyID: "first", Algorithm: "HS256"}
		}, Hint{}},
		{"wrong kid", func(u *upstreamUnderTest) { u.header = with(object{"kid": "other"}) }, Hint{}},
		{"key of the right kid that is not published", func(u *upstreamUnderTest) {
			published := u.keys
			u.rotate("first")
			u.keys = published
		}, Hint{}},
		{"no keys", func(u *upstreamUnderTest) { u.keys = nil }, Hint{}},
		{"changed", func(u *upstreamUnderTest) {
			u.sealed = func(signed string) string {
				parts := strings.Split(signed, ".")
				payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
				parts[1] = base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte("alice@"), []byte("admin@"), 1))
				return strings.Join(parts, ".")
			}
		}, Hint{}},
		{"no token", func(u *upstreamUnderTest) { u.sealed = func(string) string { return "" } }, Hint{}},
		{"no JWT", func(u *upstreamUnderTest) { u.sealed = func(string) string { return "x.y.z" } }, Hint{}},
		{"several aud without azp", func(u *upstreamUnderTest) {
			u.claims = with(object{"aud": []string{testClientID, "other"}})
		}, Hint{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			c.tamper(u)
			done, err := u.complete(t, u.authorize(u.begin(t, c.hint)))
			wantOutcome(t, err, "fault")
			if done.User.Subject != "" || done.Continue != testContinue {
				t.Errorf("got %+v", done)
			}
		})
	}
}

// TestStaleLogin: what the provider did not do is told to the user, who can do something.
func TestStaleLogin(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	u.claims = with(object{"auth_time": u.clock.Now().Add(-time.Hour).Unix()})
	done, err := u.complete(t, u.authorize(u.begin(t, Hint{Reauthenticate: true})))
	wantOutcome(t, err, oauth.AccessDenied)
	if done.User.Subject != "" || done.Continue != testContinue {
		t.Errorf("got %+v", done)
	}
}

func TestIDTokenAccepted(t *testing.T) {
	cases := []struct {
		name   string
		change func(*upstreamUnderTest)
		hint   Hint
	}{
		{"several aud", func(u *upstreamUnderTest) {
			u.claims = with(object{"aud": []string{"other", testClientID}, "azp": testClientID})
		}, Hint{}},
		{"no at_hash", func(u *upstreamUnderTest) { u.claims = with(object{"at_hash": nil}) }, Hint{}},
		{"no kid", func(u *upstreamUnderTest) { u.header = with(object{"kid": nil}); u.signer.KeyID = "" }, Hint{}},
		{"longest sub", func(u *upstreamUnderTest) { u.claims = with(object{"sub": strings.Repeat("a", 255)}) }, Hint{}},
		{"iss not announced", func(u *upstreamUnderTest) {
			u.metadata = with(object{"authorization_response_iss_parameter_supported": nil})
		}, Hint{}},
		{"old login, none asked for", func(u *upstreamUnderTest) {
			u.claims = with(object{"auth_time": u.clock.Now().Add(-time.Hour).Unix()})
		}, Hint{}},
		{"login again", func(u *upstreamUnderTest) {
			u.claims = with(object{"auth_time": u.clock.Now().Unix()})
		}, Hint{Reauthenticate: true}},
		{"login again by a clock that is slow", func(u *upstreamUnderTest) {
			u.claims = with(object{"auth_time": u.clock.Now().Add(-50 * time.Second).Unix()})
		}, Hint{Reauthenticate: true}},
		{"login again, without auth_time", func(*upstreamUnderTest) {}, Hint{Reauthenticate: true}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			c.change(u)
			done, err := u.complete(t, u.authorize(u.begin(t, c.hint)))
			if err != nil || done.User.Subject == "" {
				t.Errorf("got %+v, %v", done, err)
			}
		})
	}
}

// TestReauthenticationCannotBeTakenAway: a browser that drops the mark from the state has
// another state than the attempt's.
func TestReauthenticationCannotBeTakenAway(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	callback := u.authorize(u.begin(t, Hint{Reauthenticate: true}))
	id, reauthenticate, ok := readState(credential.Secret(callback.State))
	if !ok || !reauthenticate {
		t.Fatalf("state %q", callback.State)
	}
	forged, err := credential.Mint(strings.NewReader(strings.Repeat("x", 32)), credential.LoginState, id)
	if err != nil {
		t.Fatal(err)
	}
	callback.State = forged.Reveal()
	_, err = u.complete(t, callback)
	wantOutcome(t, err, oauth.InvalidRequest)
}

func TestClaimsBecomeAUser(t *testing.T) {
	long := strings.Repeat("g", 257)
	many := slices.Repeat([]string{"g"}, 1001)
	cases := []struct {
		name   string
		claims object
		want   func(*tenant.User)
	}{
		{"verified as a text", object{"email_verified": "true"}, func(*tenant.User) {}},
		{"not verified", object{"email_verified": false}, func(u *tenant.User) { u.EmailVerified = false }},
		{"not verified as a text", object{"email_verified": "false"}, func(u *tenant.User) { u.EmailVerified = false }},
		{"verified is not said", object{"email_verified": nil}, func(u *tenant.User) { u.EmailVerified = false }},
		{"verified is a number", object{"email_verified": 1}, func(u *tenant.User) { u.EmailVerified = false }},
		{"verified in capitals", object{"email_verified": nil, "EMAIL_VERIFIED": true}, func(u *tenant.User) { u.EmailVerified = false }},
		{"an address that is none", object{"email": "alice@example.com\x00.evil.example"}, func(u *tenant.User) { u.Email, u.EmailVerified = "", false }},
		{"two addresses in one", object{"email": "eve@evil.example, alice@example.com"}, func(u *tenant.User) { u.Email, u.EmailVerified = "", false }},
		{"one group", object{"groups": "staff admins"}, func(u *tenant.User) { u.Groups = []string{"staff admins"} }},
		{"groups of other types", object{"groups": []any{"staff", 1, nil, object{"name": "admins"}, "", "on call"}}, func(u *tenant.User) { u.Groups = []string{"staff", "on call"} }},
		{"groups that cannot be kept", object{"groups": []string{"a\x00b", long, "staff", "a\u200bb"}}, func(*tenant.User) {}},
		{"too many groups", object{"groups": many}, func(u *tenant.User) { u.Groups = many[:1000] }},
		{"groups as an object", object{"groups": object{"a": "b"}}, func(u *tenant.User) { u.Groups = nil }},
		{"roles are not groups", object{"groups": nil, "roles": []string{"staff"}}, func(u *tenant.User) { u.Groups = nil }},
		{"no hosted domain", object{"hd": nil}, func(u *tenant.User) { u.HostedDomain = "" }},
		{"hosted domain of another type", object{"hd": true}, func(u *tenant.User) { u.HostedDomain = "" }},
		{"name that overrides the text around it", object{"name": "\u202eAlice\x00 B"}, func(*tenant.User) {}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			u.claims = with(c.claims)
			want := tenant.User{
				Subject: subjectOf(u.Issuer, "248289761001"), Login: "248289761001", Name: "Alice B",
				Email: "alice@example.com", EmailVerified: true, HostedDomain: "example.com", Groups: []string{"staff"},
			}
			c.want(&want)
			if done, err := u.login(t); err != nil || !reflect.DeepEqual(done.User, want) {
				t.Errorf("got %+v, %v, want %+v", done.User, err, want)
			}
		})
	}
}

func TestUserInfoFillsIn(t *testing.T) {
	fromUserInfo := func(u *tenant.User) {
		u.Email, u.EmailVerified, u.Name = "userinfo@example.com", true, "Alice of UserInfo"
	}
	nothing := object{"email": nil, "email_verified": nil, "name": nil, "hd": nil, "groups": nil}
	cases := []struct {
		name             string
		claims, userInfo object
		asked            int
		want             func(*tenant.User)
	}{
		{"nothing in the ID token", nothing, object{"groups": "staff", "hd": "example.com"}, 1, fromUserInfo},
		{"no name", object{"name": nil}, nil, 1, func(u *tenant.User) { u.Name = "Alice of UserInfo" }},
		{"no name anywhere", object{"name": nil, "preferred_username": "alice"}, object{"name": nil}, 1, func(u *tenant.User) { u.Name = "alice" }},
		{"no address", object{"email": nil}, nil, 1, func(u *tenant.User) { u.Email = "userinfo@example.com" }},
		{"verified goes with the address", object{"email": nil, "email_verified": true}, object{"email_verified": nil}, 1, func(u *tenant.User) {
			u.Email, u.EmailVerified = "userinfo@example.com", false
		}},
		{"nor the other way", object{"name": nil, "email_verified": false}, nil, 1, func(u *tenant.User) {
			u.Name, u.EmailVerified = "Alice of UserInfo", false
		}},
		{"groups of the ID token count", object{"name": nil}, object{"groups": []string{"admins"}}, 1, func(u *tenant.User) { u.Name = "Alice of UserInfo" }},
		{"groups in UserInfo alone", object{"groups": nil}, object{"groups": []string{"staff"}}, 1, func(*tenant.User) {}},
		{"verified in UserInfo alone, the same address", object{"email_verified": nil}, object{"email": "alice@example.com", "email_verified": true}, 1, func(*tenant.User) {}},
		{"verified in UserInfo alone, another address", object{"email_verified": nil}, object{"email_verified": true}, 1, func(u *tenant.User) {
			u.EmailVerified = false
		}},
		{"all in the ID token", object{}, object{"sub": "another"}, 0, func(*tenant.User) {}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			u.claims, u.userInfo = with(c.claims), with(c.userInfo)
			want := tenant.User{
				Subject: subjectOf(u.Issuer, "248289761001"), Login: "248289761001", Name: "Alice B",
				Email: "alice@example.com", EmailVerified: true, HostedDomain: "example.com", Groups: []string{"staff"},
			}
			c.want(&want)
			if done, err := u.login(t); err != nil || !reflect.DeepEqual(done.User, want) || u.asked("/userinfo") != c.asked {
				t.Errorf("got %+v, %v after %d questions, want %+v", done.User, err, u.asked("/userinfo"), want)
			}
		})
	}
}

func TestUserInfoNotOffered(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	u.metadata, u.claims = with(object{"userinfo_endpoint": nil}), with(object{"email": nil})
	if done, err := u.login(t); err != nil || done.User.Email != "" || done.User.EmailVerified || done.User.Name != "Alice B" {
		t.Errorf("got %+v, %v", done.User, err)
	}
}

func TestUserInfoRefused(t *testing.T) {
	cases := []struct {
		name   string
		tamper func(*upstreamUnderTest)
	}{
		{"another sub", func(u *upstreamUnderTest) { u.userInfo = with(object{"sub": "another"}) }},
		{"no sub", func(u *upstreamUnderTest) { u.userInfo = with(object{"sub": nil}) }},
		{"not JSON", func(u *upstreamUnderTest) {
			u.answers("/userinfo", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) })
		}},
		{"unauthorized", func(u *upstreamUnderTest) {
			u.answers("/userinfo", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			u.claims = with(object{"email": nil})
			c.tamper(u)
			done, err := u.login(t)
			wantOutcome(t, err, "fault")
			if done.User.Subject != "" {
				t.Errorf("got %+v", done)
			}
		})
	}
}

func TestKeyRotation(t *testing.T) {
	u := newUpstream(t)
	steps := []struct {
		name   string
		rotate string
		asked  int
	}{
		{"first login", "", 1},
		{"known key", "", 1},
		{"new key", "second", 2},
		{"new key again", "", 2},
	}
	for _, s := range steps {
		if s.rotate != "" {
			u.rotate(s.rotate)
		}
		if _, err := u.login(t); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if n := u.asked("/keys"); n != s.asked {
			t.Errorf("%s: the keys are asked for %d times, want %d", s.name, n, s.asked)
		}
	}
}

// endpoints are those that a login asks, in order.
var endpoints = []string{"/.well-known/openid-configuration", "/token", "/keys", "/userinfo"}

// TestEndpointOutOfOrder: whatever is wrong with an endpoint, a user is told to try again
// and nothing follows a redirect.
func TestEndpointOutOfOrder(t *testing.T) {
	troubles := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"huge", func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusOK, object{"access_token": strings.Repeat("x", 1<<20)})
		}},
		{"redirecting", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}},
		{"redirecting after a POST", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
		}},
		{"overloaded", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }},
		{"limiting", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }},
		{"hanging up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
	for _, trouble := range troubles {
		for _, endpoint := range endpoints {
			t.Run(trouble.name+" "+endpoint, func(t *testing.T) {
				u := newUpstream(t)
				u.claims = with(object{"email": nil})
				u.answers(endpoint, trouble.handler)
				wantOutcome(t, u.try(t), oauth.TemporarilyUnavailable)
				if u.asked(endpoint) == 0 || u.asked("/elsewhere") != 0 {
					t.Errorf("asked %v", u.requests)
				}
			})
		}
	}
}

// try is a login that may fail anywhere.
func (u *upstreamUnderTest) try(t *testing.T) error {
	t.Helper()
	location, err := u.Begin(t.Context(), "t", testContinue, u.browser, Hint{})
	if err == nil {
		_, err = u.complete(t, u.authorize(location))
	}
	return err
}

func TestEndpointSlow(t *testing.T) {
	for _, endpoint := range endpoints {
		t.Run(endpoint, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newDirectUpstream(t, "https://idp.example")
				u.claims = with(object{"email": nil})
				u.answers(endpoint, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
				begun := time.Now()
				wantOutcome(t, u.try(t), oauth.TemporarilyUnavailable)
				if took := time.Since(begun); took != 5*time.Second {
					t.Errorf("it takes %v", took)
				}
			})
		})
	}
}

func TestDiscoveryRefused(t *testing.T) {
	cases := []struct {
		name     string
		metadata object
	}{
		{"other issuer", object{"issuer": "https://evil.example"}},
		{"issuer with a slash", object{"issuer": "https://idp.example/"}},
		{"no authorization endpoint", object{"authorization_endpoint": nil}},
		{"no token endpoint", object{"token_endpoint": nil}},
		{"no keys", object{"jwks_uri": nil}},
		{"token endpoint in the clear", object{"token_endpoint": "http://idp.example/token"}},
		{"keys in the clear", object{"jwks_uri": "http://idp.example/keys"}},
		{"UserInfo in the clear", object{"userinfo_endpoint": "http://idp.example/userinfo"}},
		{"endpoint that is no page", object{"authorization_endpoint": "javascript:alert(1)"}},
		{"endpoint without a host", object{"authorization_endpoint": "https:///authorize"}},
		{"relative endpoint", object{"token_endpoint": "/token"}},
		{"other types", object{"token_endpoint": 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			u.metadata = with(c.metadata)
			_, err := u.Begin(t.Context(), "t", "/", u.browser, Hint{})
			wantOutcome(t, err, oauth.TemporarilyUnavailable)
		})
	}
}

func TestDiscoveryIsRetriedAndKept(t *testing.T) {
	const endpoint = "/.well-known/openid-configuration"
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	steps := []struct {
		name   string
		wait   time.Duration
		answer http.HandlerFunc
		want   oauth.Code
		asked  int
	}{
		{"down at the start", 0, down, oauth.TemporarilyUnavailable, 1},
		{"up, but not asked again so soon", 5*time.Second - 1, nil, oauth.TemporarilyUnavailable, 1},
		{"asked again", 1, nil, "", 2},
		{"known", time.Hour, down, "", 2},
		{"known for a day", 23*time.Hour - 1, down, "", 2},
		{"down when asked again", 1, down, "", 3},
		{"still known, not asked again so soon", 0, down, "", 3},
		{"asked again later", 5 * time.Second, nil, "", 4},
		{"known again", time.Minute, down, "", 4},
	}
	u := newDirectUpstream(t, "https://idp.example")
	for _, s := range steps {
		u.advance(s.wait)
		u.answers(endpoint, s.answer)
		_, err := u.Begin(t.Context(), "t", "/", u.browser, Hint{})
		if outcome(err) != s.want || u.asked(endpoint) != s.asked {
			t.Errorf("%s: %v after %d questions, want %q after %d", s.name, err, u.asked(endpoint), s.want, s.asked)
		}
	}
}

// TestDiscoveryIsShared: all who wait share one request, and none of them ends it.
func TestDiscoveryIsShared(t *testing.T) {
	const endpoint = "/.well-known/openid-configuration"
	synctest.Test(t, func(t *testing.T) {
		u := newDirectUpstream(t, "https://idp.example")
		release := make(chan struct{})
		u.answers(endpoint, func(w http.ResponseWriter, r *http.Request) {
			<-release
			u.serveMetadata(w, r)
		})
		first, hangUp := contextWithCancel(t)
		var gone, others error
		var wg sync.WaitGroup
		wg.Go(func() { _, gone = u.Begin(first, "t", "/", u.browser, Hint{}) })
		synctest.Wait()
		wg.Go(func() { _, others = u.Begin(t.Context(), "t", "/", u.browser, Hint{}) })
		synctest.Wait()
		hangUp()
		synctest.Wait()
		wantOutcome(t, gone, oauth.TemporarilyUnavailable)
		close(release)
		wg.Wait()
		if others != nil || u.asked(endpoint) != 1 {
			t.Errorf("got %v after %d questions", others, u.asked(endpoint))
		}
	})
}

func TestClientAuthentication(t *testing.T) {
	cases := []struct {
		name    string
		secret  credential.Secret
		methods []string
		inForm  bool
	}{
		{"not said", testSecret, nil, false},
		{"both", testSecret, []string{"client_secret_post", "client_secret_basic"}, false},
		{"form alone", testSecret, []string{"client_secret_post"}, true},
		{"public client", "", []string{"client_secret_basic"}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			u.ClientSecret = c.secret
			u.metadata = with(object{"token_endpoint_auth_methods_supported": c.methods})
			u.answers("/token", func(w http.ResponseWriter, r *http.Request) {
				_, _, basic := r.BasicAuth()
				if basic == c.inForm || (r.PostFormValue("client_id") == testClientID) != c.inForm || c.inForm && r.PostFormValue("client_secret") != c.secret.Reveal() {
					t.Errorf("basic %v, form %v", basic, r.PostForm)
				}
				u.grant(w, r)
			})
			if _, err := u.login(t); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClientNotKnown(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	u.ClientSecret = "another"
	_, err := u.login(t)
	wantOutcome(t, err, "fault")
	if u.asked("/token") != 1 {
		t.Errorf("the code is sent %d times", u.asked("/token"))
	}
}

func TestErrorsAreBounded(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	u.answers("/token", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(bytes.Repeat([]byte("あ"), 100_000))
	})
	_, err := u.login(t)
	wantOutcome(t, err, "fault")
	if n := len(err.Error()); n > 1100 {
		t.Errorf("the error has %d bytes", n)
	}
}

const (
	entraTenantOne = "7d6a7c5e-0000-4000-8000-000000000001"
	entraTenantTwo = "7d6a7c5e-0000-4000-8000-000000000002"
)

func entraIssuerOf(tid string) string { return "https://login.microsoftonline.com/" + tid + "/v2.0" }

func TestEntraShared(t *testing.T) {
	cases := []struct {
		name, configured, published, iss, tid string
		want                                  oauth.Code
	}{
		{"common", "common", "{tenantid}", entraTenantOne, entraTenantOne, ""},
		{"organizations", "organizations", "{tenantid}", entraTenantTwo, entraTenantTwo, ""},
		{"consumers", "consumers", entraPersonal, entraPersonal, entraPersonal, ""},
		{"tenant of another", "common", "{tenantid}", entraTenantOne, entraTenantTwo, "fault"},
		{"no tenant", "common", "{tenantid}", entraTenantOne, "", "fault"},
		{"the variable", "common", "{tenantid}", "{tenantid}", "{tenantid}", "fault"},
		{"tenant that is none", "common", "{tenantid}", "evil.example/x", "evil.example/x", "fault"},
		{"organisation at consumers", "consumers", entraPersonal, entraTenantOne, entraTenantOne, "fault"},
		{"publishes another tenant", "common", entraTenantOne, entraTenantOne, entraTenantOne, oauth.TemporarilyUnavailable},
		{"one tenant", entraTenantOne, entraTenantOne, entraTenantOne, entraTenantOne, ""},
		{"one tenant, another's user", entraTenantOne, entraTenantOne, entraTenantTwo, entraTenantTwo, "fault"},
		{"one tenant publishes the variable", entraTenantOne, "{tenantid}", entraTenantOne, entraTenantOne, oauth.TemporarilyUnavailable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, entraIssuerOf(c.configured))
			u.metadata = with(object{"issuer": entraIssuerOf(c.published), "authorization_response_iss_parameter_supported": nil})
			u.claims = with(object{"iss": entraIssuerOf(c.iss), "tid": c.tid})
			location, err := u.Begin(t.Context(), "t", testContinue, u.browser, Hint{})
			var done Completion
			if err == nil {
				callback := u.authorize(location)
				callback.Issuer = ""
				done, err = u.complete(t, callback)
			}
			wantOutcome(t, err, c.want)
			if c.want == "" && done.User.Subject != subjectOf(entraIssuerOf(c.tid), "248289761001") {
				t.Errorf("subject %q", done.User.Subject)
			}
		})
	}
}

func TestEntraNoIssuerNoTenant(t *testing.T) {
	u := newDirectUpstream(t, entraIssuerOf("common"))
	u.metadata = with(object{"issuer": entraIssuerOf("{tenantid}"), "authorization_response_iss_parameter_supported": nil})
	u.claims = with(object{"iss": nil})
	callback := u.authorize(u.begin(t, Hint{}))
	callback.Issuer = ""
	_, err := u.complete(t, callback)
	wantOutcome(t, err, "fault")
}

func TestEntraCallbackIssuer(t *testing.T) {
	p := &provider{document: document{Issuer: entraIssuerOf("{tenantid}")}}
	for issuer, want := range map[string]bool{
		entraIssuerOf(entraTenantOne):       true,
		entraIssuerOf("{tenantid}"):         false,
		entraIssuerOf("common"):             false,
		entraIssuerOf(entraTenantOne) + "/": false,
		"https://evil.example/v2.0":         false,
		"https://login.microsoftonline.com": false,
	} {
		if got := p.isIssuer(issuer); got != want {
			t.Errorf("%s: %v", issuer, got)
		}
	}
}

// TestGoogleWithoutScheme: Google's tokens may name their issuer without https://, and are
// of the same user.
func TestGoogleWithoutScheme(t *testing.T) {
	u := newDirectUpstream(t, "https://accounts.google.com")
	u.metadata = with(object{"authorization_response_iss_parameter_supported": nil})
	u.claims = with(object{"iss": "accounts.google.com"})
	callback := u.authorize(u.begin(t, Hint{}))
	callback.Issuer = ""
	done, err := u.complete(t, callback)
	if err != nil || done.User.Subject != subjectOf("https://accounts.google.com", "248289761001") {
		t.Errorf("got %+v, %v", done, err)
	}
}

// FuzzCallbackState: one state completes the login, and no other reaches the provider.
func FuzzCallbackState(f *testing.F) {
	u := newDirectUpstream(f, "https://idp.example")
	state := parameters(f, u.begin(f, Hint{Reauthenticate: true})).Get("state")
	f.Add(state)
	f.Add("")
	f.Add("rgl_")
	f.Add(strings.ToUpper(state))
	f.Add(strings.Replace(state, "rgl_", "rgn_", 1))
	f.Add(state + state)
	f.Add(state[:len(state)-1])
	f.Fuzz(func(t *testing.T, text string) {
		id, _, ok := readState(credential.Secret(text))
		if ok && (!isID(id) || !strings.HasPrefix(text, "rgl_"+id)) {
			t.Errorf("%q is the state of %q", text, id)
		}
		if text == state {
			return
		}
		_, err := u.Complete(t.Context(), "t", Callback{Code: "code", State: text, Issuer: u.Issuer}, u.browser)
		wantOutcome(t, err, oauth.InvalidRequest)
		if u.asked("/token") != 0 {
			t.Errorf("%q gets a code redeemed", text)
		}
	})
}

// claimsOf are claims as they are parsed.
func claimsOf(t *testing.T, text string) claims {
	t.Helper()
	var c claims
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClaimOfATime(t *testing.T) {
	cases := []struct {
		name, value string
		want        time.Time
	}{
		{"seconds", "1700000000", time.Unix(1700000000, 0)},
		{"with a fraction", "1700000000.9", time.Unix(1700000000, 0)},
		{"as a text", `"1700000000"`, time.Time{}},
		{"none", "null", time.Unix(0, 0)},
		{"out of range", "1e300", time.Time{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := claimsOf(t, `{"auth_time":`+c.value+`}`).time("auth_time"); !got.Equal(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
