// Package config reads the environment, and the file that it may name, into one validated
// struct. Everything that is wrong is reported at once, and nothing starts before it is
// right.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/credential"
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
	MetricsAddr string `env:"METRICS_ADDR"`
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite://registrar.db"`
	RedisURL    string `env:"REDIS_URL"`

	RegistrationMode tenant.RegistrationMode `env:"REGISTRATION_MODE" envDefault:"open"`
	RegistrationRate Rate                    `env:"REGISTRATION_RATE" envDefault:"10/1h"`
	// RegistrationCeiling is for all addresses together, and ClientQuota how many clients
	// there may be; 0 is any number.
	RegistrationCeiling Rate     `env:"REGISTRATION_CEILING" envDefault:"1000/1h"`
	ClientQuota         int      `env:"CLIENT_QUOTA" envDefault:"100000"`
	Approval            Approval `env:"APPROVAL" envDefault:"none"`
	SharedEgress        Egress   `env:"SHARED_EGRESS"`
	TrustedProxies      Proxies  `env:"TRUSTED_PROXIES"`

	Scopes                Words                `env:"SCOPES" envDefault:"openid profile email offline_access"`
	DefaultScopes         Words                `env:"DEFAULT_SCOPES"`
	ScopeOverflow         tenant.ScopeOverflow `env:"SCOPE_OVERFLOW" envDefault:"narrow"`
	AuthMethods           Words                `env:"AUTH_METHODS" envDefault:"none client_secret_basic client_secret_post private_key_jwt"`
	DefaultAuthMethod     oauth.AuthMethod     `env:"DEFAULT_AUTH_METHOD" envDefault:"client_secret_basic"`
	CustomSchemes         Words                `env:"CUSTOM_SCHEMES" envDefault:"cursor vscode vscode-insiders windsurf zed"`
	StrictApplicationType bool                 `env:"STRICT_APPLICATION_TYPE"`
	RevokeMisusedToken    bool                 `env:"REVOKE_MISUSED_TOKEN" envDefault:"true"`
	CORSOrigins           Words                `env:"CORS_ORIGINS" envDefault:"*"`
	RedirectHostsAllowed  Words                `env:"REDIRECT_HOSTS_ALLOWED"`
	RedirectHostsDenied   Words                `env:"REDIRECT_HOSTS_DENIED"`

	MetadataDocuments     tenant.MetadataDocuments `env:"METADATA_DOCUMENTS"`
	MetadataDocumentHosts Words                    `env:"METADATA_DOCUMENT_HOSTS"`
	// DevelopmentFetch lets what clients have elsewhere be fetched from anywhere.
	DevelopmentFetch bool `env:"DEVELOPMENT_FETCH"`

	Envelope Envelope   `env:"ENVELOPE" envDefault:"negotiated"`
	MaxBody  BodySize   `env:"MAX_BODY" envDefault:"65536"`
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	// AuditRetention is how long the audit trail is kept; 0: for ever.
	AuditRetention time.Duration `env:"AUDIT_RETENTION" envDefault:"8760h"`

	// SecretKey may be empty with SQLite: see [Config.SecretKeyFile].
	SecretKey SecretKey `env:"SECRET_KEY"`

	UpstreamIssuer       string            `env:"UPSTREAM_ISSUER"`
	UpstreamClientID     string            `env:"UPSTREAM_CLIENT_ID"`
	UpstreamClientSecret credential.Secret `env:"UPSTREAM_CLIENT_SECRET"`
	UpstreamScopes       Words             `env:"UPSTREAM_SCOPES" envDefault:"openid profile email"`
	UsersFile            string            `env:"USERS_FILE"`

	LoginEmailDomains  Words `env:"LOGIN_EMAIL_DOMAINS"`
	LoginHostedDomains Words `env:"LOGIN_HOSTED_DOMAINS"`
	LoginGroups        Words `env:"LOGIN_GROUPS"`
	LoginSubjects      Words `env:"LOGIN_SUBJECTS"`
	AllowAnyUser       bool  `env:"ALLOW_ANY_USER"`

	// Resources are in normal form.
	Resources            Words           `env:"RESOURCES"`
	TrustedRedirectHosts Words           `env:"TRUSTED_REDIRECT_HOSTS"`
	RefreshGrace         time.Duration   `env:"REFRESH_GRACE"`
	RecheckUpstream      bool            `env:"RECHECK_UPSTREAM"`
	AccessTokenAlgorithm oauth.Algorithm `env:"ACCESS_TOKEN_ALG" envDefault:"ES256"`
	IDTokenAlgorithm     oauth.Algorithm `env:"ID_TOKEN_ALG" envDefault:"RS256"`

	// ConfigFile is the path of what File was read from.
	ConfigFile string `env:"CONFIG"`
	File       File   `env:"-"`

	unknown []string
}

// Approval says whether clients wait for an administrator.
type Approval string

// The settings of approval.
const (
	ApprovalNone     Approval = "none"
	ApprovalRequired Approval = "required"
)

// Envelope says when a registration is wrapped.
type Envelope string

// The settings of the envelope.
const (
	EnvelopeNegotiated Envelope = "negotiated"
	EnvelopeAlways     Envelope = "always"
)

