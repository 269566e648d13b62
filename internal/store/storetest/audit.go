package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/signing"
)

// AuditStore is the trail and all that writes to it.
type AuditStore interface {
	audit.Store
	registration.Store
	authorization.Store
	signing.Store
}

// RunAudit runs the suite of [audit.Store], and of what the other stores write to it; open
// is as in [Run].
func RunAudit(t *testing.T, open func(t *testing.T) AuditStore) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, AuditStore)
	}{
		{"each change has its entry", changes},
		{"no change, no entry", noChanges},
		{"a cancelled change leaves no entry", cancelledChanges},
		{"a registration is listed from its client's row", registrations},
		{"a document's client has entries of its own", documentEntries},
		{"a registration outlives its client, in its place", deletedRegistration},
		{"pages are whole, whatever is deleted meanwhile", pages},
		{"a page holds what the query asks for", queries},
		{"tenants have trails of their own", trailsApart},
		{"any text can stand in an entry", hostileEntries},
		{"counts add up", counts},
		{"parallel counts add up", parallelCounts},
		{"of parallel updates each that won has an entry", parallelEntries},
		{"old entries go, the oldest first", oldEntries},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// caller is somebody who asks over HTTP.
var caller = registration.Access{
	From: netip.MustParseAddr("2001:db8::9"), Agent: "Agent/1.0", TraceID: "00112233445566778899aabbccddeeff",
}

// wantedEntry is what the caller's act leaves in the trail, save the id.
func wantedEntry(action audit.Action, clientID, actor, reason string) audit.Entry {
	return audit.Entry{
		Tenant: "one", At: at, Action: action, ClientID: clientID, Actor: actor, Reason: reason,
		Address: "2001:db8::9", Agent: "Agent/1.0", TraceID: "00112233445566778899aabbccddeeff", Count: 1,
	}
}

func changes(t *testing.T, s AuditStore) {
	act := caller.Act(at, registration.ActorClient, "a, b")
	for _, c := range []struct {
		name   string
		action audit.Action
		change func(*registration.Client) error
	}{
		{"update", audit.ClientUpdated, func(c *registration.Client) error { return s.Update(t.Context(), c, act) }},
		{"revoke", audit.TokenMisused, func(c *registration.Client) error {
			return s.RevokeAccessToken(t.Context(), "one", c.ID, c.AccessTokenDigest, act)
		}},
		{"suspend", audit.ClientSuspended, func(c *registration.Client) error {
			return s.SetStatus(t.Context(), "one", c.ID, registration.StatusSuspended, act)
		}},
		{"approve", audit.ClientApproved, func(c *registration.Client) error {
			return s.SetStatus(t.Context(), "one", c.ID, registration.StatusActive, act)
		}},
		{"delete", audit.ClientDeleted, func(c *registration.Client) error { return s.Delete(t.Context(), "one", c.ID, act) }},
		{"reuse", audit.GrantReused, func(c *registration.Client) error {
			g := fresh("g_reused")
			g.ClientID = c.ID
			return errors.Join(s.CreateGrant(t.Context(), g), s.RevokeReused(t.Context(), g, act))
		}},
		{"disconnect grants", audit.ClientDisconnected, func(c *registration.Client) error {
			g := redeemed("g_disconnected")
			g.ClientID = c.ID
			return errors.Join(s.CreateGrant(t.Context(), g), s.Disconnect(t.Context(), "one", g.User.Subject, c.ID, act))
		}},
		{"disconnect consents", audit.ClientDisconnected, func(c *registration.Client) error {
			remembered := consent(c.ID)
			return errors.Join(s.SaveConsent(t.Context(), remembered), s.Disconnect(t.Context(), "one", remembered.Subject, c.ID, act))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := registration.ClientIDPrefix + audit.NewID(at.Add(-time.Hour))
			client := clientFor(t, s, "one", id)
			must(t, c.change(client))
			wantEntries(t, s, audit.Query{ClientID: id}, wantedEntry(c.action, id, "client", "a, b"), registered(client))
		})
	}
	t.Run("rotate", func(t *testing.T) {
		first, next := key(oauth.ES256, 1), key(oauth.ES256, 2)
		must(t, errors.Join(s.CreateKey(t.Context(), first, ""), s.CreateKey(t.Context(), next, "operator")))
		wantError(t, "CreateKey", s.CreateKey(t.Context(), next, "operator"), signing.ErrExists)
		wantEntries(t, s, audit.Query{Action: audit.KeysRotated}, audit.Entry{
			Tenant: first.Tenant, At: next.CreatedAt, Action: audit.KeysRotated, Actor: "operator", Count: 1,
			Reason: "ES256, generation 2, key " + next.KeyID,
		})
	})
}

// registered is the entry that the client's row holds.
func registered(c *registration.Client) audit.Entry {
	e := audit.Entry{
		Tenant: c.Tenant, At: c.CreatedAt, Action: audit.ClientRegistered, ClientID: c.ID,
		Actor: registrant(c), Agent: c.CreatedAgent, TraceID: c.CreatedTrace, Count: 1,
	}
	if c.CreatedFrom.IsValid() {
		e.Address = c.CreatedFrom.String()
	}
	return e
}

func noChanges(t *testing.T, s AuditStore) {
	c := clientFor(t, s, "one", "c_"+audit.NewID(at))
	ended := fresh("g_1")
	ended.ClientID, ended.RevokedAt = c.ID, at
	must(t, s.CreateGrant(t.Context(), ended))
	stale := minimal(c.ID)
	stale.Version = 7
	wantError(t, "Update", s.Update(t.Context(), stale, act), registration.ErrConflict)
	must(t, s.RevokeAccessToken(t.Context(), "one", c.ID, digest("another"), act))
	must(t, s.RevokeReused(t.Context(), ended, act))
	must(t, s.Disconnect(t.Context(), "one", ended.User.Subject, c.ID, act))
	for _, id := range []string{"c_none", "c_\xff"} {
		wantError(t, "Update", s.Update(t.Context(), minimal(id), act), registration.ErrConflict)
		must(t, s.RevokeAccessToken(t.Context(), "one", id, c.AccessTokenDigest, act))
		wantError(t, "SetStatus", s.SetStatus(t.Context(), "one", id, registration.StatusSuspended, act), registration.ErrNotFound)
		wantError(t, "Delete", s.Delete(t.Context(), "one", id, act), registration.ErrNotFound)
		must(t, s.Disconnect(t.Context(), "one", "u_1", id, act))
		must(t, s.RevokeReused(t.Context(), fresh(id), act))
	}
	wantEntries(t, s, audit.Query{}, registered(c))
}

func cancelledChanges(t *testing.T, s AuditStore) {
	c := clientFor(t, s, "one", "c_"+audit.NewID(at))
	g := redeemed("g_1")
	g.ClientID = c.ID
	must(t, s.CreateGrant(t.Context(), g))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, change := range map[string]func() error{
		"Update":            func() error { return s.Update(ctx, c, act) },
		"RevokeAccessToken": func() error { return s.RevokeAccessToken(ctx, "one", c.ID, c.AccessTokenDigest, act) },
		"SetStatus":         func() error { return s.SetStatus(ctx, "one", c.ID, registration.StatusSuspended, act) },
		"Delete":            func() error { return s.Delete(ctx, "one", c.ID, act) },
		"RevokeReused":      func() error { return s.RevokeReused(ctx, g, act) },
		"Disconnect":        func() error { return s.Disconnect(ctx, "one", g.User.Subject, c.ID, act) },
		"CreateKey":         func() error { return s.CreateKey(ctx, key(oauth.ES256, 2), "operator") },
	} {
		wantError(t, name, change(), context.Canceled)
	}
	wantEntries(t, s, audit.Query{}, registered(c))
}

func registrations(t *testing.T, s AuditStore) {
	known := full("c_" + audit.NewID(at.Add(time.Second)))
	unknown := minimal("c_" + audit.NewID(at))
	mustCreate(t, s, known)
	mustCreate(t, s, unknown)
	// Its registration has an entry of its own, if any.
	byURL := minimal("https://client.example/metadata")
	mustCreate(t, s, byURL)
	want := registered(known)
	want.Address, want.TraceID = "2001:db8::7", "0123456789abcdef0123456789abcdef"
	wantEntries(t, s, audit.Query{}, want, registered(unknown))
	entries, _ := list(t, s, audit.Query{Limit: 10})
	for i, c := range []*registration.Client{known, unknown} {
		if "c_"+entries[i].ID != c.ID {
			t.Errorf("the entry of %s has the id %s", c.ID, entries[i].ID)
		}
	}
	must(t, s.Delete(t.Context(), "one", byURL.ID, act))
	wantEntries(t, s, audit.Query{ClientID: byURL.ID}, audit.Entry{
		Tenant: "one", At: at, Action: audit.ClientDeleted, ClientID: byURL.ID, Actor: "operator", Count: 1,
	})
}

func documentEntries(t *testing.T, s AuditStore) {
	first := documented(time.Hour)
	must(t, s.SaveDocument(t.Context(), first, caller.Act(at, "user u_1", "")))
	want := []audit.Entry{wantedEntry(audit.ClientRegistered, first.ID, "user u_1", "")}
	wantEntries(t, s, audit.Query{}, want...)

	// A copy that is as old, one that is newer and says the same, and one that does not.
	must(t, s.SaveDocument(t.Context(), first, caller.Act(at.Add(time.Hour), "client", "client_name")))
	must(t, s.SaveDocument(t.Context(), documented(2*time.Hour), caller.Act(at.Add(2*time.Hour), "client", "")))
	wantEntries(t, s, audit.Query{}, want...)
	must(t, s.SaveDocument(t.Context(), documented(3*time.Hour), caller.Act(at.Add(3*time.Hour), "client", "client_name")))
	changed := wantedEntry(audit.ClientUpdated, first.ID, "client", "client_name")
	changed.At = at.Add(3 * time.Hour)
	wantEntries(t, s, audit.Query{ClientID: first.ID}, changed, want[0])

	blank := documented(0)
	blank.ID, blank.Status, blank.DocumentFetchedAt = "https://blank.example/client", registration.StatusSuspended, time.Time{}
	must(t, s.SaveDocument(t.Context(), blank, caller.Act(at, "operator", "")))
	wantEntries(t, s, audit.Query{ClientID: blank.ID}, wantedEntry(audit.ClientSuspended, blank.ID, "operator", ""))

	must(t, s.Delete(t.Context(), "one", first.ID, caller.Act(at.Add(4*time.Hour), "operator", "")))
	gone := wantedEntry(audit.ClientDeleted, first.ID, "operator", "")
	gone.At = at.Add(4 * time.Hour)
	wantEntries(t, s, audit.Query{ClientID: first.ID}, gone, changed, want[0])
}

func deletedRegistration(t *testing.T, s AuditStore) {
	older, gone, newer := minimal("c_"+audit.NewID(at)), full("c_"+audit.NewID(at.Add(time.Second))), minimal("c_"+audit.NewID(at.Add(2*time.Second)))
	for _, c := range []*registration.Client{older, gone, newer} {
		mustCreate(t, s, c)
	}
	before, _ := list(t, s, audit.Query{Limit: 10})
	must(t, s.Delete(t.Context(), "one", gone.ID, actAt(at.Add(time.Hour))))
	after, _ := list(t, s, audit.Query{Limit: 10})
	if len(after) != 4 || !slices.Equal(after[1:], before) {
		t.Errorf("listed\n%+v\nbefore the deletion\n%+v", after, before)
	}
	// A client of the same name can come and go again.
	mustCreate(t, s, gone)
	must(t, s.Delete(t.Context(), "one", gone.ID, act))
}

func pages(t *testing.T, s AuditStore) {
	const clients = 7
	all := make([]*registration.Client, clients)
	for i := range all {
		when := at.Add(time.Duration(i) * time.Minute)
		all[i] = clientFor(t, s, "one", "c_"+audit.NewID(when))
		must(t, s.Update(t.Context(), all[i], actAt(when.Add(time.Second))))
	}
	whole, _ := list(t, s, audit.Query{Limit: 100})
	if len(whole) != 2*clients || !slices.IsSortedFunc(whole, func(a, b audit.Entry) int { return strings.Compare(b.ID, a.ID) }) {
		t.Fatalf("%d entries, out of order or too few", len(whole))
	}
	for _, size := range []int{1, 2, 3, 5, 2 * clients, 2*clients + 1} {
		if paged := listPages(t, s, audit.Query{Limit: size}, nil); !slices.Equal(paged, whole) {
			t.Errorf("in pages of %d: %+v", size, paged)
		}
	}
	// What is new comes before the first page; what moves keeps its place.
	deleted := 0
	paged := listPages(t, s, audit.Query{Limit: 1}, func() {
		if deleted < clients {
			must(t, s.Delete(t.Context(), "one", all[deleted].ID, actAt(at.Add(24*time.Hour))))
			deleted++
		}
	})
	if !slices.Equal(paged, whole) {
		t.Errorf("while clients were deleted: %+v", paged)
	}
}

// listPages goes on from page to page, and calls between, if there is one, after each.
func listPages(t *testing.T, s AuditStore, q audit.Query, between func()) (all []audit.Entry) {
	t.Helper()
	for {
		entries, next := list(t, s, q)
		all = append(all, entries...)
		if next == "" {
			return all
		}
		if q.Before = next; between != nil {
			between()
		}
	}
}

func queries(t *testing.T, s AuditStore) {
	one, two := clientFor(t, s, "one", "c_"+audit.NewID(at)), clientFor(t, s, "one", "c_"+audit.NewID(at.Add(time.Minute)))
	must(t, s.Update(t.Context(), one, actAt(at.Add(2*time.Minute))))
	must(t, s.Update(t.Context(), two, actAt(at.Add(3*time.Minute))))
	must(t, s.Delete(t.Context(), "one", two.ID, actAt(at.Add(4*time.Minute))))
	all, _ := list(t, s, audit.Query{Limit: 9})
	if len(all) != 5 {
		t.Fatalf("listed %+v", all)
	}
	for _, c := range []struct {
		name string
		q    audit.Query
		want []int
	}{
		{"all", audit.Query{}, []int{0, 1, 2, 3, 4}},
		{"of a client that stands", audit.Query{ClientID: one.ID}, []int{2, 4}},
		{"of a client that is gone", audit.Query{ClientID: two.ID}, []int{0, 1, 3}},
		{"of no client", audit.Query{ClientID: "c_none"}, nil},
		{"of one action", audit.Query{Action: audit.ClientUpdated}, []int{1, 2}},
		{"registrations", audit.Query{Action: audit.ClientRegistered}, []int{3, 4}},
		{"of no action", audit.Query{Action: "none"}, nil},
		{"of one action and client", audit.Query{Action: audit.ClientRegistered, ClientID: two.ID}, []int{3}},
		{"before", audit.Query{Before: all[2].ID}, []int{3, 4}},
		{"after", audit.Query{After: all[2].ID}, []int{0, 1}},
		{"between", audit.Query{After: all[4].ID, Before: all[0].ID}, []int{1, 2, 3}},
		{"after a time", audit.Query{After: audit.FirstID(at.Add(3 * time.Minute))}, []int{0, 1}},
		{"before the first", audit.Query{Before: audit.FirstID(at)}, nil},
		{"not text", audit.Query{ClientID: "\xff"}, nil},
		{"no cursor", audit.Query{Before: "\x00"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []audit.Entry
			for _, i := range c.want {
				want = append(want, all[i])
			}
			c.q.Limit = 9
			if got, next := list(t, s, c.q); !slices.Equal(got, want) || next != "" {
				t.Errorf("listed %+v, next %q, want %+v", got, next, want)
			}
			c.q.Limit = 1
			if got := listPages(t, s, c.q, nil); !slices.Equal(got, want) {
				t.Errorf("one by one %+v, want %+v", got, want)
			}
			for _, limit := range []int{0, -1} {
				c.q.Limit = limit
				if got, next := list(t, s, c.q); got != nil || next != "" {
					t.Errorf("limit %d: %+v, %q", limit, got, next)
				}
			}
		})
	}
}

func trailsApart(t *testing.T, s AuditStore) {
	id := "c_" + audit.NewID(at)
	here, there := clientFor(t, s, "one", id), clientFor(t, s, "two", id)
	must(t, s.Delete(t.Context(), "two", id, act))
	must(t, s.CountEntries(t.Context(), []audit.Entry{counted("two", "r", 1)}))
	wantEntries(t, s, audit.Query{}, registered(here))
	wantEntries(t, s, audit.Query{ClientID: id}, registered(here))
	if got, _, err := s.ListEntries(t.Context(), "two", audit.Query{Limit: 9}); err != nil || len(got) != 3 || got[2].Tenant != "two" {
		t.Errorf("of the other tenant %+v, %v, want 3 of %s", got, err, there.Tenant)
	}
	wantRemoved(t, 0)(s.DeleteEntries(t.Context(), "one", at.Add(100*time.Hour), 9))
}

func hostileEntries(t *testing.T, s AuditStore) {
	texts := map[string]string{"not text": "a\xff\x00b"}
	for name, text := range hostile {
		texts[name] = text
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			c := clientFor(t, s, "one", "c_"+audit.NewID(at))
			act := registration.Act{At: at, Actor: text, Agent: text, Reason: text, TraceID: text}
			must(t, s.Update(t.Context(), c, act))
			want := text
			if name == "not text" {
				want = "a\ufffd\ufffdb"
			}
			got, _ := list(t, s, audit.Query{ClientID: c.ID, Action: audit.ClientUpdated, Limit: 2})
			if len(got) != 1 || got[0].Actor != want || got[0].Agent != want || got[0].Reason != want || got[0].TraceID != want {
				t.Errorf("listed %+v", got)
			}
		})
	}
}

