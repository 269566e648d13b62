package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRegister(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		tryMinimal(t, s)
		accept(t, s, registerAccepted)
		refuse(t, s, registerRefused)
		t.Run("R-11 null and empty count as omitted", func(t *testing.T) { tryOmitted(t, s) })
		t.Run("R-23 members that a client may not choose", func(t *testing.T) { tryAssigned(t, s) })
		t.Run("R-27 50 at once", func(t *testing.T) { tryParallel(t, s, 50) })
	})
}

// tryMinimal looks at one answer from every side.
func tryMinimal(t *testing.T, s *server) {
	began := time.Now().Unix()
	answer := s.register(t, minimal())
	ended := time.Now().Unix()
	checks := map[string]func(t *testing.T){
		"R-01 headers": func(t *testing.T) {
			wantHeaders(t, answer, map[string]string{
				"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache",
				"Vary": "Origin, Accept", "WWW-Authenticate": "", "Set-Cookie": "", "ETag": "",
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			})
		},
		"R-02 R-04 R-06 what the server assigns": func(t *testing.T) { checkIssued(t, s, answer) },
		"R-03 R-11 defaults and nothing else": func(t *testing.T) {
			wantMetadata(t, answer, decoded(t, with(defaults, minimal())))
		},
		"R-05 issued now, in seconds": func(t *testing.T) {
			issued, _ := answer.Body["client_id_issued_at"].(float64)
			if int64(issued) < began || int64(issued) > ended || issued != float64(int64(issued)) {
				t.Errorf("client_id_issued_at %v, want %d to %d", issued, began, ended)
			}
		},
		"R-26 Location": func(t *testing.T) {
			wantHeaders(t, answer, map[string]string{"Location": answer.str(t, "registration_client_uri")})
		},
	}
	for name, check := range checks {
		t.Run(name, check)
	}
}

