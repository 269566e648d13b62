package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// canary and canaryNumber stand in every hostile value: they come back in no error and
// stand in no log.
const (
	canary       = "Zeisig7331"
	canaryNumber = "733173317331733173317331"
)

// hostileValue is a JSON value that fits no member, or hardly.
type hostileValue struct {
	name, json string
	// broken says that it is no JSON in good form: a fault of the body, whatever the member.
	broken bool
}

var hostileValues = []hostileValue{
	{"true", `true`, false},
	{"false", `false`, false},
	{"zero", `0`, false},
	{"minus zero", `-0`, false},
	{"fraction", `-733.173317331`, false},
	{"integer beyond 64 bits", canaryNumber, false},
	{"integer of 1,000 digits", strings.Repeat("7331", 250), false},
	{"text", quoted(canary), false},
	{"blank text", `" "`, false},
	{"script", quoted("javascript:" + canary), false},
	{"markup", quoted("<script>" + canary + "</script>"), false},
	{"format verbs", quoted("%s%n%!x(" + canary + ")"), false},
	{"SQL", quoted("'); DROP TABLE clients; --" + canary), false},
	{"template", quoted("${jndi:ldap://x/" + canary + "}{{.}}"), false},
	{"header", quoted(canary + "\r\nSet-Cookie: a=b"), false},
	{"huge text", quoted(strings.Repeat(canary, 3000)), false},
	{"huge text of combining marks", quoted("e" + strings.Repeat("\u0301", 5000)), false},
	{"empty object", `{}`, false},
	{"object", `{"` + canary + `":"` + canary + `"}`, false},
	{"object of many members", manyMembers(4200), false},
	{"empty array", `[]`, false},
	{"array of text", `["` + canary + `"]`, false},
	{"array of empty text", `[""]`, false},
	{"array of null", `[null]`, false},
	{"array of numbers", `[` + canaryNumber + `]`, false},
	{"array of booleans", `[true]`, false},
	{"array of objects", `[{"` + canary + `":1}]`, false},
	{"array of everything", `["` + canary + `",1,null,true,{},[]]`, false},
	{"array of arrays", `[["` + canary + `"]]`, false},
	{"array of 4,200 texts", `[` + strings.Repeat(quoted(canary[:6])+",", 4199) + `"x"]`, false},
	{"arrays 12 deep", strings.Repeat("[", 12) + quoted(canary) + strings.Repeat("]", 12), false},
	{"arrays 5,000 deep", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), false},
	{"objects 12 deep", strings.Repeat(`{"a":`, 12) + quoted(canary) + strings.Repeat("}", 12), false},
	{"objects 2,000 deep", strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000), false},
	{"NUL", `"` + canary + `\u0000"`, false},
	{"escape character", `"` + canary + `\u001b[2J"`, false},
	{"C1 control", `"` + canary + `\u009f"`, false},
	{"right-to-left override", `"` + canary + `\u202e"`, false},
	{"isolate", `"\u2067` + canary + `"`, false},
	{"byte order mark", `"\ufeff` + canary + `"`, false},
	{"line separator", `"` + canary + `\u2028"`, false},
	{"zero width", `"` + canary + `\u200b\u200d"`, false},
	{"private use", `"` + canary + `\ue000\udbff\udffd"`, false},
	{"noncharacter", `"` + canary + `\uffff\ufdd0"`, false},
	{"replacement character", `"` + canary + `\ufffd"`, false},
	{"lone high surrogate", `"` + canary + `\ud800"`, true},
	{"lone low surrogate", `"\udfff` + canary + `"`, true},
	{"surrogates the wrong way round", `"` + canary + `\ude00\ud83d"`, true},
	{"surrogate in an array", `["` + canary + `\ud800"]`, true},
	{"invalid UTF-8", "\"" + canary + "\xff\"", true},
	{"overlong UTF-8", "\"" + canary + "\xe0\x80\xaf\"", true},
	{"duplicate names", `{"a":"` + canary + `","a":1}`, true},
	{"bare word", canary, true},
	{"infinity", `Infinity`, true},
	{"hexadecimal number", `0x7331`, true},
	{"plus sign", `+7331`, true},
}

func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func manyMembers(count int) string {
	members := make([]string, count)
	for i := range members {
		members[i] = strconv.Quote(strconv.Itoa(i)) + ":0"
	}
	return "{" + strings.Join(members, ",") + "}"
}

// bodyWith is the object with one member more, or another, of this JSON text.
func bodyWith(o object, member, value string) string {
	encoded, err := json.Marshal(with(o, object{member: nil}))
	if err != nil {
		panic(err)
	}
	text := strings.TrimSuffix(string(encoded), "}")
	if text != "{" {
		text += ","
	}
	return text + quoted(member) + ":" + value + "}"
}

