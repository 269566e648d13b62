package login

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// entraHosts are those of Microsoft Entra ID and its national clouds.
var entraHosts = []string{
	"login.microsoftonline.com",
	"login.microsoftonline.us",
	"login.partner.microsoftonline.cn",
}

// entraShared are the names under which the configuration can mean many tenants of Entra.
var entraShared = []string{"common", "organizations", "consumers"}

// entraPersonal is the tenant of all personal accounts.
const entraPersonal = "9188040d-6c67-4c5b-b112-36a304b66dad"

// Entra publishes one issuer with a variable for all its tenants, and signs with the
// issuer of the user's own: https://login.microsoftonline.com/{tenantid}/v2.0.
const (
	entraVersion  = "/v2.0"
	entraVariable = "{tenantid}"
)

// entraTenant is the first segment of the path.
func entraTenant(issuer *url.URL) string {
	segment, _, _ := strings.Cut(strings.TrimPrefix(issuer.Path, "/"), "/")
	return strings.ToLower(segment)
}

// entraHost returns the host of an issuer that stands for many tenants of Entra, or "".
func entraHost(issuer string) string {
	for _, host := range entraHosts {
		for _, name := range entraShared {
			if issuer == "https://"+host+"/"+name+entraVersion {
				return host
			}
		}
	}
	return ""
}

// isEntraPublished reports whether the published issuer is the one to expect of an issuer
// that stands for many tenants.
func isEntraPublished(issuer, published string) bool {
	rest, found := strings.CutPrefix(published, "https://"+entraHost(issuer)+"/")
	return found && slices.Contains([]string{entraVariable + entraVersion, entraPersonal + entraVersion}, rest)
}

// entraTenantID is how tenants are spelt.
var entraTenantID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// issuerOf is the issuer that a token of this provider must have, given the claim tid; ""
// if there is none. Which keys sign for which tenant is not asked: the token comes from
// the provider's own token endpoint (OpenID Connect Core 1.0 §3.1.3.7, rule 6).
func (p *provider) issuerOf(tid string) string {
	if !p.isShared() {
		return p.Issuer
	}
	if !entraTenantID.MatchString(tid) {
		return ""
	}
	return strings.Replace(p.Issuer, entraVariable, tid, 1)
}

// isIssuer reports whether the issuer can be this provider's (RFC 9207 §2.4).
func (p *provider) isIssuer(issuer string) bool {
	before, after, shared := strings.Cut(p.Issuer, entraVariable)
	if !shared {
		return issuer == p.Issuer
	}
	rest, begins := strings.CutPrefix(issuer, before)
	tid, ends := strings.CutSuffix(rest, after)
	return begins && ends && entraTenantID.MatchString(tid)
}

// isShared reports whether the provider stands for many tenants, each with an issuer.
func (p *provider) isShared() bool { return strings.Contains(p.Issuer, entraVariable) }
