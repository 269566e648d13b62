package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

var (
	knownMethods = []oauth.AuthMethod{oauth.AuthNone, oauth.AuthClientSecretBasic, oauth.AuthClientSecretPost, oauth.AuthPrivateKeyJWT}
	scopeToken   = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)
	schemeName   = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	issuerHost   = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
	issuerPath   = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
)

// forbiddenSchemes can never be a redirect scheme, whatever an operator lists.
var forbiddenSchemes = []string{"http", "https", "javascript", "data", "vbscript", "file", "blob", "about", "ws", "wss", "ftp"}

func (c *Config) validate() error {
	t := c.Tenant()
	checks := []struct {
		bad  bool
		name string
		rule string
	}{
		{!isListenAddress(c.Addr), "ADDR", "it must be host:port or :port, with a port from 0 to 65535"},
		{!hasScheme(c.DatabaseURL, "sqlite", "postgres", "postgresql"), "DATABASE_URL", "it must begin with sqlite://, postgres:// or postgresql://"},
		{c.RedisURL != "" && !hasScheme(c.RedisURL, "redis", "rediss", "unix"), "REDIS_URL", "it must begin with redis://, rediss:// or unix://"},
		{c.RegistrationMode != "open", "REGISTRATION_MODE", "this version knows open alone"},
		{len(c.Scopes) == 0 || !all(c.Scopes, scopeToken.MatchString), "SCOPES", "it must be scope tokens separated by spaces (RFC 6749 §3.3)"},
		{!subset(c.DefaultScopes, c.Scopes), "DEFAULT_SCOPES", "each must be one of " + Prefix + "SCOPES"},
		{c.ScopeOverflow != tenant.ScopeNarrow && c.ScopeOverflow != tenant.ScopeReject, "SCOPE_OVERFLOW", "it must be narrow or reject"},
		{len(t.Policy.AuthMethods) == 0 || !subset(t.Policy.AuthMethods, knownMethods), "AUTH_METHODS", "each must be none, client_secret_basic, client_secret_post or private_key_jwt"},
		{!slices.Contains(t.Policy.AuthMethods, c.DefaultAuthMethod), "DEFAULT_AUTH_METHOD", "it must be one of " + Prefix + "AUTH_METHODS"},
		{!all(c.CustomSchemes, isCustomScheme), "CUSTOM_SCHEMES", "each must be a private-use scheme in lower case, without colon"},
		{!all(c.origins(), isOrigin), "CORS_ORIGINS", "it must be none, or each must be * or an origin such as https://app.example"},
		{c.Envelope != EnvelopeNegotiated && c.Envelope != EnvelopeAlways, "ENVELOPE", "it must be negotiated or always"},
	}
	faults := checkIssuer(c.Issuer)
	for _, check := range checks {
		if check.bad {
			faults = errors.Join(faults, fmt.Errorf("%s%s: %s", Prefix, check.name, check.rule))
		}
	}
	return faults
}

// checkIssuer holds the issuer to RFC 8414 §2, and to https unless it is this machine.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil {
		return fmt.Errorf("%sISSUER: it is not a URL", Prefix)
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
	var faults error
	for _, check := range checks {
		if check.bad {
			faults = errors.Join(faults, fmt.Errorf("%sISSUER: %s", Prefix, check.rule))
		}
	}
	return faults
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
