package main

import (
	"database/sql"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/seed-9c856424/registrar/internal/credential"
)

// null is a JSON null; nil in an object of a test removes the member.
var null = json.RawMessage("null")

// defaults are what a client gets that registers redirect_uris of a web application alone.
var defaults = object{
	"token_endpoint_auth_method": "client_secret_basic",
	"grant_types":                []string{"authorization_code", "refresh_token"},
	"response_types":             []string{"code"},
	"scope":                      "openid profile email offline_access",
	"application_type":           "web",
}

// native are the defaults that differ where every redirect URI is a native application's.
var native = object{"token_endpoint_auth_method": "none", "application_type": "native"}

// assigned are the members that the server alone decides (RFC 7591 §3.2.1, RFC 7592 §3).
var assigned = []string{
	"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at",
	"registration_access_token", "registration_client_uri",
}

// acceptedCase is metadata that can be registered, the same in a registration and an update.
type acceptedCase struct {
	name string
	// sent is set on the minimal registration; nil removes a member.
	sent object
	// changed are the members that are registered otherwise than sent or defaulted; nil
	// is one that is not registered.
	changed object
}

// accept registers each case, and replaces another registration by it.
func accept(t *testing.T, s *server, cases []acceptedCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.try(t, s) })
	}
}

func (c acceptedCase) try(t *testing.T, s *server) {
	body := with(minimal(), c.sent)
	want := decoded(t, with(with(defaults, body), c.changed))
	registered := s.register(t, body)
	checkIssued(t, s, registered)
	wantMetadata(t, registered, want)
	s.wantReadBack(t, registered)

	updated := s.update(t, s.register(t, minimal()), body)
	wantMetadata(t, updated, want)
	s.wantReadBack(t, updated)
}

// refusedCase is metadata that breaks a rule, the same in a registration and an update.
type refusedCase struct {
	name string
	sent object
	code string
	// says is what the description must say: the member at least.
	says string
}

// refuse tries each case as a registration and as an update: nothing is stored or changed.
func refuse(t *testing.T, s *server, cases []refusedCase) {
	t.Helper()
	target := s.register(t, minimal())
	before := len(s.rows(t))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.try(t, s, target) })
	}
	if after := len(s.rows(t)); after != before {
		t.Errorf("%d clients were stored", after-before)
	}
}

func (c refusedCase) try(t *testing.T, s *server, target reply) {
	body := with(minimal(), c.sent)
	c.check(t, s.post(t, body))
	c.check(t, s.manage(t, http.MethodPut, target, with(body, object{"client_id": target.Body["client_id"]})))
	s.wantReadBack(t, target)
}

func (c refusedCase) check(t *testing.T, answer reply) {
	t.Helper()
	answer.wantError(t, http.StatusBadRequest, c.code)
	if description, _ := answer.Body["error_description"].(string); !strings.Contains(description, c.says) {
		t.Errorf("the description does not say %q: %s", c.says, answer)
	}
	wantHeaders(t, answer, map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json"})
}

// post asks for a registration, whatever comes of it.
func (s *server) post(t *testing.T, body any) reply {
	t.Helper()
	return s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: body})
}

// manage sends a request to the registration that the answer tells of, with its token.
func (s *server) manage(t *testing.T, method string, of reply, body any) reply {
	t.Helper()
	return s.send(t, managing(t, method, of, body))
}

func managing(t *testing.T, method string, of reply, body any) request {
	t.Helper()
	return request{
		Method: method,
		Path:   of.str(t, "registration_client_uri"),
		Token:  of.str(t, "registration_access_token"),
		Body:   body,
	}
}

// update replaces the metadata of a registration and expects success.
func (s *server) update(t *testing.T, of reply, metadata object) reply {
	t.Helper()
	answer := s.manage(t, http.MethodPut, of, with(metadata, object{"client_id": of.str(t, "client_id")}))
	if answer.Status != http.StatusOK {
		t.Fatalf("update: %s", answer)
	}
	return answer
}

// wantReadBack reads a registration and expects what the answer told, save the secret,
// which is shown once.
func (s *server) wantReadBack(t *testing.T, told reply) {
	t.Helper()
	read := s.manage(t, http.MethodGet, told, nil)
	if want := with(told.Body, object{"client_secret": nil}); read.Status != http.StatusOK || !reflect.DeepEqual(read.Body, want) {
		t.Errorf("read back %s\nwant %v", read, want)
	}
}

