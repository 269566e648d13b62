package authorization

import (
	"crypto/rand"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func TestApprove(t *testing.T) {
	w := newWorld(t)
	r := w.request(t, "nonce", "n", "resource", "https://MCP.example", "scope", "openid tools", "state", "a b")
	location, err := w.Approve(ctx, w.tenant, r, w.user, []string{"openid", "tools"})
	if err != nil {
		t.Fatal(err)
	}
	got := query(t, location)
	if !strings.HasPrefix(location, redirect+"&code=") || len(got["code"]) != 1 || len(got["iss"]) != 1 ||
		got.Get("iss") != issuer || got.Get("state") != "a b" || got.Get("x") != "1" || len(got) != 4 {
		t.Fatalf("sent to %s", location)
	}
	code := credential.Secret(got.Get("code"))
	g := w.grant(t)
	if id, ok := credential.Subject(credential.AuthorizationCode, code); !ok || id != g.ID || id != strings.ToLower(id) {
		t.Errorf("the code is for %q, the grant is %q", id, g.ID)
	}
	want := Grant{
		Tenant: "one", ID: g.ID, ClientID: w.client.ID, User: w.user.User, AuthenticatedAt: w.user.AuthenticatedAt,
		Scope: "openid tools", Resource: "https://MCP.example", RedirectURI: redirect, Challenge: challenge, Nonce: "n",
		CodeDigest: code.Digest(), CodeExpiresAt: began.Add(time.Minute), CreatedAt: began, ExpiresAt: began.Add(time.Minute),
	}
	if !reflect.DeepEqual(g, want) {
		t.Errorf("got  %+v\nwant %+v", g, want)
	}
	if w.store.calls["CreateGrant"] != 1 {
		t.Errorf("calls: %v", w.store.calls)
	}
}

// TestApproveScope: whatever the caller says, no more than the user can grant of the request.
func TestApproveScope(t *testing.T) {
	cases := []struct{ name, asked, approved, want string }{
		{"less than asked", "openid email", "email", "email"},
		{"more than asked", "email", "openid email", "email"},
		{"more than the user can", "openid tools", "openid tools", "openid"},
		{"nothing", "openid", "", ""},
		{"nothing of it", "openid", "email", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(p *tenant.Policy) {
				p.ScopeRequirements = map[string]tenant.Requirement{"tools": {Groups: []string{"root"}}}
			})
			_, err := w.Approve(ctx, w.tenant, w.request(t, "scope", c.asked), w.user, strings.Fields(c.approved))
			if c.want == "" {
				wantRefusal(t, err, oauth.InvalidScope)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := w.grant(t).Scope; got != c.want {
				t.Errorf("granted %q", got)
			}
		})
	}
}

// TestApproveRemembers: what was asked is remembered, where it can be; what was not asked
// again does not get younger.
func TestApproveRemembers(t *testing.T) {
	w := newWorld(t)
	for _, uri := range []string{loopback, "http://127.0.0.1:77/cb", app} {
		w.code(t, "redirect_uri", uri)
	}
	if len(w.store.consents) != 0 {
		t.Fatalf("remembered %v", w.store.consents)
	}
	approve := func(at time.Time, changes ...string) *Consent {
		t.Helper()
		w.clock = at
		w.code(t, changes...)
		if len(w.store.consents) != 1 {
			t.Fatalf("%d consents", len(w.store.consents))
		}
		for _, c := range w.store.consents {
			return c
		}
		panic("unreachable")
	}
	first := approve(began, "scope", "openid email")
	digest, err := clientDigest(w.client)
	if err != nil {
		t.Fatal(err)
	}
	want := &Consent{
		Tenant: "one", Subject: "u_alice", ClientID: w.client.ID, Target: digestText(redirect + "\n"), Scope: "openid email",
		ClientDigest: digest, GrantedAt: began, ExpiresAt: began.Add(180 * 24 * time.Hour),
	}
	if !reflect.DeepEqual(first, want) {
		t.Errorf("got  %+v\nwant %+v", first, want)
	}
	if second := approve(began.Add(time.Hour), "scope", "email"); !reflect.DeepEqual(second, want) {
		t.Errorf("not asked, yet remembered as %+v", second)
	}
	third := approve(began.Add(2*time.Hour), "scope", "openid email", "prompt", "consent")
	if !third.GrantedAt.Equal(began.Add(2 * time.Hour)) {
		t.Errorf("asked, yet remembered as of %v", third.GrantedAt)
	}
}

func TestApproveFails(t *testing.T) {
	for _, method := range []string{"FindConsent", "SaveConsent", "CreateGrant"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			r := w.request(t)
			w.store.breakDown(method)
			if location, err := w.Approve(ctx, w.tenant, r, w.user, r.Scope); !errors.Is(err, errNoDatabase) || location != "" {
				t.Errorf("got %q, %v", location, err)
			}
		})
	}
}

func TestApproveWithoutEntropy(t *testing.T) {
	const ulidBytes = 10
	for _, enough := range []int64{0, ulidBytes} {
		w := newWorld(t)
		r := w.request(t)
		w.Random = io.LimitReader(rand.Reader, enough)
		if location, err := w.Approve(ctx, w.tenant, r, w.user, r.Scope); !errors.Is(err, io.EOF) || location != "" {
			t.Errorf("with %d bytes: %q, %v", enough, location, err)
		}
	}
}

func TestApproveWithoutClient(t *testing.T) {
	w := newWorld(t)
	r := w.request(t)
	w.store.deleteClient(r.Client.ID)
	location, err := w.Approve(ctx, w.tenant, r, w.user, r.Scope)
	wantLocal(t, err, oauth.InvalidClient)
	if location != "" || len(w.store.consents) != 0 {
		t.Errorf("got %q, %v", location, w.store.consents)
	}
}

func TestApproveWithoutAdmission(t *testing.T) {
	w := newWorld(t, func(p *tenant.Policy) { p.LoginRequirement = tenant.Requirement{Groups: []string{"root"}} })
	r := w.request(t)
	_, err := w.Approve(ctx, w.tenant, r, w.user, r.Scope)
	wantRefusal(t, err, oauth.AccessDenied)
}

// TestApproveUnreadableClient: nothing is granted to a client whose registration could not
// be remembered with the consent.
func TestApproveUnreadableClient(t *testing.T) {
	w := newWorld(t)
	r := w.request(t)
	r.Client.Metadata.JWKS = []byte("{")
	if location, err := w.Approve(ctx, w.tenant, r, w.user, r.Scope); err == nil || location != "" || len(w.store.grants)+len(w.store.consents) != 0 {
		t.Errorf("got %q, %v", location, err)
	}
}