var registerAccepted = []acceptedCase{
	{name: "R-07 public", sent: object{"token_endpoint_auth_method": "none"}},
	{name: "R-08 client_secret_post", sent: object{"token_endpoint_auth_method": "client_secret_post"}},
	{name: "R-10 all standard members", sent: object{
		"redirect_uris":              []string{"https://c.example/cb", "https://c.example/cb2"},
		"token_endpoint_auth_method": "private_key_jwt",
		"grant_types":                []string{"refresh_token", "authorization_code"},
		"response_types":             []string{"code"},
		"scope":                      "email openid",
		"client_name":                "A client",
		"client_uri":                 "https://c.example/",
		"logo_uri":                   "https://c.example/logo.png",
		"tos_uri":                    "https://c.example/tos",
		"policy_uri":                 "https://c.example/policy",
		"contacts":                   []string{"ops@c.example", "+1 555 0100"},
		"application_type":           "web",
		"jwks_uri":                   "https://c.example/jwks.json",
		"software_id":                "4NRB1-0XZABZI9E6-5SM3R",
		"software_version":           "2.1",
	}},
	{name: "R-12 unknown member", sent: object{"x_unknown": object{"a": 1}}, changed: object{"x_unknown": nil}},
	{name: "R-12 unknown member of the prototype chain", sent: object{"__proto__": object{"scope": "admin"}, "constructor": "x"},
		changed: object{"__proto__": nil, "constructor": nil}},
	{name: "R-12 names are matched with case", sent: object{"REDIRECT_URIS": "x", "Scope": "openid", "Client_Name": "x", "JWKS": 1, "TOKEN_ENDPOINT_AUTH_METHOD": "none"},
		changed: object{"REDIRECT_URIS": nil, "Scope": nil, "Client_Name": nil, "JWKS": nil, "TOKEN_ENDPOINT_AUTH_METHOD": nil}},
	{name: "R-12 names are matched to the end", sent: object{"client_nam": "x", "client_names": "x", "client_name\u0000": "x", "cl\u0131ent_name": "x"},
		changed: object{"client_nam": nil, "client_names": nil, "client_name\u0000": nil, "cl\u0131ent_name": nil}},
	{name: "R-13 names in languages", sent: object{"client_name": "A", "client_name#ja": "あ", "client_name#fr-CA": "B"}},
	{name: "R-14 languages alone", sent: object{"client_name#zh-Hant-TW": "客戶端", "client_name#x-pirate": "Arr", "client_name#DE": "C"}},
	{name: "R-16 addresses in languages", sent: object{
		"tos_uri#de": "https://c.example/de", "client_uri#de": "https://c.example/", "logo_uri#de": "https://c.example/l", "policy_uri#de-CH-1996": "https://c.example/p"}},
	{name: "R-16 members that have no languages are unknown", sent: object{"redirect_uris#ja": "x", "jwks_uri#ja": "http://x", "scope#ja": 1, "CLIENT_NAME#ja": "x"},
		changed: object{"redirect_uris#ja": nil, "jwks_uri#ja": nil, "scope#ja": nil, "CLIENT_NAME#ja": nil}},
	{name: "R-16 null and empty translations", sent: object{"client_name#ja": null, "client_name#fr": "", "tos_uri#de": ""},
		changed: object{"client_name#ja": nil, "client_name#fr": nil, "tos_uri#de": nil}},
	{name: "R-19 authorization_code alone", sent: object{"grant_types": []string{"authorization_code"}}},
	{name: "R-20 native", sent: object{"application_type": "native", "redirect_uris": []string{"http://127.0.0.1/cb"}, "token_endpoint_auth_method": "none"}},
	{name: "R-21 software", sent: object{"software_id": "a b", "software_version": "1.0-β"}},
	{name: "R-22 contacts", sent: object{"contacts": []string{"a@b.c"}}},
	{name: "R-22 ten contacts", sent: object{"contacts": slices.Repeat([]string{"a@b.c"}, 10)}},
	{name: "R-22 no contacts", sent: object{"contacts": []string{}}, changed: object{"contacts": nil}},
	{name: "R-24 keys by value", sent: object{"token_endpoint_auth_method": "private_key_jwt", "jwks": keySet(rsaKey)}},
	{name: "R-25 keys by reference", sent: object{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://c.example/jwks.json"}},
}

var registerRefused = []refusedCase{
	{"R-15 script as a localised logo", object{"logo_uri#fr": "javascript:alert(1)"}, "invalid_client_metadata", "logo_uri#fr"},
	{"R-15 localised name of another type", object{"client_name#ja": 1}, "invalid_client_metadata", "client_name#ja"},
	{"R-15 malformed language", object{"client_name#": "x"}, "invalid_client_metadata", "client_name"},
	{"R-15 language with an underscore", object{"client_name#de_CH": "x"}, "invalid_client_metadata", "client_name"},
	{"R-15 two tags", object{"client_name#de#fr": "x"}, "invalid_client_metadata", "client_name"},
	{"R-15 language of one letter", object{"tos_uri#d": "https://c.example/"}, "invalid_client_metadata", "tos_uri"},
	{"R-15 the same language twice", object{"client_name#ja-JP": "x", "client_name#JA-jp": "y"}, "invalid_client_metadata", "client_name#"},
	{"R-17 client_credentials", object{"grant_types": []string{"client_credentials"}, "response_types": []string{}, "redirect_uris": nil}, "invalid_client_metadata", "grant_types"},
	{"R-22 contacts as a string", object{"contacts": "a@b.c"}, "invalid_client_metadata", "contacts"},
	{"R-22 eleven contacts", object{"contacts": slices.Repeat([]string{"a@b.c"}, 11)}, "invalid_client_metadata", "contacts"},
	{"R-22 contact of another type", object{"contacts": []any{"a@b.c", 1}}, "invalid_client_metadata", "contacts[1]"},
	{"R-22 empty contact", object{"contacts": []any{"a@b.c", ""}}, "invalid_client_metadata", "contacts[1]"},
	{"F-13 1,000 redirect URIs", object{"redirect_uris": redirectURIs(1000)}, "invalid_redirect_uri", "redirect_uris"},
	{"F-13 33 redirect URIs", object{"redirect_uris": redirectURIs(33)}, "invalid_redirect_uri", "redirect_uris"},
	{"F-13 redirect URI of 10 kB", object{"redirect_uris": []string{redirectURIOf(10_000)}}, "invalid_redirect_uri", "redirect_uris[0]"},
	{"F-13 redirect URI of 2,049 bytes", object{"redirect_uris": []string{"https://c.example/", redirectURIOf(2049)}}, "invalid_redirect_uri", "redirect_uris[1]"},
}

func redirectURIs(count int) []string {
	uris := make([]string, count)
	for i := range uris {
		uris[i] = fmt.Sprintf("https://c.example/%d", i)
	}
	return uris
}

func redirectURIOf(length int) string {
	const base = "https://c.example/"
	return base + strings.Repeat("a", length-len(base))
}

// tryOmitted sends null and "" for every member of the contract that a client may omit.
func tryOmitted(t *testing.T, s *server) {
	want := decoded(t, with(defaults, minimal()))
	target := s.register(t, minimal())
	for value, spelt := range map[string]any{"null": null, "empty": ""} {
		for _, member := range without(s.members(t, "ClientMetadata"), "redirect_uris") {
			t.Run("register with "+value+" "+member, func(t *testing.T) {
				wantMetadata(t, s.register(t, with(minimal(), object{member: spelt})), want)
			})
		}
		for _, member := range without(s.members(t, "ClientUpdate"), "redirect_uris", "client_id") {
			t.Run("update with "+value+" "+member, func(t *testing.T) {
				wantMetadata(t, s.update(t, target, with(minimal(), object{member: spelt})), want)
			})
		}
	}
}

// without leaves out names, each of which must be there.
func without(names []string, left ...string) []string {
	kept := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(left, name) })
	if len(kept) != len(names)-len(left) {
		panic(fmt.Sprintf("%v is not part of %v", left, names))
	}
	return kept
}

