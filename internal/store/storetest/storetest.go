// Package storetest holds the conformance suites of the stores that the domain rooms
// declare: what a store does, whatever the database.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
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

// Run runs the suite of [registration.Store]. Each call of open returns an empty store,
// or one that holds nothing of the tenants "one" and "two"; what it opens, it closes
// with the test.
func Run(t *testing.T, open func(t *testing.T) registration.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, registration.Store)
	}{
		{"a client is found as it was created", roundTrip},
		{"any text survives", hostileText},
		{"a client that exists is not overwritten", createTwice},
		{"tenants are apart", tenants},
		{"what is not there", absent},
		{"an update replaces what it may", update},
		{"an update needs the present version", updateStale},
		{"a token is revoked by its digest", revoke},
		{"the status of a client", status},
		{"the client of a document is saved", saveDocument},
		{"of parallel documents the newest stays", parallelDocuments},
		{"initial access tokens", initialTokens},
		{"a client takes a use of its token", createWithToken},
		{"of parallel uses of a token as many win as are left", parallelUses},
		{"clients that were never used give way", reclaim},
		{"a client is deleted once", deleteTwice},
		{"a cancelled call changes nothing", cancelled},
		{"of parallel updates one wins", parallelUpdates},
		{"parallel creates all last", parallelCreates},
		{"of parallel creates of one id one wins", parallelCreatesOfOne},
		{"of parallel deletes one succeeds", parallelDeletes},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// at is a time as the registry makes it: UTC, in microseconds.
var at = time.Date(2026, 11, 23, 9, 8, 7, 654321000, time.UTC)

// act is what a change is that is not about the trail.
var act = actAt(at)

func actAt(at time.Time) registration.Act {
	return registration.Act{At: at, Actor: registration.ActorOperator}
}

func minimal(id string) *registration.Client {
	return &registration.Client{
		Tenant: "one", ID: id,
		Origin: registration.OriginDynamic, ScopePolicy: registration.ScopeExplicit, Status: registration.StatusActive,
		Metadata: registration.Metadata{
			TokenEndpointAuthMethod: oauth.AuthNone,
			RedirectURIs:            []string{"https://client.example/cb"},
			GrantTypes:              []oauth.GrantType{oauth.GrantAuthorizationCode},
			ResponseTypes:           []string{oauth.ResponseTypeCode},
			ApplicationType:         oauth.ApplicationWeb,
		},
		AccessTokenDigest: digest("token of " + id),
		CreatedAt:         at, UpdatedAt: at, Version: 1,
	}
}

// full has a value in every field.
func full(id string) *registration.Client {
	c := minimal(id)
	c.Owner = "acct_7"
	c.Metadata = registration.Metadata{
		RedirectURIs: []string{
			"https://client.example/cb?a=1&b=%2F<x>", "https://CLIENT.example:443/Cb", "http://127.0.0.1/cb",
			"http://[::1]:7/", "com.example.app:/cb", "cursor://anysphere.cursor-retrieval/oauth/user-x/callback",
		},
		TokenEndpointAuthMethod: oauth.AuthClientSecretBasic,
		GrantTypes:              []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		ResponseTypes:           []string{oauth.ResponseTypeCode},
		Scope:                   "openid profile",
		ApplicationType:         oauth.ApplicationNative,
		ClientName:              "Café ☕ 客户端 \U0001F600",
		ClientURI:               "https://client.example/",
		LogoURI:                 "https://client.example/logo.png",
		TosURI:                  "https://client.example/tos",
		PolicyURI:               "https://client.example/policy",
		Localized:               map[string]string{"client_name#ja": "クライアント", "tos_uri#fr-CA": "https://client.example/cgu"},
		Contacts:                []string{"ops@client.example", "+1 555 0100"},
		JWKS:                    json.RawMessage(`{ "keys" : [{"kty":"RSA","n":"A\u0000\u003c<&","e":1e400,"x":[ ]}]	}`),
		JWKSURI:                 "https://client.example/jwks",
		SoftwareID:              "4NRB1-0XZABZI9E6-5SM3R",
		SoftwareVersion:         "2.1",
	}
	c.AuthMethodDefaulted = true
	c.SecretDigest = digest("secret of " + id)
	c.CreatedFrom = netip.MustParseAddr("2001:db8::7")
	c.CreatedAgent = "Client/1.0 (Ünïcode)"
	c.CreatedTrace = "0123456789abcdef0123456789abcdef"
	c.InitialToken = "01k9qv5w3m8zr4t6y2b0n7xdce"
	c.Bounds = registration.Bounds{Scopes: []string{"openid"}, RedirectHosts: tenant.Hosts{"client.example"}}
	c.UpdatedAt = at.Add(time.Microsecond)
	c.Version = 1 << 40
	return c
}

func digest(secret string) credential.Digest { return credential.Secret(secret).Digest() }

func roundTrip(t *testing.T, s registration.Store) {
	empty := minimal("c_empty-arrays")
	empty.Metadata.RedirectURIs, empty.Metadata.GrantTypes, empty.Metadata.ResponseTypes = []string{}, []string{}, nil
	wholeSecond := minimal("c_whole-second")
	wholeSecond.CreatedAt = at.Truncate(time.Second)
	mapped := minimal("c_mapped-address")
	mapped.CreatedFrom = netip.MustParseAddr("::ffff:192.0.2.1")
	zoned := minimal("c_zoned-address")
	zoned.CreatedFrom = netip.MustParseAddr("fe80::1%eth0")
	revoked := minimal("c_no-token")
	revoked.AccessTokenDigest = nil
	for _, c := range []*registration.Client{minimal("c_minimal"), full("c_full"), empty, wholeSecond, mapped, zoned, revoked} {
		t.Run(c.ID, func(t *testing.T) {
			mustCreate(t, s, c)
			wantStored(t, s, c)
		})
	}
}

// hostile are texts that break careless statements and encodings.
var hostile = map[string]string{
	"quotes":                `'; DROP TABLE clients; -- " ` + "`",
	"placeholders":          "? ?? $1 :a @b %s ?|",
	"backslashes":           `\ \\ \' \u0000 \x00`,
	"JSON":                  `","client_name":"x"}`,
	"markup":                "<script>&amp;\u2028\u2029",
	"blanks":                " \t\r\n ",
	"combining and bidi":    "e\u0301 \u202e\u200b\ufeff\ufffd",
	"last of Unicode":       "\U0010ffff",
	"long, does not shrink": strings.Repeat("é", 20000),
}

func hostileText(t *testing.T, s registration.Store) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			c := minimal("c_" + name)
			c.Owner, c.CreatedAgent = text, text
			c.Metadata.ClientName, c.Metadata.Scope = text, text
			c.Metadata.RedirectURIs, c.Metadata.Contacts = []string{text}, []string{text, ""}
			c.Metadata.Localized = map[string]string{"client_name#x-" + text: text}
			if len(text) < 200 {
				c.ID = text
			}
			mustCreate(t, s, c)
			wantStored(t, s, c)
		})
	}
	t.Run("an agent that is not text", func(t *testing.T) {
		c := minimal("c_agent")
		c.CreatedAgent = "a\xff\x00b"
		mustCreate(t, s, c)
		c.CreatedAgent = "a\ufffd\ufffdb"
		wantStored(t, s, c)
	})
}

