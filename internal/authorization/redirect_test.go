package authorization

import (
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

var redirectMatches = []struct {
	name, registered, sent string
	want                   bool
}{
	{"equal", "https://c.example/cb", "https://c.example/cb", true},
	{"U-18 equal with query", "https://c.example/cb?x=1", "https://c.example/cb?x=1", true},
	{"U-18 parameter added", "https://c.example/cb?x=1", "https://c.example/cb?x=1&y=2", false},
	{"U-18 another value", "https://c.example/cb?x=1", "https://c.example/cb?x=2", false},
	{"query added", "https://c.example/cb", "https://c.example/cb?x=1", false},
	{"U-19 port added", "http://127.0.0.1/cb", "http://127.0.0.1:51999/cb", true},
	{"U-20 localhost, port added", "http://localhost/callback", "http://localhost:63785/callback", true},
	{"port changed", "http://127.0.0.1:33418/", "http://127.0.0.1:40000/", true},
	{"port removed", "http://127.0.0.1:33418/", "http://127.0.0.1/", true},
	{"port without path", "http://127.0.0.1:33418", "http://127.0.0.1:40000", true},
	{"port added without path", "http://127.0.0.1", "http://127.0.0.1:40000", true},
	{"port before a query", "http://localhost?x=1", "http://localhost:1?x=1", true},
	{"another loopback address", "http://127.9.9.9/cb", "http://127.9.9.9:5/cb", true},
	{"IPv6, port added", "http://[::1]/cb", "http://[::1]:51999/cb", true},
	{"IPv6, port changed", "http://[::1]:8/cb", "http://[::1]:9/cb", true},
	{"lowest port", "http://localhost/cb", "http://localhost:1/cb", true},
	{"highest port", "http://localhost/cb", "http://localhost:65535/cb", true},
	{"port with leading zeros", "http://localhost/cb", "http://localhost:00080/cb", true},
	{"port 0", "http://localhost/cb", "http://localhost:0/cb", false},
	{"port above the highest", "http://localhost/cb", "http://localhost:65536/cb", false},
	{"port of six digits", "http://localhost/cb", "http://localhost:000080/cb", false},
	{"empty port", "http://localhost/cb", "http://localhost:/cb", false},
	{"two ports", "http://localhost/cb", "http://localhost:1:2/cb", false},
	{"port with a sign", "http://localhost/cb", "http://localhost:+80/cb", false},
	{"port with a letter", "http://localhost/cb", "http://localhost:80a/cb", false},
	{"port in other digits", "http://localhost/cb", "http://localhost:８０/cb", false},
	{"U-22 https, port added", "https://c.example/cb", "https://c.example:444/cb", false},
	{"https, default port", "https://c.example/cb", "https://c.example:443/cb", false},
	{"https on loopback, port added", "https://localhost/cb", "https://localhost:1/cb", false},
	{"private-use, port added", "cursor://localhost/cb", "cursor://localhost:1/cb", false},
	{"localhost for its address", "http://localhost/cb", "http://127.0.0.1/cb", false},
	{"address for localhost", "http://127.0.0.1:1/cb", "http://localhost:1/cb", false},
	{"IPv6 for IPv4", "http://127.0.0.1/cb", "http://[::1]/cb", false},
	{"IPv4 for IPv6", "http://[::1]/cb", "http://127.0.0.1/cb", false},
	{"another address", "http://127.0.0.1/cb", "http://127.0.0.2/cb", false},
	{"longer address", "http://127.0.0.1", "http://127.0.0.11", false},
	{"name that begins like it", "http://127.0.0.1", "http://127.0.0.1.evil.example", false},
	{"name that begins like it, path", "http://localhost/cb", "http://localhost.evil.example/cb", false},
	{"user information", "http://localhost/cb", "http://localhost:80@evil.example/cb", false},
	{"user information before it", "http://localhost/cb", "http://evil@localhost/cb", false},
	{"another path", "http://localhost/cb", "http://localhost:1/cb2", false},
	{"path added", "http://localhost", "http://localhost:1/", false},
	{"query added on loopback", "http://localhost/cb", "http://localhost:1/cb?x", false},
	{"fragment added", "http://localhost/cb", "http://localhost:1/cb#x", false},
	{"https for http", "http://localhost/cb", "https://localhost/cb", false},
	{"capital host", "http://localhost/cb", "http://LOCALHOST:1/cb", false},
	{"capital scheme", "http://localhost/cb", "HTTP://localhost:1/cb", false},
	{"capital host, https", "https://c.example/cb", "https://C.example/cb", false},
	{"escape", "https://c.example/cb", "https://c.example/%63b", false},
	{"prefix", "https://c.example/cb", "https://c.example/c", false},
	{"dot segment", "https://c.example/cb", "https://c.example/x/../cb", false},
}

func TestRedirectMatches(t *testing.T) {
	for _, c := range redirectMatches {
		t.Run(c.name, func(t *testing.T) {
			if got := matches(c.registered, c.sent); got != c.want {
				t.Errorf("%q registered, %q sent: %v", c.registered, c.sent, got)
			}
		})
	}
}

func TestRedirection(t *testing.T) {
	one, two := []string{redirect}, []string{redirect, loopback}
	cases := []struct {
		name            string
		registered      []string
		sent            string
		target, matched string
	}{
		{"named", two, redirect, redirect, redirect},
		{"named, floating port", two, "http://127.0.0.1:5/cb", "http://127.0.0.1:5/cb", loopback},
		{"omitted, one registered", one, "", redirect, redirect},
		{"U-23 omitted, two registered", two, "", "", ""},
		{"omitted, none registered", nil, "", "", ""},
		{"not registered", one, "https://evil.example/", "", ""},
		{"a code of its own", []string{"https://c.example/?code=1"}, "", "", ""},
		{"an iss of its own, escaped", []string{"https://c.example/?a&%69ss=x"}, "", "", ""},
		{"a state of its own, after what cannot be read", []string{"https://c.example/?%zz&a;b&state"}, "", "", ""},
		{"a parameter that looks like one", []string{"https://c.example/?codes=1&x=iss"}, "", "https://c.example/?codes=1&x=iss", "https://c.example/?codes=1&x=iss"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			target, matched, err := redirection(c.registered, c.sent)
			if c.target == "" {
				wantCode(t, err, oauth.InvalidRequest)
			} else if err != nil {
				t.Fatal(err)
			}
			if target != c.target || matched != c.matched {
				t.Errorf("got %q for %q", target, matched)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	cases := []struct{ name, redirect, state, want string }{
		{"no query", "https://c.example/cb", "s", "https://c.example/cb?state=s&iss=i"},
		{"no path", "https://c.example", "s", "https://c.example?state=s&iss=i"},
		{"query", "https://c.example/cb?x=1", "s", "https://c.example/cb?x=1&state=s&iss=i"},
		{"query kept byte for byte", "https://c.example/cb?b=%2f+%C3%A9&a;=&&b", "s", "https://c.example/cb?b=%2f+%C3%A9&a;=&&b&state=s&iss=i"},
		{"empty query", "https://c.example/cb?", "s", "https://c.example/cb?state=s&iss=i"},
		{"query that ends in &", "https://c.example/cb?x&", "s", "https://c.example/cb?x&state=s&iss=i"},
		{"private-use", "com.example.app:/cb", "s", "com.example.app:/cb?state=s&iss=i"},
		{"no state", "https://c.example/cb", "", "https://c.example/cb?iss=i"},
		{"blank and plus", "https://c.example/cb", "a b+c", "https://c.example/cb?state=a%20b%2Bc&iss=i"},
		{"delimiters", "https://c.example/cb", "&iss=x#?/%41\"<", "https://c.example/cb?state=%26iss%3Dx%23%3F%2F%2541%22%3C&iss=i"},
		{"any bytes", "https://c.example/cb", "\x00\r\n\xff\u00e9", "https://c.example/cb?state=%00%0D%0A%FF%C3%A9&iss=i"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := answer(c.redirect, parameter{"state", c.state}, parameter{"iss", "i"})
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// FuzzRedirectMatch: a match is equality once a port is gone, and stays on the host.
func FuzzRedirectMatch(f *testing.F) {
	for _, c := range redirectMatches {
		f.Add(c.registered, c.sent)
	}
	f.Fuzz(func(t *testing.T, registered, sent string) {
		if !matches(registered, sent) {
			if registered == sent {
				t.Errorf("%q does not match itself", registered)
			}
			return
		}
		if registered == sent {
			return
		}
		for _, host := range []string{"http://localhost", "http://127.", "http://[::1]"} {
			if strings.HasPrefix(registered, host) != strings.HasPrefix(sent, host) {
				t.Errorf("%q matches %q", registered, sent)
			}
		}
		if bare(registered) != bare(sent) {
			t.Errorf("%q matches %q", registered, sent)
		}
	})
}

// bare removes the port slowly: it tries every one of a URI that is loopback's.
func bare(uri string) string {
	rest, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return uri
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.IndexByte(authority, ']') {
		authority = authority[:colon]
	}
	return authority + rest[end:]
}
