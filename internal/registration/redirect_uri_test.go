package registration

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

var acceptedRedirectURIs = []struct{ name, uri string }{
	{"https", "https://c.example/cb"},
	{"https, host alone", "https://c.example"},
	{"https, port", "https://c.example:8443/cb"},
	{"https, highest port", "https://c.example:65535/cb"},
	{"https, query", "https://c.example/cb?x=1&y=/../z?"},
	{"https, query without path", "https://c.example?x=1"},
	{"https, query with brackets", "https://c.example/cb?a[]=1"},
	{"https, at and colon in the path", "https://c.example/oauth/clients/mcp:name@1/callback"},
	{"https, escapes", "https://c.example/a%20b/%C3%A9"},
	{"https, dots that are no segment", "https://c.example/.well-known/..a/a../a..b/%2e%2e%2e"},
	{"https, empty segments", "https://c.example//cb//"},
	{"https, capital host", "https://C.Example/cb"},
	{"https, punycode", "https://xn--bcher-kva.example/cb"},
	{"https, underscore", "https://a_b.c.example/cb"},
	{"https, single label", "https://intranet/cb"},
	{"https, localhost", "https://localhost:3000/cb"},
	{"https, number as inner label", "https://1.2.example/cb"},
	{"https, label that begins like a number", "https://c.0xyz/cb"},
	{"https, IPv4", "https://192.0.2.1/cb"},
	{"https, IPv6", "https://[2001:db8::1]:8443/cb"},
	{"https, mapped IPv4", "https://[::ffff:192.0.2.1]/cb"},
	{"https, longest label", "https://" + strings.Repeat("a", 63) + ".example/cb"},
	{"loopback name", "http://localhost/cb"},
	{"loopback name, port", "http://localhost:3118/callback"},
	{"loopback name, nothing more", "http://localhost"},
	{"loopback IPv4", "http://127.0.0.1/cb"},
	{"loopback IPv4, port without path", "http://127.0.0.1:33418"},
	{"loopback IPv4, other address", "http://127.255.0.3:1/cb"},
	{"loopback IPv6", "http://[::1]:9/cb"},
	{"loopback, query", "http://localhost?x=1"},
	{"reverse domain", "com.example.app:/cb"},
	{"reverse domain, authority", "com.example.app://callback"},
	{"reverse domain, numeric authority", "com.example.app://oauth2.0:80/cb"},
	{"reverse domain, empty authority", "com.example.app:///cb"},
	{"reverse domain, root", "com.example.app:/"},
	{"reverse domain, query", "com.example.app:/cb?x=1"},
	{"reverse domain, hyphen and plus", "com.example-1.app+x:/cb"},
	{"reverse domain like a refused scheme", "javascript.example:/cb"},
	{"listed scheme", "cursor://anysphere.cursor-mcp/oauth/callback"},
	{"listed scheme with hyphen", "vscode-insiders://vscode.github-authentication/did-authenticate"},
	{"first letter", "a.b:/cb"},
	{"last letter", "zed://cb"},
	{"longest name", "https://" + strings.Repeat("a.", 123) + "example/cb"},
	{"longest", "https://c.example/" + strings.Repeat("a", MaxRedirectURIBytes-len("https://c.example/"))},
}