// secretFiles are the settings that may hold a secret and can be read from a file, named
// by the same variable with the suffix _FILE.
var secretFiles = []string{"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "UPSTREAM_CLIENT_SECRET"}

// Load reads the configuration from the variables that start with Prefix; environ is in
// the form of os.Environ. The error names every fault, one a line, and no secret.
func Load(environ []string) (*Config, error) {
	variables := env.ToMap(environ)
	c, found := &Config{unknown: unknown(environ)}, &faults{}
	readSecretFiles(variables, found)
	addParseFaults(found, env.ParseWithOptions(c, env.Options{Environment: variables, Prefix: Prefix}))
	c.fillIn()
	c.validate(found)
	c.loadFile(found)
	if err := found.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// unknown returns the variables that look like settings and are none: misspelt, most likely.
func unknown(environ []string) []string {
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

func readSecretFiles(variables map[string]string, found *faults) {
	for _, name := range secretFiles {
		file, set := variables[Prefix+name+"_FILE"]
		if !set {
			continue
		}
		if _, twice := variables[Prefix+name]; twice {
			found.add(name, fmt.Sprintf("set it or %s%s_FILE, not both", Prefix, name))
			continue
		}
		secret, err := readSecret(file)
		if err != nil {
			found.add(name+"_FILE", err.Error())
			found.mark(name)
			continue
		}
		variables[Prefix+name] = secret
	}
}

// readSecret returns what the file holds, without the blanks around it. An empty file is
// an error, or the default would silently take its place.
func readSecret(file string) (string, error) {
	content, err := readFile(file)
	secret := strings.TrimSpace(string(content))
	if err == nil && secret == "" {
		err = errors.New("the file is empty")
	}
	return secret, err
}

// readFile leaves the path out of its errors: it may be a secret itself, put into the
// wrong variable.
func readFile(file string) ([]byte, error) {
	content, err := os.ReadFile(file) //nolint:gosec // G304: the operator says which file
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", pathless(err))
	}
	return content, nil
}

func pathless(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// addParseFaults says what is wrong with values that are not of their variable's type.
func addParseFaults(found *faults, err error) {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return
	}
	for _, one := range all.Errors {
		var parse env.ParseError
		if errors.As(one, &parse) {
			found.add(variableOf(parse.Name), parse.Err.Error())
		} else {
			found.lines = append(found.lines, one.Error())
		}
	}
}

// variableOf returns the variable of a field of Config, without Prefix.
func variableOf(field string) string {
	f, _ := reflect.TypeFor[Config]().FieldByName(field)
	return f.Tag.Get("env")
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
	if c.MetadataDocuments == "" {
		c.MetadataDocuments = documentsOf(c.RegistrationMode)
	}
	for i, resource := range c.Resources {
		c.Resources[i] = authorization.NormalResource(resource)
	}
}

// documentsOf keeps the door at which clients need not register no wider than the other.
func documentsOf(mode tenant.RegistrationMode) tenant.MetadataDocuments {
	if mode == tenant.RegistrationOpen {
		return tenant.MetadataDocumentsAny
	}
	return tenant.MetadataDocumentsListed
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return defaultPort
	}
	return port
}

// Quota is how many clients there may be; 0 is any number.
func (c *Config) Quota() int {
	if c.RegistrationRate.Off {
		return 0
	}
	return c.ClientQuota
}

// sqliteScheme leads the URL of a database that is a file.
const sqliteScheme = "sqlite://"

// SecretKeyFile is where a generated secret key is kept while none is configured: beside
// the database, if that is a file, and otherwise "".
func (c *Config) SecretKeyFile() string {
	path, isFile := strings.CutPrefix(c.DatabaseURL, sqliteScheme)
	if !isFile {
		return ""
	}
	return filepath.Clean(path) + ".key"
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
		RegistrationMode:      c.RegistrationMode,
		ApprovalRequired:      c.Approval == ApprovalRequired,
		AuthMethods:           methods,
		DefaultAuthMethod:     c.DefaultAuthMethod,
		CustomSchemes:         c.CustomSchemes,
		StrictApplicationType: c.StrictApplicationType,
		RevokeMisusedToken:    c.RevokeMisusedToken,
		AllowedOrigins:        c.origins(),
		RedirectHosts:         tenant.HostPolicy{Allow: tenant.Hosts(c.RedirectHostsAllowed), Deny: tenant.Hosts(c.RedirectHostsDenied)},
		MetadataDocuments:     c.MetadataDocuments,
		MetadataDocumentHosts: tenant.Hosts(c.MetadataDocumentHosts),
		Resources:             c.Resources,
		TrustedRedirectHosts:  c.TrustedRedirectHosts,
		ScopeTexts:            c.scopeTexts(),
		ScopeRequirements:     c.File.ScopeRequirements,
		LoginRequirement:      c.loginRequirement(),
		RefreshGrace:          c.RefreshGrace,
		RecheckUpstream:       c.RecheckUpstream,
		AccessTokenAlgorithm:  c.AccessTokenAlgorithm,
		IDTokenAlgorithm:      c.IDTokenAlgorithm,
		ResourceServers:       c.File.ResourceServers,
		SoftwareStatements:    c.File.SoftwareStatements,
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
