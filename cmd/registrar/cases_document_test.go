package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// docURL is the client_id of a client that is known by its document.
const docURL = "https://client.example/oauth/client.json"

// eachStoreElsewhere runs the test against a fresh server on each store, with a world
// outside of its own.
func eachStoreElsewhere(t *testing.T, settings map[string]string, test func(t *testing.T, s *server, e *elsewhere)) {
	t.Helper()
	for name, database := range stores {
		t.Run(name, func(t *testing.T) {
			merged := map[string]string{"REGISTRAR_DATABASE_URL": database(t)}
			for key, value := range settings {
				merged[key] = value
			}
			e := newElsewhere(t)
			test(t, startServerIn(t, e.network(), merged), e)
		})
	}
}

// document is a sound metadata document; a nil value removes a member.
func document(id string, members object) object {
	return with(object{"client_id": id, "client_name": "Documented", "redirect_uris": []string{callback}}, members)
}

// answers puts a document, or anything else, where it is looked for.
func (e *elsewhere) answers(address string, body any) {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	e.at(u.Host, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != u.RequestURI() {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if text, ok := body.(string); ok {
			_, _ = io.WriteString(w, text)
			return
		}
		_ = json.NewEncoder(w).Encode(body)
	})
}

// documentedTokens goes the whole way for the client of a document.
func (s *server) documentedTokens(t *testing.T, id, redirect string) reply {
	t.Helper()
	code := s.visitor(t).code(t, authorizationRequest(id, redirect, nil))
	return s.tokens(t, redemption(id, code, nil), nil)
}

func TestDocuments(t *testing.T) {
	eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) {
		e.answers(docURL, document(docURL, nil))
		v := s.visitor(t)
		params := authorizationRequest(docURL, callback, nil)
		login := location(t, v.get(t, "/oauth/authorize?"+params.Encode()))
		page := v.get(t, v.logIn(t, "ada", login.Query().Get("continue")))
		t.Run("C-01 the page shows who and where to", func(t *testing.T) {
			for _, shown := range []string{"<strong>client.example</strong>", "Documented", "<strong>c.example</strong>"} {
				if !strings.Contains(page.Text, shown) {
					t.Errorf("no %q in %s", shown, page)
				}
			}
		})
		code := location(t, v.answerQuestion(t, page, "approve")).Query().Get("code")
		tokens := s.tokens(t, redemption(docURL, code, nil), nil)
		tokens = s.tokens(t, refreshing(docURL, tokens.str(t, "refresh_token")), nil)
		claims := s.claims(t, tokens.str(t, "access_token"), "at+jwt", jose.ES256)
		if claims["client_id"] != docURL {
			t.Errorf("client_id %v", claims["client_id"])
		}
		if n := e.requests("client.example/"); n != 1 {
			t.Errorf("C-07 fetched %d times", n)
		}
		t.Run("remembered", func(t *testing.T) {
			if again := v.get(t, "/oauth/authorize?"+params.Encode()); again.Status != http.StatusFound {
				t.Errorf("asked again: %s", again)
			}
		})
		t.Run("on the account page", func(t *testing.T) {
			if account := v.get(t, "/account"); !strings.Contains(account.Text, "client.example") {
				t.Errorf("%s", account)
			}
		})
		t.Run("suspended", func(t *testing.T) {
			s.setStatus(t, "suspend", docURL)
			wantPage(t, v.get(t, "/oauth/authorize?"+params.Encode()), "invalid_client")
			s.wantUnknown(t, s.token(t, refreshing(docURL, tokens.str(t, "refresh_token")), nil))
			s.setStatus(t, "approve", docURL)
			s.documentedTokens(t, docURL, callback)
		})
	})
}

