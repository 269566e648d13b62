package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

var (
	knownMethods = []oauth.AuthMethod{oauth.AuthNone, oauth.AuthClientSecretBasic, oauth.AuthClientSecretPost, oauth.AuthPrivateKeyJWT}
	scopeToken   = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)
	schemeName   = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	issuerHost   = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
	issuerPath   = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
	domainName   = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	visibleASCII = regexp.MustCompile(`^[\x21-\x7E]+$`)
)

// forbiddenSchemes can never be a redirect scheme, whatever an operator lists.
var forbiddenSchemes = []string{"http", "https", "javascript", "data", "vbscript", "file", "blob", "about", "ws", "wss", "ftp"}

// maxRefreshGrace bounds how long a refresh token that was replaced, and perhaps stolen,
// is still good for one more.
const maxRefreshGrace = 5 * time.Minute

func (c *Config) validate(found *faults) {
	checkIssuer(c.Issuer, found)
	found.check(c.serverChecks())
	found.check(c.registrationChecks())
	found.check(c.hostChecks())
	found.check(c.loginChecks())
	found.check(c.authorizationChecks())
}

const makeSecretKey = "make one with: openssl rand -base64 32"

func (c *Config) serverChecks() []check {
	return []check{
		{!isListenAddress(c.Addr), "ADDR", "it must be host:port or :port, with a port from 0 to 65535"},
		{c.MetricsAddr != "" && !isListenAddress(c.MetricsAddr), "METRICS_ADDR", "it must be host:port or :port, with a port from 0 to 65535"},
		{!hasScheme(c.DatabaseURL, "sqlite", "postgres", "postgresql"), "DATABASE_URL", "it must begin with sqlite://, postgres:// or postgresql://"},
		{hasScheme(c.DatabaseURL, "postgres", "postgresql") && len(c.SecretKey) == 0, "SECRET_KEY", "PostgreSQL needs it; " + makeSecretKey},
		{c.RedisURL != "" && !hasScheme(c.RedisURL, "redis", "rediss", "unix"), "REDIS_URL", "it must begin with redis://, rediss:// or unix://"},
		{!all(c.origins(), isOrigin), "CORS_ORIGINS", "it must be none, or each must be * or an origin such as https://app.example"},
		{c.Envelope != EnvelopeNegotiated && c.Envelope != EnvelopeAlways, "ENVELOPE", "it must be negotiated or always"},
		{c.AuditRetention < 0, "AUDIT_RETENTION", "it must be a duration such as 8760h, or 0 for ever"},
	}
}

var registrationModes = []tenant.RegistrationMode{tenant.RegistrationOpen, tenant.RegistrationToken, tenant.RegistrationClosed}

func (c *Config) registrationChecks() []check {
	methods := c.Tenant().Policy.AuthMethods
	return []check{
		{!slices.Contains(registrationModes, c.RegistrationMode), "REGISTRATION_MODE", "it must be open, token or closed"},
		{c.ClientQuota < 0, "CLIENT_QUOTA", "it must be a number of clients, or 0 for any"},
		{c.Approval != ApprovalNone && c.Approval != ApprovalRequired, "APPROVAL", "it must be none or required"},
		{len(c.Scopes) == 0 || !all(c.Scopes, scopeToken.MatchString), "SCOPES", "it must be scope tokens separated by spaces (RFC 6749 §3.3)"},
		{!subset(c.DefaultScopes, c.Scopes), "DEFAULT_SCOPES", "each must be one of " + Prefix + "SCOPES"},
		{c.ScopeOverflow != tenant.ScopeNarrow && c.ScopeOverflow != tenant.ScopeReject, "SCOPE_OVERFLOW", "it must be narrow or reject"},
		{len(methods) == 0 || !subset(methods, knownMethods), "AUTH_METHODS", "each must be none, client_secret_basic, client_secret_post or private_key_jwt"},
		{!slices.Contains(methods, c.DefaultAuthMethod), "DEFAULT_AUTH_METHOD", "it must be one of " + Prefix + "AUTH_METHODS"},
		{!all(c.CustomSchemes, isCustomScheme), "CUSTOM_SCHEMES", "each must be a private-use scheme in lower case, without colon"},
	}
}

