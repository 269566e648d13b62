package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	callback = "https://c.example/cb"
	loopback = "http://127.0.0.1:7777/cb"
)

func TestAuthorize(t *testing.T) {
	settings := map[string]string{"REGISTRAR_TRUSTED_REDIRECT_HOSTS": "trusted.example"}
	eachStoreWith(t, settings, func(t *testing.T, s *server) {
		for _, group := range []struct {
			name string
			run  func(*testing.T, *server)
		}{
			{"an error on a page", errorsOnAPage},
			{"an error to the client", errorsToTheClient},
			{"an error that waits for the user", errorsThatWait},
			{"redirect URIs", redirectMatching},
			{"answers", answers},
			{"scopes", grantedScopes},
			{"consent", consents},
			{"prompt", prompts},
			{"by form", byForm},
		} {
			t.Run(group.name, func(t *testing.T) { group.run(t, s) })
		}
	})
}

// wantPage expects an error page, and that the browser goes nowhere.
func wantPage(t *testing.T, answer reply, code string) {
	t.Helper()
	if answer.Status != http.StatusBadRequest || !strings.Contains(answer.Text, ">"+code+"<") {
		t.Errorf("want a page with %s: %s", code, answer)
	}
	wantHeaders(t, answer, map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Location": "", "WWW-Authenticate": ""})
}

func errorsOnAPage(t *testing.T, s *server) {
	one := s.public(t, callback).str(t, "client_id")
	two := s.public(t, callback, "https://c.example/other").str(t, "client_id")
	gone := s.public(t, callback)
	if answer := s.manage(t, http.MethodDelete, gone, nil); answer.Status != http.StatusNoContent {
		t.Fatal(answer)
	}
	for name, c := range map[string]struct {
		query url.Values
		code  string
	}{
		"A-05 no client_id":                       {authorizationRequest("", callback, map[string]string{"client_id": ""}), "invalid_request"},
		"A-05 unknown client":                     {authorizationRequest("c_01k9qv5w3m8zr4t6y2b0n7xdce", callback, nil), "invalid_client"},
		"A-05 not an id":                          {authorizationRequest("'; DROP TABLE clients; --\x00", callback, nil), "invalid_client"},
		"D-03 deleted client":                     {authorizationRequest(gone.str(t, "client_id"), callback, nil), "invalid_client"},
		"A-05 unregistered redirect":              {authorizationRequest(one, "https://evil.example/cb", nil), "invalid_request"},
		"U-23 no redirect_uri, two registered":    {authorizationRequest(two, "", map[string]string{"redirect_uri": ""}), "invalid_request"},
		"repeated client_id":                      {with2(authorizationRequest(one, callback, nil), "client_id", one), "invalid_request"},
		"repeated redirect_uri":                   {with2(authorizationRequest(one, callback, nil), "redirect_uri", callback), "invalid_request"},
		"an unsound redirect before other errors": {authorizationRequest(one, "https://evil.example/cb", map[string]string{"response_type": "token"}), "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			wantPage(t, s.visitor(t).get(t, "/oauth/authorize?"+c.query.Encode()), c.code)
		})
	}
	t.Run("a query that is not well formed", func(t *testing.T) {
		wantPage(t, s.visitor(t).get(t, "/oauth/authorize?client_id=%zz"), "invalid_request")
	})
}

// with2 says a parameter a second time.
func with2(params url.Values, name, value string) url.Values {
	params.Add(name, value)
	return params
}