// TestDocumentsOfClients: C-08, the shapes that live clients publish.
func TestDocumentsOfClients(t *testing.T) {
	for name, c := range map[string]struct{ id, redirect, members string }{
		"Claude Code": {
			"https://claude.ai/oauth/claude-code-client-metadata", "http://localhost:51234/callback",
			`"client_name":"Claude Code","client_uri":"https://claude.ai","redirect_uris":["http://localhost/callback","http://127.0.0.1/callback"],
			"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"`,
		},
		"ChatGPT": {
			"https://chatgpt.com/oauth/abc/client.json?token_endpoint_auth_method=none", "https://chatgpt.com/connector/oauth/abc",
			`"client_name":"ChatGPT","redirect_uris":["https://chatgpt.com/connector/oauth/abc"],"grant_types":["authorization_code","refresh_token"],
			"response_types":["code"],"token_endpoint_auth_methods_supported":["none","private_key_jwt","client_secret_basic","client_secret_post"]`,
		},
		"VS Code": {
			"https://vscode.dev/oauth/client-metadata.json", "http://127.0.0.1:45678/",
			`"client_name":"Visual Studio Code","client_uri":"https://vscode.dev/product","grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],
			"response_types":["code"],"redirect_uris":["http://127.0.0.1:33418/","https://vscode.dev/redirect"],"token_endpoint_auth_method":"none"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) {
				e.answers(c.id, fmt.Sprintf(`{"client_id":%q,%s}`, c.id, c.members))
				tokens := s.documentedTokens(t, c.id, c.redirect)
				s.tokens(t, refreshing(c.id, tokens.str(t, "refresh_token")), nil)
			})
		})
	}
}

// badDocuments are answers that no client is known by. What they hold is never shown.
var badDocuments = map[string]struct {
	// answer is what stands at the client_id.
	answer func(id string) http.HandlerFunc
	// says is what the developer is told.
	says string
}{
	"C-02 another client_id": {naming("https://other.example/client.json"), "client_id"},
	"C-02 with a port": {changing(func(id string) object {
		return object{"client_id": strings.Replace(id, ".example/", ".example:443/", 1)}
	}), "client_id"},
	"C-02 with a slash": {changing(func(id string) object { return object{"client_id": id + "/"} }), "client_id"},
	"C-03 redirect": {always(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	}), "redirect"},
	"C-03 not found":         {always(http.NotFound), "404"},
	"C-03 fault":             {always(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }), "500"},
	"C-03 HTML":              {always(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<!doctype html>bodytext") }), "application/json"},
	"C-03 6 KB":              {having(object{"software_id": strings.Repeat("bodytext", 768)}), "5 KiB"},
	"C-03 slow":              {always(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "did not answer"},
	"C-03 endless":           {always(endless), "5 KiB"},
	"no name":                {having(object{"client_name": nil}), "client_name"},
	"no redirect_uris":       {having(object{"redirect_uris": nil}), "redirect_uris"},
	"a bad redirect":         {having(object{"redirect_uris": []string{"javascript:bodytext"}}), "redirect_uris[0]"},
	"a secret":               {having(object{"client_secret": "bodytext"}), "client_secret"},
	"a method with a secret": {having(object{"token_endpoint_auth_method": "client_secret_basic"}), "token_endpoint_auth_method"},
	"a name that is none":    {having(object{"client_name": []string{"bodytext"}}), "client_name"},
	"a malformed scope":      {having(object{"scope": `a"bodytext`}), "scope"},
	"an array":               {always(textOf(`["bodytext"]`)), "JSON object"},
	"a member twice":         {always(textOf(`{"client_name":"x","client_name":"bodytext"}`)), "twice"},
	"broken JSON":            {always(textOf(`{"client_name":"bodytext`)), "JSON"},
	"compressed":             {always(compressed), "compressed"},
	"cut off":                {always(cutOff), ""},
}

func always(answer http.HandlerFunc) func(string) http.HandlerFunc {
	return func(string) http.HandlerFunc { return answer }
}

// having is a document with these members.
func having(members object) func(string) http.HandlerFunc {
	return func(id string) http.HandlerFunc { return jsonOf(document(id, members)) }
}

func naming(clientID string) func(string) http.HandlerFunc {
	return having(object{"client_id": clientID})
}

func changing(members func(id string) object) func(string) http.HandlerFunc {
	return func(id string) http.HandlerFunc { return jsonOf(document(id, members(id))) }
}

func jsonOf(body object) http.HandlerFunc {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return textOf(string(encoded))
}

func textOf(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

func compressed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = io.WriteString(w, "bodytext")
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "{")
}

func TestBadDocuments(t *testing.T) {
	eachStoreElsewhere(t, map[string]string{"REGISTRAR_TRUSTED_PROXIES": "127.0.0.0/8"}, func(t *testing.T, s *server, e *elsewhere) {
		number := 0
		for name, c := range badDocuments {
			number++
			host, from := fmt.Sprintf("client%d.example", number), fmt.Sprintf("192.0.2.%d", number)
			t.Run(name, func(t *testing.T) { badDocument(t, s, e, host, from, c.answer, c.says) })
		}
	})
}

func badDocument(t *testing.T, s *server, e *elsewhere, host, from string, answer func(id string) http.HandlerFunc, says string) {
	id, forwarded := "https://"+host+"/oauth/client.json", map[string]string{"X-Forwarded-For": from}
	visit := func() reply {
		query := authorizationRequest(id, callback, nil).Encode()
		return s.visitor(t).send(t, request{Method: http.MethodGet, Path: "/oauth/authorize?" + query, Header: forwarded})
	}
	e.at(host, answer(id))
	page := visit()
	if page.Status != http.StatusBadRequest && page.Status != http.StatusServiceUnavailable ||
		!strings.Contains(page.Text, says) || strings.Contains(page.Text, "bodytext") {
		t.Errorf("want a page that says %q: %s", says, page)
	}
	s.token(t, refreshing(id, "x"), forwarded).wantError(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	e.answers(id, document(id, nil))
	if answer := visit(); answer.Status != http.StatusFound {
		t.Errorf("it was kept: %s", answer)
	}
}

// privateAddresses are those that nothing is fetched from, and what their names resolve to.
var privateAddresses = map[string]struct {
	url       string
	addresses []string
}{
	"metadata service":    {"https://169.254.169.254/latest/meta-data", nil},
	"private":             {"https://10.0.0.1/client.json", nil},
	"loopback":            {"https://[::1]/client.json", nil},
	"unique local":        {"https://[fd00::1]/client.json", nil},
	"mapped":              {"https://[::ffff:127.0.0.1]/client.json", nil},
	"decimal":             {"https://2130706433/client.json", nil},
	"octal":               {"https://0177.0.0.1/client.json", nil},
	"localhost":           {"https://localhost/client.json", []string{"127.0.0.1"}},
	"a name of a private": {"https://private.example/client.json", []string{"192.168.1.1"}},
	"a name of both":      {"https://both.example/client.json", []string{publicAddress, "10.0.0.1"}},
	"a name of NAT64":     {"https://nat64.example/client.json", []string{"64:ff9b::7f00:1"}},
	"a name of nothing":   {"https://nothing.example/client.json", []string{}},
	"another port":        {"https://client.example:8443/client.json", nil},
}

// TestPrivateAddresses: C-06 and M-06. No packet goes where none may.
func TestPrivateAddresses(t *testing.T) {
	key, _ := keyPair(t, "k")
	eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) {
		for name, c := range privateAddresses {
			t.Run(name, func(t *testing.T) {
				if u, err := url.Parse(c.url); err != nil {
					t.Fatal(err)
				} else if c.addresses != nil {
					e.resolve(u.Hostname(), c.addresses...)
				}
				page := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(c.url, callback, nil).Encode())
				if page.Status != http.StatusBadRequest && page.Status != http.StatusServiceUnavailable {
					t.Errorf("%s", page)
				}
				if answer := s.token(t, refreshing(c.url, "x"), nil); answer.Status != http.StatusServiceUnavailable && answer.Status != http.StatusUnauthorized {
					t.Errorf("%s", answer)
				}
				registered := s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: with(minimal(), object{
					"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": c.url,
				})})
				if registered.Status == http.StatusCreated {
					id := registered.str(t, "client_id")
					s.token(t, signedBy(t, s, key, id), nil).wantError(t, http.StatusServiceUnavailable, "temporarily_unavailable")
				} else {
					registered.wantError(t, http.StatusBadRequest, "invalid_client_metadata")
				}
				if e.dials() != 0 {
					t.Errorf("connected to %v", e.dialled)
				}
			})
		}
	})
}