func (c *Config) hostChecks() []check {
	const rule = "each must be a host name such as app.example, or *.app.example for all below it"
	documents := []tenant.MetadataDocuments{tenant.MetadataDocumentsOff, tenant.MetadataDocumentsListed, tenant.MetadataDocumentsAny}
	return []check{
		{isBlank(c.RedirectHostsAllowed) || !all(c.RedirectHostsAllowed, isHostPattern), "REDIRECT_HOSTS_ALLOWED", rule},
		{isBlank(c.RedirectHostsDenied) || !all(c.RedirectHostsDenied, isHostPattern), "REDIRECT_HOSTS_DENIED", rule},
		{!slices.Contains(documents, c.MetadataDocuments), "METADATA_DOCUMENTS", "it must be off, listed or any"},
		{!all(c.MetadataDocumentHosts, isHostPattern), "METADATA_DOCUMENT_HOSTS", rule},
		{c.DevelopmentFetch && !hasLoopbackHost(c.Issuer), "DEVELOPMENT_FETCH", "it is for an issuer on this machine alone: it lets clients have this server connect anywhere"},
	}
}

func (c *Config) loginChecks() []check {
	const upstream, domains = Prefix + "UPSTREAM_ISSUER", "each must be a domain such as example.com"
	hasUpstream := c.UpstreamIssuer != ""
	return []check{
		{hasUpstream && !isUpstream(c.UpstreamIssuer), "UPSTREAM_ISSUER", "it must be an https URL (http on this machine) without user information, query or fragment"},
		{hasUpstream && login.OpenToAnyone(c.UpstreamIssuer) && !c.AllowAnyUser && c.loginRequirement().IsZero(), "UPSTREAM_ISSUER", anyoneCanJoin},
		{hasUpstream && c.UpstreamClientID == "", "UPSTREAM_CLIENT_ID", upstream + " needs it"},
		{!hasUpstream && c.UpstreamClientID != "", "UPSTREAM_CLIENT_ID", "it needs " + upstream},
		{!hasUpstream && c.UpstreamClientSecret != "", "UPSTREAM_CLIENT_SECRET", "it needs " + upstream},
		{!slices.Contains(c.UpstreamScopes, oauth.ScopeOpenID) || !all(c.UpstreamScopes, scopeToken.MatchString), "UPSTREAM_SCOPES", "it must be scope tokens, openid among them"},
		{hasUpstream && c.UsersFile != "", "USERS_FILE", "set it or " + upstream + ", not both"},
		{!hasUpstream && c.RecheckUpstream, "RECHECK_UPSTREAM", "it needs " + upstream},
		{isBlank(c.LoginEmailDomains) || !all(c.LoginEmailDomains, isDomain), "LOGIN_EMAIL_DOMAINS", domains},
		{isBlank(c.LoginHostedDomains) || !all(c.LoginHostedDomains, isDomain), "LOGIN_HOSTED_DOMAINS", domains},
		{isBlank(c.LoginGroups), "LOGIN_GROUPS", "it names no group"},
		{isBlank(c.LoginSubjects), "LOGIN_SUBJECTS", "it names nobody"},
	}
}

func (c *Config) authorizationChecks() []check {
	return []check{
		{isBlank(c.Resources) || !all(c.Resources, isResource), "RESOURCES", "each must be " + resourceRule},
		{!all(c.TrustedRedirectHosts, isDomain), "TRUSTED_REDIRECT_HOSTS", "each must be a host name such as app.example"},
		{c.RefreshGrace < 0 || c.RefreshGrace > maxRefreshGrace, "REFRESH_GRACE", "it must be 0s to 5m"},
		{!isAlgorithm(c.AccessTokenAlgorithm), "ACCESS_TOKEN_ALG", "it must be ES256 or RS256"},
		{!isAlgorithm(c.IDTokenAlgorithm), "ID_TOKEN_ALG", "it must be RS256 or ES256"},
	}
}