func createTwice(t *testing.T, s registration.Store) {
	first, second := full("c_twice"), minimal("c_twice")
	mustCreate(t, s, first)
	if err := s.Create(t.Context(), second); err == nil || isUnavailable(err) {
		t.Errorf("the second Create returned %v, want a fault", err)
	}
	wantStored(t, s, first)
}

func tenants(t *testing.T, s registration.Store) {
	here, there := full("c_same"), minimal("c_same")
	there.Tenant = "two"
	mustCreate(t, s, here)
	wantAbsent(t, s, there)
	mustCreate(t, s, there)
	wantStored(t, s, here)
	wantStored(t, s, there)

	there.Metadata.ClientName = "changed"
	must(t, s.Update(t.Context(), there, act))
	must(t, s.RevokeAccessToken(t.Context(), there.Tenant, there.ID, here.AccessTokenDigest, act))
	there.AccessTokenDigest, there.Version = nil, there.Version+1
	wantStored(t, s, here)
	wantStored(t, s, there)

	must(t, s.Delete(t.Context(), there.Tenant, there.ID, act))
	wantAbsent(t, s, there)
	wantStored(t, s, here)
}

func absent(t *testing.T, s registration.Store) {
	mustCreate(t, s, minimal("c_here"))
	for name, id := range map[string]string{
		"unknown": "c_gone", "empty": "", "prefix": "c_her", "longer": "c_heree", "other case": "C_HERE",
		"pattern": "c_%", "NUL": "c_here\x00", "not UTF-8": "c_here\xff", "quote": "c_' OR '1'='1",
	} {
		t.Run(name, func(t *testing.T) {
			c := minimal(id)
			wantAbsent(t, s, c)
			wantError(t, "Update", s.Update(t.Context(), c, act), registration.ErrConflict)
			wantError(t, "Delete", s.Delete(t.Context(), c.Tenant, c.ID, act), registration.ErrNotFound)
			must(t, s.RevokeAccessToken(t.Context(), c.Tenant, c.ID, c.AccessTokenDigest, act))
		})
	}
	t.Run("a key that is not text", func(t *testing.T) {
		if err := s.Create(t.Context(), minimal("c_\xff")); err == nil || isUnavailable(err) {
			t.Errorf("Create returned %v, want a fault", err)
		}
	})
}

