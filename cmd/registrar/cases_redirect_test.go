package main

import (
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/audit"
)

func TestRedirectURIs(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		accept(t, s, redirectAccepted)
		refuse(t, s, redirectListRefused)
		refuse(t, s, redirectRefused())
	})
}

func TestRedirectPolicies(t *testing.T) {
	privateUse := object{"redirect_uris": []string{"https://c.example/cb", "com.example.app:/cb"}}
	t.Run("U-12 strict application type", func(t *testing.T) {
		s := startServer(t, map[string]string{"REGISTRAR_STRICT_APPLICATION_TYPE": "true"})
		refuse(t, s, []refusedCase{
			{"web", with(privateUse, object{"application_type": "web"}), "invalid_redirect_uri", "redirect_uris[1]"},
		})
		accept(t, s, []acceptedCase{
			{name: "native", sent: with(privateUse, object{"application_type": "native", "token_endpoint_auth_method": "none"})},
			{name: "web on loopback", sent: object{"application_type": "web", "redirect_uris": []string{"http://localhost/cb"}, "token_endpoint_auth_method": "none"}},
		})
	})
	t.Run("U-10 custom schemes", func(t *testing.T) {
		s := startServer(t, map[string]string{"REGISTRAR_CUSTOM_SCHEMES": "acme acme-beta"})
		accept(t, s, []acceptedCase{
			{name: "listed", sent: object{"redirect_uris": []string{"acme://cb", "acme-beta:/cb", "com.example:/cb"}}, changed: native},
		})
		refuse(t, s, []refusedCase{
			{"default no more", object{"redirect_uris": []string{"cursor://cb"}}, "invalid_redirect_uri", "redirect_uris[0]"},
			{"begins alike", object{"redirect_uris": []string{"acme-alpha://cb"}}, "invalid_redirect_uri", "redirect_uris[0]"},
		})
	})
}

var redirectAccepted = []acceptedCase{
	{name: "U-08 loopback", sent: object{"redirect_uris": []string{"http://127.0.0.1/cb", "http://[::1]:9/cb", "http://localhost/cb"}}, changed: native},
	{name: "U-08 other addresses of the loopback", sent: object{"redirect_uris": []string{"http://127.1.2.3:65535/", "http://127.255.255.255", "https://localhost/cb"}}, changed: object{"token_endpoint_auth_method": "none"}},
	{name: "U-09 without path", sent: object{"redirect_uris": []string{"https://c.example", "https://c.example/", "http://127.0.0.1:33418"}}, changed: object{"token_endpoint_auth_method": "none"}},
	{name: "U-10 listed schemes", sent: object{"redirect_uris": []string{
		"cursor://anysphere.cursor-mcp/oauth/callback", "vscode://vscode.mcp/", "vscode-insiders://cb", "windsurf://cb", "zed://cb"}}, changed: native},
	{name: "U-11 reverse-domain scheme", sent: object{"redirect_uris": []string{"com.example.app:/cb"}}, changed: native},
	{name: "U-11 reverse-domain scheme with a host", sent: object{"redirect_uris": []string{"com.example.app://host/cb?x=1"}}, changed: native},
	{name: "U-12 private-use scheme of a web client", sent: object{"redirect_uris": []string{"cursor://cb"}, "application_type": "web"}, changed: object{"token_endpoint_auth_method": "none"}},
	{name: "U-13 three kinds", sent: object{"redirect_uris": []string{"https://c.example/cb", "http://localhost:8787/cb", "cursor://cb"}}, changed: object{"token_endpoint_auth_method": "none"}},
	{name: "U-17 kept byte for byte", sent: object{"redirect_uris": []string{
		"https://C.Example:443/a%2Fb/%7euser/?x=1&x=2&y=%20&empty=", "https://c.example//double//", "https://xn--bcher-kva.example/cb", "https://192.0.2.1/", "https://[2001:db8::1]:8443/cb?;,'()!$@:"}}},
	{name: "U-18 query", sent: object{"redirect_uris": []string{"https://c.example/cb?x=1", "https://c.example/cb?x=1&y=.."}}},
	{name: "U-24 duplicates", sent: object{"redirect_uris": []string{"https://c.example/b", "https://c.example/a", "https://c.example/b", "https://c.example/A"}},
		changed: object{"redirect_uris": []string{"https://c.example/b", "https://c.example/a", "https://c.example/A"}}},
	{name: "U-26 as many as there may be", sent: object{"redirect_uris": redirectURIs(32)}},
	{name: "U-26 as long as it may be", sent: object{"redirect_uris": []string{redirectURIOf(2048)}}},
}

