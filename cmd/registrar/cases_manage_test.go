package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/seed-9c856424/registrar/internal/credential"
)

func TestManage(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		t.Run("G-01 read", func(t *testing.T) { tryRead(t, s) })
		tryCredentials(t, s)
		tryUpdates(t, s)
		tryMethodChanges(t, s)
		t.Run("P-01 P-10 P-21 an update replaces", func(t *testing.T) { tryReplacement(t, s) })
		t.Run("P-09 the secret in an update", func(t *testing.T) { trySecretInUpdate(t, s) })
		t.Run("P-17 whether the method was chosen is remembered", func(t *testing.T) { tryDefaultedMethod(t, s) })
		t.Run("D-01 D-02 G-07 delete", func(t *testing.T) { tryDelete(t, s) })
		tryRaces(t, s)
	})
}

// managed are the operations on a registration.
var managed = []string{http.MethodGet, http.MethodPut, http.MethodDelete}

func tryRead(t *testing.T, s *server) {
	registered := s.register(t, with(minimal(), object{"client_name": "A", "client_name#ja": "あ"}))
	read := s.manage(t, http.MethodGet, registered, nil)
	wantHeaders(t, read, map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache", "Vary": "Origin, Accept",
		"Location": "", "WWW-Authenticate": "", "ETag": "", "Last-Modified": "",
	})
	if _, told := read.Body["client_secret"]; told {
		t.Errorf("the secret is told again: %s", read)
	}
	s.wantReadBack(t, registered)
	head := s.manage(t, http.MethodHead, registered, nil)
	if head.Status != http.StatusOK || head.Text != "" {
		t.Errorf("HEAD: %s", head)
	}
}

// The two challenges of RFC 6750 §3.1: to who presents nothing, and to who presents what is not valid.
func challenges(s *server) (bare, invalid string) {
	bare = fmt.Sprintf("Bearer realm=%q", s.URL)
	return bare, bare + `, error="invalid_token"`
}

// tryCredentials presents what is no token of the client, to every operation.
func tryCredentials(t *testing.T, s *server) {
	target := s.register(t, minimal())
	token := target.str(t, "registration_access_token")
	bare, invalid := challenges(s)
	cases := []struct{ name, authorization, challenge string }{
		{"G-02 nothing", "", bare},
		{"G-02 another scheme", "Basic " + token, bare},
		{"G-02 another scheme that begins alike", "BearerToken " + token, bare},
		{"G-02 scheme alone", "Bearer", bare},
		{"G-02 token alone", token, bare},
		{"G-03 garbage", "Bearer garbage", invalid},
		{"G-03 garbage beyond ASCII", "Bearer \xff\xfe", invalid},
		{"G-03 long garbage", "Bearer " + strings.Repeat("g", 8000), invalid},
		{"G-03 last character changed", "Bearer " + changeLast(token), invalid},
		{"G-03 token and more", "Bearer " + token + " " + token, invalid},
		{"G-03 token in quotes", `Bearer "` + token + `"`, invalid},
		{"G-03 token in upper case", "Bearer " + strings.ToUpper(token), invalid},
		{"G-03 the secret", "Bearer " + target.str(t, "client_secret"), invalid},
		{"G-03 the client_id", "Bearer " + target.str(t, "client_id"), invalid},
		{"G-04 a token well formed and never issued", "Bearer " + strayToken(t), invalid},
	}
	var bodies []any
	for _, c := range cases {
		for _, method := range managed {
			t.Run(c.name+" "+method, func(t *testing.T) {
				answer := s.presents(t, method, target, c.authorization)
				answer.wantUnauthorized(t, c.challenge)
				if c.challenge == invalid {
					bodies = append(bodies, answer.Body)
				}
			})
		}
	}
	t.Run("G-03 G-04 P-18 one body for all", func(t *testing.T) {
		unknown := s.presents(t, http.MethodGet, reply{Body: object{"registration_client_uri": s.URL + "/oauth/register/c_" + strings.Repeat("0", 26)}}, "Bearer "+strayToken(t))
		unknown.wantUnauthorized(t, invalid)
		differs := func(body any) bool { return !reflect.DeepEqual(body, any(unknown.Body)) }
		if len(bodies) == 0 || slices.ContainsFunc(bodies, differs) {
			t.Errorf("of %d answers some differ from %s", len(bodies), unknown)
		}
	})
	t.Run("G-05 the token elsewhere than in the header", func(t *testing.T) { tryTokenElsewhere(t, s, target) })
	t.Run("G-05 the scheme in another letter case", func(t *testing.T) {
		for _, scheme := range []string{"bearer", "BEARER", "bEaReR"} {
			if read := s.presents(t, http.MethodGet, target, scheme+" "+token); read.Status != http.StatusOK {
				t.Errorf("%s: %s", scheme, read)
			}
		}
	})
	tryStrangeAddresses(t, s, target)
	s.wantReadBack(t, target)
	tryMisuse(t, s)
}