// unsound are authorization requests with a fault that the client is told.
var unsound = map[string]struct {
	changed map[string]string
	code    string
}{
	"A-04 no challenge":            {map[string]string{"code_challenge": "", "code_challenge_method": ""}, "invalid_request"},
	"A-04 no method":               {map[string]string{"code_challenge_method": ""}, "invalid_request"},
	"A-04 plain":                   {map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
	"A-04 s256 in lower case":      {map[string]string{"code_challenge_method": "s256"}, "invalid_request"},
	"A-04 method alone":            {map[string]string{"code_challenge": ""}, "invalid_request"},
	"A-04 challenge too short":     {map[string]string{"code_challenge": challenge[:42]}, "invalid_request"},
	"A-04 challenge too long":      {map[string]string{"code_challenge": challenge + "A"}, "invalid_request"},
	"A-04 challenge not base64url": {map[string]string{"code_challenge": challenge[:42] + "+"}, "invalid_request"},
	"no response_type":             {map[string]string{"response_type": ""}, "invalid_request"},
	"token":                        {map[string]string{"response_type": "token"}, "unsupported_response_type"},
	"code id_token":                {map[string]string{"response_type": "code id_token"}, "unsupported_response_type"},
	"fragment":                     {map[string]string{"response_mode": "fragment"}, "invalid_request"},
	"a scope with a quote":         {map[string]string{"scope": `openid "`}, "invalid_scope"},
	"no scope that is allowed":     {map[string]string{"scope": "admin root"}, "invalid_scope"},
	"resource relative":            {map[string]string{"resource": "/mcp"}, "invalid_target"},
	"resource with a fragment":     {map[string]string{"resource": "https://mcp.example/mcp#x"}, "invalid_target"},
	"resource over http":           {map[string]string{"resource": "http://mcp.example/mcp"}, "invalid_target"},
	"request object":               {map[string]string{"request": "e30."}, "request_not_supported"},
	"request_uri":                  {map[string]string{"request_uri": "https://c.example/r"}, "request_uri_not_supported"},
	"registration":                 {map[string]string{"registration": "{}"}, "registration_not_supported"},
	"prompt of another kind":       {map[string]string{"prompt": "create"}, "invalid_request"},
	"prompt none and login":        {map[string]string{"prompt": "none login"}, "invalid_request"},
	"max_age not a number":         {map[string]string{"max_age": "soon"}, "invalid_request"},
	"max_age negative":             {map[string]string{"max_age": "-1"}, "invalid_request"},
}

// wantRefusal expects a redirect with an error (RFC 6749 §4.1.2.1, RFC 9207 §2).
func wantRefusal(t *testing.T, s *server, at *url.URL, redirectURI, code string) {
	t.Helper()
	q := at.Query()
	sent := at.Scheme + "://" + at.Host + at.Path
	if sent != redirectURI || q.Get("error") != code || q.Get("error_description") == "" || q.Has("code") {
		t.Errorf("want %s at %s, got %s", code, redirectURI, at)
	}
	if len(q["iss"]) != 1 || q.Get("iss") != s.URL || len(q["state"]) != 1 || q.Get("state") != "s t&a=t/e" {
		t.Errorf("iss %q, state %q", q["iss"], q["state"])
	}
}

func errorsToTheClient(t *testing.T, s *server) {
	native := s.public(t, "http://127.0.0.1/cb").str(t, "client_id")
	trusted := s.public(t, "https://trusted.example/cb").str(t, "client_id")
	web := s.public(t, callback).str(t, "client_id")
	known := s.visitor(t)
	known.logIn(t, "ada", "/account")
	for name, c := range unsound {
		t.Run(name, func(t *testing.T) {
			for _, try := range []struct {
				who              *visitor
				client, redirect string
			}{{s.visitor(t), native, loopback}, {s.visitor(t), trusted, "https://trusted.example/cb"}, {known, web, callback}} {
				answer := try.who.get(t, "/oauth/authorize?"+authorizationRequest(try.client, try.redirect, c.changed).Encode())
				if answer.Status != http.StatusFound {
					t.Fatalf("want a redirect: %s", answer)
				}
				wantRefusal(t, s, location(t, answer), try.redirect, c.code)
			}
		})
	}
	for _, name := range []string{"response_type", "scope", "state", "code_challenge", "code_challenge_method", "resource", "nonce", "prompt", "max_age"} {
		t.Run("repeated "+name, func(t *testing.T) {
			params := authorizationRequest(native, loopback, nil)
			params.Set(name, params.Get(name)+"1")
			params.Add(name, "2")
			answer := s.visitor(t).get(t, "/oauth/authorize?"+params.Encode())
			if q := location(t, answer).Query(); answer.Status != http.StatusFound || q.Get("error") != "invalid_request" || q.Get("iss") != s.URL {
				t.Errorf("%s", answer)
			}
		})
	}
}

// Anyone can register a redirect URI: nobody who has not logged in is sent there by an error.
func errorsThatWait(t *testing.T, s *server) {
	for name, redirectURI := range map[string]string{"https": callback, "private-use": "com.example.app:/cb"} {
		client := s.public(t, redirectURI).str(t, "client_id")
		t.Run("A-11 "+name, func(t *testing.T) {
			answer := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(client, redirectURI, map[string]string{"code_challenge": ""}).Encode())
			wantPage(t, answer, "invalid_request")
			for _, part := range []string{"error=invalid_request", "iss=" + url.QueryEscape(s.URL), "state=s"} {
				if !strings.Contains(answer.Text, part) {
					t.Errorf("the link lacks %s: %s", part, answer.Text)
				}
			}
			if name == "https" && !strings.Contains(answer.Text, "c.example") {
				t.Errorf("the page does not name the host: %s", answer.Text)
			}
		})
	}
	t.Run("A-11 a scheme that pretends to be a host", func(t *testing.T) {
		client := s.public(t, "com.evil.app://login.bank.example/cb").str(t, "client_id")
		answer := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(client, "com.evil.app://login.bank.example/cb", map[string]string{"code_challenge": ""}).Encode())
		if strings.Contains(answer.Text, "<strong>login.bank") || !strings.Contains(answer.Text, "com.evil.app:") {
			t.Errorf("%s", answer.Text)
		}
	})
}