func update(t *testing.T, s registration.Store) {
	for name, to := range map[string]*registration.Client{"to everything": full("c_1"), "to nothing": minimal("c_2")} {
		t.Run(name, func(t *testing.T) {
			c := full(to.ID)
			if name == "to everything" {
				c = minimal(to.ID)
			}
			bystander := full(to.ID + "_bystander")
			mustCreate(t, s, c)
			mustCreate(t, s, bystander)

			to.Version = c.Version
			to.UpdatedAt = at.Add(time.Hour)
			to.CreatedAt, to.CreatedAgent, to.CreatedFrom = at.Add(time.Hour), "another", netip.MustParseAddr("192.0.2.9")
			to.CreatedTrace = "another"
			to.Origin, to.Owner = "another", "another"
			must(t, s.Update(t.Context(), to, act))
			if to.Version != c.Version+1 {
				t.Errorf("Update left version %d in the client, want %d", to.Version, c.Version+1)
			}
			c.Metadata, c.AuthMethodDefaulted, c.UpdatedAt, c.Version = to.Metadata, to.AuthMethodDefaulted, to.UpdatedAt, to.Version
			c.SecretDigest, c.AccessTokenDigest = to.SecretDigest, to.AccessTokenDigest
			wantStored(t, s, c)
			wantStored(t, s, bystander)
		})
	}
}

func updateStale(t *testing.T, s registration.Store) {
	c := minimal("c_stale")
	mustCreate(t, s, c)
	for _, version := range []int64{0, 2, -1} {
		stale := full(c.ID)
		stale.Version = version
		wantError(t, fmt.Sprintf("Update of version %d", version), s.Update(t.Context(), stale, act), registration.ErrConflict)
		if stale.Version != version {
			t.Errorf("a refused Update left version %d in the client, want %d", stale.Version, version)
		}
	}
	wantStored(t, s, c)

	must(t, s.Delete(t.Context(), c.Tenant, c.ID, act))
	wantError(t, "Update of a deleted client", s.Update(t.Context(), c, act), registration.ErrConflict)
	wantAbsent(t, s, c)
}

func revoke(t *testing.T, s registration.Store) {
	c := full("c_revoke")
	mustCreate(t, s, c)
	for _, other := range []credential.Digest{nil, {}, digest("another"), c.SecretDigest, c.AccessTokenDigest[:31]} {
		must(t, s.RevokeAccessToken(t.Context(), c.Tenant, c.ID, other, act))
	}
	wantStored(t, s, c)

	token := c.AccessTokenDigest
	must(t, s.RevokeAccessToken(t.Context(), c.Tenant, c.ID, token, act))
	c.AccessTokenDigest, c.Version = nil, c.Version+1
	wantStored(t, s, c)

	must(t, s.RevokeAccessToken(t.Context(), c.Tenant, c.ID, token, act))
	must(t, s.RevokeAccessToken(t.Context(), c.Tenant, c.ID, nil, act))
	wantStored(t, s, c)
}

func status(t *testing.T, s registration.Store) {
	c, bystander := full("c_status"), full("c_stays")
	mustCreate(t, s, c)
	mustCreate(t, s, bystander)
	for i, to := range []registration.Status{registration.StatusSuspended, registration.StatusSuspended, registration.StatusActive} {
		c.Status, c.UpdatedAt, c.Version = to, at.Add(time.Duration(i)*time.Hour), c.Version+1
		must(t, s.SetStatus(t.Context(), c.Tenant, c.ID, to, actAt(c.UpdatedAt)))
		wantStored(t, s, c)
	}
	wantStored(t, s, bystander)
	for _, other := range []struct{ tenant, id string }{{"one", "c_none"}, {"two", c.ID}, {"one", "c_\xff"}} {
		err := s.SetStatus(t.Context(), other.tenant, other.id, registration.StatusSuspended, act)
		wantError(t, "SetStatus of "+other.id, err, registration.ErrNotFound)
	}
	wantStored(t, s, c)

	suspended := full("c_suspended")
	suspended.Status = registration.StatusSuspended
	mustCreate(t, s, suspended)
	changed := full(suspended.ID)
	must(t, s.Update(t.Context(), changed, act))
	changed.Status = registration.StatusSuspended
	wantStored(t, s, changed)
}

func deleteTwice(t *testing.T, s registration.Store) {
	c, bystander := full("c_delete"), full("c_stays")
	mustCreate(t, s, c)
	mustCreate(t, s, bystander)
	must(t, s.Delete(t.Context(), c.Tenant, c.ID, act))
	wantAbsent(t, s, c)
	wantError(t, "the second Delete", s.Delete(t.Context(), c.Tenant, c.ID, act), registration.ErrNotFound)
	wantStored(t, s, bystander)
	mustCreate(t, s, c)
	wantStored(t, s, c)
}