// wantMetadata compares all that the server did not assign.
func wantMetadata(t *testing.T, answer reply, want object) {
	t.Helper()
	if got := metadataOf(answer); !reflect.DeepEqual(got, want) {
		t.Errorf("registered %v\nwant %v", got, want)
	}
}

// metadataOf is the answer without what the server assigned.
func metadataOf(answer reply) object {
	metadata := maps.Clone(answer.Body)
	for _, member := range assigned {
		delete(metadata, member)
	}
	return metadata
}

// wantHeaders compares headers; "" is one that must be absent.
func wantHeaders(t *testing.T, answer reply, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := strings.Join(answer.Header.Values(name), ", "); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

var clientIDShape = regexp.MustCompile(`^c_[0-9a-z]{26}$`)

// checkIssued checks what the server assigned to a new registration.
func checkIssued(t *testing.T, s *server, answer reply) {
	t.Helper()
	id := answer.str(t, "client_id")
	if !clientIDShape.MatchString(id) {
		t.Errorf("client_id %q", id)
	}
	if want := s.URL + "/oauth/register/" + id; answer.Body["registration_client_uri"] != want {
		t.Errorf("registration_client_uri %v, want %s", answer.Body["registration_client_uri"], want)
	}
	token := credential.Secret(answer.str(t, "registration_access_token"))
	if subject, ok := credential.Subject(credential.RegistrationAccessToken, token); !ok || "c_"+subject != id {
		t.Errorf("the token of %s names %q, well formed: %v", id, subject, ok)
	}
	checkSecret(t, answer)
}

// checkSecret expects a well-formed secret exactly where the method uses one.
func checkSecret(t *testing.T, answer reply) {
	t.Helper()
	method := answer.str(t, "token_endpoint_auth_method")
	usesSecret := slices.Contains([]string{"client_secret_basic", "client_secret_post"}, method)
	secret, given := answer.Body["client_secret"].(string)
	if _, wellFormed := credential.Subject(credential.ClientSecret, credential.Secret(secret)); wellFormed != usesSecret || given != usesSecret {
		t.Errorf("%s: client_secret given: %v, well formed: %v", method, given, wellFormed)
	}
	if answer.Body["client_secret_expires_at"] != 0.0 {
		t.Errorf("client_secret_expires_at: %v, want 0", answer.Body["client_secret_expires_at"])
	}
}

// decoded is the value as a JSON decoder returns it.
func decoded(t *testing.T, value object) object {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var result object
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

// rows is what the database holds of the clients.
func (s *server) rows(t *testing.T) []map[string]any {
	t.Helper()
	return s.rowsOf(t, "clients")
}

// database opens the database beside the server.
func (s *server) database(t *testing.T) *sql.DB {
	t.Helper()
	driver, source := "pgx", s.Database
	if file, embedded := strings.CutPrefix(s.Database, "sqlite://"); embedded {
		driver, source = "sqlite", file+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// rowsOf is what the database holds in the table, column by column.
func (s *server) rowsOf(t *testing.T, table string) []map[string]any {
	t.Helper()
	db := s.database(t)
	found, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var all []map[string]any
	for found.Next() {
		all = append(all, scanRow(t, found))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func scanRow(t *testing.T, found *sql.Rows) map[string]any {
	t.Helper()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	if err := found.Scan(values...); err != nil {
		t.Fatal(err)
	}
	row := map[string]any{}
	for i, column := range columns {
		row[column] = *values[i].(*any)
	}
	return row
}

// schema returns a schema of the contract that the server publishes.
func (s *server) schema(t *testing.T, name string) *openapi3.Schema {
	t.Helper()
	ref := s.Client.Transport.(*contractTransport).doc.Components.Schemas[name]
	if ref == nil {
		t.Fatalf("the contract has no schema %s", name)
	}
	return ref.Value
}

// members returns the names that a schema of the contract declares, in order.
func (s *server) members(t *testing.T, schema string) []string {
	t.Helper()
	properties, _ := declarations(s.schema(t, schema))
	if len(properties) == 0 {
		t.Fatalf("the schema %s declares nothing", schema)
	}
	return slices.Sorted(maps.Keys(properties))
}
