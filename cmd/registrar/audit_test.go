package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/store"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// command runs a command line on the server's database and returns what it prints.
func (s *server) command(t *testing.T, args ...string) string {
	t.Helper()
	var out strings.Builder
	if err := run(t.Context(), args, s.environ(), &out, io.Discard); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

func (s *server) environ() []string {
	return []string{"REGISTRAR_DATABASE_URL=" + s.Database, "REGISTRAR_SECRET_KEY=" + secretKey}
}

// trail is what audit export writes, the newest first.
func (s *server) trail(t *testing.T, args ...string) []audit.Entry {
	t.Helper()
	var entries []audit.Entry
	for line := range strings.Lines(s.command(t, append([]string{"audit", "export"}, args...)...)) {
		var e audit.Entry
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		entries = append(entries, e)
	}
	return entries
}

// awaitCounted waits until the trail holds so many acts of this kind, and returns their entries.
func (s *server) awaitCounted(t *testing.T, action audit.Action, want int64) []audit.Entry {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		entries, sum := s.trail(t, "--action", string(action)), int64(0)
		for _, e := range entries {
			sum += e.Count
		}
		if sum >= want {
			return entries
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d were counted, want %d: %+v", sum, want, entries)
		}
	}
}

func TestAuditTrail(t *testing.T) {
	t.Parallel() // it waits for what is written now and then
	eachStore(t, func(t *testing.T, s *server) {
		t.Run("the life of a client", s.auditLife)
		t.Run("misuse", s.auditMisuse)
		t.Run("refusals", s.auditRefusals)
		t.Run("a user disconnects", s.auditDisconnection)
		t.Run("a code that is used twice", s.auditReuse)
		t.Run("key rotation", s.auditRotation)
	})
}

// told is what an entry says, save where and when.
func told(entries []audit.Entry) (lines []string) {
	for _, e := range entries {
		lines = append(lines, strings.TrimSpace(string(e.Action)+" by "+e.Actor+" "+e.Reason))
	}
	return lines
}

func wantTold(t *testing.T, entries []audit.Entry, want ...string) {
	t.Helper()
	if got := told(entries); !slices.Equal(got, want) {
		t.Errorf("the trail says\n%q\nwant\n%q", got, want)
	}
}

func (s *server) auditLife(t *testing.T) {
	agent := map[string]string{"User-Agent": "Life/1.0"}
	began := time.Now().Add(-time.Minute)
	registered := s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: minimal(), Header: agent})
	id := registered.str(t, "client_id")
	wantTold(t, s.trail(t, "--client", id), "client.registered by anonymous")

	s.update(t, registered, with(minimal(), object{"client_name": "Another", "token_endpoint_auth_method": "client_secret_post"}))
	s.manage(t, http.MethodPut, registered, with(minimal(), object{"client_id": id, "client_name": 1})).wantError(t, http.StatusBadRequest, "invalid_client_metadata")
	s.command(t, "client", "suspend", id)
	s.command(t, "client", "approve", id)
	before := s.trail(t, "--client", id)
	deletion := managing(t, http.MethodDelete, registered, nil)
	deletion.Header = agent
	gone := s.send(t, deletion)

	entries := s.trail(t, "--client", id)
	wantTold(t, entries, "client.deleted by client", "client.approved by operator", "client.suspended by operator",
		"client.updated by client token_endpoint_auth_method, client_name, client_secret", "client.registered by anonymous")
	if len(entries) != len(before)+1 || !slices.Equal(entries[1:], before) {
		t.Errorf("the deletion changed what was: %+v, before %+v", entries, before)
	}
	for answer, e := range map[*reply]audit.Entry{&registered: entries[4], &gone: entries[0]} {
		want := audit.Entry{
			Tenant: tenant.DefaultID, ID: e.ID, At: e.At, Action: e.Action, ClientID: id, Actor: e.Actor,
			Address: "127.0.0.1", Agent: "Life/1.0", TraceID: answer.Header.Get("X-Request-Id"), Count: 1,
		}
		if e != want || e.At.Before(began) || e.At.After(time.Now().Add(time.Minute)) {
			t.Errorf("got %+v, want %+v", e, want)
		}
	}
}

