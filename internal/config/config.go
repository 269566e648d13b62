// Package config reads the environment into one validated struct. Everything that is
// wrong is reported at once, and nothing starts before it is right.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Prefix leads the name of every variable.
const Prefix = "REGISTRAR_"

// Config is the whole configuration of a process. The zero value is not valid; Load fills
// in the defaults.
type Config struct {
	Addr        string `env:"ADDR"`
	Issuer      string `env:"ISSUER"`
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite://registrar.db"`
	RedisURL    string `env:"REDIS_URL"`

	RegistrationMode string  `env:"REGISTRATION_MODE" envDefault:"open"`
	RegistrationRate Rate    `env:"REGISTRATION_RATE" envDefault:"10/1h"`
	SharedEgress     Egress  `env:"SHARED_EGRESS"`
	TrustedProxies   Proxies `env:"TRUSTED_PROXIES"`

	Scopes                Words                `env:"SCOPES" envDefault:"openid profile email offline_access"`
	DefaultScopes         Words                `env:"DEFAULT_SCOPES"`
	ScopeOverflow         tenant.ScopeOverflow `env:"SCOPE_OVERFLOW" envDefault:"narrow"`
	AuthMethods           Words                `env:"AUTH_METHODS" envDefault:"none client_secret_basic client_secret_post private_key_jwt"`
	DefaultAuthMethod     oauth.AuthMethod     `env:"DEFAULT_AUTH_METHOD" envDefault:"client_secret_basic"`
	CustomSchemes         Words                `env:"CUSTOM_SCHEMES" envDefault:"cursor vscode vscode-insiders windsurf zed"`
	StrictApplicationType bool                 `env:"STRICT_APPLICATION_TYPE"`
	RevokeMisusedToken    bool                 `env:"REVOKE_MISUSED_TOKEN" envDefault:"true"`
	CORSOrigins           Words                `env:"CORS_ORIGINS" envDefault:"*"`

	Envelope Envelope   `env:"ENVELOPE" envDefault:"negotiated"`
	MaxBody  BodySize   `env:"MAX_BODY" envDefault:"65536"`
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info"`
}

// Envelope says when a registration is wrapped.
type Envelope string

// The settings of the envelope.
const (
	EnvelopeNegotiated Envelope = "negotiated"
	EnvelopeAlways     Envelope = "always"
)

// secretFiles are the settings that may hold a password and can be read from a file, named
// by the same variable with the suffix _FILE.
var secretFiles = []string{"DATABASE_URL", "REDIS_URL"}

// Load reads the configuration from the variables that start with Prefix; environ is in
// the form of os.Environ. The error names every fault, one a line, and no secret.
func Load(environ []string) (*Config, error) {
	variables := env.ToMap(environ)
	fileErr := readSecretFiles(variables)
	c := &Config{}
	parseErr := env.ParseWithOptions(c, env.Options{Environment: variables, Prefix: Prefix})
	c.fillIn()
	if err := errors.Join(fileErr, parseFaults(parseErr), c.validate()); err != nil {
		return nil, err
	}
	return c, nil
}

// Unknown returns the variables that look like settings and are none: misspelt, most likely.
func Unknown(environ []string) []string {
	known := map[string]bool{}
	fields, _ := env.GetFieldParamsWithOptions(&Config{}, env.Options{Prefix: Prefix})
	for _, field := range fields {
		known[field.Key] = true
	}
	for _, name := range secretFiles {
		known[Prefix+name+"_FILE"] = true
	}
	var unknown []string
	for name := range env.ToMap(environ) {
		if strings.HasPrefix(name, Prefix) && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

func readSecretFiles(variables map[string]string) (faults error) {
	for _, name := range secretFiles {
		file, set := variables[Prefix+name+"_FILE"]
		if !set {
			continue
		}
		if _, twice := variables[Prefix+name]; twice {
			faults = errors.Join(faults, fmt.Errorf("%s%s: set it or %s%s_FILE, not both", Prefix, name, Prefix, name))
			continue
		}
		secret, err := readSecret(file)
		if err != nil {
			faults = errors.Join(faults, fmt.Errorf("%s%s_FILE: %w", Prefix, name, err))
			continue
		}
		variables[Prefix+name] = secret
	}
	return faults
}

// readSecret returns what the file holds, without the blanks around it. An empty file is
// an error, or the default would silently take its place. Errors leave the path out: it
// may be the secret itself, put into the wrong variable.
func readSecret(file string) (string, error) {
	content, err := os.ReadFile(file)
	var at *fs.PathError
	if errors.As(err, &at) {
		return "", fmt.Errorf("the file cannot be read: %w", at.Err)
	}
	secret := strings.TrimSpace(string(content))
	if err == nil && secret == "" {
		err = errors.New("the file is empty")
	}
	return secret, err
}

// parseFaults says each fault in a line that starts with the variable's name.
func parseFaults(err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	var faults error
	for _, one := range all.Errors {
		var parse env.ParseError
		if errors.As(one, &parse) {
			one = fmt.Errorf("%s: %w", variableOf(parse.Name), parse.Err)
		}
		faults = errors.Join(faults, one)
	}
	return faults
}

func variableOf(field string) string {
	fields, _ := env.GetFieldParamsWithOptions(&Config{}, env.Options{Prefix: Prefix})
	at := slices.IndexFunc(fields, func(f env.FieldParams) bool {
		return strings.EqualFold(strings.ReplaceAll(strings.TrimPrefix(f.Key, Prefix), "_", ""), field)
	})
	if at < 0 {
		return field
	}
	return fields[at].Key
}

const defaultPort = "8080"

// fillIn sets what depends on other settings. Without an issuer the server is one for this
// machine alone, and listens there alone.
func (c *Config) fillIn() {
	if c.Addr == "" {
		c.Addr = ":" + defaultPort
		if c.Issuer == "" {
			c.Addr = "127.0.0.1:" + defaultPort
		}
	}
	if c.Issuer == "" {
		c.Issuer = "http://localhost:" + portOf(c.Addr)
	}
	if len(c.DefaultScopes) == 0 {
		c.DefaultScopes = c.Scopes
	}
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return defaultPort
	}
	return port
}

// Tenant is the tenant that the environment configures.
func (c *Config) Tenant() *tenant.Tenant {
	methods := make([]oauth.AuthMethod, len(c.AuthMethods))
	for i, method := range c.AuthMethods {
		methods[i] = oauth.AuthMethod(method)
	}
	return &tenant.Tenant{ID: tenant.DefaultID, Issuer: c.Issuer, Policy: tenant.Policy{
		Scopes:                c.Scopes,
		DefaultScopes:         c.DefaultScopes,
		ScopeOverflow:         c.ScopeOverflow,
		AuthMethods:           methods,
		DefaultAuthMethod:     c.DefaultAuthMethod,
		CustomSchemes:         c.CustomSchemes,
		StrictApplicationType: c.StrictApplicationType,
		RevokeMisusedToken:    c.RevokeMisusedToken,
		AllowedOrigins:        c.CORSOrigins,
	}}
}

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
		{!all(c.CORSOrigins, isOrigin), "CORS_ORIGINS", "each must be * or an origin such as https://app.example"},
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

func isOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return origin == "*" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Scheme+"://"+u.Host == origin && u.Host != "" && !strings.Contains(origin, "*")
}

func all(words []string, fits func(string) bool) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !fits(w) })
}

func subset[T comparable](part, whole []T) bool {
	return !slices.ContainsFunc(part, func(v T) bool { return !slices.Contains(whole, v) })
}
