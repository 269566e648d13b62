package main

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// issue makes an initial access token from the command line.
func (s *server) issue(t *testing.T, args ...string) string {
	t.Helper()
	var made struct{ Token string }
	out := s.command(t, append([]string{"token", "create", "--name", "partner", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Token == "" {
		t.Fatalf("token create printed %q: %v", out, err)
	}
	return made.Token
}

func (s *server) registerWith(t *testing.T, token string, body object) reply {
	t.Helper()
	return s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: body, Token: token})
}

func wantTokenRefused(t *testing.T, answer reply) {
	t.Helper()
	answer.wantError(t, http.StatusUnauthorized, "invalid_token")
	if challenge := answer.Header.Get("WWW-Authenticate"); !strings.Contains(challenge, `error="invalid_token"`) {
		t.Errorf("WWW-Authenticate: %s", challenge)
	}
}

func TestInitialAccessTokens(t *testing.T) {
	eachStoreWith(t, map[string]string{"REGISTRAR_REGISTRATION_MODE": "token"}, func(t *testing.T, s *server) {
		t.Run("I-01 none", func(t *testing.T) {
			answer := s.registerWith(t, "", minimal())
			answer.wantError(t, http.StatusUnauthorized, "invalid_token")
			if challenge := answer.Header.Get("WWW-Authenticate"); challenge != `Bearer realm="`+s.URL+`"` {
				t.Errorf("WWW-Authenticate: %s", challenge)
			}
		})
		t.Run("I-01 none, before anything else is judged", func(t *testing.T) {
			s.registerWith(t, "", object{}).wantError(t, http.StatusUnauthorized, "invalid_token")
		})
		good := s.issue(t, "--uses", "0")
		for name, token := range map[string]string{
			"I-02 made up": "x", "I-02 another kind": s.registerWith(t, good, minimal()).str(t, "registration_access_token"),
			"I-02 changed": good[:40] + good[41:] + good[40:41], "I-02 of the right form": "rgi_01k9qv5w3m8zr4t6y2b0n7xdce" + good[30:],
			"I-03 expired": s.issue(t, "--expires", "1ns"),
		} {
			t.Run(name, func(t *testing.T) { wantTokenRefused(t, s.registerWith(t, token, minimal())) })
		}
		t.Run("I-04 one use", func(t *testing.T) {
			once := s.issue(t)
			if answer := s.registerWith(t, once, minimal()); answer.Status != http.StatusCreated {
				t.Errorf("%s", answer)
			}
			wantTokenRefused(t, s.registerWith(t, once, minimal()))
		})
		t.Run("I-06 a refused registration takes no use", func(t *testing.T) {
			once := s.issue(t)
			s.registerWith(t, once, object{}).wantError(t, http.StatusBadRequest, "invalid_redirect_uri")
			if answer := s.registerWith(t, once, minimal()); answer.Status != http.StatusCreated {
				t.Errorf("%s", answer)
			}
		})
		t.Run("I-07 elsewhere than in the header", func(t *testing.T) {
			answer := s.send(t, request{Method: http.MethodPost, Path: "/oauth/register?access_token=" + good, Body: with(minimal(), object{"access_token": good})})
			answer.wantError(t, http.StatusUnauthorized, "invalid_token")
		})
		t.Run("I-11 revoked", func(t *testing.T) {
			revoked := s.issue(t)
			s.command(t, "token", "revoke", revoked[4:30])
			wantTokenRefused(t, s.registerWith(t, revoked, minimal()))
		})
		t.Run("the audit trail", func(t *testing.T) {
			token := s.issue(t)
			registered := s.registerWith(t, token, minimal())
			s.command(t, "token", "revoke", token[4:30])
			want := []string{"initial_token.revoked operator", "client.registered initial access token " + token[4:30], "initial_token.issued operator"}
			var got []string
			for _, e := range s.trail(t)[:3] {
				got = append(got, string(e.Action)+" "+e.Actor)
			}
			if !slices.Equal(got, want) {
				t.Errorf("the trail of %s is %q, want %q", registered.str(t, "client_id"), got, want)
			}
		})
		t.Run("20 uses at once of one that is good for one", func(t *testing.T) {
			once := s.issue(t)
			var all sync.WaitGroup
			var mu sync.Mutex
			statuses := map[int]int{}
			for range 20 {
				all.Go(func() {
					answer := s.registerWith(t, once, minimal())
					mu.Lock()
					defer mu.Unlock()
					statuses[answer.Status]++
				})
			}
			all.Wait()
			if statuses[http.StatusCreated] != 1 || statuses[http.StatusUnauthorized] != 19 {
				t.Errorf("answers %v", statuses)
			}
		})
	})
}

// TestBoundedTokens: I-09, and no update widens what the token allowed.
func TestBoundedTokens(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		token := s.issue(t, "--uses", "0", "--scope", "openid", "--scope", "email", "--grant", "authorization_code", "--redirect-host", "c.example")
		beyond := map[string]struct {
			members object
			code    string
		}{
			"scope":           {object{"scope": "openid profile"}, "invalid_client_metadata"},
			"grant":           {object{"grant_types": []string{"authorization_code", "refresh_token"}}, "invalid_client_metadata"},
			"redirect host":   {object{"redirect_uris": []string{"https://c.example/cb", "https://d.example/cb"}}, "invalid_redirect_uri"},
			"loopback":        {object{"redirect_uris": []string{"http://127.0.0.1/cb"}}, "invalid_redirect_uri"},
			"private-use":     {object{"redirect_uris": []string{"com.example.app:/cb"}}, "invalid_redirect_uri"},
			"host with a dot": {object{"redirect_uris": []string{"https://x.c.example/cb"}}, "invalid_redirect_uri"},
		}
		registered := s.registerWith(t, token, minimal())
		if registered.Status != http.StatusCreated || registered.Body["scope"] != "openid email" || len(registered.Body["grant_types"].([]any)) != 1 {
			t.Fatalf("the defaults are not within: %s", registered)
		}
		narrower := s.registerWith(t, token, with(minimal(), object{"scope": "email admin"}))
		if narrower.Body["scope"] != "email" {
			t.Errorf("what nobody can have is dropped as ever: %s", narrower)
		}
		for name, c := range beyond {
			t.Run(name, func(t *testing.T) {
				s.registerWith(t, token, with(minimal(), c.members)).wantError(t, http.StatusBadRequest, c.code)
				update := with(with(minimal(), object{"client_id": registered.str(t, "client_id")}), c.members)
				s.manage(t, http.MethodPut, registered, update).wantError(t, http.StatusBadRequest, c.code)
			})
		}
		t.Run("an update within", func(t *testing.T) {
			update := with(minimal(), object{"client_id": registered.str(t, "client_id"), "client_name": "A"})
			if answer := s.manage(t, http.MethodPut, registered, update); answer.Status != http.StatusOK || answer.Body["scope"] != "openid email" {
				t.Errorf("%s", answer)
			}
		})
	})
}