var refusedRedirectURIs = []struct{ name, uri string }{
	{"empty", ""},
	{"too long", "https://c.example/" + strings.Repeat("a", MaxRedirectURIBytes+1-len("https://c.example/"))},
	{"path", "/cb"},
	{"no scheme", "c.example/cb"},
	{"no scheme, port", "c.example:8080/cb"},
	{"protocol-relative", "//evil/steal"},
	{"protocol-relative, colon", "//evil:80/steal"},
	{"backslash-relative", `\\evil\steal`},
	{"scheme alone", "https:"},
	{"colon first", "://c.example/cb"},
	{"digit first", "1com.example:/cb"},
	{"scheme with an underscore", "com.example_app:/cb"},
	{"scheme with an escape", "https%3a//c.example/cb"},

	{"fragment", "https://c.example/cb#f"},
	{"empty fragment", "https://c.example/cb#"},
	{"fragment on loopback", "http://localhost/#f"},
	{"fragment on private-use", "com.example.app:/cb#"},
	{"wildcard host", "https://*.example/cb"},
	{"wildcard path", "https://c.example/*"},
	{"wildcard query", "https://c.example/cb?x=*"},
	{"wildcard on private-use", "com.example.app:/*"},
	{"userinfo", "https://u:p@c.example/cb"},
	{"user", "https://u@c.example/cb"},
	{"empty userinfo", "https://@c.example/cb"},
	{"two ats", "https://a@b@c.example/cb"},
	{"userinfo before the port", "https://c.example:443@evil.example/cb"},
	{"userinfo on loopback", "http://localhost@evil.example/cb"},
	{"userinfo with loopback after it", "http://evil.example@127.0.0.1/cb"},
	{"userinfo on private-use", "cursor://u@host/cb"},

	{"dot segment", "https://c.example/a/./cb"},
	{"dot segment last", "https://c.example/a/."},
	{"two dots", "https://c.example/a/../cb"},
	{"two dots last", "https://c.example/a/.."},
	{"two dots before a query", "https://c.example/..?x=1"},
	{"escaped dot", "https://c.example/%2e/cb"},
	{"escaped dots", "https://c.example/a/%2e%2E/cb"},
	{"half-escaped dots", "https://c.example/a/.%2e/cb"},
	{"half-escaped dots, other half", "https://c.example/a/%2E./cb"},
	{"dots behind an escaped slash", "https://c.example/a%2f..%2Fcb"},
	{"dots behind an escaped backslash", "https://c.example/a%5c..%5Ccb"},
	{"dot segment on loopback", "http://localhost/../cb"},
	{"dot segment on private-use", "com.example.app:/../cb"},

	{"blank inside", "https://c.example/c b"},
	{"blank first", " https://c.example/cb"},
	{"blank last", "https://c.example/cb "},
	{"tab in the scheme", "ht\ttps://c.example/cb"},
	{"tab in the host", "https://c.exa\tmple/cb"},
	{"line feed in the path", "https://c.example/c\nb"},
	{"carriage return last", "https://c.example/cb\r"},
	{"NUL", "https://c.example/\x00"},
	{"DEL", "https://c.example/\x7f"},
	{"backslash for the slashes", `https:\\c.example\cb`},
	{"backslash in the authority", `https://evil.example\@c.example/cb`},
	{"backslash in the path", `https://c.example/a\..\cb`},
	{"backslash in the query", `https://c.example/?\`},
	{"quotation mark", `https://c.example/"`},
	{"angle bracket", "https://c.example/<script>"},
	{"brace", "https://c.example/{id}"},
	{"pipe", "https://c.example/a|b"},
	{"caret", "https://c.example/^"},
	{"backtick", "https://c.example/`"},
	{"not ASCII", "https://c.example/é"},
	{"not ASCII host", "https://bücher.example/cb"},
	{"full-width host", "https://ｃ.example/cb"},
	{"ideographic full stop", "https://c。example/cb"},
	{"not UTF-8", "https://c.example/\xff"},
	{"percent alone", "https://c.example/100%"},
	{"percent and one digit", "https://c.example/%4"},
	{"percent and no hex", "https://c.example/%g1"},
	{"percent and half hex", "https://c.example/%1g"},
	{"percent in the query", "https://c.example/?%"},

	{"opaque", "https:callback"},
	{"one slash", "https:/c.example/cb"},
	{"three slashes", "https:///c.example/cb"},
	{"no host", "https://"},
	{"no host, query", "https://?x=1"},
	{"no host, port", "https://:443/cb"},
	{"port 0", "https://c.example:0/cb"},
	{"port 65536", "https://c.example:65536/cb"},
	{"port 99999", "https://c.example:99999/cb"},
	{"port beyond any integer", "https://c.example:99999999999999999999/cb"},
	{"port empty", "https://c.example:/cb"},
	{"port with leading zero", "https://c.example:0443/cb"},
	{"port with sign", "https://c.example:+443/cb"},
	{"port with letters", "https://c.example:https/cb"},
	{"two ports", "https://c.example:80:443/cb"},
	{"empty label", "https://c..example/cb"},
	{"leading dot", "https://.c.example/cb"},
	{"trailing dot", "https://c.example./cb"},
	{"dot alone", "https://./cb"},
	{"label too long", "https://" + strings.Repeat("a", 64) + ".example/cb"},
	{"name too long", "https://" + strings.Repeat("a.", 123) + "example1/cb"},
	{"escape in the host", "https://c%2eexample/cb"},
	{"sub-delimiter in the host", "https://c!.example/cb"},
	{"comma in the host", "https://c.example,evil.example/cb"},
	{"IPv4 of three numbers", "https://1.2.3/cb"},
	{"IPv4 of five numbers", "https://1.2.3.4.5/cb"},
	{"IPv4 as one number", "https://2130706433/cb"},
	{"IPv4 in hex", "https://0x7f000001/cb"},
	{"IPv4 in part hex", "https://127.0.0.0X1/cb"},
	{"IPv4 with a bare 0x", "https://127.0x/cb"},
	{"IPv4 in octal", "https://0177.0.0.1/cb"},
	{"IPv4 out of range", "https://256.0.0.1/cb"},
	{"name that ends in a number", "https://c.example.1/cb"},
	{"IPv6 zone", "https://[::1%25eth0]/cb"},
	{"IPv6 zone, not escaped", "https://[fe80::1%eth0]/cb"},
	{"IPv6 not closed", "https://[::1/cb"},
	{"IPv6 with a tail", "https://[::1]x/cb"},
	{"IPv6 without brackets", "https://::1/cb"},
	{"IPv6 not an address", "https://[::g]/cb"},
	{"IPv6 empty", "https://[]/cb"},
	{"IPv4 in brackets", "https://[192.0.2.1]/cb"},
	{"IPvFuture", "https://[v1.x]/cb"},
	{"bracket in a name", "https://a]b/cb"},

	{"http", "http://c.example/cb"},
	{"http without host", "http:///cb"},
	{"http opaque", "http:localhost/cb"},
	{"http one slash", "http:/localhost/cb"},
	{"localhost in capitals", "http://LOCALHOST/cb"},
	{"localhost with trailing dot", "http://localhost./cb"},
	{"localhost as prefix", "http://localhost.evil.example/cb"},
	{"localhost as suffix", "http://evil.localhost/cb"},
	{"localhost, port 0", "http://localhost:0/cb"},
	{"loopback as prefix", "http://127.0.0.1.evil.example/cb"},
	{"loopback short", "http://127.1/"},
	{"loopback with leading zeros", "http://127.000.000.001/cb"},
	{"loopback in octal", "http://0177.0.0.1/cb"},
	{"loopback in hex", "http://0x7f.1/cb"},
	{"loopback as one number", "http://2130706433/cb"},
	{"loopback with trailing dot", "http://127.0.0.1./cb"},
	{"loopback escaped", "http://127.0.0.%31/cb"},
	{"unspecified address", "http://0.0.0.0/cb"},
	{"private address", "http://192.168.0.1/cb"},
	{"loopback IPv6 mapped", "http://[::ffff:127.0.0.1]/cb"},
	{"loopback IPv6 in full", "http://[0:0:0:0:0:0:0:1]/cb"},
	{"loopback IPv6 zone", "http://[::1%25lo]/cb"},
	{"loopback IPv6 without brackets", "http://::1/cb"},
	{"loopback IPv6 with a tail", "http://[::1].evil.example/cb"},

	{"HTTPS in capitals", "HTTPS://c.example/cb"},
	{"private-use in capitals", "com.Example.app:/cb"},
	{"private-use opaque", "com.example.app:cb"},
	{"private-use script", "com.example.app:javascript:alert(1)"},
	{"private-use scheme alone", "com.example.app:"},
	{"private-use query alone", "com.example.app:?x=1"},
	{"private-use, bad authority", "com.example.app://a!b/cb"},
	{"private-use, authority of a port", "com.example.app://:80/cb"},
	{"private-use, port 0", "com.example.app://a:0/cb"},
	{"private-use, dot last", "com.:/cb"},
	{"private-use, two dots", "com..example:/cb"},
	{"listed scheme opaque", "cursor:callback"},
	{"scheme not listed", "myapp://callback"},
	{"out-of-band", "urn:ietf:wg:oauth:2.0:oob"},
	{"mail", "mailto:a@c.example"},
	{"intent", "intent://c.example/#Intent;end"},
	{"ftp over TLS", "ftps://c.example/cb"},
}

func TestRedirectURIAccepted(t *testing.T) {
	for _, c := range acceptedRedirectURIs {
		t.Run(c.name, func(t *testing.T) {
			registered, _ := mustRegister(t, rulesPolicy(), Metadata{RedirectURIs: []string{c.uri}})
			if !slices.Equal(registered.RedirectURIs, []string{c.uri}) {
				t.Errorf("registered %q", registered.RedirectURIs)
			}
		})
	}
}

func TestRedirectURIRefused(t *testing.T) {
	for _, c := range refusedRedirectURIs {
		t.Run(c.name, func(t *testing.T) {
			asked := Metadata{RedirectURIs: []string{"https://good.example/cb", c.uri}}
			said := mustRefuse(t, rulesPolicy(), asked, oauth.InvalidRedirectURI, "redirect_uris[1]")
			if len(c.uri) > 12 && strings.Contains(said, c.uri) {
				t.Errorf("%q repeats the value", said)
			}
		})
	}
}

func TestRedirectURIReason(t *testing.T) {
	cases := []struct{ uri, reason string }{
		{"https://c.example/" + strings.Repeat("a", MaxRedirectURIBytes), "2048 bytes"},
		{"https://c.example/\t", "blanks"},
		{"/cb", "absolute"},
		{"https://c.example/#", "fragment"},
		{"https://*.example/", "wildcard"},
		{"https://u:p@c.example/", "user information"},
		{"https://c.example/..", "dot segments"},
		{"https:cb", "must have a host"},
		{"https://c..example/", "host"},
		{"https://c.example:0/", "port"},
		{"http://c.example/", "use https"},
		{"http://localhost:0/", "port"},
		{"com.example.app:cb", "slash"},
		{"com.example.app://a!/", "host"},
		{"com.example.app://a:0/", "port"},
		{"myapp:/cb", "private-use scheme"},
	}
	for _, c := range cases {
		t.Run(c.reason, func(t *testing.T) {
			if said := redirectURIFault(rulesPolicy(), c.uri); !strings.Contains(said, c.reason) {
				t.Errorf("%q refused with %q, want %q in it", c.uri, said, c.reason)
			}
		})
	}
}

func TestRefusedSchemesWhateverThePolicy(t *testing.T) {
	policy := rulesPolicy(func(p *tenant.Policy) { p.CustomSchemes = append(slices.Clone(refusedSchemes), "http", "https") })
	forms := []string{"%s", "%s:alert(1)", "%s:/x", "%s:///x", "%s://c.example/x"}
	disguises := map[string]func(string) string{
		"plain":        func(s string) string { return s },
		"capitals":     strings.ToUpper,
		"mixed":        func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
		"blank before": func(s string) string { return " " + s },
		"tab before":   func(s string) string { return "\t" + s },
		"NUL before":   func(s string) string { return "\x00" + s },
		"line inside":  func(s string) string { return s[:1] + "\n" + s[1:] },
		"blank after":  func(s string) string { return s + " " },
	}
	for _, scheme := range refusedSchemes {
		for name, disguise := range disguises {
			t.Run(scheme+" "+name, func(t *testing.T) {
				for _, form := range forms {
					uri := strings.Replace(form, "%s", disguise(scheme), 1)
					mustRefuse(t, policy, Metadata{RedirectURIs: []string{uri}}, oauth.InvalidRedirectURI, "redirect_uris[0]")
				}
			})
		}
	}
}

// A policy that lists http or https does not loosen their rules.
func TestListedWebSchemesKeepTheirRules(t *testing.T) {
	policy := rulesPolicy(func(p *tenant.Policy) { p.CustomSchemes = []string{"http", "https"} })
	for _, uri := range []string{"http://c.example/cb", "https:/cb", "https:///cb"} {
		mustRefuse(t, policy, Metadata{RedirectURIs: []string{uri}}, oauth.InvalidRedirectURI, "redirect_uris[0]")
	}
}

func TestRedirectURIList(t *testing.T) {
	const web, loopback, private = "https://c.example/cb", "http://localhost:8787/callback", "cursor://anysphere.cursor-mcp/oauth/callback"
	most := make([]string, MaxRedirectURIs)
	for i := range most {
		most[i] = "https://c.example/" + strings.Repeat("a", i)
	}
	cases := []struct {
		name        string
		asked, want []string
	}{
		{"three kinds", []string{private, web, loopback}, []string{private, web, loopback}},
		{"repeated", []string{web, loopback, web, web, private, loopback}, []string{web, loopback, private}},
		{"alike but not equal", []string{web, web + "/", web + "?"}, []string{web, web + "/", web + "?"}},
		{"as many as allowed", most, most},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			registered, _ := mustRegister(t, rulesPolicy(), Metadata{RedirectURIs: c.asked})
			if !slices.Equal(registered.RedirectURIs, c.want) {
				t.Errorf("got %q, want %q", registered.RedirectURIs, c.want)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		asked := Metadata{RedirectURIs: slices.Repeat([]string{web}, MaxRedirectURIs+1)}
		mustRefuse(t, rulesPolicy(), asked, oauth.InvalidRedirectURI, "redirect_uris")
	})
}

func TestStrictApplicationType(t *testing.T) {
	const web, loopback, private = "https://c.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb"
	cases := []struct {
		name string
		kind oauth.ApplicationType
		uris []string
		// refused is the member that the refusal names.
		refused string
	}{
		{"private-use called web", oauth.ApplicationWeb, []string{private}, "redirect_uris[0]"},
		{"index counts repetitions", oauth.ApplicationWeb, []string{web, web, private}, "redirect_uris[2]"},
		{"web by default", "", []string{web, private}, "redirect_uris[1]"},
		{"native by default", "", []string{loopback, private}, ""},
		{"called native", oauth.ApplicationNative, []string{web, private}, ""},
		{"loopback called web", oauth.ApplicationWeb, []string{loopback, web}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := Metadata{RedirectURIs: c.uris, ApplicationType: c.kind}
			mustRegister(t, rulesPolicy(), asked)
			if c.refused == "" {
				mustRegister(t, rulesPolicy(strictType), asked)
				return
			}
			asked.Scope = `"`
			mustRefuse(t, rulesPolicy(strictType), asked, oauth.InvalidRedirectURI, c.refused)
		})
	}
}
