package registration

import (
	"net/netip"
	"strconv"
	"strings"
)

// uri is a URI cut into the parts of RFC 3986 §3, none of them decoded or
// normalised. Of a text that is not absolute only text is set.
type uri struct {
	text   string
	scheme string
	// rooted says that a slash follows the scheme.
	rooted    bool
	authority string
	// host keeps the brackets of an IP literal.
	host string
	// port keeps its colon.
	port string
	path string
}

func cutURI(text string) uri {
	scheme, rest, found := strings.Cut(text, ":")
	if !found || !isScheme(scheme) {
		return uri{text: text}
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end]
	}
	u := uri{text: text, scheme: scheme, rooted: strings.HasPrefix(rest, "/"), path: rest}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		u.authority, u.path = after, ""
		if slash := strings.IndexByte(after, '/'); slash >= 0 {
			u.authority, u.path = after[:slash], after[slash:]
		}
	}
	u.host, u.port = cutPort(u.authority)
	return u
}

func cutPort(authority string) (host, port string) {
	start := strings.IndexByte(authority, ']') + 1
	colon := strings.IndexByte(authority[start:], ':')
	if colon < 0 {
		return authority, ""
	}
	return authority[:start+colon], authority[start+colon:]
}

const (
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
	letters      = lowerLetters + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits       = "0123456789"
)

var (
	schemeBytes = bytesOf(lowerLetters + digits + "+-.")
	labelBytes  = bytesOf(letters + digits + "-_")
	uriBytes    = bytesOf(letters + digits + "-._~:/?#[]@!$&'()*+,;=%")
	digitBytes  = bytesOf(digits)
	hexBytes    = bytesOf(digits + "abcdefABCDEF")
)

// byteSet is a set of bytes.
type byteSet [256]bool

func bytesOf(members string) *byteSet {
	var set byteSet
	for i := range len(members) {
		set[members[i]] = true
	}
	return &set
}

// holds reports whether every byte of text is in the set.
func (set *byteSet) holds(text string) bool {
	for i := range len(text) {
		if !set[text[i]] {
			return false
		}
	}
	return true
}

// isScheme holds to RFC 3986 §3.1, in lower case.
func isScheme(text string) bool {
	return text != "" && 'a' <= text[0] && text[0] <= 'z' && schemeBytes.holds(text)
}

const notURIText = "must be ASCII without blanks, control characters, backslashes or anything else that RFC 3986 has escaped"

// isURIText reports whether the text has only characters of RFC 3986 §2, so
// nothing that a browser would strip, encode or take for a slash.
func isURIText(text string) bool {
	for i := range len(text) {
		if !uriBytes[text[i]] || text[i] == '%' && !isEscape(text[i:]) {
			return false
		}
	}
	return true
}

func isEscape(text string) bool {
	return len(text) >= 3 && hexBytes.holds(text[1:3])
}

// unescapeSegments undoes the escapes with which a dot segment can be hidden, in
// lower case.
var unescapeSegments = strings.NewReplacer("%2e", ".", "%2f", "/", "%5c", "/")

// hasDotSegment also finds the percent-encoded ones: browsers resolve .. and %2e%2e
// alike, and many servers take %2f and %5c for a slash.
func hasDotSegment(path string) bool {
	if strings.Contains(path, "%") {
		path = unescapeSegments.Replace(strings.ToLower(path))
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func hasUserinfo(u uri) bool { return strings.Contains(u.authority, "@") }

const (
	badHost = "the host is not a valid name or IP address"
	badPort = "the port must be a number from 1 to 65535 without leading zeros"
)

func hasBadPort(u uri) bool {
	if u.port == "" {
		return false
	}
	number := u.port[1:]
	n, err := strconv.ParseUint(number, 10, 16)
	return err != nil || n == 0 || number[0] == '0'
}

// webHostRules hold for https, after the other parts are known to be sound.
var webHostRules = []rule[uri]{
	{func(u uri) bool { return u.host == "" }, "must have a host after https://"},
	{func(u uri) bool { return !isWebHost(u.host) }, badHost},
	{hasBadPort, badPort},
}

// isWebHost refuses what browsers take for an IPv4 address in another notation,
// such as 127.1 and 0x7f.1 (URL Standard, ends-in-a-number checker).
func isWebHost(host string) bool {
	if endsInNumber(host) {
		addr, err := netip.ParseAddr(host)
		return err == nil && addr.Is4()
	}
	return isHost(host)
}

func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	number, isHex := strings.CutPrefix(strings.ToLower(last), "0x")
	if isHex {
		return hexBytes.holds(number)
	}
	return last != "" && digitBytes.holds(last)
}

// isHost reports whether the host is a name of non-empty labels, as long as the
// DNS takes (RFC 1035 §2.3.4), or an IPv6 address in brackets, without a zone.
func isHost(host string) bool {
	if strings.HasPrefix(host, "[") {
		return isIPv6Literal(host)
	}
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || !labelBytes.holds(label) {
			return false
		}
	}
	return true
}

func isIPv6Literal(host string) bool {
	inside, closed := strings.CutSuffix(host[1:], "]")
	addr, err := netip.ParseAddr(inside)
	return closed && err == nil && addr.Is6() && addr.Zone() == ""
}

// webURIFault returns why the text is not an absolute https URI of a page, an
// image or a document, or "".
func webURIFault(text string) string {
	u := cutURI(text)
	if reason := firstBroken(webURIRules, u); reason != "" {
		return reason
	}
	return firstBroken(webHostRules, u)
}

// MaxURIBytes is how long a URI may be that is registered beside the redirect URIs.
const MaxURIBytes = 2048

var webURIRules = []rule[uri]{
	{func(u uri) bool { return len(u.text) > MaxURIBytes }, "must have at most " + strconv.Itoa(MaxURIBytes) + " bytes"},
	{func(u uri) bool { return !isURIText(u.text) }, notURIText},
	{func(u uri) bool { return u.scheme != "https" }, "must be an absolute https URI"},
	{hasUserinfo, "must not have user information"},
}

// IsWebURI reports whether the text is an absolute https URI, without user information,
// whose host a browser and this service read alike.
func IsWebURI(text string) bool { return webURIFault(text) == "" }

// IsLoopbackURI reports whether the text is an http URI of the user's own machine, in one
// of the spellings that a redirect URI may have (RFC 8252 §7.3, §8.3).
func IsLoopbackURI(text string) bool {
	u := cutURI(text)
	return isURIText(text) && u.scheme == "http" && isLoopbackHost(u.host) && !hasUserinfo(u) && !hasBadPort(u)
}
