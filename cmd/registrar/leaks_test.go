package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/audit"
)

// TestSecretsLeakNowhere does everything that a client can do with a secret or a token,
// also what it should not, and looks for each of them where none belongs.
func TestSecretsLeakNowhere(t *testing.T) {
	t.Parallel() // it waits for what is written now and then
	eachStoreWith(t, map[string]string{"REGISTRAR_LOG_LEVEL": "debug"}, func(t *testing.T, s *server) {
		k := keyring{}
		exercise(t, s, k)
		exerciseGrant(t, s, k)
		if len(k) < 11 {
			t.Fatalf("only %d secrets were issued", len(k))
		}
		counted := s.awaitCounted(t, audit.RegistrationRefused, 3)
		k.wantNone(t, "the log", s.Log.String())
		k.wantNone(t, "the database", fmt.Sprintf("%s", s.rows(t))+s.files(t))
		k.wantNone(t, "the audit trail", fmt.Sprintf("%s %+v", s.rowsOf(t, "audit_entries"), counted))
	})
}

// keyring is every secret that a server told, with what it is.
type keyring map[string]string

func (k keyring) wantNone(t *testing.T, place, text string) {
	t.Helper()
	for secret, name := range k {
		if strings.Contains(text, secret) {
			t.Errorf("%s stands in %s", name, place)
		}
	}
}

func (k keyring) keep(answer reply) reply {
	for _, member := range []string{"client_secret", "registration_access_token"} {
		if secret, ok := answer.Body[member].(string); ok {
			k[secret] = fmt.Sprintf("the %s of %v", member, answer.Body["client_id"])
		}
	}
	return answer
}

// exercise uses secrets well, and misplaces them in requests that may not tell them again.
func exercise(t *testing.T, s *server, k keyring) {
	t.Helper()
	basic := k.keep(s.register(t, minimal()))
	post := k.keep(s.register(t, with(minimal(), object{"token_endpoint_auth_method": "client_secret_post"})))
	public := k.keep(s.register(t, with(minimal(), object{"token_endpoint_auth_method": "none"})))
	k.keep(s.update(t, public, with(minimal(), object{"token_endpoint_auth_method": "client_secret_basic"})))
	k.keep(s.update(t, basic, with(minimal(), object{"client_secret": basic.Body["client_secret"]})))
	k.keep(s.manage(t, http.MethodGet, basic, nil))
	stray := strayToken(t)
	k[stray] = "a token that was never issued"

	secret, token := basic.str(t, "client_secret"), basic.str(t, "registration_access_token")
	uri, other := basic.str(t, "registration_client_uri"), post.str(t, "registration_client_uri")
	id := basic.Body["client_id"]
	for _, r := range []request{
		{Method: http.MethodPost, Path: "/oauth/register", Body: with(minimal(), object{"client_secret": secret, "registration_access_token": token})},
		{Method: http.MethodPost, Path: "/oauth/register", Body: object{"client_name": []string{secret}, "scope": token + `"`, "redirect_uris": []string{"javascript:" + secret}}},
		{Method: http.MethodPost, Path: "/oauth/register", Body: `{"redirect_uris":"` + token},
		{Method: http.MethodPost, Path: "/oauth/register", Body: token, Header: map[string]string{"Content-Type": token + "/" + secret}},
		{Method: http.MethodPost, Path: "/oauth/register?access_token=" + token, Body: minimal(), Token: token, Header: map[string]string{"Referer": uri + "?" + secret}},
		{Method: http.MethodPut, Path: uri, Token: token, Body: with(minimal(), object{"client_id": secret})},
		{Method: http.MethodPut, Path: uri, Token: token, Body: with(minimal(), object{"client_id": id, "client_secret": post.Body["client_secret"]})},
		{Method: http.MethodPut, Path: uri, Token: token, Body: with(minimal(), object{"client_id": id, "registration_access_token": token})},
		{Method: http.MethodPut, Path: uri, Token: token, Body: with(minimal(), object{"client_id": id, "client_secret": []string{secret}})},
		{Method: http.MethodGet, Path: uri, Token: stray},
		{Method: http.MethodGet, Path: uri, Token: secret},
		{Method: http.MethodGet, Path: uri + "?access_token=" + token},
		{Method: http.MethodGet, Path: uri, Header: map[string]string{"Authorization": "Basic " + token}},
		{Method: http.MethodGet, Path: uri, Header: map[string]string{"Authorization": token}},
		{Method: http.MethodGet, Path: "/oauth/register/" + token, Token: secret},
		{Method: http.MethodGet, Path: "/" + token + "?" + secret},
		{Method: http.MethodPatch, Path: uri + "?" + secret, Token: token},
		{Method: http.MethodPost, Path: "/oauth/token", Body: "client_secret=" + secret, Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		{Method: http.MethodGet, Path: "/docs/errors/" + secret},
		{Method: http.MethodGet, Path: other, Token: token},
		{Method: http.MethodDelete, Path: other, Token: token},
		{Method: http.MethodDelete, Path: other, Token: post.str(t, "registration_access_token")},
		{Method: http.MethodGet, Path: other, Token: post.str(t, "registration_access_token")},
	} {
		answer := s.send(t, r)
		k.wantNone(t, "the answer to "+r.Method+" "+r.Path, answer.Text+fmt.Sprint(answer.Header))
		k.keep(answer)
	}
}

// exerciseGrant goes the whole way, and uses again what can be used once.
func exerciseGrant(t *testing.T, s *server, k keyring) {
	t.Helper()
	client := k.keep(s.public(t, callback)).str(t, "client_id")
	v := s.visitor(t)
	code := v.code(t, authorizationRequest(client, callback, nil))
	tokens := s.tokens(t, redemption(client, code, nil), nil)
	for name, secret := range map[string]string{
		"a code": code, "an access token": tokens.str(t, "access_token"), "a refresh token": tokens.str(t, "refresh_token"),
	} {
		k[secret] = name
	}
	s.token(t, redemption(client, code, nil), nil)
	s.token(t, refreshing(client, tokens.str(t, "refresh_token")), nil)
	v.post(t, "/account/disconnect", url.Values{"client_id": {client}})
}

// files is what the embedded database has on disk.
func (s *server) files(t *testing.T) string {
	t.Helper()
	path, embedded := strings.CutPrefix(s.Database, "sqlite://")
	if !embedded {
		return ""
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files at %s: %v", path, err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
