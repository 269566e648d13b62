package main

import (
	"encoding/base64"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// visitor is a browser with cookies of its own, which follows redirects only as a test says.
type visitor struct {
	*server
	client *http.Client
}

// visitor opens a new browser.
func (s *server) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	browser := *s
	browser.Client = &http.Client{Transport: s.Client.Transport, Timeout: s.Client.Timeout, Jar: jar, CheckRedirect: stay}
	return &visitor{server: &browser, client: browser.Client}
}

// get opens an address: a path of the server, or a whole address.
func (v *visitor) get(t *testing.T, address string) reply {
	t.Helper()
	return v.send(t, request{Method: http.MethodGet, Path: address})
}

// post sends a form, as a page of the server would.
func (v *visitor) post(t *testing.T, path string, form url.Values) reply {
	t.Helper()
	return v.send(t, request{Method: http.MethodPost, Path: path, Body: form.Encode(), Header: map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
	}})
}

// logIn logs in by the development login and returns where it leads.
func (v *visitor) logIn(t *testing.T, name, path string) string {
	t.Helper()
	answer := v.post(t, "/login", url.Values{"username": {name}, "continue": {path}})
	if answer.Status != http.StatusSeeOther {
		t.Fatalf("log in: %s", answer)
	}
	return answer.Header.Get("Location")
}

const (
	// verifier is the example of RFC 7636 Appendix B, and challenge its challenge.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// authorizationRequest is a sound request of a client; "" in changed removes a parameter.
func authorizationRequest(clientID, redirectURI string, changed map[string]string) url.Values {
	params := url.Values{
		"client_id": {clientID}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "state": {"s t&a=t/e"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for name, value := range changed {
		if params.Set(name, value); value == "" {
			params.Del(name)
		}
	}
	return params
}

// authorize goes the whole way as a user who says yes, and returns where the client gets to
// know of it.
func (v *visitor) authorize(t *testing.T, params url.Values) *url.URL {
	t.Helper()
	return v.decide(t, params, "approve")
}

func (v *visitor) decide(t *testing.T, params url.Values, decision string) *url.URL {
	t.Helper()
	answer := v.get(t, "/oauth/authorize?"+params.Encode())
	if answer.Status == http.StatusFound && strings.HasPrefix(answer.Header.Get("Location"), v.URL+"/login?") {
		login := location(t, answer)
		answer = v.get(t, v.logIn(t, "ada", login.Query().Get("continue")))
	}
	if answer.Status == http.StatusOK {
		answer = v.answerQuestion(t, answer, decision)
	}
	if answer.Status != http.StatusFound && answer.Status != http.StatusSeeOther {
		t.Fatalf("authorize: %s", answer)
	}
	return location(t, answer)
}

// answerQuestion decides on the consent page.
func (v *visitor) answerQuestion(t *testing.T, page reply, decision string) reply {
	t.Helper()
	return v.post(t, "/oauth/consent", url.Values{
		"request": {hidden(t, page, "request")}, "seen": {hidden(t, page, "seen")}, "decision": {decision},
	})
}

// hidden returns the value of a hidden field of a page.
func hidden(t *testing.T, page reply, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page.Text)
	if found == nil {
		t.Fatalf("no field %s in %s", name, page)
	}
	return html.UnescapeString(found[1])
}

func location(t *testing.T, answer reply) *url.URL {
	t.Helper()
	u, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || u.Scheme == "" {
		t.Fatalf("Location %q of %s: %v", answer.Header.Get("Location"), answer, err)
	}
	return u
}

// code goes the whole way and returns the code.
func (v *visitor) code(t *testing.T, params url.Values) string {
	t.Helper()
	at := v.authorize(t, params)
	code := at.Query().Get("code")
	if code == "" {
		t.Fatalf("no code in %s", at)
	}
	return code
}

// token asks the token endpoint; header is optional.
func (s *server) token(t *testing.T, form url.Values, header map[string]string) reply {
	t.Helper()
	return s.form(t, "/oauth/token", form, header)
}

func (s *server) form(t *testing.T, path string, form url.Values, header map[string]string) reply {
	t.Helper()
	headers := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for name, value := range header {
		headers[name] = value
	}
	return s.send(t, request{Method: http.MethodPost, Path: path, Body: form.Encode(), Header: headers})
}

// redemption is a sound request for the tokens of a public client's code.
func redemption(clientID, code string, changed map[string]string) url.Values {
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {clientID}, "code": {code}, "code_verifier": {verifier}}
	for name, value := range changed {
		if form.Set(name, value); value == "" {
			form.Del(name)
		}
	}
	return form
}

// refreshing is a sound request to refresh the tokens of a public client.
func refreshing(clientID, token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {token}}
}

// tokens redeems a code and expects success.
func (s *server) tokens(t *testing.T, form url.Values, header map[string]string) reply {
	t.Helper()
	answer := s.token(t, form, header)
	if answer.Status != http.StatusOK {
		t.Fatalf("tokens: %s", answer)
	}
	return answer
}

// public registers a client without a secret.
func (s *server) public(t *testing.T, redirectURIs ...string) reply {
	t.Helper()
	return s.register(t, object{"redirect_uris": redirectURIs, "token_endpoint_auth_method": "none", "client_name": "Example"})
}

// basic is the header of a client that authenticates by HTTP Basic (RFC 6749 §2.3.1).
func basic(id, secret string) map[string]string {
	plain := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
	return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(plain))}
}