// tryAssigned asks for every member that is in an answer and not in a request.
func tryAssigned(t *testing.T, s *server) {
	inAnswer := s.members(t, "ClientInformation")
	inRequest := s.members(t, "ClientMetadata")
	decided := slices.DeleteFunc(inAnswer, func(member string) bool { return slices.Contains(inRequest, member) })
	if !reflect.DeepEqual(decided, slices.Sorted(slices.Values(assigned))) {
		t.Fatalf("the contract has the server assign %v", decided)
	}
	for _, member := range decided {
		for kind, value := range map[string]any{"string": "mine", "number": 4102444800, "object": object{"a": "mine"}} {
			t.Run(member+" as "+kind, func(t *testing.T) {
				answer := s.register(t, with(minimal(), object{member: value}))
				checkIssued(t, s, answer)
				if strings.Contains(answer.Text, "mine") || answer.Body["client_id_issued_at"] == 4102444800.0 {
					t.Errorf("adopted: %s", answer)
				}
			})
		}
	}
}

func tryParallel(t *testing.T, s *server, count int) {
	answers := s.atOnce(t, slices.Repeat([]request{{Method: http.MethodPost, Path: "/oauth/register", Body: minimal()}}, count))
	distinct := map[string]map[any]bool{"client_id": {}, "client_secret": {}, "registration_access_token": {}}
	for _, answer := range answers {
		if answer.Status != http.StatusCreated {
			t.Errorf("%s", answer)
		}
		for member, values := range distinct {
			values[answer.Body[member]] = true
		}
	}
	for member, values := range distinct {
		if len(values) != count {
			t.Errorf("%d distinct values of %s, want %d", len(values), member, count)
		}
	}
}

// bodyCase is a body that is no registration, whatever its members say.
type bodyCase struct {
	name, body string
	header     map[string]string
	status     int
	code       string
}

const valid = `{"redirect_uris":["https://c.example/cb"]}`