// presents sends a request with this Authorization header, and a body that would be valid.
func (s *server) presents(t *testing.T, method string, to reply, authorization string) reply {
	t.Helper()
	r := request{Method: method, Path: to.str(t, "registration_client_uri"), Header: map[string]string{}}
	if authorization != "" {
		r.Header["Authorization"] = authorization
	}
	if method == http.MethodPut {
		r.Body = with(minimal(), object{"client_id": to.Body["client_id"]})
	}
	return s.send(t, r)
}

func (r reply) wantUnauthorized(t *testing.T, challenge string) {
	t.Helper()
	r.wantError(t, http.StatusUnauthorized, "invalid_token")
	wantHeaders(t, r, map[string]string{
		"WWW-Authenticate": challenge, "Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache",
	})
}

func changeLast(token string) string {
	last := byte('0')
	if strings.HasSuffix(token, "0") {
		last = '1'
	}
	return token[:len(token)-1] + string(last)
}

// strayToken is a token in good form that no server issued.
func strayToken(t *testing.T) string {
	t.Helper()
	token, err := credential.Mint(rand.Reader, credential.RegistrationAccessToken, strings.ToLower(ulid.Make().String()))
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

// tryTokenElsewhere puts the token where it does not count (RFC 6750 §2.2, §2.3).
func tryTokenElsewhere(t *testing.T, s *server, target reply) {
	uri, token := target.str(t, "registration_client_uri"), target.str(t, "registration_access_token")
	bare, _ := challenges(s)
	update := with(minimal(), object{"client_id": target.Body["client_id"], "access_token": token, "registration_access_token": token})
	for _, r := range []request{
		{Method: http.MethodGet, Path: uri + "?access_token=" + token},
		{Method: http.MethodDelete, Path: uri + "?access_token=" + token},
		{Method: http.MethodPut, Path: uri + "?registration_access_token=" + token, Body: update},
		{Method: http.MethodPut, Path: uri, Body: "access_token=" + token, Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		{Method: http.MethodDelete, Path: uri, Body: update},
		{Method: http.MethodGet, Path: uri, Header: map[string]string{"Cookie": "access_token=" + token}},
		{Method: http.MethodGet, Path: uri, Header: map[string]string{"X-Authorization": "Bearer " + token}},
	} {
		s.send(t, r).wantUnauthorized(t, bare)
	}
}

// tryStrangeAddresses asks for client ids that cannot be one.
func tryStrangeAddresses(t *testing.T, s *server, target reply) {
	_, invalid := challenges(s)
	id := target.str(t, "client_id")
	for name, path := range map[string]string{
		"G-04 another letter case": strings.ToUpper(id),
		"G-04 without the prefix":  strings.TrimPrefix(id, "c_"),
		"G-04 NUL":                 "%00",
		"G-04 NUL behind the id":   id + "%00",
		"G-04 invalid UTF-8":       "%ff%fe",
		"G-04 SQL":                 "'%20OR%201=1;--",
		"G-04 very long":           strings.Repeat("a", 4000),
		"G-04 wildcard":            "%25",
	} {
		for _, method := range managed {
			t.Run(name+" "+method, func(t *testing.T) {
				to := reply{Body: object{"registration_client_uri": s.URL + "/oauth/register/" + path}}
				s.presents(t, method, to, "Bearer "+strayToken(t)).wantUnauthorized(t, invalid)
				s.presents(t, method, to, "Bearer "+target.str(t, "registration_access_token")).wantUnauthorized(t, invalid)
				s.wantReadBack(t, target)
			})
		}
	}
	for name, path := range map[string]string{"a slash at the end": id + "/", "a path below": id + "/x", "a slash before": "/" + id, "an escaped slash": id + "%2Fx"} {
		t.Run("G-04 "+name, func(t *testing.T) {
			to := reply{Body: object{"registration_client_uri": s.URL + "/oauth/register/" + path}}
			answer := s.presents(t, http.MethodGet, to, "Bearer "+target.str(t, "registration_access_token"))
			if answer.Status != http.StatusNotFound && answer.Status != http.StatusUnauthorized {
				t.Errorf("%s", answer)
			}
			s.wantReadBack(t, target)
		})
	}
	t.Run("G-01 an escape that need not be", func(t *testing.T) {
		for _, spelling := range []string{"c%5F" + id[2:], "%63_" + id[2:]} {
			to := with(target.Body, object{"registration_client_uri": s.URL + "/oauth/register/" + spelling})
			if read := s.manage(t, http.MethodGet, reply{Body: to}, nil); read.Status != http.StatusOK {
				t.Errorf("%s: %s", spelling, read)
			}
		}
	})
}

// tryMisuse presents a valid token on another client: that client keeps what it has, and
// the token ends.
func tryMisuse(t *testing.T, s *server) {
	_, invalid := challenges(s)
	for _, method := range managed {
		t.Run("G-06 D-06 another client's token "+method, func(t *testing.T) {
			owner, other := s.register(t, minimal()), s.register(t, minimal())
			authorization := "Bearer " + owner.str(t, "registration_access_token")
			s.presents(t, method, other, authorization).wantUnauthorized(t, invalid)
			s.wantReadBack(t, other)
			for _, again := range managed {
				s.presents(t, again, owner, authorization).wantUnauthorized(t, invalid)
			}
		})
	}
}

func TestMisusedTokenIsKept(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_REVOKE_MISUSED_TOKEN": "false"})
	_, invalid := challenges(s)
	for _, method := range managed {
		t.Run("G-06 "+method, func(t *testing.T) {
			owner, other := s.register(t, minimal()), s.register(t, minimal())
			s.presents(t, method, other, "Bearer "+owner.str(t, "registration_access_token")).wantUnauthorized(t, invalid)
			s.wantReadBack(t, other)
			s.wantReadBack(t, owner)
		})
	}
}

// tryUpdates sends bodies that are no update of the client, whatever their metadata.
func tryUpdates(t *testing.T, s *server) {
	target := s.register(t, with(minimal(), object{"client_name": "A"}))
	other := s.register(t, minimal())
	cases := []struct {
		name string
		sent object
		code string
		says string
	}{
		{"P-02 no client_id", object{"client_id": nil}, "invalid_request", "client_id"},
		{"P-02 null client_id", object{"client_id": null}, "invalid_request", "client_id"},
		{"P-02 empty client_id", object{"client_id": ""}, "invalid_request", "client_id"},
		{"P-02 client_id of another type", object{"client_id": 1}, "invalid_request", "client_id"},
		{"P-02 client_id in another letter case of its name", object{"client_id": nil, "CLIENT_ID": target.Body["client_id"]}, "invalid_request", "client_id"},
		{"P-03 client_id of another client", object{"client_id": other.Body["client_id"]}, "invalid_request", "client_id"},
		{"P-03 client_id in upper case", object{"client_id": strings.ToUpper(target.str(t, "client_id"))}, "invalid_request", "client_id"},
		{"P-04 registration_access_token", object{"registration_access_token": target.Body["registration_access_token"]}, "invalid_request", "registration_access_token"},
		{"P-04 registration_access_token of another type", object{"registration_access_token": 1}, "invalid_request", "registration_access_token"},
		{"P-05 registration_client_uri", object{"registration_client_uri": target.Body["registration_client_uri"]}, "invalid_request", "registration_client_uri"},
		{"P-06 client_secret_expires_at", object{"client_secret_expires_at": 0}, "invalid_request", "client_secret_expires_at"},
		{"P-07 client_id_issued_at", object{"client_id_issued_at": target.Body["client_id_issued_at"]}, "invalid_request", "client_id_issued_at"},
		{"P-03 client_id of another client, with a member at fault", object{"client_id": other.Body["client_id"], "client_name": 1}, "invalid_request", "client_id"},
		{"P-08 one of them with redirect_uris at fault", object{"client_id_issued_at": 1, "redirect_uris": 1}, "invalid_request", "client_id_issued_at"},
		{"P-08 one of them with a member at fault", object{"client_id_issued_at": 1, "client_name": 1}, "invalid_request", "client_id_issued_at"},
		{"P-09 another client_secret", object{"client_secret": other.Body["client_secret"]}, "invalid_request", "client_secret"},
		{"P-09 chosen client_secret", object{"client_secret": "mine"}, "invalid_request", "client_secret"},
		{"P-09 client_secret of another type", object{"client_secret": 1}, "invalid_client_metadata", "client_secret"},
		{"P-15 bad redirect", object{"redirect_uris": []string{"http://c.example/cb"}}, "invalid_redirect_uri", "redirect_uris[0]"},
		{"P-15 redirect omitted", object{"redirect_uris": nil}, "invalid_redirect_uri", "redirect_uris"},
		{"P-19 members alone that the server assigns", object{"redirect_uris": nil, "client_id": nil, "client_id_issued_at": 1}, "invalid_request", "client_id"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			body := with(with(minimal(), object{"client_id": target.Body["client_id"]}), c.sent)
			refusedCase{code: c.code, says: c.says}.check(t, s.manage(t, http.MethodPut, target, body))
			s.wantReadBack(t, target)
		})
	}
	t.Run("P-20 unknown member", func(t *testing.T) {
		updated := s.update(t, target, with(minimal(), object{"x_unknown": 1, "CLIENT_ID": "x", "Client_Secret": "x"}))
		wantMetadata(t, updated, decoded(t, with(defaults, minimal())))
	})
}

// tryMethodChanges updates from each method to each other.
func tryMethodChanges(t *testing.T, s *server) {
	keys := object{"jwks": keySet(ecKey)}
	cases := []struct {
		name, from, to string
		// issued says that the update gives a new secret, kept that the old one stays.
		issued, kept bool
	}{
		{"P-12 the same", "client_secret_basic", "client_secret_basic", false, true},
		{"P-13 public to basic", "none", "client_secret_basic", true, false},
		{"P-13 public to post", "none", "client_secret_post", true, false},
		{"P-13 keys to basic", "private_key_jwt", "client_secret_basic", true, false},
		{"P-13 basic to post", "client_secret_basic", "client_secret_post", true, false},
		{"P-13 post to basic", "client_secret_post", "client_secret_basic", true, false},
		{"P-14 basic to public", "client_secret_basic", "none", false, false},
		{"P-14 post to keys", "client_secret_post", "private_key_jwt", false, false},
		{"P-14 public to keys", "none", "private_key_jwt", false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := s.register(t, with(with(minimal(), keys), object{"token_endpoint_auth_method": c.from}))
			after := s.update(t, before, with(with(minimal(), keys), object{"token_endpoint_auth_method": c.to}))
			if _, issued := after.Body["client_secret"]; issued != c.issued {
				t.Errorf("secret issued: %v", issued)
			}
			if c.issued {
				checkSecret(t, after)
				s.wantSecret(t, after, after.str(t, "client_secret"), true)
			}
			if old, _ := before.Body["client_secret"].(string); old != "" {
				s.wantSecret(t, after, old, c.kept)
			}
			s.wantReadBack(t, after)
		})
	}
}