var redirectListRefused = []refusedCase{
	{"U-01 none", object{"redirect_uris": nil}, "invalid_redirect_uri", "redirect_uris"},
	{"U-01 null", object{"redirect_uris": null}, "invalid_redirect_uri", "redirect_uris"},
	{"U-01 empty text", object{"redirect_uris": ""}, "invalid_redirect_uri", "redirect_uris"},
	{"U-01 in another letter case", object{"redirect_uris": nil, "REDIRECT_URIS": []string{"https://c.example/cb"}}, "invalid_redirect_uri", "redirect_uris"},
	{"U-02 empty list", object{"redirect_uris": []string{}}, "invalid_redirect_uri", "redirect_uris"},
	{"U-03 text", object{"redirect_uris": "https://c.example/cb"}, "invalid_redirect_uri", "redirect_uris"},
	{"U-03 object", object{"redirect_uris": object{"0": "https://c.example/cb"}}, "invalid_redirect_uri", "redirect_uris"},
	{"U-03 number in the list", object{"redirect_uris": []any{"https://c.example/cb", 1}}, "invalid_redirect_uri", "redirect_uris[1]"},
	{"U-03 null in the list", object{"redirect_uris": []any{"https://c.example/cb", nil}}, "invalid_redirect_uri", "redirect_uris[1]"},
	{"U-03 empty text in the list", object{"redirect_uris": []any{"https://c.example/cb", ""}}, "invalid_redirect_uri", "redirect_uris[1]"},
	{"U-03 list in the list", object{"redirect_uris": []any{[]string{"https://c.example/cb"}}}, "invalid_redirect_uri", "redirect_uris[0]"},
	{"U-14 one good, one bad", object{"redirect_uris": []string{"https://c.example/cb", "javascript:alert(1)"}}, "invalid_redirect_uri", "redirect_uris[1]"},
	{"U-14 with another member at fault", object{"redirect_uris": "x", "client_name": 1}, "invalid_redirect_uri", "redirect_uris"},
	{"U-14 with another member that breaks a rule", object{"redirect_uris": []string{"ftp://c.example"}, "logo_uri": "http://c.example"}, "invalid_redirect_uri", "redirect_uris[0]"},
}