// counted is an entry as a tally makes it.
func counted(tenant, reason string, count int64) audit.Entry {
	return audit.Entry{
		Tenant: tenant, ID: "01m85c4g00" + reason + "000000000000000"[len(reason)-1:], At: at.Truncate(time.Minute),
		Action: audit.RegistrationRefused, Actor: audit.Anonymous, Address: "192.0.2.1", Reason: reason, Count: count,
	}
}

func counts(t *testing.T, s AuditStore) {
	must(t, s.CountEntries(t.Context(), nil))
	must(t, s.CountEntries(t.Context(), []audit.Entry{counted("one", "a", 2), counted("one", "b", 1), counted("two", "a", 100)}))
	again := counted("one", "a", 40)
	again.Agent, again.TraceID = "another", "another"
	must(t, s.CountEntries(t.Context(), []audit.Entry{again, counted("one", "c", 3)}))
	wantEntries(t, s, audit.Query{}, counted("one", "c", 3), counted("one", "b", 1), counted("one", "a", 42))
}

func parallelCounts(t *testing.T, s AuditStore) {
	errs := inParallel(rivals, func(i int) error {
		return s.CountEntries(t.Context(), []audit.Entry{counted("one", "a", 1), counted("one", "b", int64(i))})
	})
	must(t, errors.Join(errs...))
	wantEntries(t, s, audit.Query{}, counted("one", "b", rivals*(rivals-1)/2), counted("one", "a", rivals))
}