// brokenBodies are not one JSON object in good form.
var brokenBodies = map[string]string{
	"F-02 null":                     `null`,
	"F-02 array":                    `[]`,
	"F-02 array of a registration":  `[` + valid + `]`,
	"F-02 string":                   `"x"`,
	"F-02 number":                   `1`,
	"F-02 true":                     `true`,
	"F-02 false":                    `false`,
	"F-03 cut in a URI":             `{"redirect_uris":["https://c.exa`,
	"F-03 cut in an array":          `{"redirect_uris":["https://c.example/cb"`,
	"F-03 cut after a value":        `{"redirect_uris":["https://c.example/cb"]`,
	"F-03 cut after a comma":        `{"redirect_uris":["https://c.example/cb"],`,
	"F-03 cut after a name":         `{"redirect_uris"`,
	"F-03 brace alone":              `{`,
	"F-03 trailing comma":           `{"redirect_uris":["https://c.example/cb"],}`,
	"F-03 no comma":                 `{"redirect_uris":["https://c.example/cb"] "client_name":"A"}`,
	"F-03 single quotes":            `{'redirect_uris':['https://c.example/cb']}`,
	"F-03 comment":                  `{"redirect_uris":["https://c.example/cb"]/**/}`,
	"F-03 NaN":                      `{"redirect_uris":["https://c.example/cb"],"default_max_age":NaN}`,
	"F-03 leading zero":             `{"redirect_uris":["https://c.example/cb"],"default_max_age":01}`,
	"F-03 raw control character":    "{\"redirect_uris\":[\"https://c.example/cb\"],\"client_name\":\"a\nb\"}",
	"F-04 empty":                    ``,
	"F-04 white space":              " \n\t",
	"F-05 byte order mark":          "\ufeff" + valid,
	"F-05 UTF-16":                   "{\x00}\x00",
	"F-05 trailing text":            valid + "x",
	"F-05 trailing NUL":             valid + "\x00",
	"F-05 two objects":              valid + valid,
	"F-05 two lines":                valid + "\n" + valid,
	"F-05 invalid UTF-8":            "{\"redirect_uris\":[\"https://c.example/cb\"],\"client_name\":\"\xff\"}",
	"F-05 invalid UTF-8 in a URI":   "{\"redirect_uris\":[\"https://c.example/\xc3\x28\"]}",
	"F-05 overlong UTF-8":           "{\"redirect_uris\":[\"https://c.example/cb\"],\"client_name\":\"\xc0\xaf\"}",
	"F-05 UTF-8 of a surrogate":     "{\"redirect_uris\":[\"https://c.example/cb\"],\"client_name\":\"\xed\xa0\x80\"}",
	"F-05 invalid UTF-8 in a name":  "{\"redirect_uris\":[\"https://c.example/cb\"],\"\xff\":1}",
	"F-05 lone high surrogate":      `{"redirect_uris":["https://c.example/cb"],"client_name":"a\ud83d"}`,
	"F-05 lone low surrogate":       `{"redirect_uris":["https://c.example/cb"],"client_name":"\ude00a"}`,
	"F-05 surrogate in a name":      `{"redirect_uris":["https://c.example/cb"],"\ud83d":1}`,
	"F-05 surrogate in the unknown": `{"redirect_uris":["https://c.example/cb"],"x":["\ud83d"]}`,
	"F-05 duplicate":                `{"redirect_uris":["https://c.example/cb"],"scope":"openid","scope":"email"}`,
	"F-05 duplicate redirect_uris":  `{"redirect_uris":["https://c.example/cb"],"redirect_uris":["https://c.example/cb"]}`,
	"F-05 duplicate, escaped":       `{"redirect_uris":["https://c.example/cb"],"\u0072edirect_uris":["https://evil.example/"]}`,
	"F-05 duplicate far away":       `{"client_name":"A","redirect_uris":["https://c.example/cb"],"client_name":"B"}`,
	"F-05 duplicate, unknown":       `{"redirect_uris":["https://c.example/cb"],"x":1,"x":1}`,
	"F-05 duplicate below":          `{"redirect_uris":["https://c.example/cb"],"x":{"a":1,"a":1}}`,
	"F-05 duplicate translation":    `{"redirect_uris":["https://c.example/cb"],"client_name#ja":"A","client_name#ja":"B"}`,
	"F-05 deep arrays":              `{"redirect_uris":["https://c.example/cb"],"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
	"F-05 deep objects":             `{"redirect_uris":["https://c.example/cb"],"x":` + strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000) + `}`,
	"F-05 deep and unclosed":        strings.Repeat("[", 60_000),
	"F-05 many elements":            `{"redirect_uris":["https://c.example/cb"],"x":[` + strings.Repeat("0,", 20_000) + `0]}`,
}

// foreignBodies are declared as something else than plain JSON.
var foreignBodies = map[string]map[string]string{
	"F-01 form":                     {"Content-Type": "application/x-www-form-urlencoded"},
	"F-01 multipart":                {"Content-Type": "multipart/form-data; boundary=x"},
	"F-01 text":                     {"Content-Type": "text/plain"},
	"F-01 JSON of another kind":     {"Content-Type": "application/problem+json"},
	"F-01 the envelope":             {"Content-Type": "application/vnd.registrar.envelope+json"},
	"F-01 name that begins alike":   {"Content-Type": "application/json5"},
	"F-01 list of types":            {"Content-Type": "application/json, text/plain"},
	"F-01 no type":                  {"Content-Type": ""},
	"F-01 wildcard":                 {"Content-Type": "*/*"},
	"F-01 malformed type":           {"Content-Type": "application/json; =;"},
	"F-01 compressed":               {"Content-Encoding": "gzip"},
	"F-01 compressed in some way":   {"Content-Encoding": "identity, br"},
	"F-01 compressed in a made way": {"Content-Encoding": "x"},
}

func bodyCases() []bodyCase {
	var cases []bodyCase
	for name, body := range brokenBodies {
		cases = append(cases, bodyCase{name: name, body: body, status: http.StatusBadRequest, code: "invalid_client_metadata"})
	}
	for name, header := range foreignBodies {
		cases = append(cases, bodyCase{name: name, body: valid, header: header, status: http.StatusUnsupportedMediaType, code: "invalid_request"})
	}
	large := `{"redirect_uris":["https://c.example/cb"],"x":"` + strings.Repeat("x", 65536) + `"}`
	return append(cases, bodyCase{name: "F-06 above the cap", body: large, status: http.StatusRequestEntityTooLarge, code: "invalid_request"})
}

func TestBodies(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		target := s.register(t, minimal())
		for _, c := range bodyCases() {
			t.Run(c.name, func(t *testing.T) {
				c.check(t, s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: c.body, Header: c.header}))
				update := managing(t, http.MethodPut, target, c.body)
				update.Header = c.header
				c.check(t, s.send(t, update))
			})
		}
		s.wantReadBack(t, target)
		if stored := len(s.rows(t)); stored != 1 {
			t.Errorf("%d clients are stored, want the first alone", stored)
		}
		tryTransfers(t, s)
	})
}

func (c bodyCase) check(t *testing.T, answer reply) {
	t.Helper()
	answer.wantError(t, c.status, c.code)
	kind := "application/problem+json"
	if c.status == http.StatusBadRequest {
		kind = "application/json"
	}
	wantHeaders(t, answer, map[string]string{"Content-Type": kind, "Cache-Control": "no-store", "Pragma": "no-cache"})
	if strings.Contains(answer.Text, "c.exa") {
		t.Errorf("the body is quoted: %s", answer)
	}
}

// tryTransfers sends bodies in ways that need a request of their own making.
func tryTransfers(t *testing.T, s *server) {
	padded := valid[:len(valid)-1] + strings.Repeat(" ", 65536-len(valid)) + "}"
	cases := []struct {
		name   string
		body   string
		header http.Header
		// chunked hides the length.
		chunked bool
		status  int
	}{
		{"F-06 at the cap", padded, nil, false, 201},
		{"F-06 at the cap, chunked", padded, nil, true, 201},
		{"F-06 above the cap by one", padded + " ", nil, false, 413},
		{"F-06 above the cap, chunked", padded + strings.Repeat(" ", 65536), nil, true, 413},
		{"F-07 charset", valid, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, false, 201},
		{"F-07 letter case", valid, http.Header{"Content-Type": {`Application/JSON;charset="UTF-8"`}}, false, 201},
		{"F-07 white space around", " \r\n" + valid + "\n", nil, false, 201},
		{"F-07 identity coding", valid, http.Header{"Content-Encoding": {"identity"}}, false, 201},
		{"F-07 two types", valid, http.Header{"Content-Type": {"application/json", "text/plain"}}, false, 415},
		{"F-07 two types, the other way round", valid, http.Header{"Content-Type": {"text/plain", "application/json"}}, false, 415},
		{"F-07 two codings", valid, http.Header{"Content-Encoding": {"identity", "gzip"}}, false, 415},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sent, err := s.build(request{Method: http.MethodPost, Path: "/oauth/register", Body: c.body})
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(sent.Header, c.header)
			if c.chunked {
				sent.Body, sent.ContentLength = io.NopCloser(bytes.NewBufferString(c.body)), -1
			}
			answer, err := s.do(sent)
			if err != nil || answer.Status != c.status {
				t.Errorf("got %s %v, want %d", answer, err, c.status)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		target := s.register(t, minimal())
		const registrations, registration = "OPTIONS, POST", "DELETE, GET, HEAD, OPTIONS, PUT"
		cases := []struct{ name, method, path, allow string }{
			{"F-08 GET", http.MethodGet, "/oauth/register", registrations},
			{"F-08 PUT", http.MethodPut, "/oauth/register", registrations},
			{"F-08 DELETE", http.MethodDelete, "/oauth/register", registrations},
			{"F-08 PATCH", http.MethodPatch, "/oauth/register", registrations},
			{"F-08 unknown method", "BREW", "/oauth/register", registrations},
			{"P-26 POST", http.MethodPost, target.str(t, "registration_client_uri"), registration},
			{"P-26 PATCH", http.MethodPatch, target.str(t, "registration_client_uri"), registration},
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				answer := s.send(t, request{Method: c.method, Path: c.path, Body: valid, Token: target.str(t, "registration_access_token")})
				answer.wantError(t, http.StatusMethodNotAllowed, "invalid_request")
				wantHeaders(t, answer, map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store", "WWW-Authenticate": ""})
				allowed := strings.Split(answer.Header.Get("Allow"), ", ")
				slices.Sort(allowed)
				if got := strings.Join(allowed, ", "); got != c.allow {
					t.Errorf("Allow: %s, want %s", got, c.allow)
				}
			})
		}
		s.wantReadBack(t, target)
	})
}
