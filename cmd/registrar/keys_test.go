package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/testenv"
)

// keyIDs are those that the server publishes, in order.
func (s *server) keyIDs(t *testing.T) []string {
	t.Helper()
	answer := s.send(t, request{Method: http.MethodGet, Path: "/oauth/jwks"})
	keys, _ := answer.Body["keys"].([]any)
	var ids []string
	for _, key := range keys {
		id, _ := key.(map[string]any)["kid"].(string)
		ids = append(ids, id)
	}
	return ids
}

// tokensOf goes the whole way for a new public client.
func (s *server) tokensOf(t *testing.T) reply {
	t.Helper()
	client := s.public(t, callback).str(t, "client_id")
	return s.tokens(t, redemption(client, s.visitor(t).code(t, authorizationRequest(client, callback, nil)), nil), nil)
}

func (p program) testSecretKeyFile(t *testing.T) {
	database := filepath.Join(t.TempDir(), "registrar.db")
	settings := map[string]string{"REGISTRAR_DATABASE_URL": "sqlite://" + database, "REGISTRAR_SECRET_KEY": ""}
	first := p.serve(t, settings)
	tokens := first.tokensOf(t)
	info, err := os.Stat(database + ".key")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v, %v", info, err)
	}
	before := first.keyIDs(t)
	if err := first.end(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	second := p.serve(t, settings)
	if after := second.keyIDs(t); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("other keys after a restart: %v, before %v", after, before)
	}
	second.claims(t, tokens.str(t, "access_token"), "at+jwt", jose.ES256)
	if err := second.end(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for name, breakIt := range map[string]func() error{
		"another key": func() error { return os.WriteFile(database+".key", []byte(secretKey+"\n"), 0o600) },
		"no base64":   func() error { return os.WriteFile(database+".key", []byte("?\n"), 0o600) },
		"too short":   func() error { return os.WriteFile(database+".key", []byte("AAECAw==\n"), 0o600) },
		"a lost file": func() error { return os.Remove(database + ".key") },
	} {
		if err := breakIt(); err != nil {
			t.Fatal(err)
		}
		got := p.run(t, map[string]string{"REGISTRAR_ADDR": "127.0.0.1:0", "REGISTRAR_DATABASE_URL": "sqlite://" + database}, "serve")
		if got.code != 1 || !strings.Contains(got.errors, "key") || strings.Contains(got.errors, secretKey) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func (p program) testRotateKeys(t *testing.T) {
	server := testenv.StartPostgres(t)
	settings := map[string]string{"REGISTRAR_DATABASE_URL": server.URL, "REGISTRAR_SECRET_KEY": secretKey}
	one := p.serve(t, settings, "--migrate")
	tokens := one.tokensOf(t)
	before := one.keyIDs(t)

	rotated := p.run(t, settings, "keys", "rotate")
	if rotated.code != 0 || strings.Count(rotated.out, "\n") != 2 || !containsAll(rotated.out, "ES256", "RS256", "signs from") {
		t.Fatalf("%+v", rotated)
	}
	if again := p.run(t, settings, "keys", "rotate"); again.code != 0 || strings.Count(again.out, "was made before") != 2 {
		t.Errorf("a second rotation at once: %+v", again)
	}
	two := p.serve(t, settings)
	after := two.keyIDs(t)
	if len(before) != 2 || len(after) != 4 || !containsAll(strings.Join(after, " "), before...) {
		t.Errorf("published %v, before %v", after, before)
	}
	t.Run("a replica takes the tokens of another", func(t *testing.T) {
		two.claims(t, tokens.str(t, "access_token"), "at+jwt", jose.ES256)
	})
	t.Run("a new key waits until it is known", func(t *testing.T) {
		client := two.public(t, callback).str(t, "client_id")
		code := two.visitor(t).code(t, authorizationRequest(client, callback, nil))
		fresh := two.tokens(t, redemption(client, code, nil), nil)
		one.claims(t, fresh.str(t, "access_token"), "at+jwt", jose.ES256)
	})
	t.Run("under another secret key nothing starts", func(t *testing.T) {
		other := map[string]string{"REGISTRAR_ADDR": "127.0.0.1:0", "REGISTRAR_DATABASE_URL": server.URL, "REGISTRAR_SECRET_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
		p.run(t, other, "serve").wantFault(t, "signing keys", "REGISTRAR_SECRET_KEY")
		p.run(t, other, "keys", "rotate").wantFault(t, "REGISTRAR_SECRET_KEY")
	})
	t.Run("a misspelt command", func(t *testing.T) { p.run(t, settings, "keys", "rotat").wantFault(t, "rotat") })
}

// Sessions are shared: a user who logged in at one replica approves at another.
func (p program) testSharedSessions(t *testing.T) {
	server := testenv.StartPostgres(t)
	// One issuer for both; each answers at its own address as well.
	settings := map[string]string{"REGISTRAR_DATABASE_URL": server.URL, "REGISTRAR_SECRET_KEY": secretKey}
	one := p.serve(t, settings, "--migrate")
	two := p.serve(t, settings)
	client := one.public(t, callback).str(t, "client_id")
	cookie := one.visitor(t).post(t, "/login", url.Values{"username": {"ada"}}).Header.Get("Set-Cookie")
	name, _, _ := strings.Cut(cookie, ";")
	page := two.send(t, request{Method: http.MethodGet, Path: "/oauth/authorize?" + authorizationRequest(client, callback, nil).Encode(), Header: map[string]string{"Cookie": name}})
	if page.Status != http.StatusOK || !strings.Contains(page.Text, "ada@localhost") {
		t.Errorf("%s", page)
	}
}