func (s *server) auditMisuse(t *testing.T) {
	thief, victim := s.register(t, minimal()), s.register(t, minimal())
	for range 2 {
		s.presents(t, http.MethodGet, victim, "Bearer "+thief.str(t, "registration_access_token"))
	}
	id := thief.str(t, "client_id")
	wantTold(t, s.trail(t, "--client", id),
		"token.misused by client presented on "+victim.str(t, "client_id"), "client.registered by anonymous")
	wantTold(t, s.trail(t, "--client", victim.str(t, "client_id")), "client.registered by anonymous")
}

// auditRefusals refuses many for one reason and one for each of some others.
func (s *server) auditRefusals(t *testing.T) {
	const many = 100
	for range many {
		s.post(t, object{"redirect_uris": []string{"http://c.example/cb"}})
	}
	for _, body := range []any{
		with(minimal(), object{"client_name": 1}),
		with(minimal(), object{"client_name#x-p4ssw0rd": 1}),
		with(minimal(), object{"jwks": object{"keys": []any{object{"kty": "p4ssw0rd"}}}}),
		"p4ssw0rd:", `{"p4ssw0rd":1,"p4ssw0rd":1}`,
	} {
		s.post(t, body)
	}
	counts := map[string]int64{}
	entries := s.awaitCounted(t, audit.RegistrationRefused, many+5)
	for _, e := range entries {
		counts[e.Reason] += e.Count
		if e.Address != "127.0.0.1" || e.Actor != audit.Anonymous || e.ClientID != "" || e.TraceID == "" {
			t.Errorf("got %+v", e)
		}
	}
	want := map[string]int64{
		"invalid_redirect_uri: redirect_uris": many, "invalid_client_metadata: client_name": 2,
		"invalid_client_metadata: jwks": 1, "invalid_client_metadata": 2,
	}
	for reason, count := range want {
		if counts[reason] != count {
			t.Errorf("%s: %d, want %d of %v", reason, counts[reason], count, counts)
		}
	}
	// One entry for all alike, or two where the minute has passed meanwhile.
	if len(counts) != len(want) || len(entries) > 2*len(want) {
		t.Errorf("%d entries: %+v", len(entries), entries)
	}
}

func (s *server) auditDisconnection(t *testing.T) {
	client := s.public(t, callback).str(t, "client_id")
	v := s.visitor(t)
	s.tokens(t, redemption(client, v.code(t, authorizationRequest(client, callback, nil)), nil), nil)
	for range 2 {
		v.post(t, "/account/disconnect", url.Values{"client_id": {client}})
	}
	entries := s.trail(t, "--client", client)
	if len(entries) != 2 || entries[0].Action != audit.ClientDisconnected || !strings.HasPrefix(entries[0].Actor, registration.ActorUser("u_")) {
		t.Fatalf("the trail holds %+v", entries)
	}
	if entries[0].Address != "127.0.0.1" || entries[0].TraceID == "" {
		t.Errorf("got %+v", entries[0])
	}
}

func (s *server) auditReuse(t *testing.T) {
	client := s.public(t, callback).str(t, "client_id")
	code := redemption(client, s.visitor(t).code(t, authorizationRequest(client, callback, nil)), nil)
	s.tokens(t, code, nil)
	for range 2 {
		s.token(t, code, map[string]string{"User-Agent": "Thief/1.0"}).wantError(t, http.StatusBadRequest, "invalid_grant")
	}
	entries := s.trail(t, "--client", client)
	wantTold(t, entries, "grant.reused by client authorization_code presented by "+client, "client.registered by anonymous")
	if entries[0].Agent != "Thief/1.0" || entries[0].TraceID == "" {
		t.Errorf("got %+v", entries[0])
	}
}

func (s *server) auditRotation(t *testing.T) {
	if entries := s.trail(t, "--action", "keys.rotated"); len(entries) != 0 {
		t.Errorf("the first keys were ordered by nobody: %+v", entries)
	}
	for range 2 {
		s.command(t, "keys", "rotate")
	}
	lines := told(s.trail(t, "--action", "keys.rotated"))
	slices.Sort(lines)
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "keys.rotated by operator ES256, generation 2, key ") || !strings.Contains(lines[1], "RS256") {
		t.Errorf("the trail says %q", lines)
	}
}