// TestTypeAbuse sends every hostile value as every member of the contract: it is refused
// with a code of the operation, or taken; nobody ever sees it again if it is refused.
func TestTypeAbuse(t *testing.T) {
	eachStoreWith(t, map[string]string{"REGISTRAR_LOG_LEVEL": "debug"}, func(t *testing.T, s *server) {
		var stored atomic.Int64
		t.Run("members", func(t *testing.T) { abuseMembers(t, s, &stored) })
		if rows := len(s.rows(t)); int64(rows) != stored.Load() {
			t.Errorf("%d clients are stored, want %d", rows, stored.Load())
		}
		for _, mark := range []string{canary, canaryNumber} {
			if strings.Contains(s.Log.String(), mark) {
				t.Errorf("a value stands in the log: %s", mark)
			}
		}
	})
}

// abuseMembers takes the members side by side and counts the registrations that succeed.
func abuseMembers(t *testing.T, s *server, stored *atomic.Int64) {
	more := []string{"client_name#ja", "logo_uri#fr", "client_name#x-vogel", "x_unknown"}
	abuse := func(operation, schema string, try func(*testing.T, *server, string) int64) {
		for _, member := range append(s.members(t, schema), more...) {
			t.Run(operation+" "+member, func(t *testing.T) {
				t.Parallel()
				stored.Add(try(t, s, member))
			})
		}
	}
	abuse("register", "ClientMetadata", abuseRegistration)
	abuse("update", "ClientUpdate", abuseUpdate)
}

func abuseRegistration(t *testing.T, s *server, member string) (stored int64) {
	for _, value := range hostileValues {
		answer := s.post(t, bodyWith(minimal(), member, value.json))
		if answer.Status == http.StatusCreated && !value.broken {
			stored++
			s.wantReadBack(t, answer)
			continue
		}
		value.check(t, answer, registrationCodes(member))
	}
	return stored
}

func abuseUpdate(t *testing.T, s *server, member string) (stored int64) {
	current := s.register(t, minimal())
	base := with(minimal(), object{"client_id": current.Body["client_id"]})
	for _, value := range hostileValues {
		answer := s.manage(t, http.MethodPut, current, bodyWith(base, member, value.json))
		if answer.Status == http.StatusOK && !value.broken {
			current = answer
		} else {
			value.check(t, answer, updateCodes(member))
		}
	}
	s.wantReadBack(t, current)
	return 1
}

func registrationCodes(member string) []string {
	switch member {
	case "redirect_uris":
		return []string{"invalid_redirect_uri"}
	case "software_statement":
		return []string{"invalid_software_statement"}
	}
	return []string{"invalid_client_metadata"}
}

func updateCodes(member string) []string {
	switch {
	case member == "client_secret":
		// Of another type it is malformed, as text it is another than the present one.
		return []string{"invalid_client_metadata", "invalid_request"}
	case slices.Contains(assigned, member):
		return []string{"invalid_request"}
	}
	return registrationCodes(member)
}

// check expects a refusal that does not repeat the value.
func (v hostileValue) check(t *testing.T, answer reply, codes []string) {
	t.Helper()
	if v.broken {
		codes = []string{"invalid_client_metadata"}
	}
	code, _ := answer.Body["error"].(string)
	if answer.Status != http.StatusBadRequest || !slices.Contains(codes, code) {
		t.Errorf("%s: got %.300s, want 400 of %v", v.name, answer, codes)
	}
	told := answer.Text + fmt.Sprint(answer.Header)
	if strings.Contains(told, canary) || strings.Contains(told, canaryNumber) {
		t.Errorf("%s: repeated: %s", v.name, answer)
	}
}

// TestNumbersAreKept: a key's members that nobody knows come back digit for digit.
func TestNumbersAreKept(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		for _, number := range []string{"0", "-0", "1.50", "12345678901234567890", "0.1000000000000000055511151231257827", "1e2", "-1.5E-7"} {
			t.Run(number, func(t *testing.T) {
				key := bodyWith(ecKey, "x_note", number)
				answer := s.post(t, bodyWith(minimal(), "jwks", `{"keys":[`+key+`]}`))
				if answer.Status != http.StatusCreated {
					t.Fatalf("%s", answer)
				}
				read := s.manage(t, http.MethodGet, answer, nil)
				for _, text := range []string{answer.Text, read.Text} {
					if !strings.Contains(text, `"x_note":`+number+"}") && !strings.Contains(text, `"x_note":`+number+",") {
						t.Errorf("the number is another: %s", text)
					}
				}
			})
		}
	})
}

// TestNumbersBeyondDoubles: what few decoders could read back is refused (RFC 7493 §2.2).
func TestNumbersBeyondDoubles(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		for _, number := range []string{"1e400", "-1e400", "1e200000", "1e99999999999999999999"} {
			t.Run(number, func(t *testing.T) {
				s.post(t, bodyWith(minimal(), "client_name", number)).wantError(t, http.StatusBadRequest, "invalid_client_metadata")
				key := bodyWith(ecKey, "x_note", number)
				s.post(t, bodyWith(minimal(), "jwks", `{"keys":[`+key+`]}`)).wantError(t, http.StatusBadRequest, "invalid_client_metadata")
			})
		}
	})
}
