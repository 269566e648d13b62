package authorization

import (
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func TestRefusalLocation(t *testing.T) {
	w := newWorld(t)
	cases := []struct{ name, state, want string }{
		{"state", "a b&c", redirect + "&error=access_denied&error_description=the%20user%20said%20no&error_uri=https%3A%2F%2Fas.example%2Ft1%2Fdocs%2Ferrors%2Faccess_denied&state=a%20b%26c&iss=https%3A%2F%2Fas.example%2Ft1"},
		{"no state", "", redirect + "&error=access_denied&error_description=the%20user%20said%20no&error_uri=https%3A%2F%2Fas.example%2Ft1%2Fdocs%2Ferrors%2Faccess_denied&iss=https%3A%2F%2Fas.example%2Ft1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			refusal := w.request(t, "state", c.state).Refuse(oauth.AccessDenied, "the user said no")
			if got := refusal.Location(issuer); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			wantCode(t, refusal, oauth.AccessDenied)
			if got := refusal.Error(); got != "access_denied: the user said no" {
				t.Errorf("logged as %q", got)
			}
		})
	}
}

func TestRefusalAtOnce(t *testing.T) {
	trusting := tenant.Policy{TrustedRedirectHosts: []string{"C.example", "anysphere.cursor-mcp"}}
	byAdmin := registration.Origin("admin")
	cases := []struct {
		name, redirect string
		origin         registration.Origin
		policy         tenant.Policy
		session, want  bool
	}{
		{"loopback", "http://127.0.0.1:5/cb", registration.OriginDynamic, tenant.Policy{}, false, true},
		{"localhost", "http://localhost/cb", registration.OriginDynamic, tenant.Policy{}, false, true},
		{"A-11 https", "https://c.example/cb", registration.OriginDynamic, tenant.Policy{}, false, false},
		{"https, session", "https://c.example/cb", registration.OriginDynamic, tenant.Policy{}, true, true},
		{"https, trusted host", "https://c.example/cb", registration.OriginDynamic, trusting, false, true},
		{"https, trusted host with port", "https://c.example:8443/cb", registration.OriginDynamic, trusting, false, true},
		{"https, host below a trusted one", "https://x.c.example/cb", registration.OriginDynamic, trusting, false, false},
		{"https, host that ends like a trusted one", "https://xc.example/cb", registration.OriginDynamic, trusting, false, false},
		{"https, client of an administrator", "https://c.example/cb", byAdmin, tenant.Policy{}, false, true},
		{"private-use", "com.example.app:/cb", registration.OriginDynamic, tenant.Policy{}, false, false},
		{"private-use, session", "com.example.app:/cb", registration.OriginDynamic, tenant.Policy{}, true, true},
		{"private-use, trusted name", "cursor://anysphere.cursor-mcp/cb", registration.OriginDynamic, trusting, false, false},
		{"private-use, loopback name", "cursor://localhost/cb", registration.OriginDynamic, tenant.Policy{}, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			refusal := &Refusal{RedirectURI: c.redirect, Client: &registration.Client{Origin: c.origin}}
			if got := refusal.AtOnce(c.policy, c.session); got != c.want {
				t.Errorf("AtOnce = %v", got)
			}
		})
	}
}
