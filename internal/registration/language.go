package registration

import (
	"maps"
	"slices"
	"strings"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

// setLocalized keeps the members whose name carries a language tag (RFC 7591
// §2.2), by the name that was sent. As anywhere, an empty value is an omitted
// member, and a member that cannot carry a tag is an unknown one: left out.
func setLocalized(_ tenant.Policy, m *Metadata) error {
	kept := maps.Clone(m.Localized)
	maps.DeleteFunc(kept, func(name, value string) bool { return value == "" || localizableFault(name) == nil })
	m.Localized = nil
	if len(kept) == 0 {
		return nil
	}
	m.Localized = kept
	return checkLocalized(kept)
}

// checkLocalized goes by name, so that one registration always gets one answer.
func checkLocalized(members map[string]string) error {
	seen := make(map[string]bool, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		base, tag, _ := strings.Cut(name, "#")
		folded := strings.ToLower(name)
		if !isLanguageTag(tag) {
			return invalidMetadata(base, "the part after # must be a language tag of RFC 5646")
		}
		if seen[folded] {
			return invalidMetadata(name, "the language tag is given twice, as letter case makes no difference")
		}
		if reason := localizableFault(name)(members[name]); reason != "" {
			return invalidMetadata(name, reason)
		}
		seen[folded] = true
	}
	return nil
}

// localizableFault returns the rule of the member that the name is a translation
// of, or nil.
func localizableFault(name string) func(string) string {
	base, _, tagged := strings.Cut(name, "#")
	for _, member := range stringMembers {
		if tagged && member.localizable && member.name == base {
			return member.fault
		}
	}
	return nil
}

// irregularTags are the grandfathered tags that the grammar of the others does
// not cover (RFC 5646 §2.1), in lower case.
var irregularTags = []string{
	"en-gb-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux", "i-mingo",
	"i-navajo", "i-pwn", "i-tao", "i-tay", "i-tsu", "sgn-be-fr", "sgn-be-nl", "sgn-ch-de",
}

// isLanguageTag reports whether the tag is well formed (RFC 5646 §2.2.9). Whether
// its subtags are registered is not asked: that list grows.
func isLanguageTag(tag string) bool {
	if !tagBytes.holds(tag) {
		return false
	}
	tag = strings.ToLower(tag)
	if slices.Contains(irregularTags, tag) {
		return true
	}
	subtags := strings.Split(tag, "-")
	if subtags[0] == "x" {
		return isPrivateUseTag(subtags)
	}
	rest, ok := skipLanguage(subtags)
	if !ok {
		return false
	}
	rest = skip(rest, 1, isScript)
	rest = skip(rest, 1, isRegion)
	rest = skip(rest, len(rest), isVariant)
	rest, ok = skipExtensions(rest)
	return ok && (len(rest) == 0 || isPrivateUseTag(rest))
}

// skipLanguage drops the language and, after one of two or three letters, what
// extends it; ok is false where there is no language.
func skipLanguage(subtags []string) (rest []string, ok bool) {
	language := subtags[0]
	switch {
	case !lettersOnly.holds(language) || len(language) < 2 || len(language) > 8:
		return nil, false
	case len(language) > 3:
		return subtags[1:], true
	}
	return skip(subtags[1:], 3, isExtendedLanguage), true
}

var (
	lettersOnly      = bytesOf(letters)
	lettersAndDigits = bytesOf(letters + digits)
	tagBytes         = bytesOf(letters + digits + "-")
)

func isExtendedLanguage(s string) bool { return len(s) == 3 && lettersOnly.holds(s) }

func isScript(s string) bool { return len(s) == 4 && lettersOnly.holds(s) }

func isRegion(s string) bool {
	return len(s) == 2 && lettersOnly.holds(s) || len(s) == 3 && digitBytes.holds(s)
}

func isVariant(s string) bool {
	return isAlphanumeric(s, 5, 8) || len(s) == 4 && digitBytes[s[0]] && lettersAndDigits.holds(s)
}

func isAlphanumeric(s string, shortest, longest int) bool {
	return shortest <= len(s) && len(s) <= longest && lettersAndDigits.holds(s)
}

// skip drops up to most leading subtags that fit.
func skip(subtags []string, most int, fits func(string) bool) []string {
	for most > 0 && len(subtags) > 0 && fits(subtags[0]) {
		subtags, most = subtags[1:], most-1
	}
	return subtags
}

func isExtension(s string) bool { return isAlphanumeric(s, 2, 8) }

// skipExtensions drops the leading extensions, and reports whether each has a
// content and a singleton of its own.
func skipExtensions(subtags []string) (rest []string, ok bool) {
	var seen byteSet
	for len(subtags) > 0 && subtags[0] != "x" && isAlphanumeric(subtags[0], 1, 1) {
		singleton := subtags[0][0]
		content := skip(subtags[1:], len(subtags), isExtension)
		if seen[singleton] || len(content) == len(subtags)-1 {
			return nil, false
		}
		seen[singleton] = true
		subtags = content
	}
	return subtags, true
}

// isPrivateUseTag reports whether the subtags are an x and something after it.
func isPrivateUseTag(subtags []string) bool {
	notPrivate := func(s string) bool { return !isAlphanumeric(s, 1, 8) }
	return subtags[0] == "x" && len(subtags) > 1 && !slices.ContainsFunc(subtags[1:], notPrivate)
}
