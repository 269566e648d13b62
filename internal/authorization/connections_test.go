package authorization

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

func TestConnections(t *testing.T) {
	w := newWorld(t)
	public := w.client
	first := w.tokens(t, "scope", "openid tools")
	w.clock = began.Add(time.Hour)
	w.client = w.register("c_second")
	w.tokens(t, "scope", "email")
	w.clock = began.Add(90 * time.Minute)
	w.tokens(t, "scope", "email")
	w.client = public
	w.tokens(t, "scope", "tools email")
	w.code(t, "scope", "profile") // Never redeemed.
	w.clock = began.Add(2 * time.Hour)
	w.mustToken(t, w.refreshing(first.RefreshToken))
	w.user = &Identity{AuthenticatedAt: w.clock, User: w.user.User}
	w.user.User.Subject = "u_bob"
	w.tokens(t)

	got := w.connections(t)
	want := map[string]Connection{
		"c_public": {Since: began, LastUsed: began.Add(2 * time.Hour)},
		"c_second": {Scope: []string{"email"}, Since: began.Add(time.Hour), LastUsed: began.Add(90 * time.Minute)},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for id, c := range want {
		if !got[id].Since.Equal(c.Since) || !got[id].LastUsed.Equal(c.LastUsed) || c.Scope != nil && !reflect.DeepEqual(got[id].Scope, c.Scope) {
			t.Errorf("%s: got %+v", id, got[id])
		}
	}
	if scope := got["c_public"].Scope; len(scope) != 3 || !containsAll(scope, []string{"openid", "tools", "email"}) {
		t.Errorf("scope %v", scope)
	}
}

// connections are Alice's, by client.
func (w *world) connections(t *testing.T) map[string]Connection {
	t.Helper()
	all, err := w.Connections(ctx, w.tenant, "u_alice")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Connection{}
	for _, c := range all {
		if _, twice := found[c.Client.ID]; twice {
			t.Errorf("%s stands twice", c.Client.ID)
		}
		found[c.Client.ID] = c
	}
	return found
}

func TestConnectionsOrder(t *testing.T) {
	w := newWorld(t)
	for i, id := range []string{"c_a", "c_b", "c_c"} {
		w.clock = began.Add(time.Duration(i) * time.Minute)
		w.client = w.register(id)
		w.tokens(t)
	}
	all, err := w.Connections(ctx, w.tenant, "u_alice")
	if err != nil || len(all) != 3 || all[0].Client.ID != "c_c" || all[2].Client.ID != "c_a" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestDisconnect(t *testing.T) {
	w := newWorld(t)
	tokens := w.tokens(t)
	for _, id := range []string{"c_unknown", "", "c_\x00"} {
		if err := w.Disconnect(ctx, w.tenant, "u_alice", id, registration.Access{}); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := w.Disconnect(ctx, w.tenant, "u_bob", w.client.ID, registration.Access{}); err != nil {
		t.Fatal(err)
	}
	if len(w.connections(t)) != 1 {
		t.Error("ended by another user")
	}
	if err := w.Disconnect(ctx, w.tenant, "u_alice", w.client.ID, registration.Access{}); err != nil {
		t.Fatal(err)
	}
	if len(w.connections(t)) != 0 {
		t.Error("still there")
	}
	w.refuseToken(t, w.refreshing(tokens.RefreshToken), oauth.InvalidGrant)
	w.wantConsent(t)
}

func TestConnectionsFail(t *testing.T) {
	for _, method := range []string{"GrantsOf", "Find"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.tokens(t)
			w.store.breakDown(method)
			if got, err := w.Connections(ctx, w.tenant, "u_alice"); !errors.Is(err, errNoDatabase) || got != nil {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestConnectionsOfAClientThatGoes: between the reading of the grants and of the client.
func TestConnectionsOfAClientThatGoes(t *testing.T) {
	w := newWorld(t)
	w.tokens(t)
	delete(w.store.clients, key("one", w.client.ID))
	if got := w.connections(t); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}
