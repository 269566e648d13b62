package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// addUser runs the command that an operator runs.
func addUser(t *testing.T, file, name string, flags ...string) {
	t.Helper()
	typed := filepath.Join(t.TempDir(), "typed")
	if err := os.WriteFile(typed, []byte(aPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	input, err := os.Open(typed)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	saved := os.Stdin
	os.Stdin = input
	defer func() { os.Stdin = saved }()
	var out, errs logBuffer
	args := append([]string{"user", "add", name}, flags...)
	if err := run(t.Context(), args, []string{"REGISTRAR_USERS_FILE=" + file}, &out, &errs); err != nil {
		t.Fatalf("user add: %v", err)
	}
	if text := out.String() + errs.String(); strings.Contains(text, aPassword) {
		t.Errorf("the password is told: %s", text)
	}
}

const aPassword = "correct horse battery staple"

func TestUsersFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.yaml")
	addUser(t, file, "ada", "--full-name", "Ada Lovelace", "--email", "ada@app.example", "--group", "engines")
	s := startServer(t, map[string]string{"REGISTRAR_USERS_FILE": file, "REGISTRAR_LOGIN_EMAIL_DOMAINS": "app.example"})
	client := s.public(t, callback).str(t, "client_id")
	logIn := func(t *testing.T, v *visitor, name, password string) reply {
		return v.post(t, "/login", url.Values{"username": {name}, "password": {password}, "continue": {"/account"}})
	}
	t.Run("the right password", func(t *testing.T) {
		v := s.visitor(t)
		if answer := logIn(t, v, "ada", aPassword); answer.Status != http.StatusSeeOther || answer.Header.Get("Location") != s.URL+"/account" {
			t.Fatalf("%s", answer)
		}
		code := v.code(t, authorizationRequest(client, callback, nil))
		token := s.tokens(t, redemption(client, code, nil), nil).str(t, "access_token")
		info := s.send(t, request{Method: http.MethodGet, Path: "/oauth/userinfo", Token: token})
		if info.Body["name"] != "Ada Lovelace" || info.Body["email"] != "ada@app.example" {
			t.Errorf("%s", info)
		}
	})
	t.Run("a wrong one, and a name that nobody has, get one answer", func(t *testing.T) {
		wrong, unknown := logIn(t, s.visitor(t), "ada", "wrong"), logIn(t, s.visitor(t), "nobody", "wrong")
		if wrong.Status != http.StatusForbidden || strings.ReplaceAll(wrong.Text, `"ada"`, `"nobody"`) != unknown.Text {
			t.Errorf("%s\n%s", wrong, unknown)
		}
		if wrong.Header.Get("Set-Cookie") != "" {
			t.Error("a cookie is set")
		}
	})
	t.Run("a user who is added needs no restart", func(t *testing.T) {
		addUser(t, file, "grace", "--email", "grace@app.example")
		eventually(t, 10*time.Second, "grace can log in", func() bool {
			return logIn(t, s.visitor(t), "grace", aPassword).Status == http.StatusSeeOther
		})
	})
	t.Run("one whom the policy does not let in", func(t *testing.T) {
		addUser(t, file, "mallory", "--email", "mallory@evil.example")
		eventually(t, 10*time.Second, "mallory is known and not let in", func() bool {
			answer := logIn(t, s.visitor(t), "mallory", aPassword)
			return answer.Status == http.StatusForbidden && strings.Contains(answer.Text, "may not log in")
		})
	})
	t.Run("a user who is removed has nothing left", func(t *testing.T) { removedUser(t, s, file, client, logIn) })
	t.Run("too many tries", func(t *testing.T) {
		for range 5 {
			logIn(t, s.visitor(t), "ada", "wrong")
		}
		answer := logIn(t, s.visitor(t), "ada", aPassword)
		if answer.Status != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" || answer.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s", answer)
		}
	})
	if strings.Contains(s.Log.String(), aPassword) {
		t.Error("the password is in the log")
	}
}