// wantSecret tells by an update, which may hold the present secret and no other, whether
// the secret is the client's.
func (s *server) wantSecret(t *testing.T, of reply, secret string, present bool) {
	t.Helper()
	body := with(metadataOf(of), object{"client_id": of.Body["client_id"], "client_secret": secret})
	answer := s.manage(t, http.MethodPut, of, body)
	if accepted := answer.Status == http.StatusOK; accepted != present {
		t.Errorf("the secret is the present one: %v, want %v: %s", accepted, present, answer)
	}
}

// tryReplacement leaves members out, in each of the ways that count as omitted.
func tryReplacement(t *testing.T, s *server) {
	full := with(minimal(), object{
		"client_uri": "https://c.example/", "client_name": "A", "client_name#ja": "あ", "contacts": []string{"a@c.example"},
		"scope": "openid", "grant_types": []string{"authorization_code"}, "software_id": "s", "token_endpoint_auth_method": "none",
	})
	registered := s.register(t, full)
	steps := []struct {
		name string
		sent object
		want object
	}{
		{"P-10 left out", with(full, object{"client_uri": nil, "client_name#ja": nil}), with(full, object{"client_uri": nil, "client_name#ja": nil, "application_type": "web", "response_types": []string{"code"}})},
		{"P-11 null", with(full, object{"client_uri": null, "contacts": null}), with(full, object{"client_uri": nil, "contacts": nil, "application_type": "web", "response_types": []string{"code"}})},
		{"P-11 empty", with(full, object{"software_id": "", "client_name#ja": ""}), with(full, object{"software_id": nil, "client_name#ja": nil, "application_type": "web", "response_types": []string{"code"}})},
		{"P-22 keys", with(minimal(), object{"jwks": keySet(ecKey)}), with(with(defaults, minimal()), object{"jwks": keySet(ecKey)})},
		{"P-22 other keys", with(minimal(), object{"jwks": keySet(rsaKey, okpKey)}), with(with(defaults, minimal()), object{"jwks": keySet(rsaKey, okpKey)})},
		{"P-22 keys by reference instead", with(minimal(), object{"jwks_uri": "https://c.example/jwks.json"}), with(with(defaults, minimal()), object{"jwks_uri": "https://c.example/jwks.json"})},
		{"P-10 defaulted anew", minimal(), with(defaults, minimal())},
		{"P-01 another redirect", object{"redirect_uris": []string{"https://other.example/cb"}}, with(defaults, object{"redirect_uris": []string{"https://other.example/cb"}})},
		{"P-10 defaults that follow the redirect", object{"redirect_uris": []string{"http://localhost/cb"}}, with(with(defaults, native), object{"redirect_uris": []string{"http://localhost/cb"}})},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			updated := s.update(t, registered, step.sent)
			wantMetadata(t, updated, decoded(t, step.want))
			wantHeaders(t, updated, map[string]string{"Location": "", "Cache-Control": "no-store", "Pragma": "no-cache", "Vary": "Origin, Accept"})
			for _, member := range []string{"client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"} {
				if updated.Body[member] != registered.Body[member] {
					t.Errorf("%s changed to %v", member, updated.Body[member])
				}
			}
			s.wantReadBack(t, updated)
		})
	}
}