func redirectMatching(t *testing.T, s *server) {
	for name, c := range map[string]struct {
		registered, sent string
		matches          bool
	}{
		"U-18 with its query":            {"https://c.example/cb?x=1", "https://c.example/cb?x=1", true},
		"U-18 with more query":           {"https://c.example/cb?x=1", "https://c.example/cb?x=1&y=2", false},
		"U-18 with another value":        {"https://c.example/cb?x=1", "https://c.example/cb?x=2", false},
		"U-19 a port added":              {"http://127.0.0.1/cb", "http://127.0.0.1:51999/cb", true},
		"U-20 another port of localhost": {"http://localhost/callback", "http://localhost:63785/callback", true},
		"U-20 a port dropped":            {"http://localhost:3118/callback", "http://localhost/callback", true},
		"U-19 IPv6":                      {"http://[::1]:9/cb", "http://[::1]:10/cb", true},
		"U-22 https does not float":      {callback, "https://c.example:444/cb", false},
		"hosts do not match each other":  {"http://localhost/cb", "http://127.0.0.1/cb", false},
		"another address of 127/8":       {"http://127.0.0.1/cb", "http://127.0.0.2/cb", false},
		"port 0":                         {"http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false},
		"port 65536":                     {"http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", false},
		"another path":                   {"http://127.0.0.1/cb", "http://127.0.0.1:80/cb/", false},
		"a slash more":                   {callback, callback + "/", false},
		"upper case":                     {callback, "https://C.example/cb", false},
		"a fragment":                     {callback, callback + "#f", false},
		"userinfo before the port":       {"http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", false},
		"private use":                    {"com.example.app:/cb", "com.example.app:/cb", true},
		"private use, longer":            {"com.example.app:/cb", "com.example.app:/cb?x", false},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.public(t, c.registered).str(t, "client_id")
			v := s.visitor(t)
			v.logIn(t, "ada", "/account")
			answer := v.get(t, "/oauth/authorize?"+authorizationRequest(client, c.sent, nil).Encode())
			if !c.matches {
				wantPage(t, answer, "invalid_request")
				return
			}
			at := v.authorize(t, authorizationRequest(client, c.sent, nil)).String()
			separator := "?"
			if strings.Contains(c.sent, "?") {
				separator = "&"
			}
			if !strings.HasPrefix(at, c.sent+separator) {
				t.Errorf("sent to %s, want %s", at, c.sent)
			}
		})
	}
	t.Run("U-23 omitted, one registered", func(t *testing.T) {
		client := s.public(t, callback).str(t, "client_id")
		at := s.visitor(t).authorize(t, authorizationRequest(client, "", map[string]string{"redirect_uri": ""}))
		if at.Host != "c.example" || at.Query().Get("code") == "" {
			t.Errorf("%s", at)
		}
	})
}

