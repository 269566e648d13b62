// Package config reads the environment into one validated struct. Everything that is
// wrong is reported at once, and nothing starts before it is right.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
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
	content, err := os.ReadFile(file) //nolint:gosec // G304: the operator says which file
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
		AllowedOrigins:        c.origins(),
	}}
}

// noOrigins is how REGISTRAR_CORS_ORIGINS lets no browser application in; an empty
// variable counts as unset.
const noOrigins = "none"

func (c *Config) origins() []string {
	if slices.Equal(c.CORSOrigins, []string{noOrigins}) {
		return nil
	}
	return c.CORSOrigins
}