// checkIssuer holds the issuer to RFC 8414 §2, and to https unless it is this machine.
func checkIssuer(issuer string, found *faults) {
	u, err := url.Parse(issuer)
	if err != nil {
		found.add("ISSUER", "it is not a URL")
		return
	}
	origin := strings.TrimSuffix(issuer, u.EscapedPath())
	checks := []struct {
		bad  bool
		rule string
	}{
		{u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "", "it must be an absolute https URL"},
		{u.Scheme == "http" && !isLoopback(u.Hostname()), "it must be https, unless its host is localhost or a loopback address"},
		{u.User != nil || strings.ContainsAny(issuer, "?#"), "it must have no user information, query or fragment (RFC 8414 §2)"},
		{strings.HasSuffix(issuer, "/"), "it must not end in a slash: clients compare it byte for byte"},
		{origin != strings.ToLower(origin), "its scheme and host must be in lower case: clients compare it byte for byte"},
		{u.Host != "" && !issuerHost.MatchString(u.Host), "its host must be an ASCII name or an address, with or without a port"},
		{!isPort(u.Port()), "its port must be a number from 1 to 65535"},
		{!strings.HasSuffix(issuer, "/") && !issuerPath.MatchString(u.EscapedPath()), "its path must be plain segments of letters, digits, '.', '_', '~' and '-'"},
	}
	for _, check := range checks {
		if check.bad {
			found.add("ISSUER", check.rule)
		}
	}
}

// isPort takes no port for one, the scheme's.
func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

func isListenAddress(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	_, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil
}

func hasScheme(url string, schemes ...string) bool {
	scheme, _, found := strings.Cut(url, "://")
	return found && slices.Contains(schemes, scheme)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// hasLoopbackHost reports whether a URL leads to this machine.
func hasLoopbackHost(text string) bool {
	u, err := url.Parse(text)
	return err == nil && isLoopback(u.Hostname())
}

// isSecureURL reports whether the text is an absolute URL without user information that
// leads to a host over https, or to this machine over http.
func isSecureURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())) &&
		u.User == nil && issuerHost.MatchString(u.Host) && isPort(u.Port()) && visibleASCII.MatchString(text)
}

// isUpstream holds to OpenID Connect Discovery 1.0 §3.
func isUpstream(issuer string) bool { return isSecureURL(issuer) && !strings.ContainsAny(issuer, "?#") }

const resourceRule = "an https URI (http on this machine) without user information or fragment"

// isResource holds a resource in normal form to RFC 8707 §2.
func isResource(resource string) bool {
	return isSecureURL(resource) && !strings.Contains(resource, "#")
}

func isHostPattern(name string) bool { return isDomain(strings.TrimPrefix(name, "*.")) }

func isDomain(name string) bool { return len(name) <= 253 && domainName.MatchString(name) }

func isAlgorithm(algorithm oauth.Algorithm) bool {
	return algorithm == oauth.ES256 || algorithm == oauth.RS256
}

func isCustomScheme(scheme string) bool {
	return schemeName.MatchString(scheme) && !slices.Contains(forbiddenSchemes, scheme)
}

const upperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// isOrigin holds to what browsers send, which is in lower case.
func isOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return origin == "*" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Scheme+"://"+u.Host == origin && u.Host != "" && !strings.ContainsAny(origin, "*"+upperCase)
}

func all(words []string, fits func(string) bool) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !fits(w) })
}

func subset[T comparable](part, whole []T) bool {
	return !slices.ContainsFunc(part, func(v T) bool { return !slices.Contains(whole, v) })
}