// signedBy is a request for the tokens of a code that is none, by a client that signs.
func signedBy(t *testing.T, s *server, key *ecdsa.PrivateKey, id string) url.Values {
	t.Helper()
	claims := object{"iss": id, "sub": id, "aud": s.URL, "jti": rand.Text(), "exp": time.Now().Add(time.Minute).Unix()}
	return redemption(id, "x", map[string]string{
		"client_id": "", "client_assertion_type": assertionType, "client_assertion": assertion(t, key, "k", claims),
	})
}

// TestDocumentQuota: a client that is known by its document takes a place like any other, when
// a user approves it.
func TestDocumentQuota(t *testing.T) {
	eachStoreElsewhere(t, map[string]string{"REGISTRAR_CLIENT_QUOTA": "1", "REGISTRAR_REGISTRATION_RATE": "10/1h"}, func(t *testing.T, s *server, e *elsewhere) {
		e.answers(docURL, document(docURL, nil))
		s.register(t, minimal())
		v := s.visitor(t)
		params := authorizationRequest(docURL, callback, nil)
		login := location(t, v.get(t, "/oauth/authorize?"+params.Encode()))
		page := v.get(t, v.logIn(t, "ada", login.Query().Get("continue")))
		if answer := v.answerQuestion(t, page, "approve"); answer.Status != http.StatusTooManyRequests {
			t.Errorf("%s", answer)
		}
	})
}

