package authorization

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func TestRequestAccepted(t *testing.T) {
	w := newWorld(t)
	r := w.request(t, "nonce", "né", "resource", "HTTPS://MCP.example", "login_hint", "alice", "scope", "tools openid",
		"prompt", "login consent", "max_age", "60", "response_mode", "query", "display", "page", "x_unknown", "1")
	age := *r.maxAge
	r.maxAge = nil
	want := &Request{
		Client: w.client, By: visitor, RedirectURI: redirect, Registered: redirect, State: "s", Nonce: "né",
		Resource: "HTTPS://MCP.example", Challenge: challenge, LoginHint: "alice", Scope: []string{"tools", "openid"},
		prompt: prompt{login: true, consent: true},
	}
	if !reflect.DeepEqual(r, want) || age.Seconds() != 60 {
		t.Errorf("got  %+v, max_age %v\nwant %+v", r, age, want)
	}
}

func TestRequestVariants(t *testing.T) {
	w := newWorld(t)
	cases := []struct {
		name    string
		changes []string
		check   func(*Request) bool
	}{
		{"minimal", nil, func(r *Request) bool {
			return r.prompt == prompt{} && r.maxAge == nil && strings.Join(r.Scope, " ") == w.client.Metadata.Scope
		}},
		{"floating port", []string{"redirect_uri", "http://127.0.0.1:9/cb"}, func(r *Request) bool {
			return r.RedirectURI == "http://127.0.0.1:9/cb" && r.Registered == loopback
		}},
		{"no state", []string{"state", ""}, func(r *Request) bool { return r.State == "" }},
		{"select_account", []string{"prompt", "select_account"}, func(r *Request) bool { return r.prompt == prompt{login: true} }},
		{"prompt none", []string{"prompt", "none"}, func(r *Request) bool { return r.prompt == prompt{none: true} }},
		{"max_age 0", []string{"max_age", "0"}, func(r *Request) bool { return r.prompt.login }},
		{"max_age beyond any clock", []string{"max_age", strings.Repeat("9", 40)}, func(r *Request) bool { return r.maxAge.Hours() > 24*365*60 }},
		{"longest nonce", []string{"nonce", strings.Repeat("n", MaxNonceBytes)}, func(r *Request) bool { return len(r.Nonce) == MaxNonceBytes }},
		{"scope narrowed", []string{"scope", "admin email"}, func(r *Request) bool { return strings.Join(r.Scope, " ") == "email" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if r := w.request(t, c.changes...); !c.check(r) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// TestRequestEmptyParameters: RFC 6749 §3.1.
func TestRequestEmptyParameters(t *testing.T) {
	w := newWorld(t)
	p := w.params()
	for _, name := range requestParameters {
		if !p.Has(name) {
			p.Set(name, "")
		}
	}
	r, err := w.Request(ctx, w.tenant, p, visitor)
	if err != nil {
		t.Fatal(err)
	}
	if want := w.request(t); !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestRequestRefused(t *testing.T) {
	w := newWorld(t)
	cases := []struct {
		name    string
		changes []string
		code    oauth.Code
	}{
		{"no response_type", []string{"response_type", ""}, oauth.InvalidRequest},
		{"response_type token", []string{"response_type", "token"}, oauth.UnsupportedResponseType},
		{"response_type code id_token", []string{"response_type", "code id_token"}, oauth.UnsupportedResponseType},
		{"A-04 no code_challenge", []string{"code_challenge", "", "code_challenge_method", ""}, oauth.InvalidRequest},
		{"A-04 method without challenge", []string{"code_challenge", ""}, oauth.InvalidRequest},
		{"A-04 challenge without method", []string{"code_challenge_method", ""}, oauth.InvalidRequest},
		{"A-04 plain", []string{"code_challenge_method", "plain"}, oauth.InvalidRequest},
		{"method in lower case", []string{"code_challenge_method", "s256"}, oauth.InvalidRequest},
		{"challenge too short", []string{"code_challenge", challenge[1:]}, oauth.InvalidRequest},
		{"challenge too long", []string{"code_challenge", challenge + "A"}, oauth.InvalidRequest},
		{"challenge padded", []string{"code_challenge", challenge[1:] + "="}, oauth.InvalidRequest},
		{"challenge in base64", []string{"code_challenge", challenge[1:] + "+"}, oauth.InvalidRequest},
		{"response_mode fragment", []string{"response_mode", "fragment"}, oauth.InvalidRequest},
		{"response_mode form_post", []string{"response_mode", "form_post"}, oauth.InvalidRequest},
		{"request", []string{"request", "x"}, oauth.RequestNotSupported},
		{"request_uri", []string{"request_uri", "https://c.example/r"}, oauth.RequestURINotSupported},
		{"registration", []string{"registration", "{}"}, oauth.RegistrationNotSupported},
		{"prompt unknown", []string{"prompt", "create"}, oauth.InvalidRequest},
		{"prompt in capitals", []string{"prompt", "Login"}, oauth.InvalidRequest},
		{"prompt none with login", []string{"prompt", "none login"}, oauth.InvalidRequest},
		{"prompt none with consent", []string{"prompt", "consent none"}, oauth.InvalidRequest},
		{"prompt none with select_account", []string{"prompt", "select_account none"}, oauth.InvalidRequest},
		{"prompt with two blanks", []string{"prompt", "login  consent"}, oauth.InvalidRequest},
		{"max_age negative", []string{"max_age", "-1"}, oauth.InvalidRequest},
		{"max_age with a sign", []string{"max_age", "+1"}, oauth.InvalidRequest},
		{"max_age broken", []string{"max_age", "1.5"}, oauth.InvalidRequest},
		{"max_age no number", []string{"max_age", "x"}, oauth.InvalidRequest},
		{"nonce too long", []string{"nonce", strings.Repeat("n", MaxNonceBytes+1)}, oauth.InvalidRequest},
		{"nonce with NUL", []string{"nonce", "a\x00"}, oauth.InvalidRequest},
		{"nonce not UTF-8", []string{"nonce", "\xff"}, oauth.InvalidRequest},
		{"resource relative", []string{"resource", "/mcp"}, oauth.InvalidTarget},
		{"resource with fragment", []string{"resource", "https://mcp.example/#x"}, oauth.InvalidTarget},
		{"resource http", []string{"resource", "http://mcp.example/"}, oauth.InvalidTarget},
		{"scope malformed", []string{"scope", "openid  email"}, oauth.InvalidScope},
		{"scope unknown", []string{"scope", "admin"}, oauth.InvalidScope},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := w.Request(ctx, w.tenant, w.params(append(c.changes, "state", "kept +&")...), visitor)
			if r != nil {
				t.Fatalf("accepted: %+v", r)
			}
			refusal := wantRefusal(t, err, c.code)
			if refusal.RedirectURI != redirect || refusal.State != "kept +&" || refusal.Client.ID != w.client.ID {
				t.Errorf("got %+v", refusal)
			}
		})
	}
}

func TestRequestUnderPolicy(t *testing.T) {
	w := newWorld(t, reject, func(p *tenant.Policy) { p.Resources = []string{"https://mcp.example/"} })
	_, err := w.Request(ctx, w.tenant, w.params("scope", "openid admin"), visitor)
	wantRefusal(t, err, oauth.InvalidScope)
	_, err = w.Request(ctx, w.tenant, w.params("resource", "https://other.example/"), visitor)
	wantRefusal(t, err, oauth.InvalidTarget)
	w.tenant.Policy.Scopes = []string{"openid"}
	if r := w.request(t, "resource", "https://MCP.example"); strings.Join(r.Scope, " ") != "openid" || r.Resource != "https://MCP.example" {
		t.Errorf("got %+v", r)
	}
	w.tenant.Policy.Scopes = []string{"admin"}
	_, err = w.Request(ctx, w.tenant, w.params(), visitor)
	wantRefusal(t, err, oauth.InvalidScope)
}

func TestRequestWithoutGrant(t *testing.T) {
	w := newWorld(t)
	c := w.register("c_other", func(c *registration.Client) { c.Metadata.GrantTypes = []string{oauth.GrantRefreshToken} })
	_, err := w.Request(ctx, w.tenant, w.params("client_id", c.ID), visitor)
	wantRefusal(t, err, oauth.UnauthorizedClient)
}

func TestRequestRepeated(t *testing.T) {
	w := newWorld(t)
	for _, name := range requestParameters {
		t.Run(name, func(t *testing.T) {
			p := w.params()
			p[name] = []string{p.Get(name), p.Get(name)}
			_, err := w.Request(ctx, w.tenant, p, visitor)
			switch name {
			case "client_id", "redirect_uri":
				wantLocal(t, err, oauth.InvalidRequest)
			case "state":
				if refusal := wantRefusal(t, err, oauth.InvalidRequest); refusal.State != "" {
					t.Errorf("state %q goes back", refusal.State)
				}
			default:
				if refusal := wantRefusal(t, err, oauth.InvalidRequest); refusal.State != "s" {
					t.Errorf("state %q goes back", refusal.State)
				}
			}
		})
	}
	p := w.params()
	p["x_unknown"] = []string{"1", "2"}
	if _, err := w.Request(ctx, w.tenant, p, visitor); err != nil {
		t.Errorf("a parameter that is ignored: %v", err)
	}
}

func TestRequestLocalErrors(t *testing.T) {
	w := newWorld(t)
	cases := []struct {
		name    string
		changes []string
		code    oauth.Code
	}{
		{"no client_id", []string{"client_id", ""}, oauth.InvalidRequest},
		{"A-05 unknown client", []string{"client_id", "c_unknown"}, oauth.InvalidClient},
		{"client_id with NUL", []string{"client_id", "c_public\x00"}, oauth.InvalidClient},
		{"client_id not UTF-8", []string{"client_id", "\xff"}, oauth.InvalidClient},
		{"client_id too long", []string{"client_id", strings.Repeat("c", MaxClientIDBytes+1)}, oauth.InvalidClient},
		{"A-05 redirect URI not registered", []string{"redirect_uri", "https://evil.example/cb"}, oauth.InvalidRequest},
		{"U-18 redirect URI with more query", []string{"redirect_uri", redirect + "&y=2"}, oauth.InvalidRequest},
		{"U-23 redirect URI missing, three registered", []string{"redirect_uri", ""}, oauth.InvalidRequest},
		{"everything wrong", []string{"redirect_uri", "https://evil.example/cb", "response_type", "", "scope", "x"}, oauth.InvalidRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.Request(ctx, w.tenant, w.params(c.changes...), visitor)
			wantLocal(t, err, c.code)
		})
	}
	if asked := w.store.calls["Find"]; asked != 5 {
		t.Errorf("the store was asked %d times, also for what is no client_id", asked)
	}
	other := &tenant.Tenant{ID: "two", Issuer: issuer, Policy: w.tenant.Policy}
	if _, err := w.Request(ctx, other, w.params(), visitor); err == nil {
		t.Error("a client of another tenant passes")
	}
}

func TestRequestRedirectURIOmitted(t *testing.T) {
	w := newWorld(t)
	c := w.register("c_one", func(c *registration.Client) { c.Metadata.RedirectURIs = []string{redirect} })
	if r := w.request(t, "client_id", c.ID, "redirect_uri", ""); r.RedirectURI != redirect || r.Registered != redirect {
		t.Errorf("got %+v", r)
	}
}

func TestRequestStoreFails(t *testing.T) {
	w := newWorld(t)
	w.store.breakDown("")
	if _, err := w.Request(ctx, w.tenant, w.params(), visitor); !errors.Is(err, errNoDatabase) {
		t.Errorf("got %v", err)
	}
}

func TestAfterLogin(t *testing.T) {
	cases := []struct{ name, before, want string }{
		{"nothing to meet", "state=a%2Bb", "state=a%2Bb"},
		{"consent stays", "prompt=consent", "prompt=consent"},
		{"login", "prompt=login&state=s", "max_age=600&state=s"},
		{"select_account", "prompt=select_account", "max_age=600"},
		{"login and consent", "prompt=login+consent", "max_age=600&prompt=consent"},
		{"short max_age", "max_age=0", "max_age=600"},
		{"long max_age", "max_age=86400&prompt=login", "max_age=86400"},
		{"max_age beyond any clock", "max_age=99999999999", "max_age=2147483647"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before, err := url.ParseQuery(c.before)
			if err != nil {
				t.Fatal(err)
			}
			if got := AfterLogin(before).Encode(); got != c.want {
				t.Errorf("got %q", got)
			}
			if unchanged, _ := url.ParseQuery(c.before); !reflect.DeepEqual(before, unchanged) {
				t.Errorf("what it was given became %v", before)
			}
		})
	}
}
