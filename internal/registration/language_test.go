package registration

import (
	"maps"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

func TestLanguageTag(t *testing.T) {
	cases := []struct {
		tag  string
		want bool
	}{
		// Appendix A of RFC 5646.
		{"de", true}, {"i-enochian", true}, {"zh-Hant", true}, {"zh-cmn-Hans-CN", true}, {"sr-Latn-RS", true},
		{"sl-rozaj-biske", true}, {"de-CH-1901", true}, {"hy-Latn-IT-arevela", true}, {"es-419", true},
		{"de-CH-x-phonebk", true}, {"az-Arab-x-AZE-derbend", true}, {"x-whatever", true}, {"qaa-Qaaa-QM-x-southern", true},
		{"en-US-u-islamcal", true}, {"zh-CN-a-myext-x-private", true}, {"en-a-myext-b-another", true},
		{"de-419-DE", false}, {"a-DE", false}, {"ar-a-aaa-b-bbb-a-ccc", false},

		{"ja", true}, {"fr-CA", true}, {"FR-ca", true}, {"EN-gb-OED", true}, {"sgn-BE-FR", true}, {"zh-min-nan", true},
		{"art-lojban", true}, {"sgn-ase-US", true}, {"xx", true}, {"abcd", true}, {"abcdefgh", true}, {"zh-aaa-bbb-ccc-Hant", true},
		{"en-1abc", true}, {"en-0-ab", true}, {"x-a", true}, {"x-1-2-3", true},

		{"", false}, {"-", false}, {"e", false}, {"abcdefghi", false}, {"e1", false}, {"fr_CA", false}, {"fr-", false},
		{"-fr", false}, {"fr--CA", false}, {"fr CA", false}, {"fr-CA ", false}, {"é", false}, {"fr#CA", false},
		{"zh-aaa-bbb-ccc-ddd", false}, {"abcd-aaa", false}, {"en-Latn-Latn", false}, {"en-US-US", false}, {"en-US-US-abc", false},
		{"en-abcd-1abc-Latn", false}, {"en-abc1", false}, {"en-US-abcdefghi", false}, {"en-a", false}, {"en-a-x-b", false},
		{"en-a-b", false}, {"en-a-abcdefghi", false}, {"x", false}, {"x-", false}, {"x-abcdefghi", false},
		{"en-x", false}, {"i-unknown", false}, {"i", false}, {"en-\u212A", false}, {"\u212Ao", false},
	}
	for _, c := range cases {
		t.Run(c.tag, func(t *testing.T) {
			if got := isLanguageTag(c.tag); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestLocalizedRegistered(t *testing.T) {
	cases := []struct {
		name        string
		asked, want map[string]string
	}{
		{"none", map[string]string{}, nil},
		{"kept as sent", map[string]string{"client_name#ja": "あ", "client_name#fr-CA": "B"}, map[string]string{"client_name#ja": "あ", "client_name#fr-CA": "B"}},
		{"case kept", map[string]string{"tos_uri#DE-ch": "https://c.example/de"}, map[string]string{"tos_uri#DE-ch": "https://c.example/de"}},
		{"one tag on two members", map[string]string{"client_name#ja": "a", "logo_uri#JA": "https://c.example/"}, map[string]string{"client_name#ja": "a", "logo_uri#JA": "https://c.example/"}},
		{"empty is omitted", map[string]string{"client_name#ja": ""}, nil},
		{"empty is no repetition", map[string]string{"client_name#ja": "a", "client_name#JA": ""}, map[string]string{"client_name#ja": "a"}},
		{"unknown left out", map[string]string{
			"client_name": "x", "CLIENT_NAME#ja": "x", "software_id#ja": "x", "jwks_uri#ja": "https://c.example/", "foo#ja": "x", "#ja": "x", "": "x",
		}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			registered, _ := mustRegister(t, rulesPolicy(), minimal(func(m *Metadata) { m.Localized = c.asked }))
			if !maps.Equal(registered.Localized, c.want) || (registered.Localized == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", registered.Localized, c.want)
			}
		})
	}
}

func TestLocalizedRefused(t *testing.T) {
	cases := []struct {
		name   string
		asked  map[string]string
		member string
	}{
		{"no tag", map[string]string{"client_name#": "a"}, "client_name"},
		{"malformed tag", map[string]string{"client_name#fr_CA": "a"}, "client_name"},
		{"tag with a quotation mark", map[string]string{`tos_uri#"`: "https://c.example/"}, "tos_uri"},
		{"tag not UTF-8", map[string]string{"logo_uri#\xff": "https://c.example/"}, "logo_uri"},
		{"two tags", map[string]string{"client_name#fr#CA": "a"}, "client_name"},
		{"repeated but for case", map[string]string{"client_name#ja": "a", "client_name#JA": "a"}, "client_name#ja"},
		{"script in a logo", map[string]string{"logo_uri#fr": "javascript:alert(1)"}, "logo_uri#fr"},
		{"one bad among good", map[string]string{"client_name#ja": "a", "policy_uri#ja": "http://c.example/", "client_name#fr": "b"}, "policy_uri#ja"},
		{"enormous tag", map[string]string{"client_name#" + strings.Repeat("a", 1<<16): "a"}, "client_name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := minimal(func(m *Metadata) { m.Localized = c.asked })
			mustRefuse(t, rulesPolicy(), asked, oauth.InvalidClientMetadata, c.member)
		})
	}
}