// TestDocumentRebinding: M-07. The address that was checked is the one that is dialled,
// whatever the name resolves to meanwhile.
func TestDocumentRebinding(t *testing.T) {
	for name, database := range stores {
		t.Run(name, func(t *testing.T) {
			e := newElsewhere(t)
			e.answers(docURL, document(docURL, nil))
			outside, lookups := e.network(), 0
			outside.lookup = func(context.Context, string) ([]netip.Addr, error) {
				if lookups++; lookups > 1 {
					return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
				}
				return []netip.Addr{netip.MustParseAddr(publicAddress)}, nil
			}
			s := startServerIn(t, outside, map[string]string{"REGISTRAR_DATABASE_URL": database(t)})
			if answer := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(docURL, callback, nil).Encode()); answer.Status != http.StatusFound {
				t.Errorf("%s", answer)
			}
			if want := []string{publicAddress + ":443"}; !slices.Equal(e.dialled, want) || lookups != 1 {
				t.Errorf("connected to %v after %d lookups, want %v", e.dialled, lookups, want)
			}
		})
	}
}

// TestDevelopmentFetch: on a developer's machine documents may be anywhere.
func TestDevelopmentFetch(t *testing.T) {
	const id = "https://localhost:8443/client.json"
	for setting, want := range map[string]int{"true": http.StatusFound, "false": http.StatusBadRequest} {
		e := newElsewhere(t)
		e.resolve("localhost", "127.0.0.1")
		e.at("localhost:8443", jsonOf(document(id, nil)))
		s := startServerIn(t, e.network(), map[string]string{"REGISTRAR_DEVELOPMENT_FETCH": setting})
		if answer := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode()); answer.Status != want {
			t.Errorf("%s: %s", setting, answer)
		}
	}
}

func TestDocumentPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		settings  map[string]string
		supported bool
		accepted  bool
	}{
		"default":             {nil, true, true},
		"off":                 {map[string]string{"REGISTRAR_METADATA_DOCUMENTS": "off"}, false, false},
		"C-09 not listed":     {map[string]string{"REGISTRAR_METADATA_DOCUMENTS": "listed", "REGISTRAR_METADATA_DOCUMENT_HOSTS": "other.example"}, true, false},
		"listed":              {map[string]string{"REGISTRAR_METADATA_DOCUMENTS": "listed", "REGISTRAR_METADATA_DOCUMENT_HOSTS": "client.example"}, true, true},
		"denied":              {map[string]string{"REGISTRAR_REDIRECT_HOSTS_DENIED": "client.example"}, true, false},
		"its redirect denied": {map[string]string{"REGISTRAR_REDIRECT_HOSTS_DENIED": "c.example"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachStoreElsewhere(t, c.settings, func(t *testing.T, s *server, e *elsewhere) {
				e.answers(docURL, document(docURL, nil))
				for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
					if metadata := s.send(t, request{Method: http.MethodGet, Path: path}); metadata.Body["client_id_metadata_document_supported"] != c.supported {
						t.Errorf("%s", metadata)
					}
				}
				answer := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(docURL, callback, nil).Encode())
				if !c.accepted {
					wantPage(t, answer, "invalid_client")
				} else if answer.Status != http.StatusFound {
					t.Errorf("%s", answer)
				}
				if !c.accepted && e.requests("client.example/") == 0 {
					s.wantUnknown(t, s.token(t, refreshing(docURL, "x"), nil))
				}
				if fetched := e.requests("client.example/") > 0; fetched != (c.accepted || name == "its redirect denied") {
					t.Errorf("fetched: %t", fetched)
				}
			})
		})
	}
}

// TestDocumentCache: C-07. What a document says of its freshness counts, between a minute and
// a day.
func TestDocumentCache(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		// fresh is how long the document is not asked for again.
		fresh time.Duration
	}{
		"max-age": {"max-age=600", 10 * time.Minute}, "less than a minute": {"max-age=1", time.Minute}, "no-store": {"no-store", time.Minute},
		"more than a day": {"max-age=31536000", 24 * time.Hour}, "nothing": {"", 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) {
				e.at("client.example", func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", c.header)
					jsonOf(document(docURL, nil))(w, r)
				})
				wantFetches := func(want int) {
					t.Helper()
					s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(docURL, callback, nil).Encode())
					if n := e.requests("client.example/"); n != want {
						t.Errorf("%d fetches, want %d", n, want)
					}
				}
				wantFetches(1)
				e.advance(c.fresh - 10*time.Second)
				wantFetches(1)
				e.advance(10 * time.Second)
				wantFetches(2)
			})
		})
	}
}

