package main

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const statementIssuer = "https://statements.example"

// statementServers runs the test against servers that approve the issuer of the key, at a
// file and at an address.
func statementServers(t *testing.T, more string, test func(t *testing.T, s *server, key *ecdsa.PrivateKey)) {
	t.Helper()
	key, set := keyPair(t, "s")
	encoded, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{"keys of a file": "jwks_file: " + file, "keys elsewhere": "jwks_uri: https://keys.example/jwks"} {
		t.Run(name, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "registrar.yaml")
			text := fmt.Sprintf("software_statements:\n  issuers:\n    %s:\n      %s\n%s", statementIssuer, source, more)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			eachStoreElsewhere(t, map[string]string{"REGISTRAR_CONFIG": config}, func(t *testing.T, s *server, e *elsewhere) {
				e.answers("https://keys.example/jwks", set)
				test(t, s, key)
			})
		})
	}
}

// stating are the claims of a statement; a nil value removes one.
func stating(changed object) object {
	return with(object{
		"iss": statementIssuer, "exp": time.Now().Add(time.Hour).Unix(), "software_id": "soft-1", "client_name": "A",
		"redirect_uris": []string{"https://stated.example/cb"},
	}, changed)
}

func TestSoftwareStatements(t *testing.T) {
	statementServers(t, "  revoked_software_ids: [soft-2]\n", func(t *testing.T, s *server, key *ecdsa.PrivateKey) {
		stranger, _ := keyPair(t, "s")
		post := func(t *testing.T, statement any) reply {
			t.Helper()
			return s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: object{
				"software_statement": statement, "client_name": "B", "client_uri": "https://plain.example/",
			}})
		}
		sound := assertion(t, key, "s", stating(nil))
		t.Run("S-01 S-02 S-03", func(t *testing.T) {
			answer := post(t, sound)
			if answer.Status != http.StatusCreated || answer.Body["client_name"] != "A" || answer.Body["client_uri"] != "https://plain.example/" ||
				answer.Body["software_statement"] != sound || answer.Body["redirect_uris"].([]any)[0] != "https://stated.example/cb" {
				t.Errorf("%s", answer)
			}
			read := s.manage(t, http.MethodGet, answer, nil)
			if read.Body["software_statement"] != sound {
				t.Errorf("%s", read)
			}
		})
		parts := strings.Split(sound, ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		for name, c := range map[string]struct {
			statement any
			code      string
		}{
			"S-04 another's signature":     {assertion(t, stranger, "s", stating(nil)), "invalid_software_statement"},
			"S-04 another's payload":       {parts[0] + "." + strings.Split(assertion(t, key, "s", stating(object{"client_name": "C"})), ".")[1] + "." + parts[2], "invalid_software_statement"},
			"S-05 none":                    {none + "." + parts[1] + ".", "invalid_software_statement"},
			"S-05 HMAC":                    {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + parts[1] + "." + parts[2], "invalid_software_statement"},
			"S-07 expired":                 {assertion(t, key, "s", stating(object{"exp": time.Now().Add(-time.Second).Unix()})), "invalid_software_statement"},
			"S-07 not yet":                 {assertion(t, key, "s", stating(object{"nbf": time.Now().Add(time.Hour).Unix()})), "invalid_software_statement"},
			"S-07 exp is no number":        {assertion(t, key, "s", stating(object{"exp": "later"})), "invalid_software_statement"},
			"S-08 no iss":                  {assertion(t, key, "s", stating(object{"iss": nil})), "invalid_software_statement"},
			"S-09 another issuer":          {assertion(t, stranger, "s", stating(object{"iss": "https://other.example"})), "unapproved_software_statement"},
			"S-09 revoked software":        {assertion(t, key, "s", stating(object{"software_id": "soft-2"})), "unapproved_software_statement"},
			"S-10 no JWT":                  {"x", "invalid_software_statement"},
			"S-10 a number":                {1, "invalid_software_statement"},
			"S-10 an object":               {object{}, "invalid_software_statement"},
			"S-11 a grant":                 {assertion(t, key, "s", stating(object{"grant_types": []string{"password"}})), "invalid_client_metadata"},
			"a redirect URI":               {assertion(t, key, "s", stating(object{"redirect_uris": []string{"javascript:x"}})), "invalid_redirect_uri"},
			"redirect URIs that are none":  {assertion(t, key, "s", stating(object{"redirect_uris": 1})), "invalid_redirect_uri"},
			"a name that is none":          {assertion(t, key, "s", stating(object{"client_name": 1})), "invalid_client_metadata"},
			"a claim beyond what fits":     {assertion(t, key, "s", stating(object{"client_name": strings.Repeat("x", 201)})), "invalid_client_metadata"},
			"a statement that is too long": {sound + strings.Repeat("x", 16<<10), "invalid_software_statement"},
		} {
			t.Run(name, func(t *testing.T) { post(t, c.statement).wantError(t, http.StatusBadRequest, c.code) })
		}
		t.Run("P-25", func(t *testing.T) {
			registered := post(t, sound)
			update := func(statement string) reply {
				return s.manage(t, http.MethodPut, registered, object{"client_id": registered.str(t, "client_id"), "software_statement": statement})
			}
			update(assertion(t, key, "s", stating(object{"software_id": "soft-3"}))).wantError(t, http.StatusBadRequest, "invalid_software_statement")
			if answer := update(assertion(t, key, "s", stating(object{"client_name": "D"}))); answer.Status != http.StatusOK || answer.Body["client_name"] != "D" {
				t.Errorf("%s", answer)
			}
		})
		t.Run("none", func(t *testing.T) { s.register(t, minimal()) })
	})
}

func TestStatementRequired(t *testing.T) {
	statementServers(t, "  required: true\n", func(t *testing.T, s *server, key *ecdsa.PrivateKey) {
		answer := s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: minimal()})
		answer.wantError(t, http.StatusBadRequest, "invalid_software_statement")
		s.register(t, object{"software_statement": assertion(t, key, "s", stating(nil))})
	})
}

// TestNoIssuerIsApproved: S-09, where none is.
func TestNoIssuerIsApproved(t *testing.T) {
	s := startServer(t, nil)
	key, _ := keyPair(t, "s")
	answer := s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: with(minimal(), object{"software_statement": assertion(t, key, "s", stating(nil))})})
	answer.wantError(t, http.StatusBadRequest, "unapproved_software_statement")
}

// TestStatementKeysUnreachable: an outage is none of the client's doing.
func TestStatementKeysUnreachable(t *testing.T) {
	config := filepath.Join(t.TempDir(), "registrar.yaml")
	text := "software_statements:\n  issuers:\n    " + statementIssuer + ":\n      jwks_uri: https://gone.example/jwks\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	eachStoreElsewhere(t, map[string]string{"REGISTRAR_CONFIG": config}, func(t *testing.T, s *server, _ *elsewhere) {
		key, _ := keyPair(t, "s")
		answer := s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: object{"software_statement": assertion(t, key, "s", stating(nil))}})
		answer.wantError(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	})
}
