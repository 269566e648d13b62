package main

import (
	"net/http"
	"reflect"
	"testing"
	"time"
)

const envelopeType = "application/vnd.registrar.envelope+json"

// enveloped is a registration's envelope.
type enveloped struct {
	reply
	data object
}

// unwrap checks the envelope around a registration.
func unwrap(t *testing.T, answer reply, contentType string) enveloped {
	t.Helper()
	wantHeaders(t, answer, map[string]string{"Content-Type": contentType, "Vary": "Origin, Accept", "Cache-Control": "no-store", "Pragma": "no-cache"})
	timestamp, err := time.Parse(time.RFC3339, answer.str(t, "timestamp"))
	if age := time.Since(timestamp); err != nil || age < -time.Minute || age > time.Minute {
		t.Errorf("timestamp %v: %v", answer.Body["timestamp"], err)
	}
	data, _ := answer.Body["data"].(object)
	if want := (object{"code": 0.0, "message": "ok", "timestamp": answer.Body["timestamp"], "data": data}); len(data) == 0 || !reflect.DeepEqual(answer.Body, want) {
		t.Errorf("envelope %s", answer)
	}
	return enveloped{answer, data}
}

func TestEnvelope(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		accept := map[string]string{"Accept": envelopeType}
		registered := unwrap(t, s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: minimal(), Header: accept}), envelopeType)
		bare := reply{Body: registered.data, Header: registered.Header}
		t.Run("the envelope holds the bare registration", func(t *testing.T) {
			checkIssued(t, s, bare)
			s.wantReadBack(t, bare)
			wantHeaders(t, bare, map[string]string{"Location": bare.str(t, "registration_client_uri")})
		})
		t.Run("read and update", func(t *testing.T) {
			read := managing(t, http.MethodGet, bare, nil)
			update := managing(t, http.MethodPut, bare, with(minimal(), object{"client_id": bare.Body["client_id"]}))
			for _, r := range []request{read, update} {
				r.Header = accept
				if got := unwrap(t, s.send(t, r), envelopeType).data; !reflect.DeepEqual(got, with(bare.Body, object{"client_secret": nil})) {
					t.Errorf("%s: %v", r.Method, got)
				}
			}
		})
		tryNegotiation(t, s, bare)
		tryErrorsUnwrapped(t, s, bare, accept)
	})
}

// tryNegotiation reads one registration under many Accept headers (RFC 9110 §12.5.1).
func tryNegotiation(t *testing.T, s *server, of reply) {
	cases := []struct {
		name   string
		accept []string
		wrap   bool
	}{
		{"none", nil, false},
		{"empty", []string{""}, false},
		{"anything", []string{"*/*"}, false},
		{"any application", []string{"application/*"}, false},
		{"JSON", []string{"application/json"}, false},
		{"what libraries send", []string{"application/json, text/plain, */*"}, false},
		{"what browsers send", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, false},
		{"something else", []string{"text/html"}, false},
		{"another vendor's", []string{"application/vnd.other.envelope+json"}, false},
		{"type that begins alike", []string{envelopeType + "5"}, false},
		{"malformed", []string{"/;;,,q=1, application"}, false},
		{"malformed beside the envelope", []string{";;, " + envelopeType}, true},
		{"the envelope", []string{envelopeType}, true},
		{"in another letter case", []string{"Application/VND.Registrar.Envelope+JSON"}, true},
		{"with a parameter", []string{envelopeType + "; charset=utf-8"}, true},
		{"beside JSON", []string{"application/json, " + envelopeType}, true},
		{"beside anything", []string{envelopeType + ", */*"}, true},
		{"preferred", []string{"application/json;q=0.5, " + envelopeType}, true},
		{"preferred by weights", []string{"application/json;q=0.5, " + envelopeType + ";q=0.6"}, true},
		{"not preferred", []string{"application/json, " + envelopeType + ";q=0.9"}, false},
		{"less than anything", []string{envelopeType + ";q=0.1, */*;q=0.9"}, false},
		{"less than any application", []string{envelopeType + ";q=0.5, application/*"}, false},
		{"more than anything, less than JSON", []string{envelopeType + ";q=0.5, */*;q=0.1, application/json"}, false},
		{"a weight that is none", []string{envelopeType + ";q=1e9"}, false},
		{"refused", []string{envelopeType + ";q=0"}, false},
		{"refused in thousandths", []string{envelopeType + ";q=0.000, application/json;q=0.1"}, false},
		{"on a line of its own", []string{"application/json;q=0.5", envelopeType}, true},
		{"on a line of its own, not preferred", []string{envelopeType + ";q=0.5", "application/json"}, false},
	}
	for _, c := range cases {
		t.Run("Accept "+c.name, func(t *testing.T) {
			sent, err := s.build(managing(t, http.MethodGet, of, nil))
			if err != nil {
				t.Fatal(err)
			}
			sent.Header["Accept"] = c.accept
			answer, err := s.do(sent)
			if err != nil || answer.Status != http.StatusOK {
				t.Fatalf("%s: %v", answer, err)
			}
			if c.wrap {
				unwrap(t, answer, envelopeType)
				return
			}
			wantHeaders(t, answer, map[string]string{"Content-Type": "application/json", "Vary": "Origin, Accept"})
			if !reflect.DeepEqual(answer.Body, with(of.Body, object{"client_secret": nil})) {
				t.Errorf("wrapped: %s", answer)
			}
		})
	}
}

