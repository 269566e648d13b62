package registration

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

// MaxClientNameRunes is how many characters a client_name may have, and each of
// its translations.
const MaxClientNameRunes = 200

// stringMembers are the optional members that are registered as they are sent.
var stringMembers = []struct {
	name  string
	value func(*Metadata) string
	// fault returns why a value is refused, or "".
	fault func(string) string
	// localizable says that the member may carry a language tag (RFC 7591 §2.2).
	localizable bool
}{
	{"client_name", func(m *Metadata) string { return m.ClientName }, clientNameFault, true},
	{"client_uri", func(m *Metadata) string { return m.ClientURI }, webURIFault, true},
	{"logo_uri", func(m *Metadata) string { return m.LogoURI }, webURIFault, true},
	{"tos_uri", func(m *Metadata) string { return m.TosURI }, webURIFault, true},
	{"policy_uri", func(m *Metadata) string { return m.PolicyURI }, webURIFault, true},
	{"jwks_uri", func(m *Metadata) string { return m.JWKSURI }, webURIFault, false},
	{"software_id", func(m *Metadata) string { return m.SoftwareID }, textFault, false},
	{"software_version", func(m *Metadata) string { return m.SoftwareVersion }, textFault, false},
}

func checkStrings(_ tenant.Policy, m *Metadata) error {
	for _, member := range stringMembers {
		value := member.value(m)
		if value == "" {
			continue
		}
		if reason := member.fault(value); reason != "" {
			return invalidMetadata(member.name, reason)
		}
	}
	return nil
}

// MaxTextRunes is how many characters any other text may have.
const MaxTextRunes = 1024

var textRules = []rule[string]{
	{func(text string) bool { return utf8.RuneCountInString(text) > MaxTextRunes }, "must have at most " + strconv.Itoa(MaxTextRunes) + " characters"},
	{func(text string) bool { return !utf8.ValidString(text) }, "must be valid UTF-8"},
	{func(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) }, "must not have control characters"},
	{func(text string) bool { return strings.ContainsFunc(text, isBidiControl) }, "must not have characters that change the direction of the text around them"},
}

// isBidiControl finds the embeddings, overrides and isolates with which a name
// could rewrite the screen that shows it (Unicode Standard Annex #9 §2).
func isBidiControl(r rune) bool {
	return '\u202A' <= r && r <= '\u202E' || '\u2066' <= r && r <= '\u2069'
}

func textFault(text string) string { return firstBroken(textRules, text) }

func clientNameFault(name string) string {
	if utf8.RuneCountInString(name) > MaxClientNameRunes {
		return "must have at most " + strconv.Itoa(MaxClientNameRunes) + " characters"
	}
	return textFault(name)
}