func answers(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	t.Run("A-06 success", func(t *testing.T) {
		q := s.visitor(t).authorize(t, authorizationRequest(client, callback, nil)).Query()
		if len(q) != 3 || len(q["iss"]) != 1 || q.Get("iss") != s.URL || q.Get("state") != "s t&a=t/e" || q.Get("code") == "" {
			t.Errorf("%v", q)
		}
	})
	t.Run("A-06 no state", func(t *testing.T) {
		q := s.visitor(t).authorize(t, authorizationRequest(client, callback, map[string]string{"state": ""})).Query()
		if len(q) != 2 || q.Get("iss") != s.URL {
			t.Errorf("%v", q)
		}
	})
	t.Run("A-06 denied", func(t *testing.T) {
		client := s.public(t, callback).str(t, "client_id")
		wantRefusal(t, s, s.visitor(t).decide(t, authorizationRequest(client, callback, nil), "deny"), callback, "access_denied")
	})
	t.Run("without a session the user logs in first", func(t *testing.T) {
		query := authorizationRequest(client, callback, nil).Encode()
		answer := s.visitor(t).get(t, "/oauth/authorize?"+query)
		if at := location(t, answer); answer.Status != http.StatusFound || at.Path != "/login" || !strings.HasPrefix(at.Query().Get("continue"), "/oauth/authorize?") {
			t.Errorf("%s %s", answer, at)
		}
	})
}

