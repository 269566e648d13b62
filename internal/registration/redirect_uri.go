package registration

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// The limits of redirect_uris.
const (
	MaxRedirectURIs     = 32
	MaxRedirectURIBytes = 2048
)

func invalidRedirectURI(member, reason string) error {
	return &oauth.Error{Code: oauth.InvalidRedirectURI, Description: member + ": " + reason}
}

// CheckRedirectURIs is the rule of redirect_uris alone: an *oauth.Error of code
// invalid_redirect_uri, or nil. Without grants, the default ones count.
func CheckRedirectURIs(policy tenant.Policy, redirectURIs []string, grants []oauth.GrantType) error {
	return checkRedirectURIs(policy, &Metadata{RedirectURIs: redirectURIs, GrantTypes: grants})
}

// checkRedirectURIs refuses the whole list for one bad URI. A list is required
// of every client that uses the authorization endpoint (RFC 7591 §2).
func checkRedirectURIs(policy tenant.Policy, m *Metadata) error {
	switch {
	case len(m.RedirectURIs) == 0 && asksForCode(m.GrantTypes):
		return invalidRedirectURI("redirect_uris", "at least one is required for authorization_code")
	case len(m.RedirectURIs) > MaxRedirectURIs:
		return invalidRedirectURI("redirect_uris", "must have at most "+strconv.Itoa(MaxRedirectURIs)+" entries")
	}
	for i, text := range m.RedirectURIs {
		if reason := redirectURIFault(policy, text); reason != "" {
			return invalidRedirectURI(element("redirect_uris", i), reason)
		}
	}
	return nil
}

func asksForCode(grants []oauth.GrantType) bool {
	return grants == nil || slices.Contains(grants, oauth.GrantAuthorizationCode)
}

// redirectURIFault returns why the URI cannot be registered, or "". What is
// accepted means the same to every parser: it is ASCII, has nothing that a
// browser would drop, decode or rewrite, and keeps its bytes.
//
// A scheme with capital letters is refused, though RFC 3986 §3.1 compares schemes
// without case: it says that only lower case should be produced, redirect URIs
// are matched byte for byte, and browsers would send the lower-case form.
func redirectURIFault(policy tenant.Policy, text string) string {
	u := cutURI(text)
	if reason := firstBroken(redirectURIRules, u); reason != "" {
		return reason
	}
	switch {
	case u.scheme == "https":
		return cmp.Or(firstBroken(webHostRules, u), redirectHostFault(policy, u.host))
	case u.scheme == "http":
		return firstBroken(loopbackRules, u)
	case isPrivateUse(policy, u.scheme):
		return firstBroken(privateUseRules, u)
	}
	return "must have the scheme https, http with a loopback host, or a private-use scheme such as com.example.app"
}

// redirectHostFault holds a host on the web to what the operator lists.
func redirectHostFault(policy tenant.Policy, host string) string {
	if policy.RedirectHosts.Admit(host) {
		return ""
	}
	return "the host is not one that clients may have users sent to here"
}

var redirectURIRules = []rule[uri]{
	{func(u uri) bool { return len(u.text) > MaxRedirectURIBytes }, "must have at most " + strconv.Itoa(MaxRedirectURIBytes) + " bytes"},
	{func(u uri) bool { return !isURIText(u.text) }, notURIText},
	{func(u uri) bool { return u.scheme == "" }, "must be absolute, with a scheme in lower case"},
	{func(u uri) bool { return strings.Contains(u.text, "#") }, "must not have a fragment"},
	{func(u uri) bool { return strings.Contains(u.text, "*") }, "must not have a wildcard"},
	{hasUserinfo, "must not have user information"},
	{func(u uri) bool { return hasDotSegment(u.path) }, "must not have dot segments"},
}

var loopbackRules = []rule[uri]{
	{func(u uri) bool { return !isLoopbackHost(u.host) }, "http is only for the hosts localhost, 127.0.0.1 and [::1]; use https"},
	{hasBadPort, badPort},
}

var privateUseRules = []rule[uri]{
	{func(u uri) bool { return !u.rooted }, "must have a slash after the scheme"},
	{func(u uri) bool { return u.authority != "" && !isHost(u.host) }, badHost},
	{hasBadPort, badPort},
}

// isLoopbackHost accepts the hosts of RFC 8252 §7.3, and of §8.3 that real clients
// use all the same. No other spelling of them is accepted, since the authorize
// endpoint lets the port of these float.
func isLoopbackHost(host string) bool {
	if host == "localhost" || host == "[::1]" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is4() && addr.IsLoopback()
}

// refusedSchemes run code, read files or leave the browser's control; no policy
// can allow them.
var refusedSchemes = []string{"javascript", "data", "vbscript", "file", "blob", "about", "ws", "wss", "ftp"}

// isPrivateUse accepts reverse-domain schemes (RFC 8252 §7.1) and those that the
// operator lists.
func isPrivateUse(policy tenant.Policy, scheme string) bool {
	if slices.Contains(refusedSchemes, scheme) {
		return false
	}
	return isReverseDomain(scheme) || slices.Contains(policy.CustomSchemes, scheme)
}

func isReverseDomain(scheme string) bool {
	return strings.Contains(scheme, ".") && !strings.Contains(scheme, "..") && !strings.HasSuffix(scheme, ".")
}

// isNative tells loopback and private-use URIs from https, among accepted ones.
func isNative(uri string) bool { return !strings.HasPrefix(uri, "https:") }

func usesPrivateScheme(uri string) bool { return isNative(uri) && !strings.HasPrefix(uri, "http:") }

func allNative(uris []string) bool {
	return !slices.ContainsFunc(uris, func(uri string) bool { return !isNative(uri) })
}

func checkStrictApplicationType(policy tenant.Policy, m *Metadata) error {
	if !policy.StrictApplicationType || m.ApplicationType != oauth.ApplicationWeb {
		return nil
	}
	if i := slices.IndexFunc(m.RedirectURIs, usesPrivateScheme); i >= 0 {
		return invalidRedirectURI(element("redirect_uris", i), "a private-use scheme needs application_type native")
	}
	return nil
}

func dropRepeatedRedirectURIs(_ tenant.Policy, m *Metadata) error {
	m.RedirectURIs = distinct(m.RedirectURIs)
	return nil
}