// TestDocumentFirstUse: concurrent first uses share one fetch.
func TestDocumentFirstUse(t *testing.T) {
	eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) {
		const users = 100
		arrived := make(chan struct{})
		e.at("client.example", func(w http.ResponseWriter, r *http.Request) {
			<-arrived
			jsonOf(document(docURL, nil))(w, r)
		})
		var all sync.WaitGroup
		for range users {
			v := s.visitor(t)
			all.Go(func() {
				answer, err := v.try(request{Method: http.MethodGet, Path: "/oauth/authorize?" + authorizationRequest(docURL, callback, nil).Encode()})
				if err != nil || answer.Status != http.StatusFound {
					t.Errorf("%s, %v", answer, err)
				}
			})
		}
		close(arrived)
		all.Wait()
		if n := e.requests("client.example/"); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestFetchLimits(t *testing.T) {
	visit := func(t *testing.T, s *server, from, id string) reply {
		t.Helper()
		return s.visitor(t).send(t, request{
			Method: http.MethodGet, Path: "/oauth/authorize?" + authorizationRequest(id, callback, nil).Encode(),
			Header: map[string]string{"X-Forwarded-For": from},
		})
	}
	t.Run("a host", func(t *testing.T) {
		e := newElsewhere(t)
		s := startServerIn(t, e.network(), map[string]string{"REGISTRAR_TRUSTED_PROXIES": "127.0.0.0/8"})
		for i := range 10 {
			visit(t, s, fmt.Sprintf("192.0.2.%d", i), fmt.Sprintf("https://client.example/%d", i))
		}
		limited := visit(t, s, "192.0.2.10", "https://client.example/10")
		if limited.Status != http.StatusTooManyRequests || limited.Header.Get("Retry-After") == "" || e.requests("client.example/") != 10 {
			t.Errorf("%d fetches, %s", e.requests("client.example/"), limited)
		}
		if other := visit(t, s, "192.0.2.10", "https://other.example/client"); other.Status != http.StatusBadRequest {
			t.Errorf("another host: %s", other)
		}
		answer := s.token(t, refreshing("https://client.example/11", "x"), nil)
		answer.wantError(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	})
	t.Run("a caller", func(t *testing.T) {
		e := newElsewhere(t)
		s := startServerIn(t, e.network(), map[string]string{"REGISTRAR_TRUSTED_PROXIES": "127.0.0.0/8"})
		for i := range 30 {
			visit(t, s, "192.0.2.1", fmt.Sprintf("https://host%d.example/client", i))
		}
		limited := visit(t, s, "192.0.2.1", "https://another.example/client")
		if limited.Status != http.StatusTooManyRequests || len(e.asked) != 30 {
			t.Errorf("%d fetches, %s", len(e.asked), limited)
		}
		if other := visit(t, s, "192.0.2.2", "https://another.example/client"); other.Status != http.StatusBadRequest {
			t.Errorf("another caller: %s", other)
		}
	})
}

// TestKeysElsewhere: R-25, M-06 to M-08, for a client that is registered and for one that is
// known by its document.
func TestKeysElsewhere(t *testing.T) {
	const keysURL = "https://keys.example/jwks"
	for kind, identify := range map[string]func(*testing.T, *server, *elsewhere) string{
		"registered": func(t *testing.T, s *server, _ *elsewhere) string {
			return s.register(t, with(minimal(), object{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keysURL})).str(t, "client_id")
		},
		"documented": func(_ *testing.T, _ *server, e *elsewhere) string {
			e.answers(docURL, document(docURL, object{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keysURL}))
			return docURL
		},
	} {
		t.Run(kind, func(t *testing.T) {
			eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) { keysElsewhere(t, s, e, identify(t, s, e), keysURL) })
		})
	}
}

func keysElsewhere(t *testing.T, s *server, e *elsewhere, id, keysURL string) {
	first, set := keyPair(t, "first")
	e.answers(keysURL, set)
	present := func(t *testing.T, key *ecdsa.PrivateKey, name string) reply {
		t.Helper()
		code := s.visitor(t).code(t, authorizationRequest(id, callback, nil))
		claims := object{"iss": id, "sub": id, "aud": s.URL, "jti": rand.Text(), "exp": time.Now().Add(time.Minute).Unix()}
		return s.token(t, redemption(id, code, map[string]string{
			"client_id": "", "client_assertion_type": assertionType, "client_assertion": assertion(t, key, name, claims),
		}), nil)
	}
	ok := func(t *testing.T, answer reply) {
		t.Helper()
		if answer.Status != http.StatusOK {
			t.Errorf("%s", answer)
		}
	}
	fetches := func() int { return e.requests("keys.example/") }
	ok(t, present(t, first, "first"))
	ok(t, present(t, first, "first"))
	if fetches() != 1 {
		t.Errorf("fetched %d times", fetches())
	}
	t.Run("a key that is not known", func(t *testing.T) {
		second, rotated := keyPair(t, "second")
		e.answers(keysURL, rotated)
		// The copy is not a minute old, and so stands.
		s.wantUnknown(t, present(t, second, "second"))
		if fetches() != 1 {
			t.Errorf("fetched %d times", fetches())
		}
		e.advance(time.Minute)
		ok(t, present(t, second, "second"))
		if fetches() != 2 {
			t.Errorf("fetched %d times", fetches())
		}
	})
	t.Run("another's key of the same name", func(t *testing.T) {
		stranger, _ := keyPair(t, "second")
		s.wantUnknown(t, present(t, stranger, "second"))
	})
}