// A limit is a reason too; and what was counted is written when the server ends.
func TestAuditAtTheEnd(t *testing.T) {
	for name, database := range stores {
		t.Run(name, func(t *testing.T) {
			var s *server
			settings := map[string]string{"REGISTRAR_DATABASE_URL": database(t), "REGISTRAR_REGISTRATION_RATE": "1/1h"}
			// The server ends with the subtest.
			t.Run("serve", func(t *testing.T) {
				s = startServer(t, settings)
				for range 3 {
					s.post(t, minimal())
				}
			})
			entries := s.trail(t, "--action", "registration.refused")
			if len(entries) == 0 || entries[0].Reason != "rate_limit_exceeded" {
				t.Errorf("the trail holds %+v", entries)
			}
		})
	}
}

func TestAuditExportSince(t *testing.T) {
	s := startServer(t, nil)
	s.register(t, minimal())
	for since, want := range map[string]int{
		"1h": 1, "0s": 0, time.Now().Add(-time.Hour).Format(time.RFC3339): 1, time.Now().Add(time.Hour).UTC().Format(time.RFC3339): 0,
	} {
		if got := len(s.trail(t, "--since", since)); got != want {
			t.Errorf("--since %s: %d entries, want %d", since, got, want)
		}
	}
	for _, args := range [][]string{
		{"export", "--since", "yesterday"}, {"export", "--since", "-1h"}, {"export", "x"},
		{"tail", "-o", "yaml"}, {"tail", "-n", "-1"}, {"tail", "-n", "many"}, {"tial"},
	} {
		if err := run(t.Context(), append([]string{"audit"}, args...), s.environ(), io.Discard, io.Discard); err == nil {
			t.Errorf("audit %v succeeded", args)
		}
	}
}

func TestAuditTail(t *testing.T) {
	s := startServer(t, nil)
	client := s.register(t, minimal())
	id := client.str(t, "client_id")
	s.update(t, client, with(minimal(), object{"client_name": "A"}))
	s.manage(t, http.MethodDelete, client, nil)

	const when = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  `
	cases := []struct {
		name string
		args []string
		want string
	}{
		{"all", nil, "TIME .*\n" + when + "client.registered     " + id + "  anonymous  127.0.0.1\n" +
			when + "client.updated        " + id + "  client  127.0.0.1  client_name\n" +
			when + "client.deleted        " + id + "  client  127.0.0.1\n"},
		{"the last", []string{"-n", "1"}, "TIME .*\n" + when + "client.deleted .*\n"},
		{"none", []string{"-n", "0"}, ""},
		{"of a client", []string{"--client", "c_none"}, ""},
		{"of an action", []string{"--action", "client.updated"}, "TIME .*\n" + when + "client.updated .*\n"},
		{"JSON", []string{"-n", "1", "-o", "json"}, `\{"tenant":"default","id":"[0-9a-z]{26}","at":"[^"]*Z","action":"client.deleted","client_id":"` + id +
			`","actor":"client","address":"127.0.0.1","agent":"Go-http-client/1.1","trace_id":"[0-9a-f]{32}","count":1\}` + "\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := s.command(t, append([]string{"audit", "tail"}, c.args...)...)
			if !regexp.MustCompile("^" + c.want + "$").MatchString(got) {
				t.Errorf("printed\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestAuditFollow(t *testing.T) {
	t.Parallel() // it waits for what is written now and then
	s := startServer(t, nil)
	before := s.register(t, minimal()).str(t, "client_id")
	ctx, interrupt := context.WithCancel(t.Context())
	out, ended := &logBuffer{}, make(chan error, 1)
	go func() { ended <- run(ctx, []string{"audit", "tail", "-f", "-n", "1"}, s.environ(), out, io.Discard) }()
	await := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), text); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not followed: %s in %s", text, out)
			}
		}
	}
	await(before)
	after := s.register(t, minimal()).str(t, "client_id")
	await(after)
	for _, count := range []string{"  anonymous", "2×  anonymous"} {
		s.post(t, object{"redirect_uris": []string{"http://c.example/cb"}})
		await("registration.refused  " + strings.TrimLeft(count, " "))
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	for _, id := range []string{before, after} {
		if n := strings.Count(out.String(), id); n != 1 {
			t.Errorf("%s is told %d times in\n%s", id, n, out)
		}
	}
}