func trySecretInUpdate(t *testing.T, s *server) {
	registered := s.register(t, minimal())
	secret := registered.str(t, "client_secret")
	s.wantSecret(t, registered, changeLast(secret), false)
	s.wantSecret(t, registered, secret+" ", false)
	s.wantSecret(t, registered, strings.ToUpper(secret), false)
	s.wantSecret(t, registered, secret, true)
	updated := s.update(t, registered, with(minimal(), object{"client_secret": secret}))
	if strings.Contains(updated.Text, secret) {
		t.Errorf("the secret is told again: %s", updated)
	}
	public := s.register(t, with(minimal(), object{"token_endpoint_auth_method": "none"}))
	s.wantSecret(t, public, secret, false)
}

// tryDefaultedMethod looks into the row: no answer tells yet whether a method was chosen.
func tryDefaultedMethod(t *testing.T, s *server) {
	chosen := object{"token_endpoint_auth_method": "client_secret_basic"}
	omitted := object{}
	another := object{"token_endpoint_auth_method": "none"}
	cases := []struct {
		name               string
		registered, update object
		defaulted          bool
	}{
		{"defaulted", omitted, nil, true},
		{"chosen", chosen, nil, false},
		{"defaulted, then repeated", omitted, chosen, true},
		{"defaulted, then another chosen", omitted, another, false},
		{"chosen, then omitted", chosen, omitted, true},
		{"chosen, then repeated", chosen, chosen, false},
	}
	ids := make([]string, len(cases))
	for i, c := range cases {
		registered := s.register(t, with(minimal(), c.registered))
		if c.update != nil {
			s.update(t, registered, with(minimal(), c.update))
		}
		ids[i] = registered.str(t, "client_id")
	}
	for _, row := range s.rows(t) {
		i := slices.Index(ids, fmt.Sprint(row["id"]))
		if i < 0 {
			continue
		}
		defaulted := slices.Contains([]any{true, int64(1)}, row["auth_method_defaulted"])
		if defaulted != cases[i].defaulted {
			t.Errorf("%s: remembered as defaulted: %v", cases[i].name, defaulted)
		}
		ids[i] = ""
	}
	if slices.ContainsFunc(ids, func(id string) bool { return id != "" }) {
		t.Errorf("not found: %v", ids)
	}
}

