package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/authorization"
)

func consent(clientID string) *authorization.Consent {
	return &authorization.Consent{
		Tenant: "one", Subject: "u_1", ClientID: clientID, Target: digest("https://client.example/cb"),
		Scope: "openid profile", ClientDigest: digest("metadata of " + clientID),
		GrantedAt: at, ExpiresAt: at.Add(180 * 24 * time.Hour),
	}
}

func consentRoundTrip(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	noScope := consent("c_1")
	noScope.Target, noScope.Scope = []byte("without scope"), ""
	bytes := consent("c_1")
	bytes.Target, bytes.ClientDigest = []byte{0, 0xff, '\'', 0}, []byte{0}
	for _, c := range []*authorization.Consent{consent("c_1"), noScope, bytes} {
		must(t, s.SaveConsent(t.Context(), c))
		wantConsent(t, s, c)
	}
}

func consentReplaced(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	clientFor(t, s, "one", "c_2")
	otherTarget, otherUser, otherClient := consent("c_1"), consent("c_1"), consent("c_2")
	otherTarget.Target = []byte("another")
	otherUser.Subject = "u_2"
	c := consent("c_1")
	for _, one := range []*authorization.Consent{c, otherTarget, otherUser, otherClient} {
		must(t, s.SaveConsent(t.Context(), one))
	}
	c.Scope, c.ClientDigest = "another", digest("another")
	c.GrantedAt, c.ExpiresAt = at.Add(time.Hour), at.Add(time.Minute)
	must(t, s.SaveConsent(t.Context(), c))
	for _, one := range []*authorization.Consent{c, otherTarget, otherUser, otherClient} {
		wantConsent(t, s, one)
	}
}

func consentWithoutClient(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "two", "c_1")
	must(t, s.SaveConsent(t.Context(), consent("c_1")))
	wantNoConsent(t, s, consent("c_1"))
	clientFor(t, s, "one", "c_1")
	wantNoConsent(t, s, consent("c_1"))
}

func consentAbsent(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	here := consent("c_1")
	must(t, s.SaveConsent(t.Context(), here))
	for name, change := range map[string]func(*authorization.Consent){
		"another user":        func(c *authorization.Consent) { c.Subject = "u_2" },
		"another client":      func(c *authorization.Consent) { c.ClientID = "c_2" },
		"another target":      func(c *authorization.Consent) { c.Target = digest("another") },
		"no target":           func(c *authorization.Consent) { c.Target = nil },
		"part of the target":  func(c *authorization.Consent) { c.Target = c.Target[:31] },
		"subject and NUL":     func(c *authorization.Consent) { c.Subject += "\x00" },
		"client, not UTF-8":   func(c *authorization.Consent) { c.ClientID += "\xff" },
		"user and client mix": func(c *authorization.Consent) { c.Subject, c.ClientID = c.ClientID, c.Subject },
	} {
		t.Run(name, func(t *testing.T) {
			c := consent("c_1")
			change(c)
			wantNoConsent(t, s, c)
		})
	}
	wantConsent(t, s, here)
}

func assertionOnce(t *testing.T, s AuthorizationStore) {
	clientFor(t, s, "one", "c_1")
	clientFor(t, s, "one", "c_2")
	spend := func(clientID, jti string) error {
		return s.SpendAssertion(t.Context(), "one", clientID, []byte(jti), at.Add(time.Minute))
	}
	for _, c := range []struct {
		name, clientID, jti string
		want                error
	}{
		{"the first", "c_1", "jti", nil},
		{"the same", "c_1", "jti", authorization.ErrSpent},
		{"another jti", "c_1", "jti 2", nil},
		{"another client", "c_2", "jti", nil},
		{"the same again", "c_1", "jti", authorization.ErrSpent},
		{"a client that is not there", "c_3", "jti", authorization.ErrSpent},
		{"a client that is not text", "c_\xff", "jti", authorization.ErrSpent},
	} {
		wantError(t, c.name, spend(c.clientID, c.jti), c.want)
	}
}

func wantConsent(t *testing.T, s authorization.Store, want *authorization.Consent) {
	t.Helper()
	got, err := s.FindConsent(t.Context(), want.Tenant, want.Subject, want.ClientID, want.Target)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found\n%+v\nwant\n%+v", got, want)
	}
}

func wantNoConsent(t *testing.T, s authorization.Store, c *authorization.Consent) {
	t.Helper()
	found, err := s.FindConsent(t.Context(), c.Tenant, c.Subject, c.ClientID, c.Target)
	if found != nil {
		t.Errorf("FindConsent returned %v", found)
	}
	wantError(t, "FindConsent", err, authorization.ErrNotFound)
}
