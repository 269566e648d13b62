package registration

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// set sets one string member by its name.
func set(member, value string) func(*Metadata) {
	return func(m *Metadata) {
		target := map[string]*string{
			"client_name": &m.ClientName, "client_uri": &m.ClientURI, "logo_uri": &m.LogoURI, "tos_uri": &m.TosURI,
			"policy_uri": &m.PolicyURI, "jwks_uri": &m.JWKSURI, "software_id": &m.SoftwareID, "software_version": &m.SoftwareVersion,
		}[member]
		if target == nil {
			m.Localized = map[string]string{member: value}
			return
		}
		*target = value
	}
}

func TestTextRefused(t *testing.T) {
	members := []string{"client_name", "client_name#ja", "software_id", "software_version"}
	cases := []struct{ name, text string }{
		{"NUL", "a\x00b"},
		{"line feed", "a\nb"},
		{"tab", "\ta"},
		{"escape", "a\x1b[31m"},
		{"DEL", "a\x7f"},
		{"C1 control", "a\u0085b"},
		{"embedding", "a\u202Ab"},
		{"override", "a\u202Eb"},
		{"isolate", "a\u2066b"},
		{"pop isolate", "a\u2069b"},
		{"not UTF-8", "a\xffb"},
		{"surrogate", "a\xed\xa0\x80b"},
	}
	for _, c := range cases {
		for _, member := range members {
			t.Run(c.name+" in "+member, func(t *testing.T) {
				mustRefuse(t, rulesPolicy(), minimal(set(member, c.text)), oauth.InvalidClientMetadata, member)
			})
		}
	}
}

func TestTextRegisteredAsSent(t *testing.T) {
	cases := []struct{ name, member, text string }{
		{"quotes and markup", "client_name", `<b>"O'Neil" \ & Co</b>`},
		{"right-to-left letters", "client_name", "לקוח"},
		{"combined emoji", "client_name", "👩‍👩‍👧 client"},
		{"beside the refused range", "client_name", "a\u2029\u202F\u2065\u206Ab"},
		{"not normalised", "client_name", "e\u0301"},
		{"blanks kept", "client_name", "  a  "},
		{"longest name", "client_name", strings.Repeat("あ", MaxClientNameRunes)},
		{"longest localised name", "client_name#ja", strings.Repeat("あ", MaxClientNameRunes)},
		{"software_id", "software_id", "é 1"},
		{"software_version", "software_version", strings.Repeat("1", MaxClientNameRunes+1)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			registered, _ := mustRegister(t, rulesPolicy(), minimal(set(c.member, c.text)))
			got := []any{registered.ClientName, registered.SoftwareID, registered.SoftwareVersion, registered.Localized}
			asked := minimal(set(c.member, c.text))
			if want := []any{asked.ClientName, asked.SoftwareID, asked.SoftwareVersion, asked.Localized}; !reflect.DeepEqual(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestClientNameTooLong(t *testing.T) {
	for _, member := range []string{"client_name", "client_name#ja"} {
		name := strings.Repeat("a", MaxClientNameRunes+1)
		mustRefuse(t, rulesPolicy(), minimal(set(member, name)), oauth.InvalidClientMetadata, member)
	}
}

var webURIMembers = []string{"client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "logo_uri#fr", "tos_uri#de-CH", "policy_uri#ja", "client_uri#x-a"}

func TestWebURIRefused(t *testing.T) {
	cases := []struct{ name, uri string }{
		{"script", "javascript:alert(1)"},
		{"file", "file:///etc/passwd"},
		{"data", "data:image/png;base64,AA=="},
		{"http", "http://c.example/"},
		{"http loopback", "http://localhost/"},
		{"private-use", "com.example.app:/x"},
		{"relative", "/logo.png"},
		{"protocol-relative", "//c.example/"},
		{"bare word", "x"},
		{"opaque", "https:logo"},
		{"no host", "https:///logo"},
		{"one slash", "https:/c.example"},
		{"userinfo", "https://u:p@c.example/"},
		{"empty userinfo", "https://@c.example/"},
		{"backslash", `https://c.example\@evil.example/`},
		{"blank", "https://c.example/a b"},
		{"leading blank", " https://c.example/"},
		{"line feed", "https://c.example/\n"},
		{"NUL", "https://c.example/\x00"},
		{"not ASCII", "https://c.example/é"},
		{"override", "https://c.example/\u202E"},
		{"bad port", "https://c.example:0/"},
		{"bad host", "https://c..example/"},
		{"short address", "https://127.1/"},
		{"capitals", "JAVASCRIPT:alert(1)"},
	}
	for _, c := range cases {
		for _, member := range webURIMembers {
			t.Run(c.name+" in "+member, func(t *testing.T) {
				mustRefuse(t, rulesPolicy(), minimal(set(member, c.uri)), oauth.InvalidClientMetadata, member)
			})
		}
	}
}

func TestWebURIAccepted(t *testing.T) {
	uris := []string{"https://c.example", "https://c.example:8443/a/../b?x=*#top", "https://192.0.2.1/", "https://[2001:db8::1]/"}
	for _, member := range webURIMembers {
		for _, uri := range uris {
			t.Run(member+" "+uri, func(t *testing.T) {
				mustRegister(t, rulesPolicy(), minimal(set(member, uri)))
			})
		}
	}
}

func TestWebURIReason(t *testing.T) {
	cases := []struct{ uri, reason string }{
		{"https://c.example/\\", "backslashes"},
		{"http://c.example/", "absolute https"},
		{"https://u@c.example/", "user information"},
		{"https:///", "must have a host"},
		{"https://127.1/", "not a valid name or IP address"},
		{"https://c.example:x/", "port"},
	}
	for _, c := range cases {
		t.Run(c.reason, func(t *testing.T) {
			if said := webURIFault(c.uri); !strings.Contains(said, c.reason) {
				t.Errorf("%q refused with %q, want %q in it", c.uri, said, c.reason)
			}
		})
	}
}
