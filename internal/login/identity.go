package login

import (
	"crypto/sha256"
	"encoding/base32"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The sources of subjects, beside the issuers of upstream providers. No issuer is spelt
// like them: those are URLs.
const (
	sourceUsersFile   = "users file"
	sourceDevelopment = "development"
)

// subjectAlphabet is the one of the secrets (Crockford's base 32, lower case).
var subjectAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// subjectOf derives the subject of a user from what the source calls them: the same for
// good, and different for every user of every source.
func subjectOf(source, name string) string {
	sum := sha256.Sum256([]byte(source + "\n" + name))
	return "u_" + subjectAlphabet.EncodeToString(sum[:])
}

// The bounds of what is kept of a user.
const (
	maxLoginRunes  = 64
	maxNameRunes   = 200
	maxEmailBytes  = 254 // RFC 5321 §4.5.3.1.3, less the angle brackets
	maxDomainBytes = 253
	maxGroupBytes  = 256
	maxGroups      = 1000
)

const badLogin = "a name has 1 to 64 printable characters and no blank at its ends"

// isLogin reports whether the text, in normal form, can be the name that a user types.
func isLogin(name string) bool {
	count := utf8.RuneCountInString(name)
	return 0 < count && count <= maxLoginRunes && isPrintable(name) && name == strings.TrimSpace(name)
}

// isPrintable reports whether the text has letters, marks, digits, punctuation, symbols
// and plain blanks alone: nothing invisible, and nothing that a store cannot hold.
func isPrintable(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// normal is the composed form (Unicode Standard Annex #15), so that a name is the same
// from every keyboard.
func normal(text string) string { return norm.NFC.String(text) }

// folded is the form in which names are compared: without case (Unicode Standard §3.13.5).
func folded(name string) string { return normal(cases.Fold().String(normal(name))) }

// isEmail reports whether the text is the bare address of one mailbox.
func isEmail(text string) bool {
	if len(text) > maxEmailBytes || !isPrintable(text) {
		return false
	}
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}

// displayText is what may be shown of a text that others chose: without characters that
// do something to the text around them, and not too long.
func displayText(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if runes := []rune(text); len(runes) > maxNameRunes {
		text = string(runes[:maxNameRunes])
	}
	return strings.TrimSpace(text)
}