// What a client or a user made up cannot take hold of the terminal, nor break the lines.
func TestAuditFormats(t *testing.T) {
	hostile := "\x1b[2J\a\r\n\u009b31m\u202egpj\u2028\u2066\u200b\x7f\U000e0001 ok"
	e := audit.Entry{
		At: time.Date(2026, 11, 23, 10, 8, 7, 0, time.FixedZone("", 3600)), Action: audit.ClientUpdated,
		ClientID: hostile, Actor: hostile, Address: hostile, Agent: hostile, Reason: strings.Repeat("é", 200), TraceID: hostile, Count: 1 << 40,
	}
	for format, show := range formats {
		t.Run(format, func(t *testing.T) {
			var out strings.Builder
			if err := show(&out)(e); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			last := lines[len(lines)-1]
			if strings.ContainsFunc(last, isInvisible) || !strings.Contains(last, " ok") {
				t.Errorf("printed %q", out.String())
			}
			if format == "table" && (len(lines) != 2 || utf8.RuneCountInString(last) != tableWidth || !strings.HasPrefix(last, "2026-11-23T09:08:07Z  client.updated ")) {
				t.Errorf("printed %q", lines)
			}
			var back audit.Entry
			if format == "json" && (len(lines) != 1 || json.Unmarshal([]byte(last), &back) != nil || back.Agent != hostile || back.Reason != e.Reason) {
				t.Errorf("printed %q, which reads %+v", last, back)
			}
		})
	}
}

func TestCleanupTrimsTheTrail(t *testing.T) {
	for name, database := range stores {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), database(t))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			now := time.Now().UTC()
			for _, age := range []time.Duration{3 * time.Hour, 61 * time.Minute, 59 * time.Minute, 0} {
				e := audit.Entry{Tenant: tenant.DefaultID, ID: audit.NewID(now.Add(-age)), At: now.Add(-age), Action: audit.RegistrationRefused, Count: 1}
				if err := db.CountEntries(t.Context(), []audit.Entry{e}); err != nil {
					t.Fatal(err)
				}
			}
			for retention, want := range map[time.Duration]int{0: 4, time.Hour: 2} {
				c := cleaner(db, "one")
				c.retention = retention
				if err := c.once(t.Context(), now); err != nil {
					t.Fatal(err)
				}
				left, _, err := db.ListEntries(t.Context(), tenant.DefaultID, audit.Query{Limit: 9})
				if retention > 0 && len(left) != want || len(left) < 2 || err != nil {
					t.Errorf("retention %v: %d left, %v, want %d", retention, len(left), err, want)
				}
			}
		})
	}
}

// A client that is known by its document has its entries, and so has what was fetched for it.
func TestAuditOfDocuments(t *testing.T) {
	t.Parallel() // it waits for what is written now and then
	eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) {
		const nowhere = "https://nowhere.example/client.json"
		e.answers(docURL, document(docURL, nil))
		s.documentedTokens(t, docURL, callback)
		s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(nowhere, callback, nil).Encode())
		s.command(t, "client", "suspend", docURL, nowhere)

		entries := s.trail(t, "--client", docURL)
		if len(entries) != 2 || entries[0].Action != audit.ClientSuspended || entries[1].Action != audit.ClientRegistered ||
			!strings.HasPrefix(entries[1].Actor, registration.ActorUser("u_")) || entries[1].TraceID == "" {
			t.Errorf("the trail holds %+v", entries)
		}
		wantTold(t, s.trail(t, "--client", nowhere), "client.suspended by operator")
		lines := told(s.awaitCounted(t, audit.Fetched("document"), 2))
		slices.Sort(lines)
		want := []string{"fetch.document by anonymous succeeded client.example", "fetch.document by anonymous unacceptable nowhere.example"}
		if !slices.Equal(lines, want) {
			t.Errorf("the trail says %q, want %q", lines, want)
		}
	})
}
