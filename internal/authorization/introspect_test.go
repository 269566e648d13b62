package authorization

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func servers(p *tenant.Policy) {
	p.ResourceServers = []tenant.ResourceServer{
		{ID: "mcp", SecretDigest: secret.Digest(), Audiences: []string{"https://x.example/", mcp}},
		{ID: "other", SecretDigest: secret.Digest(), Audiences: []string{"https://other.example/"}},
		{ID: "idle", Audiences: []string{mcp}},
		{ID: "open", SecretDigest: credential.Secret("").Digest(), Audiences: []string{mcp}},
	}
}

var asMCP = Credentials{Basic: &Basic{ID: "mcp", Secret: secret}}

func TestIntrospect(t *testing.T) {
	w := newWorld(t, servers)
	tokens := w.tokens(t, "scope", "openid tools", "resource", "https://MCP.example/mcp")
	said := claims(t, tokens.AccessToken)
	got, err := w.Introspect(ctx, w.tenant, asMCP, tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	second := began.Truncate(time.Second)
	want := &Introspection{
		Active: true, Scope: "openid tools", ClientID: "c_public", Subject: "u_alice", Audience: "https://MCP.example/mcp",
		Issuer: issuer, ID: said["jti"].(string), TokenType: "Bearer",
		ExpiresAt: second.Add(AccessTokenLifetime), IssuedAt: second, AuthenticatedAt: second.Add(-time.Minute),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	byForm, err := w.Introspect(ctx, w.tenant, Credentials{ClientID: "mcp", ClientSecret: secret}, tokens.AccessToken)
	if err != nil || !byForm.Active {
		t.Errorf("by form: %+v, %v", byForm, err)
	}
}

func TestIntrospectInactive(t *testing.T) {
	other := Credentials{Basic: &Basic{ID: "other", Secret: secret}}
	cases := []struct {
		name  string
		end   func(*world)
		as    Credentials
		token func(*Tokens) credential.Secret
	}{
		{"for another server", nil, other, nil},
		{"expired", func(w *world) { w.clock = began.Truncate(time.Second).Add(AccessTokenLifetime) }, asMCP, nil},
		{"revoked", func(w *world) { _ = w.Disconnect(ctx, w.tenant, "u_alice", "c_public", registration.Access{}) }, asMCP, nil},
		{"D-05 client deleted", func(w *world) { w.store.deleteClient("c_public") }, asMCP, nil},
		{"issuer changed", func(w *world) { w.tenant.Issuer = "https://new.example" }, asMCP, nil},
		{"refresh token", nil, asMCP, func(got *Tokens) credential.Secret { return got.RefreshToken }},
		{"ID token", nil, asMCP, func(got *Tokens) credential.Secret { return got.IDToken }},
		{"unknown", nil, asMCP, func(*Tokens) credential.Secret { return "x" }},
		{"signature of another", nil, asMCP, func(got *Tokens) credential.Secret {
			parts := strings.Split(got.AccessToken.Reveal(), ".")
			return credential.Secret(parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, servers)
			tokens := w.tokens(t, "resource", mcp)
			token := tokens.AccessToken
			if c.token != nil {
				token = c.token(tokens)
			}
			if c.end != nil {
				c.end(w)
			}
			got, err := w.Introspect(ctx, w.tenant, c.as, token)
			if err != nil || !reflect.DeepEqual(got, &Introspection{}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestIntrospectRefused(t *testing.T) {
	w := newWorld(t, servers)
	w.register("c_post", withMethod(oauth.AuthClientSecretPost))
	token := w.tokens(t, "resource", mcp).AccessToken
	cases := []struct {
		name  string
		as    Credentials
		token credential.Secret
		code  oauth.Code
	}{
		{"nobody", Credentials{}, token, oauth.InvalidClient},
		{"wrong secret", Credentials{Basic: basic("mcp", "x")}, token, oauth.InvalidClient},
		{"no secret", Credentials{ClientID: "mcp"}, token, oauth.InvalidClient},
		{"empty secret", Credentials{Basic: basic("mcp", "")}, token, oauth.InvalidClient},
		{"server without a secret", Credentials{Basic: basic("idle", "")}, token, oauth.InvalidClient},
		{"server with an empty secret", Credentials{Basic: basic("open", "")}, token, oauth.InvalidClient},
		{"server with an empty secret, by form", Credentials{ClientID: "open"}, token, oauth.InvalidClient},
		{"unknown server", Credentials{Basic: basic("x", secret)}, token, oauth.InvalidClient},
		{"a client", Credentials{ClientID: "c_post", ClientSecret: secret}, token, oauth.InvalidClient},
		{"by assertion", Credentials{ClientID: "mcp", AssertionType: assertionType, Assertion: "x"}, token, oauth.InvalidClient},
		{"in two ways", Credentials{Basic: basic("mcp", secret), ClientSecret: secret}, token, oauth.InvalidRequest},
		{"two names", Credentials{Basic: basic("mcp", secret), ClientID: "other"}, token, oauth.InvalidRequest},
		{"no token", asMCP, "", oauth.InvalidRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := w.Introspect(ctx, w.tenant, c.as, c.token)
			wantCode(t, err, c.code)
			if got != nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestIntrospectFails(t *testing.T) {
	w := newWorld(t, servers)
	token := w.tokens(t, "resource", mcp).AccessToken
	w.store.breakDown("")
	if got, err := w.Introspect(ctx, w.tenant, asMCP, token); !errors.Is(err, errNoDatabase) || got != nil {
		t.Errorf("without a database: %+v, %v", got, err)
	}
	w.Signer = brokenSigner{}
	if got, err := w.Introspect(ctx, w.tenant, asMCP, token); !errors.Is(err, errNoKeys) || got != nil {
		t.Errorf("without keys: %+v, %v", got, err)
	}
	w.Signer = babbling{}
	if got, err := w.Introspect(ctx, w.tenant, asMCP, token); err == nil || got != nil {
		t.Errorf("with claims that are none: %+v, %v", got, err)
	}
}

// babbling has signed what is no JSON.
type babbling struct{ signer }

func (babbling) Verify(context.Context, string, string, string) ([]byte, bool, error) {
	return []byte("x"), true, nil
}