func TestRegistrationModes(t *testing.T) {
	for name, c := range map[string]struct {
		mode              string
		none, wrong, good int
		advertised        bool
	}{
		"open":        {"open", http.StatusCreated, http.StatusUnauthorized, http.StatusCreated, true},
		"token":       {"token", http.StatusUnauthorized, http.StatusUnauthorized, http.StatusCreated, true},
		"F-14 closed": {"closed", http.StatusNotFound, http.StatusUnauthorized, http.StatusNotFound, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, open *server) {
				standing := open.register(t, minimal())
				s := startServer(t, map[string]string{"REGISTRAR_DATABASE_URL": open.Database, "REGISTRAR_REGISTRATION_MODE": c.mode})
				for token, want := range map[string]int{"": c.none, "wrong": c.wrong, s.issue(t): c.good} {
					if answer := s.registerWith(t, token, minimal()); answer.Status != want {
						t.Errorf("with %.4q: %s, want %d", token, answer, want)
					}
				}
				metadata := s.send(t, request{Method: http.MethodGet, Path: "/.well-known/oauth-authorization-server"})
				if _, advertised := metadata.Body["registration_endpoint"]; advertised != c.advertised || metadata.Body["client_id_metadata_document_supported"] != true {
					t.Errorf("%s", metadata)
				}
				if answer := s.send(t, request{Method: http.MethodGet, Path: "/oauth/register/" + standing.str(t, "client_id"), Token: standing.str(t, "registration_access_token")}); answer.Status != http.StatusOK {
					t.Errorf("a client that is registered: %s", answer)
				}
			})
		})
	}
}

// TestTokenIsNotLimitedByAddress: a registration with a token is limited by the token.
func TestTokenIsNotLimitedByAddress(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_REGISTRATION_RATE": "1/1h"})
	token := s.issue(t, "--uses", "3")
	for range 3 {
		if answer := s.registerWith(t, token, minimal()); answer.Status != http.StatusCreated {
			t.Errorf("%s", answer)
		}
	}
	s.register(t, minimal())
	if answer := s.registerWith(t, "", minimal()); answer.Status != http.StatusTooManyRequests {
		t.Errorf("%s", answer)
	}
}

func TestTokenCommands(t *testing.T) {
	s := startServer(t, nil)
	secret := s.issue(t, "--uses", "2", "--expires", "1h", "--scope", "openid")
	id := secret[4:30]
	text := s.command(t, "token", "create", "--name", "for people", "--expires", "0", "--uses", "0")
	for _, words := range []string{"rgi_", "any number of uses", "for ever", "not shown again"} {
		if !strings.Contains(text, words) {
			t.Errorf("no %q in %q", words, text)
		}
	}
	if out := s.command(t, "token", "revoke", id); out != id+" is revoked\n" {
		t.Errorf("revoke printed %q", out)
	}
	list := s.command(t, "token", "list")
	for _, words := range []string{"NAME", "partner", "revoked", "2 uses left", "openid", "for people", "active"} {
		if !strings.Contains(list, words) {
			t.Errorf("no %q in %q", words, list)
		}
	}
	var listed struct{ Tokens []object }
	out := s.command(t, "token", "list", "-o", "json")
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed.Tokens) != 2 || listed.Tokens[1]["id"] != id || listed.Tokens[1]["token"] != nil {
		t.Errorf("list printed %s: %v", out, err)
	}
	for name, args := range map[string][]string{
		"no name":          {"create"},
		"negative uses":    {"create", "--name", "x", "--uses", "-1"},
		"unknown scope":    {"create", "--name", "x", "--scope", "admin"},
		"unknown grant":    {"create", "--name", "x", "--grant", "password"},
		"a grant too few":  {"create", "--name", "x", "--grant", "refresh_token"},
		"an output's name": {"list", "-o", "yaml"},
		"no such token":    {"revoke", "01k9qv5w3m8zr4t6y2b0n7xdce"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), append([]string{"token"}, args...), s.environ(), io.Discard, io.Discard); err == nil {
				t.Error("accepted")
			}
		})
	}
}
