package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

var seed = flag.Uint64("seed", 0, "of the generated registrations; 0 draws one")

// TestRegistrationsReadBackEqual: what is accepted is answered and read back as it was
// sent, redirect URIs byte for byte, and an update with what was read changes nothing.
func TestRegistrationsReadBackEqual(t *testing.T) {
	const rounds = 100
	drawn := *seed
	if drawn == 0 {
		drawn = rand.Uint64()
	}
	t.Logf("-seed %d", drawn)
	eachStore(t, func(t *testing.T, s *server) {
		g := generator{rand.New(rand.NewPCG(drawn, 0))}
		for range rounds {
			g.try(t, s)
		}
	})
}

func (g generator) try(t *testing.T, s *server) {
	t.Helper()
	sent := g.metadata()
	registered := s.post(t, sent)
	if registered.Status != http.StatusCreated {
		t.Fatalf("%s\nfor %v", registered, sent)
	}
	checkIssued(t, s, registered)
	for member, want := range decoded(t, sent) {
		if got := registered.Body[member]; !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: registered %q\nwant %q", member, got, want)
		}
	}
	s.wantReadBack(t, registered)
	updated := s.update(t, registered, metadataOf(registered))
	if !reflect.DeepEqual(updated.Body, with(registered.Body, object{"client_secret": nil})) {
		t.Fatalf("the update changed something: %s\nregistered %s", updated, registered)
	}
	s.wantReadBack(t, updated)
}

// generator draws metadata that keeps to every rule.
type generator struct{ *rand.Rand }

func (g generator) metadata() object {
	m := object{"redirect_uris": g.redirectURIs()}
	optional := map[string]func() any{
		"token_endpoint_auth_method": func() any { return g.oneOf("none", "client_secret_basic", "client_secret_post") },
		"grant_types":                func() any { return g.grantTypes() },
		"response_types":             func() any { return []string{"code"} },
		"scope":                      func() any { return g.scope() },
		"application_type":           func() any { return g.oneOf("web", "native") },
		"client_name":                func() any { return g.text(200) },
		"client_uri":                 func() any { return g.webURI() },
		"logo_uri":                   func() any { return g.webURI() },
		"tos_uri":                    func() any { return g.webURI() },
		"policy_uri":                 func() any { return g.webURI() },
		"contacts":                   func() any { return g.contacts() },
		"software_id":                func() any { return g.text(60) },
		"software_version":           func() any { return g.text(20) },
	}
	for _, member := range sortedKeys(optional) {
		if g.IntN(2) == 0 {
			m[member] = optional[member]()
		}
	}
	g.addTranslations(m)
	g.addKeys(m)
	return m
}

var languageTags = []string{"de", "de-CH", "FR-ca", "ja", "zh-Hant-TW", "sl-rozaj-biske-1994", "en-US-u-islamcal", "x-private", "i-klingon"}

func (g generator) addTranslations(m object) {
	for _, member := range []string{"client_name", "client_uri", "logo_uri", "tos_uri", "policy_uri"} {
		for _, tag := range languageTags[:g.IntN(3)] {
			m[member+"#"+tag] = g.webURI()
			if member == "client_name" {
				m[member+"#"+tag] = g.text(200)
			}
		}
	}
}

// addKeys gives some clients keys, and every private_key_jwt client.
func (g generator) addKeys(m object) {
	sources := []func(){
		func() {},
		func() { m["jwks"] = keySet(rsaKey, with(ecKey, object{"x_note": g.text(9)})) },
		func() { m["jwks_uri"] = g.webURI() },
		func() { m["jwks"], m["token_endpoint_auth_method"] = keySet(okpKey), "private_key_jwt" },
	}
	sources[g.IntN(len(sources))]()
}

func (g generator) oneOf(values ...string) string { return values[g.IntN(len(values))] }

func (g generator) grantTypes() []string {
	return [][]string{{"authorization_code"}, {"authorization_code", "refresh_token"}, {"refresh_token", "authorization_code"}}[g.IntN(3)]
}

func (g generator) scope() string {
	scopes := strings.Fields(defaults["scope"].(string))
	g.Shuffle(len(scopes), func(i, j int) { scopes[i], scopes[j] = scopes[j], scopes[i] })
	return strings.Join(scopes[:1+g.IntN(len(scopes))], " ")
}

func (g generator) contacts() []string {
	contacts := make([]string, 1+g.IntN(10))
	for i := range contacts {
		contacts[i] = g.text(40)
	}
	return contacts
}

// text draws 1 to most code points of all planes, save those that the rules refuse.
func (g generator) text(most int) string {
	var text strings.Builder
	for range 1 + g.IntN(most) {
		text.WriteRune(g.character())
	}
	return text.String()
}

func (g generator) character() rune {
	for {
		r := []rune{
			' ' + rune(g.IntN(95)), []rune(`"\<>&'/%+;`)[g.IntN(10)], 0x300 + rune(g.IntN(0x70)), 0x590 + rune(g.IntN(0x200)),
			0x2000 + rune(g.IntN(0x70)), 0x1F300 + rune(g.IntN(0x300)), rune(g.IntN(unicode.MaxRune + 1)),
		}[g.IntN(7)]
		surrogate := 0xD800 <= r && r <= 0xDFFF
		bidi := 0x202A <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069
		if !surrogate && !bidi && !unicode.IsControl(r) {
			return r
		}
	}
}

// redirectURIs draws up to 32, all different.
func (g generator) redirectURIs() []string {
	uris := make([]string, 1+g.IntN(32))
	for i := range uris {
		uris[i] = g.redirectURI() + fmt.Sprintf("&i=%d", i)
	}
	return uris
}

func (g generator) redirectURI() string {
	base := g.oneOf(
		"https://c.example", "https://C.Example:8443", "https://xn--bcher-kva.example", "https://192.0.2.7", "https://[2001:DB8::1]:1",
		"http://localhost", "http://localhost:65535", "http://127.0.0.1:8080", "http://127.9.8.7", "http://[::1]:1",
		"com.example.app:/p", "com.example.app://host", "cursor://anysphere.cursor-mcp", "vscode-insiders://x:1", "zed:/p",
	)
	return base + g.path() + "?" + g.piece("/?")
}

func (g generator) webURI() string {
	return g.oneOf("https://c.example", "https://a.b.c.example:444", "https://192.0.2.7", "https://[2001:db8::1]") + g.path() + g.oneOf("", "?", "?q="+g.piece("/?"))
}

// path draws segments, none of which is a dot segment.
func (g generator) path() string {
	var path strings.Builder
	for range 1 + g.IntN(4) {
		path.WriteString("/" + g.oneOf("", "a.b", "...", "p"+g.piece("")))
	}
	return path.String()
}

// piece draws characters that RFC 3986 §3.3 allows in a segment, and those given.
func (g generator) piece(more string) string {
	allowed := strings.Split("abcXYZ019-_~!$&'()+,;=:@"+more, "")
	allowed = append(allowed, "%20", "%7e", "%7E", "%C3%A9", "%25", "%00", "%41")
	var piece strings.Builder
	for range g.IntN(12) {
		piece.WriteString(g.oneOf(allowed...))
	}
	return piece.String()
}