func parallelEntries(t *testing.T, s AuditStore) {
	c := clientFor(t, s, "one", "c_"+audit.NewID(at))
	won := make([]int64, rivals)
	errs := inParallel(rivals, func(i int) error {
		for {
			present, err := s.Find(t.Context(), "one", c.ID)
			if err != nil {
				return err
			}
			err = s.Update(t.Context(), present, registration.Act{At: at.Add(time.Second), Actor: fmt.Sprint("rival ", i)})
			if won[i] = present.Version; !errors.Is(err, registration.ErrConflict) {
				return err
			}
		}
	})
	must(t, errors.Join(errs...))
	entries, _ := list(t, s, audit.Query{ClientID: c.ID, Action: audit.ClientUpdated, Limit: 2 * rivals})
	actors := map[string]bool{}
	for _, e := range entries {
		actors[e.Actor] = true
	}
	if len(entries) != rivals || len(actors) != rivals {
		t.Errorf("%d entries of %d rivals, want one of each of %d", len(entries), len(actors), rivals)
	}
}

func oldEntries(t *testing.T, s AuditStore) {
	c := clientFor(t, s, "one", "c_"+audit.NewID(at.Add(-time.Hour)))
	for i := range 5 {
		must(t, s.Update(t.Context(), c, actAt(at.Add(time.Duration(i)*time.Minute))))
	}
	before := at.Add(3 * time.Minute)
	for _, limit := range []int{0, -1} {
		wantRemoved(t, 0)(s.DeleteEntries(t.Context(), "one", before, limit))
	}
	wantRemoved(t, 0)(s.DeleteEntries(t.Context(), "one", at, 9))
	wantRemoved(t, 0)(s.DeleteEntries(t.Context(), "two", before, 9))
	wantRemoved(t, 0)(s.DeleteEntries(t.Context(), "\x00", before, 9))
	wantRemoved(t, 2)(s.DeleteEntries(t.Context(), "one", before, 2))
	entries, _ := list(t, s, audit.Query{Limit: 9})
	if len(entries) != 4 || !entries[2].At.Equal(at.Add(2*time.Minute)) || entries[3].Action != audit.ClientRegistered {
		t.Errorf("after the oldest went: %+v", entries)
	}
	wantRemoved(t, 1)(s.DeleteEntries(t.Context(), "one", before, 9))
	wantRemoved(t, 0)(s.DeleteEntries(t.Context(), "one", before, 9))
	if entries, _ := list(t, s, audit.Query{Limit: 9}); len(entries) != 3 {
		t.Errorf("left: %+v", entries)
	}
}

// list lists entries of the tenant "one".
func list(t *testing.T, s audit.Store, q audit.Query) (entries []audit.Entry, next string) {
	t.Helper()
	entries, next, err := s.ListEntries(t.Context(), "one", q)
	must(t, err)
	return entries, next
}

// wantEntries compares all that the query finds, save what no test knows: ids that were drawn.
func wantEntries(t *testing.T, s audit.Store, q audit.Query, want ...audit.Entry) {
	t.Helper()
	q.Limit = len(want) + 10
	got, next := list(t, s, q)
	if next != "" {
		t.Errorf("more follow after %s", next)
	}
	for i := range got {
		if len(got[i].ID) != 26 {
			t.Errorf("the id %q is no ULID", got[i].ID)
		}
		if i < len(want) && want[i].ID == "" {
			got[i].ID = ""
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed\n%+v\nwant\n%+v", got, want)
	}
}

// registrant is who registered the client.
func registrant(c *registration.Client) string {
	if c.InitialToken == "" {
		return audit.Anonymous
	}
	return audit.InitialToken + c.InitialToken
}