func cancelled(t *testing.T, s registration.Store) {
	c := full("c_stays")
	mustCreate(t, s, c)
	changed := minimal(c.ID)
	changed.Version = c.Version
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Create": func() error { return s.Create(ctx, minimal("c_never")) },
		"Find":   func() error { _, err := s.Find(ctx, c.Tenant, c.ID); return err },
		"Update": func() error { return s.Update(ctx, changed, act) },
		"Revoke": func() error { return s.RevokeAccessToken(ctx, c.Tenant, c.ID, c.AccessTokenDigest, act) },
		"Delete": func() error { return s.Delete(ctx, c.Tenant, c.ID, act) },
	} {
		wantError(t, name, call(), context.Canceled)
	}
	wantStored(t, s, c)
	wantAbsent(t, s, minimal("c_never"))

	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if err := s.Create(late, minimal("c_never")); !isUnavailable(err) {
		t.Errorf("Create past its deadline returned %v, want temporarily_unavailable", err)
	}
	wantAbsent(t, s, minimal("c_never"))
}

func parallelUpdates(t *testing.T, s registration.Store) {
	const writers = 16
	c := minimal("c_contended")
	mustCreate(t, s, c)
	rivals := make([]*registration.Client, writers)
	errs := inParallel(writers, func(i int) error {
		rivals[i] = minimal(c.ID)
		rivals[i].Metadata.ClientName = fmt.Sprint("rival ", i)
		return s.Update(t.Context(), rivals[i], act)
	})
	winner := onlySuccess(t, errs, registration.ErrConflict)
	wantStored(t, s, rivals[winner])
}

func parallelCreates(t *testing.T, s registration.Store) {
	const writers = 50
	clients := make([]*registration.Client, writers)
	for i := range clients {
		clients[i] = full(fmt.Sprint("c_", i))
	}
	for i, err := range inParallel(writers, func(i int) error { return s.Create(t.Context(), clients[i]) }) {
		if err != nil {
			t.Errorf("Create %d: %v", i, err)
		}
	}
	for _, c := range clients {
		wantStored(t, s, c)
	}
}

func parallelCreatesOfOne(t *testing.T, s registration.Store) {
	const writers = 16
	rivals := make([]*registration.Client, writers)
	errs := inParallel(writers, func(i int) error {
		rivals[i] = minimal("c_contended")
		rivals[i].CreatedAgent = fmt.Sprint("rival ", i)
		return s.Create(t.Context(), rivals[i])
	})
	wantStored(t, s, rivals[onlySuccess(t, errs, nil)])
}

func parallelDeletes(t *testing.T, s registration.Store) {
	c := minimal("c_contended")
	mustCreate(t, s, c)
	errs := inParallel(20, func(int) error { return s.Delete(t.Context(), c.Tenant, c.ID, act) })
	onlySuccess(t, errs, registration.ErrNotFound)
	wantAbsent(t, s, c)
}

// inParallel makes n calls that start together and returns what each returned.
func inParallel(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	calls.Wait()
	return errs
}

// onlySuccess returns which call succeeded; the others must have failed with want, or
// with any fault if want is nil.
func onlySuccess(t *testing.T, errs []error, want error) int {
	t.Helper()
	successes, last := 0, 0
	for i, err := range errs {
		switch {
		case err == nil:
			successes, last = successes+1, i
		case isUnavailable(err), want != nil && !errors.Is(err, want):
			t.Errorf("call %d returned %v", i, err)
		}
	}
	if successes != 1 {
		t.Fatalf("%d calls succeeded, want 1", successes)
	}
	return last
}

func isUnavailable(err error) bool {
	var e *oauth.Error
	return errors.As(err, &e) && e.Code == oauth.TemporarilyUnavailable
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustCreate(t *testing.T, s registration.Store, c *registration.Client) {
	t.Helper()
	must(t, s.Create(t.Context(), c))
}

func wantError(t *testing.T, call string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s returned %v, want %v", call, err, want)
	}
}

func wantAbsent(t *testing.T, s registration.Store, c *registration.Client) {
	t.Helper()
	found, err := s.Find(t.Context(), c.Tenant, c.ID)
	if found != nil || !errors.Is(err, registration.ErrNotFound) {
		t.Errorf("Find returned %v, %v, want ErrNotFound", found, err)
	}
}

func wantStored(t *testing.T, s registration.Store, want *registration.Client) {
	t.Helper()
	got, err := s.Find(t.Context(), want.Tenant, want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found\n%+v\nwant\n%+v", got, want)
	}
}