func tryDelete(t *testing.T, s *server) {
	registered, survivor := s.register(t, minimal()), s.register(t, minimal())
	_, invalid := challenges(s)
	gone := s.manage(t, http.MethodDelete, registered, nil)
	if gone.Status != http.StatusNoContent || gone.Text != "" {
		t.Errorf("delete: %s", gone)
	}
	wantHeaders(t, gone, map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "", "Content-Length": "", "Location": ""})
	for _, method := range managed {
		s.presents(t, method, registered, "Bearer "+registered.str(t, "registration_access_token")).wantUnauthorized(t, invalid)
	}
	s.wantReadBack(t, survivor)
	gone = s.manage(t, http.MethodDelete, survivor, minimal())
	if gone.Status != http.StatusNoContent {
		t.Errorf("delete with a body: %s", gone)
	}
}

// tryRaces has several requests meet on one registration.
func tryRaces(t *testing.T, s *server) {
	update := func(of reply, name string) request {
		return managing(t, http.MethodPut, of, with(minimal(), object{"client_id": of.Body["client_id"], "client_name": name}))
	}
	t.Run("P-27 updates at once", func(t *testing.T) {
		registered := s.register(t, minimal())
		var rivals []request
		for i := range 8 {
			rivals = append(rivals, update(registered, fmt.Sprintf("rival %d", i)))
		}
		answers := s.atOnce(t, rivals)
		for _, answer := range answers {
			if answer.Status != http.StatusOK || answer.Body["registration_access_token"] != registered.Body["registration_access_token"] {
				t.Errorf("%s", answer)
			}
		}
		read := s.manage(t, http.MethodGet, registered, nil)
		wrote := func(answer reply) bool { return reflect.DeepEqual(answer.Body, read.Body) }
		if !slices.ContainsFunc(answers, wrote) {
			t.Errorf("what is read is none of the updates: %s", read)
		}
	})
	t.Run("P-27 updates that change the method at once", func(t *testing.T) {
		registered := s.register(t, with(minimal(), object{"token_endpoint_auth_method": "none"}))
		answers := s.atOnce(t, slices.Repeat([]request{managing(t, http.MethodPut, registered, with(minimal(), object{"client_id": registered.Body["client_id"]}))}, 4))
		issued := slices.DeleteFunc(answers, func(answer reply) bool { return answer.Body["client_secret"] == nil })
		if len(issued) != 1 {
			t.Fatalf("%d secrets were issued, want one", len(issued))
		}
		s.wantSecret(t, issued[0], issued[0].str(t, "client_secret"), true)
	})
	t.Run("D-07 updates and deletions at once", func(t *testing.T) {
		registered := s.register(t, minimal())
		remove := managing(t, http.MethodDelete, registered, nil)
		answers := s.atOnce(t, []request{update(registered, "A"), remove, update(registered, "B"), remove, update(registered, "C")})
		removed := 0
		for _, answer := range answers {
			switch answer.Status {
			case http.StatusNoContent:
				removed++
			case http.StatusOK:
			default:
				answer.wantError(t, http.StatusUnauthorized, "invalid_token")
			}
		}
		if removed != 1 {
			t.Errorf("%d deletions succeeded, want one", removed)
		}
		s.manage(t, http.MethodGet, registered, nil).wantError(t, http.StatusUnauthorized, "invalid_token")
	})
}

// atOnce sends all requests at the same time.
func (s *server) atOnce(t *testing.T, requests []request) []reply {
	t.Helper()
	answers := make([]reply, len(requests))
	var group sync.WaitGroup
	for i, r := range requests {
		group.Go(func() {
			var err error
			if answers[i], err = s.try(r); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	return answers
}
