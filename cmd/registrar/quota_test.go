package main

import (
	"net/http"
	"testing"
)

// TestQuota: I-16. Clients that nobody used for a day give way; those that somebody did, and
// those of today, do not.
func TestQuota(t *testing.T) {
	settings := map[string]string{"REGISTRAR_CLIENT_QUOTA": "3", "REGISTRAR_REGISTRATION_RATE": "100/1h"}
	eachStoreWith(t, settings, func(t *testing.T, s *server) {
		wantFull := func(t *testing.T, s *server) {
			t.Helper()
			refused := s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: minimal()})
			refused.wantError(t, http.StatusTooManyRequests, "rate_limit_exceeded")
			if refused.Header.Get("Retry-After") == "" {
				t.Errorf("no Retry-After: %s", refused)
			}
		}
		used, unused := s.public(t, callback).str(t, "client_id"), s.public(t, callback).str(t, "client_id")
		tokens := s.documentedTokens(t, used, callback)
		s.register(t, minimal())
		wantFull(t, s)
		if token := s.registerWith(t, s.issue(t), minimal()); token.Status != http.StatusTooManyRequests {
			t.Errorf("with an initial access token: %s", token)
		}

		yesterday := "UPDATE clients SET created_at = '2026-01-01 00:00:00+00:00' WHERE id IN ('" + used + "', '" + unused + "')"
		if _, err := s.database(t).ExecContext(t.Context(), yesterday); err != nil {
			t.Fatal(err)
		}
		// A server that did not just find that nothing gives way.
		fresh := startServer(t, settingsWith(settings, "REGISTRAR_DATABASE_URL", s.Database))
		fresh.register(t, minimal())
		wantPage(t, fresh.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(unused, callback, nil).Encode()), "invalid_client")
		fresh.tokens(t, refreshing(used, tokens.str(t, "refresh_token")), nil)
		wantFull(t, fresh)
		last := s.trail(t, "--action", "client.deleted")[0]
		if last.ClientID != unused || last.Actor != "server" {
			t.Errorf("the trail has %+v", last)
		}
	})
}

func settingsWith(settings map[string]string, name, value string) map[string]string {
	merged := map[string]string{name: value}
	for name, value := range settings {
		merged[name] = value
	}
	return merged
}

// TestCeiling: all addresses together are limited as well.
func TestCeiling(t *testing.T) {
	s := startServer(t, map[string]string{
		"REGISTRAR_REGISTRATION_RATE": "1/1h", "REGISTRAR_REGISTRATION_CEILING": "2/1h", "REGISTRAR_TRUSTED_PROXIES": "127.0.0.0/8",
	})
	for i, want := range []int{http.StatusCreated, http.StatusCreated, http.StatusTooManyRequests} {
		from := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}[i]
		answer := s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: minimal(), Header: map[string]string{"X-Forwarded-For": from}})
		if answer.Status != want {
			t.Errorf("%s: %s", from, answer)
		}
	}
}

// TestUse: an approval and a token are use, a visit is not, and what was gathered is written
// as the server stops.
func TestUse(t *testing.T) {
	for name, database := range stores {
		t.Run(name, func(t *testing.T) {
			url := database(t)
			var used, visited string
			t.Run("a server", func(t *testing.T) {
				s := startServer(t, map[string]string{"REGISTRAR_DATABASE_URL": url})
				used, visited = s.public(t, callback).str(t, "client_id"), s.public(t, callback).str(t, "client_id")
				s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(visited, callback, nil).Encode())
				s.visitor(t).code(t, authorizationRequest(used, callback, nil))
			})
			for _, row := range (&server{Database: url}).rows(t) {
				if isUsed := row["last_used_at"] != nil; isUsed != (row["id"] == used) {
					t.Errorf("%v was used: %t", row["id"], isUsed)
				}
			}
		})
	}
}