// TestKeysThatCannotBeHad: M-08, an outage is none of the client's doing.
func TestKeysThatCannotBeHad(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  int
		code    string
	}{
		"not found":       {http.NotFound, http.StatusServiceUnavailable, "temporarily_unavailable"},
		"redirect":        {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, http.StatusServiceUnavailable, "temporarily_unavailable"},
		"endless":         {endless, http.StatusServiceUnavailable, "temporarily_unavailable"},
		"no set of keys":  {textOf(`{"keys":"bodytext"}`), http.StatusUnauthorized, "invalid_client"},
		"a symmetric key": {textOf(`{"keys":[{"kty":"oct","k":"Ym9keXRleHQ"}]}`), http.StatusUnauthorized, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) {
				key, _ := keyPair(t, "k")
				e.at("keys.example", c.handler)
				id := s.register(t, with(minimal(), object{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://keys.example/jwks"})).str(t, "client_id")
				answer := s.token(t, signedBy(t, s, key, id), nil)
				if answer.Status != c.status || answer.Body["error"] != c.code || strings.Contains(answer.Text, "bodytext") {
					t.Errorf("want %d %s: %s", c.status, c.code, answer)
				}
			})
		})
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for r.Context().Err() == nil {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 4096)); err != nil {
			return
		}
	}
}

// testLogo serves a picture of 300 by 200 pixels.
func testLogo(t *testing.T) http.HandlerFunc {
	t.Helper()
	picture := image.NewPaletted(image.Rect(0, 0, 300, 200), color.Palette{color.RGBA{R: 0x9a, G: 0x4b, B: 0xff, A: 0xff}})
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, picture); err != nil {
		t.Fatal(err)
	}
	return pictureOf(encoded.Bytes())
}

func pictureOf(raw []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(raw)
	}
}

func TestLogos(t *testing.T) {
	eachStoreElsewhere(t, nil, func(t *testing.T, s *server, e *elsewhere) {
		e.at("c.example", testLogo(t))
		e.at("bank.example", testLogo(t))
		v := s.visitor(t)
		v.logIn(t, "ada", s.URL+"/account")
		show := func(t *testing.T, logo string) (page, picture reply) {
			t.Helper()
			id := s.register(t, object{"redirect_uris": []string{callback}, "logo_uri": logo}).str(t, "client_id")
			page = v.get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode())
			return page, v.get(t, "/oauth/logo?client_id="+url.QueryEscape(id))
		}
		t.Run("M-15 of a redirect host", func(t *testing.T) {
			page, shown := show(t, "https://c.example/logo.png")
			if !strings.Contains(page.Text, `<img class="logo" src="`+s.URL+`/oauth/logo?client_id=`) {
				t.Errorf("no logo in %s", page)
			}
			decoded, err := png.Decode(strings.NewReader(shown.Text))
			if err != nil || decoded.Bounds().Dx() > 128 || decoded.Bounds().Dy() > 128 {
				t.Fatalf("%s: %v", shown, err)
			}
			wantHeaders(t, shown, map[string]string{
				"Content-Type": "image/png", "X-Content-Type-Options": "nosniff",
			})
		})
		t.Run("M-16 of another host", func(t *testing.T) {
			page, shown := show(t, "https://bank.example/logo.png")
			if strings.Contains(page.Text, "<img") || shown.Status != http.StatusNotFound || e.requests("bank.example/") != 0 {
				t.Errorf("%s\n%s", page, shown)
			}
		})
		t.Run("an SVG", func(t *testing.T) {
			e.at("c.example", pictureOf([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)))
			if _, shown := show(t, "https://c.example/logo.svg"); shown.Status != http.StatusNotFound {
				t.Errorf("%s", shown)
			}
		})
		t.Run("without a session", func(t *testing.T) {
			id := s.register(t, object{"redirect_uris": []string{callback}, "logo_uri": "https://c.example/other.png"}).str(t, "client_id")
			before := e.requests("c.example/")
			shown := s.visitor(t).get(t, "/oauth/logo?client_id="+url.QueryEscape(id))
			if shown.Status != http.StatusNotFound || e.requests("c.example/") != before {
				t.Errorf("%s", shown)
			}
		})
	})
}