// tryErrorsUnwrapped expects every error as it is without an envelope.
func tryErrorsUnwrapped(t *testing.T, s *server, of reply, accept map[string]string) {
	cases := []struct {
		name   string
		r      request
		status int
		kind   string
	}{
		{"400", request{Method: http.MethodPost, Path: "/oauth/register", Body: "{}"}, 400, "application/json"},
		{"400 of an update", managing(t, http.MethodPut, of, "{}"), 400, "application/json"},
		{"401", request{Method: http.MethodGet, Path: of.str(t, "registration_client_uri")}, 401, "application/json"},
		{"404", request{Method: http.MethodGet, Path: "/oauth/nothing"}, 404, "application/problem+json"},
		{"405", request{Method: http.MethodPatch, Path: "/oauth/register"}, 405, "application/problem+json"},
		{"415", request{Method: http.MethodPost, Path: "/oauth/register", Body: "x", Header: map[string]string{"Content-Type": "text/plain"}}, 415, "application/problem+json"},
	}
	for _, c := range cases {
		t.Run("error "+c.name, func(t *testing.T) {
			c.r.Header = headers(c.r.Header, "Accept", accept["Accept"])
			answer := s.send(t, c.r)
			if answer.Status != c.status || answer.Body["error"] == nil || answer.Body["data"] != nil {
				t.Errorf("%s", answer)
			}
			wantHeaders(t, answer, map[string]string{"Content-Type": c.kind})
		})
	}
}

// REGISTRAR_ENVELOPE=always: the contract that this server publishes says so, and the
// test transport holds it to that.
func TestEnvelopeAlways(t *testing.T) {
	eachStoreWith(t, map[string]string{"REGISTRAR_ENVELOPE": "always"}, func(t *testing.T, s *server) {
		registered := unwrap(t, s.register(t, with(minimal(), object{"client_name#ja": "あ"})), "application/json")
		bare := reply{Body: registered.data, Header: registered.Header}
		checkIssued(t, s, bare)
		for _, accept := range []string{"application/json", "*/*", "text/html", ""} {
			read := managing(t, http.MethodGet, bare, nil)
			read.Header = map[string]string{"Accept": accept}
			if got := unwrap(t, s.send(t, read), "application/json").data; !reflect.DeepEqual(got, with(bare.Body, object{"client_secret": nil})) {
				t.Errorf("Accept %q: %v", accept, got)
			}
		}
		update := managing(t, http.MethodPut, bare, with(minimal(), object{"client_id": bare.Body["client_id"]}))
		unwrap(t, s.send(t, update), "application/json")
		update.Header = map[string]string{"Accept": envelopeType}
		unwrap(t, s.send(t, update), envelopeType)
		tryErrorsUnwrapped(t, s, bare, map[string]string{"Accept": "application/json"})
		if gone := s.manage(t, http.MethodDelete, bare, nil); gone.Status != http.StatusNoContent || gone.Text != "" {
			t.Errorf("delete: %s", gone)
		}
	})
}