func grantedScopes(t *testing.T, s *server) {
	client := s.register(t, object{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none", "scope": "openid email"}).str(t, "client_id")
	for name, c := range map[string]struct{ asked, granted string }{
		"M-18 omitted":        {"", "openid email"},
		"in part":             {"email", "email"},
		"order as asked":      {"email openid", "email openid"},
		"M-22 not registered": {"email profile", "email"},
		"M-22 not allowed":    {"admin email", "email"},
		"twice":               {"email email", "email"},
	} {
		t.Run(name, func(t *testing.T) {
			code := s.visitor(t).code(t, authorizationRequest(client, callback, map[string]string{"scope": c.asked}))
			if got := s.tokens(t, redemption(client, code, nil), nil); got.Body["scope"] != c.granted {
				t.Errorf("granted %v, want %s", got.Body["scope"], c.granted)
			}
		})
	}
}

// asks reports whether the user is asked.
func (v *visitor) asks(t *testing.T, params url.Values) bool {
	t.Helper()
	answer := v.get(t, "/oauth/authorize?"+params.Encode())
	switch answer.Status {
	case http.StatusOK:
		return true
	case http.StatusFound:
		if location(t, answer).Query().Get("code") == "" {
			t.Fatalf("neither a question nor a code: %s", answer.Header.Get("Location"))
		}
		return false
	}
	t.Fatalf("%s", answer)
	return false
}

func consents(t *testing.T, s *server) {
	registered := s.register(t, object{
		"redirect_uris":              []string{callback, "https://c.example/other", "http://127.0.0.1/cb", "com.example.app:/cb"},
		"token_endpoint_auth_method": "none", "scope": "openid email",
	})
	client := registered.str(t, "client_id")
	ask := func(changed map[string]string) url.Values { return authorizationRequest(client, callback, changed) }
	v := s.visitor(t)
	v.authorize(t, ask(map[string]string{"scope": "openid"}))
	for _, c := range []struct {
		name    string
		changed map[string]string
		asks    bool
	}{
		{"the same again", map[string]string{"scope": "openid"}, false},
		{"more scopes", map[string]string{"scope": "openid email"}, true},
		{"another resource", map[string]string{"scope": "openid", "resource": "https://mcp.example/"}, true},
		{"another redirect", map[string]string{"scope": "openid", "redirect_uri": "https://c.example/other"}, true},
		{"loopback", map[string]string{"scope": "openid", "redirect_uri": loopback}, true},
		{"private use", map[string]string{"scope": "openid", "redirect_uri": "com.example.app:/cb"}, true},
		{"asked for", map[string]string{"scope": "openid", "prompt": "consent"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if asks := v.asks(t, ask(c.changed)); asks != c.asks {
				t.Errorf("asks: %v, want %v", asks, c.asks)
			}
		})
	}
	t.Run("loopback is not remembered", func(t *testing.T) {
		params := ask(map[string]string{"redirect_uri": loopback})
		v.authorize(t, params)
		if !v.asks(t, params) {
			t.Error("the user is not asked again (RFC 8252 §8.6)")
		}
	})
	t.Run("another user", func(t *testing.T) {
		other := s.visitor(t)
		other.logIn(t, "grace", "/account")
		if !other.asks(t, ask(map[string]string{"scope": "openid"})) {
			t.Error("one user's consent counts for another")
		}
	})
	t.Run("P-23 a changed client", func(t *testing.T) {
		s.update(t, registered, object{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none", "scope": "openid email", "client_name": "Your Bank"})
		if !v.asks(t, ask(map[string]string{"scope": "openid"})) {
			t.Error("the user is not asked about a client that changed")
		}
	})
	t.Run("what was seen is what is approved", func(t *testing.T) { seenIsApproved(t, s) })
	t.Run("from another site", func(t *testing.T) { fromAnotherSite(t, s) })
}

// A client that changes itself while the user reads must not get what the user saw.
func seenIsApproved(t *testing.T, s *server) {
	registered := s.public(t, callback)
	v := s.visitor(t)
	v.logIn(t, "ada", "/account")
	page := v.get(t, "/oauth/authorize?"+authorizationRequest(registered.str(t, "client_id"), callback, nil).Encode())
	s.update(t, registered, object{"redirect_uris": []string{callback}, "token_endpoint_auth_method": "none", "client_name": "Another"})
	answer := v.answerQuestion(t, page, "approve")
	if at := location(t, answer); answer.Status != http.StatusSeeOther || at.Path != "/oauth/authorize" {
		t.Errorf("%s to %s", answer, at)
	}
	if again := v.get(t, location(t, answer).String()); again.Status != http.StatusOK || !strings.Contains(again.Text, "Another") {
		t.Errorf("not asked again: %s", again)
	}
}

func fromAnotherSite(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	v := s.visitor(t)
	v.logIn(t, "ada", "/account")
	page := v.get(t, "/oauth/authorize?"+authorizationRequest(client, callback, nil).Encode())
	forms := map[string]url.Values{
		"/oauth/consent":      {"request": {hidden(t, page, "request")}, "seen": {hidden(t, page, "seen")}, "decision": {"approve"}},
		"/login":              {"username": {"mallory"}},
		"/account/disconnect": {"client_id": {client}},
		"/account/logout":     {},
	}
	for path, form := range forms {
		for name, header := range map[string]map[string]string{
			"cross-site": {"Sec-Fetch-Site": "cross-site"}, "same-site": {"Sec-Fetch-Site": "same-site"},
			"an older browser": {"Origin": "https://evil.example"}, "a sandboxed page": {"Origin": "null"},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				answer := v.form(t, path, form, header)
				if answer.Status != http.StatusForbidden || answer.Header.Get("Location") != "" || answer.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s", answer)
				}
			})
		}
	}
}

func prompts(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	ask := func(changed map[string]string) string {
		return "/oauth/authorize?" + authorizationRequest(client, callback, changed).Encode()
	}
	t.Run("none without a session waits for the user", func(t *testing.T) {
		wantPage(t, s.visitor(t).get(t, ask(map[string]string{"prompt": "none"})), "login_required")
	})
	v := s.visitor(t)
	v.logIn(t, "ada", "/account")
	t.Run("none without consent", func(t *testing.T) {
		wantRefusal(t, s, location(t, v.get(t, ask(map[string]string{"prompt": "none"}))), callback, "consent_required")
	})
	v.authorize(t, authorizationRequest(client, callback, nil))
	t.Run("none with both", func(t *testing.T) {
		if at := location(t, v.get(t, ask(map[string]string{"prompt": "none"}))); at.Query().Get("code") == "" {
			t.Errorf("%s", at)
		}
	})
	for name, changed := range map[string]map[string]string{
		"login": {"prompt": "login"}, "select_account": {"prompt": "select_account"}, "max_age 0": {"max_age": "0"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := v.get(t, ask(changed))
			if at := location(t, answer); at.Path != "/login" {
				t.Fatalf("%s", at)
			}
			after := v.get(t, v.logIn(t, "ada", location(t, answer).Query().Get("continue")))
			if at := location(t, after); at.Query().Get("code") == "" {
				t.Errorf("after the login: %s", at)
			}
		})
	}
	t.Run("max_age that holds", func(t *testing.T) {
		if at := location(t, v.get(t, ask(map[string]string{"max_age": "3600"}))); at.Query().Get("code") == "" {
			t.Errorf("%s", at)
		}
	})
}