func removedUser(t *testing.T, s *server, file, client string, logIn func(*testing.T, *visitor, string, string) reply) {
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	addUser(t, file, "joan", "--email", "joan@app.example")
	v := s.visitor(t)
	eventually(t, 10*time.Second, "joan can log in", func() bool { return logIn(t, v, "joan", aPassword).Status == http.StatusSeeOther })
	tokens := s.tokens(t, redemption(client, v.code(t, authorizationRequest(client, callback, nil)), nil), nil)
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "joan's session ends", func() bool { return v.get(t, "/account").Status == http.StatusFound })
	s.token(t, refreshing(client, tokens.str(t, "refresh_token")), nil).wantError(t, http.StatusBadRequest, "invalid_grant")
	s.wantDead(t, tokens)
}

// Nobody is led elsewhere by a link to the login.
func TestLoginLeadsBackAlone(t *testing.T) {
	s := startServer(t, nil)
	for _, path := range []string{
		"https://evil.example/", "//evil.example/", "/\\evil.example", "/oauth/authorize", "/oauth/authorize/../../evil?", "/account?x", "javascript:alert(1)", "",
	} {
		if at := s.visitor(t).logIn(t, "ada", path); at != s.URL+"/account" {
			t.Errorf("%q leads to %s", path, at)
		}
	}
}

func TestDevelopmentLogin(t *testing.T) {
	s := startServer(t, nil)
	page := s.visitor(t).get(t, "/login")
	if page.Status != http.StatusOK || !strings.Contains(page.Text, "Development login") || strings.Contains(page.Text, `type="password"`) {
		t.Errorf("%s", page)
	}
	for name, header := range map[string]map[string]string{
		"through a proxy": {"X-Forwarded-For": "203.0.113.9"}, "through another": {"Forwarded": "for=203.0.113.9"}, "through a third": {"Via": "1.1 proxy"}, "through a fourth": {"X-Real-IP": "203.0.113.9"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.send(t, request{Method: http.MethodGet, Path: "/login", Header: header})
			if answer.Status != http.StatusForbidden || answer.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s", answer)
			}
		})
	}
	t.Run("at another name that leads here", func(t *testing.T) {
		sent, err := s.build(request{Method: http.MethodPost, Path: "/login", Body: "username=mallory", Header: map[string]string{
			"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
		}})
		if err != nil {
			t.Fatal(err)
		}
		sent.Host = "rebound.evil.example"
		answer, err := s.do(sent)
		if err != nil || answer.Status != http.StatusForbidden || answer.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s %v", answer, err)
		}
	})
}

func TestNoLogin(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_ISSUER": "https://auth.example"})
	s.Client = http.DefaultClient
	answer := s.send(t, request{Method: http.MethodGet, Path: "/login"})
	if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || !strings.Contains(answer.Text, "no login") {
		t.Errorf("%s", answer)
	}
}

// A cookie is for this host alone, out of reach of scripts, and for https where there is any.
func TestSessionCookie(t *testing.T) {
	s := startServer(t, nil)
	v := s.visitor(t)
	first := v.post(t, "/login", url.Values{"username": {"ada"}}).Header.Get("Set-Cookie")
	for _, part := range []string{"registrar-session-default=rgn_", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=86400"} {
		if !strings.Contains(first, part) {
			t.Errorf("%s lacks %s", first, part)
		}
	}
	t.Run("rotated at login", func(t *testing.T) {
		old, _, _ := strings.Cut(first, ";")
		v.post(t, "/login", url.Values{"username": {"ada"}})
		answer := s.send(t, request{Method: http.MethodGet, Path: "/account", Header: map[string]string{"Cookie": old}})
		if answer.Status != http.StatusOK || strings.Contains(answer.Text, "Connected applications") {
			t.Errorf("the old session still lives: %s", answer)
		}
	})
}
