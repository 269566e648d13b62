package storetest

import (
	"crypto/rand"
	"reflect"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func uses(n int64) *int64 { return &n }

// initialToken has a value in every field but RevokedAt.
func initialToken(id string) *registration.InitialAccessToken {
	return &registration.InitialAccessToken{
		Tenant: "one", ID: id, Name: "Partner ☕ '\"", Digest: digest("token " + id),
		Bounds: registration.Bounds{
			Scopes: []string{"openid", "read"}, GrantTypes: []oauth.GrantType{oauth.GrantAuthorizationCode}, RedirectHosts: tenant.Hosts{"a.example", "*.b.example"},
		},
		UsesLeft: uses(2), CreatedAt: at, ExpiresAt: at.Add(time.Hour),
	}
}

// withToken is a client that is registered with the token.
func withToken(id string, token *registration.InitialAccessToken) *registration.Client {
	c := full(id)
	c.InitialToken, c.Bounds = token.ID, token.Bounds
	return c
}

func wantInitialToken(t *testing.T, s registration.Store, want *registration.InitialAccessToken) {
	t.Helper()
	got, err := s.FindInitialToken(t.Context(), want.Tenant, want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v, %v\nwant %+v", got, err, want)
	}
}

func initialTokens(t *testing.T, s registration.Store) {
	bare := &registration.InitialAccessToken{Tenant: "one", ID: "b_bare", Name: "", Digest: digest("x"), CreatedAt: at}
	for _, token := range []*registration.InitialAccessToken{initialToken("a"), bare} {
		must(t, s.CreateInitialToken(t.Context(), token, act))
		wantInitialToken(t, s, token)
	}
	if all, err := s.InitialTokens(t.Context(), "one"); err != nil || len(all) != 2 || all[0].ID != bare.ID || all[1].ID != "a" {
		t.Errorf("listed %v, %v", all, err)
	}
	if others, err := s.InitialTokens(t.Context(), "two"); err != nil || len(others) != 0 {
		t.Errorf("another tenant has %v, %v", others, err)
	}
	for _, other := range []struct{ tenant, id string }{{"one", "none"}, {"two", "a"}, {"one", "a\xff"}} {
		_, err := s.FindInitialToken(t.Context(), other.tenant, other.id)
		wantError(t, "FindInitialToken", err, registration.ErrNotFound)
		wantError(t, "RevokeInitialToken", s.RevokeInitialToken(t.Context(), other.tenant, other.id, act), registration.ErrNotFound)
	}

	revoked := initialToken("a")
	revoked.RevokedAt = at.Add(time.Minute)
	must(t, s.RevokeInitialToken(t.Context(), "one", "a", actAt(revoked.RevokedAt)))
	wantError(t, "a second RevokeInitialToken", s.RevokeInitialToken(t.Context(), "one", "a", actAt(revoked.RevokedAt.Add(time.Hour))), registration.ErrNotFound)
	wantInitialToken(t, s, revoked)
}

func createWithToken(t *testing.T, s registration.Store) {
	twice, forever := initialToken("twice"), initialToken("forever")
	forever.UsesLeft, forever.ExpiresAt, forever.Bounds = nil, time.Time{}, registration.Bounds{}
	expired, revoked := initialToken("expired"), initialToken("revoked")
	expired.ExpiresAt, revoked.RevokedAt = at, at
	for _, token := range []*registration.InitialAccessToken{twice, forever, expired, revoked} {
		must(t, s.CreateInitialToken(t.Context(), token, act))
	}
	for _, token := range []*registration.InitialAccessToken{twice, twice, forever, forever, forever} {
		c := withToken("c_"+token.ID+rand.Text(), token)
		must(t, s.CreateWithToken(t.Context(), c, at))
		wantStored(t, s, c)
	}
	for _, token := range []*registration.InitialAccessToken{twice, expired, revoked, {Tenant: "one", ID: "none"}, {Tenant: "one", ID: "\xff"}} {
		c := withToken("c_refused", token)
		wantError(t, "CreateWithToken "+token.ID, s.CreateWithToken(t.Context(), c, at), registration.ErrSpent)
		wantAbsent(t, s, c)
	}
	twice.UsesLeft = uses(0)
	wantInitialToken(t, s, twice)

	t.Run("a client that exists takes no use", func(t *testing.T) {
		token := initialToken("kept")
		must(t, s.CreateInitialToken(t.Context(), token, act))
		c := withToken("c_there", token)
		mustCreate(t, s, c)
		if err := s.CreateWithToken(t.Context(), c, at); err == nil {
			t.Error("it was created twice")
		}
		wantInitialToken(t, s, token)
	})
	t.Run("another tenant's token", func(t *testing.T) {
		c := withToken("c_other", forever)
		c.Tenant = "two"
		wantError(t, "CreateWithToken", s.CreateWithToken(t.Context(), c, at), registration.ErrSpent)
	})
}

// parallelUses: 20 parallel uses of a one-use token give one client.
func parallelUses(t *testing.T, s registration.Store) {
	const rivals = 20
	token := initialToken("once")
	token.UsesLeft = uses(1)
	must(t, s.CreateInitialToken(t.Context(), token, act))
	errs := inParallel(rivals, func(int) error {
		return s.CreateWithToken(t.Context(), withToken("c_"+rand.Text(), token), at)
	})
	onlySuccess(t, errs, registration.ErrSpent)
}