func byForm(t *testing.T, s *server) {
	client := s.public(t, callback).str(t, "client_id")
	params := authorizationRequest(client, callback, nil)
	v := s.visitor(t)
	posted := v.form(t, "/oauth/authorize", params, map[string]string{"Sec-Fetch-Site": "cross-site"})
	if at := location(t, posted); posted.Status != http.StatusSeeOther || at.Path != "/oauth/authorize" || at.RawQuery != params.Encode() {
		t.Errorf("%s to %s", posted, at)
	}
	t.Run("text that no address holds", func(t *testing.T) {
		answer := v.form(t, "/oauth/authorize", url.Values{"client_id": {client}, "state": {"a\r\nSet-Cookie: x=y#f"}}, nil)
		if at := location(t, answer); at.Query().Get("state") != "a\r\nSet-Cookie: x=y#f" || at.Fragment != "" || answer.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s", answer.Header)
		}
	})
	t.Run("HEAD takes no step", func(t *testing.T) {
		for _, path := range []string{"/oauth/authorize", "/login", "/login/callback"} {
			if answer := v.send(t, request{Method: http.MethodHead, Path: path}); answer.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s: %s", path, answer)
			}
		}
	})
	for name, c := range map[string]struct {
		body   string
		header map[string]string
		status int
	}{
		"JSON":         {"{}", map[string]string{"Content-Type": "application/json"}, http.StatusUnsupportedMediaType},
		"no client_id": {"state=x", nil, http.StatusBadRequest},
		"too long":     {"client_id=" + strings.Repeat("x", 9<<10), nil, http.StatusBadRequest},
		"far too long": {"client_id=" + strings.Repeat("x", 65<<10), nil, http.StatusRequestEntityTooLarge},
		"bad escape":   {"client_id=%zz", nil, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
			for key, value := range c.header {
				header[key] = value
			}
			answer := v.send(t, request{Method: http.MethodPost, Path: "/oauth/authorize", Body: c.body, Header: header})
			if answer.Status != c.status || answer.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%s, want %d", answer, c.status)
			}
		})
	}
}

// TestRedirectHostDeniedLater: U-25 holds for clients that are older than the policy.
func TestRedirectHostDeniedLater(t *testing.T) {
	eachStore(t, func(t *testing.T, before *server) {
		id := before.public(t, callback, "http://127.0.0.1/cb").str(t, "client_id")
		s := startServer(t, map[string]string{"REGISTRAR_DATABASE_URL": before.Database, "REGISTRAR_REDIRECT_HOSTS_DENIED": "c.example"})
		wantPage(t, s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode()), "invalid_request")
		s.visitor(t).code(t, authorizationRequest(id, "http://127.0.0.1:5/cb", nil))
	})
}