// refusedURIs are redirect URIs by the case that they belong to, one a line.
var refusedURIs = map[string]string{
	"U-04 fragment": `
https://c.example/cb#f
https://c.example/cb#
http://localhost/cb#f
com.example.app:/cb#f`,
	"U-05 relative": `
/cb
c.example/cb
//evil/steal
cb
?x
.
https:callback
https:/c.example/cb
https:///cb
https://
https://:443/
http:/localhost/cb
com.example.app:cb
com.example.app:
:`,
	"U-06 scheme that runs code or reads files": `
javascript:alert(1)
JavaScript:alert(1)
JAVASCRIPT://c.example/%0aalert(1)
data:text/html,<script>
data:text/html;base64,PHNjcmlwdD4=
vbscript:x
VBScript:x
file:///etc/passwd
FILE:///etc/passwd
blob:https://c.example/x
about:blank
about:srcdoc
ws://c.example/cb
WSS://c.example/cb
ftp://c.example/cb
view-source:https://c.example/
intent://c.example#Intent;end
mailto:a@c.example
tel:1
unknown://c.example/cb`,
	"U-07 http elsewhere": `
http://c.example/cb
HTTP://localhost/cb
http://localhost.evil.example/cb
http://127.0.0.1.evil.example/cb
http://evil.example/127.0.0.1
http://localhost@evil.example/
http://127.0.0.1@evil.example/
http://128.0.0.1/cb
http://0.0.0.0/cb
http://10.0.0.1/cb
http://[::]/cb
http://[::2]/cb
http://[::ffff:127.0.0.1]/cb
http://[0:0:0:0:0:0:0:1]/cb
http://[::1/cb
http://::1/cb
http://127.1/cb
http://127.0.0.01/cb
http://0127.0.0.1/cb
http://0x7f.0.0.1/cb
http://2130706433/cb
http://127.0.0.1./cb
http://localhost./cb
http://LOCALHOST/cb
http://Localhost/cb
http://localhost%2eevil.example/cb
http://localhost\.evil.example/cb`,
	"U-15 wildcard": `
https://*.example/cb
https://c.example/*
https://c.example/cb?x=*
http://localhost:*/cb
com.example.app:/*`,
	"U-16 user information": `
https://u:p@c.example/cb
https://u@c.example/cb
https://@c.example/cb
https://c.example:443@evil.example/cb
http://u@localhost/cb
com.example.app://u@host/cb`,
	"U-27 dot segments": `
https://c.example/../cb
https://c.example/a/..
https://c.example/./cb
https://c.example/.
https://c.example/%2e%2e/cb
https://c.example/%2E./cb
https://c.example/a/.%2e
https://c.example/a%2f..%2fb
https://c.example/a%5c..%5cb
http://localhost/../cb
com.example.app:/../cb`,
	"U-28 character that browsers drop, decode or rewrite": `
https://c.example\@evil.example/cb
https://c.example\cb
https:\\c.example/cb
https://c.example/c b
https://c.example/cb"
https://c.example/<cb>
https://c.example/{cb}
https://c.example/|
https://c.example/^
https://bücher.example/cb
https://c.example/ü
https://c。example/cb
https://c.example/%
https://c.example/%zz
https://c.example/%2`,
	"U-29 host or port that is none": `
https://c.example:0/cb
https://c.example:65536/cb
https://c.example:/cb
https://c.example:0443/cb
https://c.example:https/cb
https://c..example/cb
https://.example/cb
https://[::1/cb
https://[c.example]/cb
https://127.1/cb
https://0x7f000001/cb
http://localhost:0/cb
http://localhost:65536/cb
http://127.0.0.1:80a/cb`,
}

// blanks are refused wherever they stand: browsers strip them.
var blanks = []string{" ", "\t", "\n", "\r", "\x00", "\x01", "\x7f", "\u0085", "\u00a0", "\u2028", "\u200b", "\ufeff"}

func redirectRefused() []refusedCase {
	var cases []refusedCase
	add := func(name, uri string) {
		cases = append(cases, refusedCase{name, object{"redirect_uris": []string{"https://c.example/cb", uri}}, "invalid_redirect_uri", "redirect_uris[1]"})
	}
	for name, uris := range refusedURIs {
		for _, uri := range strings.Split(strings.TrimPrefix(uris, "\n"), "\n") {
			add(name+" "+uri, uri)
		}
	}
	for _, blank := range blanks {
		add("U-06 leading blank", blank+"javascript:alert(1)")
		add("U-06 blank inside", "java"+blank+"script:alert(1)")
		add("U-28 leading blank", blank+"https://c.example/cb")
		add("U-28 trailing blank", "https://c.example/cb"+blank)
		add("U-28 blank inside", "https://c.example/c"+blank+"b")
	}
	return cases
}

// TestRedirectHosts: U-25, the hosts that an operator denies, and those that one allows alone.
func TestRedirectHosts(t *testing.T) {
	t.Parallel() // it waits for what is written now and then
	settings := map[string]string{"REGISTRAR_REDIRECT_HOSTS_ALLOWED": "*.c.example d.example", "REGISTRAR_REDIRECT_HOSTS_DENIED": "bad.c.example"}
	eachStoreWith(t, settings, func(t *testing.T, s *server) {
		for uri, accepted := range map[string]bool{
			"https://a.c.example/cb": true, "https://A.C.example:8443/cb": true, "https://d.example/cb": true,
			"https://c.example/cb": false, "https://bad.c.example/cb": false, "https://BAD.c.example/cb": false, "https://e.example/cb": false,
			"http://127.0.0.1/cb": true, "com.example.app:/cb": true,
		} {
			answer := s.send(t, request{Method: "POST", Path: "/oauth/register", Body: object{"redirect_uris": []string{"https://d.example/", uri}}})
			if accepted && answer.Status != 201 {
				t.Errorf("%s: %s", uri, answer)
			} else if !accepted {
				answer.wantError(t, 400, "invalid_redirect_uri")
			}
		}
		s.awaitCounted(t, audit.RegistrationRefused, 4)
	})
}
