package config

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/ratelimit"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// load reads the variables, given without their prefix: "ADDR=:80".
func load(variables ...string) (*Config, error) {
	environ := []string{"PATH=/bin", "HOME=/"}
	for _, v := range variables {
		environ = append(environ, Prefix+v)
	}
	return Load(environ)
}

func mustLoad(t *testing.T, variables ...string) *Config {
	t.Helper()
	c, err := load(variables...)
	if err != nil {
		t.Fatalf("%q: %v", variables, err)
	}
	return c
}

// goodKey is a key that PostgreSQL can be configured with.
const goodKey = "SECRET_KEY=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func TestDefaults(t *testing.T) {
	got := mustLoad(t)
	want := &Config{
		Addr:                "127.0.0.1:8080",
		Issuer:              "http://localhost:8080",
		DatabaseURL:         "sqlite://registrar.db",
		RegistrationMode:    tenant.RegistrationOpen,
		RegistrationCeiling: Rate{Limit: ratelimit.Limit{Count: 1000, Per: time.Hour}},
		ClientQuota:         100000,
		Approval:            ApprovalNone,
		RegistrationRate:    Rate{Limit: ratelimit.Limit{Count: 10, Per: time.Hour}},
		Scopes:              Words{"openid", "profile", "email", "offline_access"},
		DefaultScopes:       Words{"openid", "profile", "email", "offline_access"},
		ScopeOverflow:       tenant.ScopeNarrow,
		AuthMethods:         Words{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		DefaultAuthMethod:   oauth.AuthClientSecretBasic,
		CustomSchemes:       Words{"cursor", "vscode", "vscode-insiders", "windsurf", "zed"},
		RevokeMisusedToken:  true,
		CORSOrigins:         Words{"*"},
		MetadataDocuments:   tenant.MetadataDocumentsAny,
		Envelope:            EnvelopeNegotiated,
		AuditRetention:      365 * 24 * time.Hour,
		MaxBody:             65536,

		UpstreamScopes:       Words{"openid", "profile", "email"},
		AccessTokenAlgorithm: oauth.ES256,
		IDTokenAlgorithm:     oauth.RS256,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAddressAndIssuerFollowEachOther(t *testing.T) {
	tests := map[string]struct {
		variables    []string
		addr, issuer string
	}{
		"neither: this machine alone":        {nil, "127.0.0.1:8080", "http://localhost:8080"},
		"issuer: every address":              {[]string{"ISSUER=https://id.example"}, ":8080", "https://id.example"},
		"issuer of this machine":             {[]string{"ISSUER=http://localhost:9000"}, ":8080", "http://localhost:9000"},
		"address: the issuer has its port":   {[]string{"ADDR=127.0.0.1:9000"}, "127.0.0.1:9000", "http://localhost:9000"},
		"every address, given":               {[]string{"ADDR=:9000"}, ":9000", "http://localhost:9000"},
		"IPv6 address":                       {[]string{"ADDR=[::1]:9000"}, "[::1]:9000", "http://localhost:9000"},
		"any port: the issuer keeps its own": {[]string{"ADDR=127.0.0.1:0"}, "127.0.0.1:0", "http://localhost:8080"},
		"both":                               {[]string{"ADDR=:80", "ISSUER=https://id.example/a"}, ":80", "https://id.example/a"},
		"empty is not set":                   {[]string{"ADDR=", "ISSUER="}, "127.0.0.1:8080", "http://localhost:8080"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := mustLoad(t, test.variables...)
			if c.Addr != test.addr || c.Issuer != test.issuer {
				t.Errorf("got %s and %s, want %s and %s", c.Addr, c.Issuer, test.addr, test.issuer)
			}
		})
	}
}

func TestValues(t *testing.T) {
	network := netip.MustParsePrefix
	// In base64 it has characters that the alphabets spell differently.
	key := SecretKey(strings.Repeat("\xfb\xff", 16))
	tests := map[string]struct {
		variable string
		get      func(*Config) any
		want     any
	}{
		"rate":                 {"REGISTRATION_RATE=3/1m", func(c *Config) any { return c.RegistrationRate.Limit }, ratelimit.Limit{Count: 3, Per: time.Minute}},
		"rate off":             {"REGISTRATION_RATE=off", func(c *Config) any { return c.RegistrationRate }, Rate{Off: true}},
		"one proxy":            {"TRUSTED_PROXIES=10.0.0.7", func(c *Config) any { return c.TrustedProxies }, Proxies{network("10.0.0.7/32")}},
		"a mapped proxy":       {"TRUSTED_PROXIES=::ffff:10.0.0.7", func(c *Config) any { return c.TrustedProxies }, Proxies{network("10.0.0.7/32")}},
		"proxies":              {"TRUSTED_PROXIES=10.1.2.3/8, fd00::/8 ::1", func(c *Config) any { return c.TrustedProxies }, Proxies{network("10.0.0.0/8"), network("fd00::/8"), network("::1/128")}},
		"shared egress":        {"SHARED_EGRESS=203.0.113.9/24=600/1h", func(c *Config) any { return c.SharedEgress }, Egress{{Prefix: network("203.0.113.0/24"), Limit: ratelimit.Limit{Count: 600, Per: time.Hour}}}},
		"words":                {"SCOPES= openid,profile  email\topenid ", func(c *Config) any { return c.Scopes }, Words{"openid", "profile", "email"}},
		"default scopes":       {"DEFAULT_SCOPES=openid", func(c *Config) any { return c.DefaultScopes }, Words{"openid"}},
		"scopes are default":   {"SCOPES=read", func(c *Config) any { return c.DefaultScopes }, Words{"read"}},
		"empty is the default": {"SCOPE_OVERFLOW=", func(c *Config) any { return c.ScopeOverflow }, tenant.ScopeNarrow},
		"strict":               {"STRICT_APPLICATION_TYPE=true", func(c *Config) any { return c.StrictApplicationType }, true},
		"misuse":               {"REVOKE_MISUSED_TOKEN=false", func(c *Config) any { return c.RevokeMisusedToken }, false},
		"origins":              {"CORS_ORIGINS=https://a.example http://localhost:6274", func(c *Config) any { return c.CORSOrigins }, Words{"https://a.example", "http://localhost:6274"}},
		"smallest body":        {"MAX_BODY=1024", func(c *Config) any { return c.MaxBody }, BodySize(1024)},
		"largest body":         {"MAX_BODY=1048576", func(c *Config) any { return c.MaxBody }, BodySize(1 << 20)},
		"key":                  {"SECRET_KEY=" + base64.StdEncoding.EncodeToString(key), func(c *Config) any { return c.SecretKey }, key},
		"key, bare":            {"SECRET_KEY=" + base64.RawStdEncoding.EncodeToString(key), func(c *Config) any { return c.SecretKey }, key},
		"key for URLs":         {"SECRET_KEY=" + base64.URLEncoding.EncodeToString(key), func(c *Config) any { return c.SecretKey }, key},
		"key for URLs, bare":   {"SECRET_KEY=" + base64.RawURLEncoding.EncodeToString(key), func(c *Config) any { return c.SecretKey }, key},
		"domains":              {"LOGIN_EMAIL_DOMAINS=a.example,b.example", func(c *Config) any { return c.LoginEmailDomains }, Words{"a.example", "b.example"}},
		"resources":            {"RESOURCES=HTTPS://Files.example http://LOCALHOST:3000/MCP?A=b https://x.example?q https://[2001:DB8::1]", func(c *Config) any { return c.Resources }, Words{"https://files.example/", "http://localhost:3000/MCP?A=b", "https://x.example/?q", "https://[2001:db8::1]/"}},
		"redirect hosts":       {"TRUSTED_REDIRECT_HOSTS=app.example localhost", func(c *Config) any { return c.TrustedRedirectHosts }, Words{"app.example", "localhost"}},
		"a month of trail":     {"AUDIT_RETENTION=720h", func(c *Config) any { return c.AuditRetention }, 720 * time.Hour},
		"all of the trail":     {"AUDIT_RETENTION=0", func(c *Config) any { return c.AuditRetention }, time.Duration(0)},
		"no grace":             {"REFRESH_GRACE=0", func(c *Config) any { return c.RefreshGrace }, time.Duration(0)},
		"longest grace":        {"REFRESH_GRACE=5m", func(c *Config) any { return c.RefreshGrace }, 5 * time.Minute},
		"access tokens":        {"ACCESS_TOKEN_ALG=RS256", func(c *Config) any { return c.AccessTokenAlgorithm }, oauth.RS256},
		"ID tokens":            {"ID_TOKEN_ALG=ES256", func(c *Config) any { return c.IDTokenAlgorithm }, oauth.ES256},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.get(mustLoad(t, test.variable)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s: got %+v, want %+v", test.variable, got, test.want)
			}
		})
	}
}

func TestTenant(t *testing.T) {
	got := mustLoad(t, "ISSUER=https://id.example", "SCOPES=a b", "DEFAULT_SCOPES=a", "SCOPE_OVERFLOW=reject", "REGISTRATION_MODE=token", "APPROVAL=required", "AUTH_METHODS=none client_secret_post",
		"DEFAULT_AUTH_METHOD=client_secret_post", "CUSTOM_SCHEMES=x", "STRICT_APPLICATION_TYPE=true", "REVOKE_MISUSED_TOKEN=false", "CORS_ORIGINS=https://a.example",
		"REDIRECT_HOSTS_ALLOWED=c.example *.c.example", "REDIRECT_HOSTS_DENIED=d.example", "METADATA_DOCUMENTS=listed", "METADATA_DOCUMENT_HOSTS=e.example",
		"UPSTREAM_ISSUER=https://up.example", "UPSTREAM_CLIENT_ID=registrar", "RECHECK_UPSTREAM=true",
		"LOGIN_EMAIL_DOMAINS=a.example", "LOGIN_HOSTED_DOMAINS=b.example", "LOGIN_GROUPS=c", "LOGIN_SUBJECTS=d",
		"RESOURCES=https://files.example", "TRUSTED_REDIRECT_HOSTS=app.example", "REFRESH_GRACE=30s", "ACCESS_TOKEN_ALG=RS256", "ID_TOKEN_ALG=ES256").Tenant()
	want := &tenant.Tenant{ID: tenant.DefaultID, Issuer: "https://id.example", Policy: tenant.Policy{
		Scopes:                []string{"a", "b"},
		DefaultScopes:         []string{"a"},
		ScopeOverflow:         tenant.ScopeReject,
		RegistrationMode:      tenant.RegistrationToken,
		ApprovalRequired:      true,
		AuthMethods:           []oauth.AuthMethod{oauth.AuthNone, oauth.AuthClientSecretPost},
		DefaultAuthMethod:     oauth.AuthClientSecretPost,
		CustomSchemes:         []string{"x"},
		StrictApplicationType: true,
		AllowedOrigins:        []string{"https://a.example"},
		RedirectHosts:         tenant.HostPolicy{Allow: tenant.Hosts{"c.example", "*.c.example"}, Deny: tenant.Hosts{"d.example"}},
		MetadataDocuments:     tenant.MetadataDocumentsListed,
		MetadataDocumentHosts: tenant.Hosts{"e.example"},
		Resources:             []string{"https://files.example/"},
		TrustedRedirectHosts:  []string{"app.example"},
		ScopeTexts:            map[string]string{},
		LoginRequirement: tenant.Requirement{
			EmailDomains: []string{"a.example"}, HostedDomains: []string{"b.example"}, Groups: []string{"c"}, Subjects: []string{"d"},
		},
		RefreshGrace:         30 * time.Second,
		RecheckUpstream:      true,
		AccessTokenAlgorithm: oauth.RS256,
		IDTokenAlgorithm:     oauth.ES256,
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// wrong are variables that are wrong alone; each must be the only one complained of.
var wrong = []string{
	"ADDR=localhost", "ADDR=8080", "ADDR=:", "ADDR=:http", "ADDR=:65536", "ADDR=::1:80",
	"DATABASE_URL=mysql://u:p4ssw0rd@db/x", "DATABASE_URL=registrar.db", "DATABASE_URL=p4ssw0rd",
	"REDIS_URL=http://:p4ssw0rd@cache", "REDIS_URL=cache:6379", "METRICS_ADDR=9090", "METRICS_ADDR=localhost",
	"REGISTRATION_MODE=initial", "REGISTRATION_MODE=Open",
	"REGISTRATION_RATE=10", "REGISTRATION_RATE=0/1h", "REGISTRATION_RATE=-1/1h", "REGISTRATION_RATE=10/0s", "REGISTRATION_RATE=10/1", "REGISTRATION_RATE=OFF",
	"SHARED_EGRESS=10.0.0.0/8", "SHARED_EGRESS=10.0.0.0/8=x", "SHARED_EGRESS=ten=10/1h",
	"TRUSTED_PROXIES=proxy.internal", "TRUSTED_PROXIES=::ffff:10.0.0.0/104", "TRUSTED_PROXIES=10.0.0.0/33", "TRUSTED_PROXIES=10.0.0.0/8;10.1.0.0/16",
	"CLIENT_QUOTA=-1", "CLIENT_QUOTA=many", "REGISTRATION_CEILING=1000", "REGISTRATION_CEILING=OFF",
	"APPROVAL=yes", "APPROVAL=Required",
	`SCOPES="`, `SCOPES=a\b`, "SCOPES=,", "SCOPES=é",
	"DEFAULT_SCOPES=openid admin",
	"SCOPE_OVERFLOW=drop",
	"AUTH_METHODS=tls_client_auth client_secret_basic",
	"DEFAULT_AUTH_METHOD=client_secret_jwt",
	"CUSTOM_SCHEMES=https", "CUSTOM_SCHEMES=javascript", "CUSTOM_SCHEMES=Cursor", "CUSTOM_SCHEMES=cursor://", "CUSTOM_SCHEMES=1x",
	"STRICT_APPLICATION_TYPE=yes", "REVOKE_MISUSED_TOKEN=on",
	"CORS_ORIGINS=none *", "CORS_ORIGINS=a.example", "CORS_ORIGINS=https://a.example/", "CORS_ORIGINS=https://*.example", "CORS_ORIGINS=ftp://a.example", "CORS_ORIGINS=null", "CORS_ORIGINS=https://App.example", "CORS_ORIGINS=https://",
	"REDIRECT_HOSTS_ALLOWED=https://a.example", "REDIRECT_HOSTS_ALLOWED=*", "REDIRECT_HOSTS_ALLOWED=,", "REDIRECT_HOSTS_DENIED=a.*.example", "REDIRECT_HOSTS_DENIED=a.example:443",
	"METADATA_DOCUMENTS=all", "METADATA_DOCUMENT_HOSTS=a.example/client", "DEVELOPMENT_FETCH=yes",
	"ENVELOPE=never", "MAX_BODY=1023", "MAX_BODY=1048577", "MAX_BODY=64KiB", "MAX_BODY=-1", "LOG_LEVEL=loud",
	"ISSUER=id.example", "DATABASE_URL_FILE=postgres://u:p4ssw0rd@db/x", "REDIS_URL_FILE=", "REDIS_URL_FILE=.",
	"SECRET_KEY=p4ssw0rd", "SECRET_KEY=" + strings.Repeat("p4ssw0rd", 4), "SECRET_KEY=" + strings.Repeat("p4ssw0rd", 6)[:42], "SECRET_KEY=" + strings.Repeat("p4ssw0rd", 6)[:44],
	"SECRET_KEY_FILE=p4ssw0rd", "UPSTREAM_CLIENT_SECRET_FILE=p4ssw0rd",
	"UPSTREAM_CLIENT_ID=registrar", "UPSTREAM_CLIENT_SECRET=p4ssw0rd", "RECHECK_UPSTREAM=true", "RECHECK_UPSTREAM=yes",
	"UPSTREAM_SCOPES=profile email", "UPSTREAM_SCOPES=,", `UPSTREAM_SCOPES=openid "`, "ALLOW_ANY_USER=yes",
	"LOGIN_EMAIL_DOMAINS=@example.com", "LOGIN_EMAIL_DOMAINS=ada@example.com", "LOGIN_EMAIL_DOMAINS=*.example.com", "LOGIN_EMAIL_DOMAINS=example.com.", "LOGIN_EMAIL_DOMAINS=ïd.example", "LOGIN_EMAIL_DOMAINS=,",
	"LOGIN_HOSTED_DOMAINS=https://example.com", "LOGIN_HOSTED_DOMAINS=-example.com", "LOGIN_HOSTED_DOMAINS= ", "LOGIN_GROUPS=,", "LOGIN_SUBJECTS= , ",
	"RESOURCES=files.example", "RESOURCES=/mcp", "RESOURCES=http://files.example", "RESOURCES=https://files.example/#a", "RESOURCES=https://files.example#", "RESOURCES=https://u:p4ssw0rd@files.example",
	"RESOURCES=urn:files", "RESOURCES=https://", "RESOURCES=https://files.example:0", "RESOURCES=https://files.example:p4ssw0rd", "RESOURCES=https://a.example ftp://b.example", "RESOURCES=https://*.example", "RESOURCES=,",
	"TRUSTED_REDIRECT_HOSTS=https://app.example", "TRUSTED_REDIRECT_HOSTS=app.example:443", "TRUSTED_REDIRECT_HOSTS=*", "TRUSTED_REDIRECT_HOSTS=" + strings.Repeat("a.", 126) + "aa",
	"AUDIT_RETENTION=-1h", "AUDIT_RETENTION=365", "AUDIT_RETENTION=365d", "AUDIT_RETENTION=never",
	"REFRESH_GRACE=-1s", "REFRESH_GRACE=5m1s", "REFRESH_GRACE=30", "REFRESH_GRACE=short",
	"ACCESS_TOKEN_ALG=none", "ACCESS_TOKEN_ALG=HS256", "ID_TOKEN_ALG=EdDSA", "ID_TOKEN_ALG=rs256",
	"CONFIG=p4ssw0rd", "CONFIG=.",
}

func TestFaults(t *testing.T) {
	for _, variable := range wrong {
		t.Run(variable, func(t *testing.T) {
			c, err := load(variable)
			if err == nil {
				t.Fatalf("accepted: %+v", c)
			}
			name, _, _ := strings.Cut(variable, "=")
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, Prefix+name+": ") {
					t.Errorf("the line %q is not about %s", line, name)
				}
			}
			if c != nil {
				t.Error("a configuration stands beside the error")
			}
			if strings.Contains(err.Error(), "p4ssw0rd") {
				t.Errorf("the password stands in: %v", err)
			}
		})
	}
}

// TestDevelopmentFetch: what lets clients have this server connect anywhere is not for a
// server that others reach.
func TestDevelopmentFetch(t *testing.T) {
	for issuer, fits := range map[string]bool{
		"http://localhost:8080": true, "https://localhost": true, "http://127.0.0.1": true, "https://id.example": false, "https://10.0.0.1": false,
	} {
		c, err := load("ISSUER="+issuer, "DEVELOPMENT_FETCH=true")
		if fits != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), Prefix+"DEVELOPMENT_FETCH: ") {
			t.Errorf("%s: %v", issuer, err)
		}
		if err == nil && !slices.ContainsFunc(c.StartWarnings(), func(w string) bool { return strings.HasPrefix(w, Prefix+"DEVELOPMENT_FETCH: ") }) {
			t.Errorf("%s: no warning among %v", issuer, c.StartWarnings())
		}
	}
}

func TestListedDocumentsOfNoHost(t *testing.T) {
	warns := func(variables ...string) bool {
		return slices.ContainsFunc(mustLoad(t, variables...).StartWarnings(), func(w string) bool { return strings.HasPrefix(w, Prefix+"METADATA_DOCUMENT_HOSTS: ") })
	}
	if !warns("METADATA_DOCUMENTS=listed") || warns("METADATA_DOCUMENTS=listed", "METADATA_DOCUMENT_HOSTS=a.example") || warns() {
		t.Error("the warning does not go with the settings")
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	worst := map[string]string{}
	for _, variable := range wrong {
		name, _, _ := strings.Cut(variable, "=")
		worst[name] = variable
	}
	// Of these, one alone can be set.
	for _, name := range secretFiles {
		delete(worst, name+"_FILE")
	}
	var variables, want []string
	for name, variable := range worst {
		variables, want = append(variables, variable), append(want, Prefix+name)
	}
	_, err := load(variables...)
	if err == nil {
		t.Fatal("accepted")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		name, _, _ := strings.Cut(line, ":")
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("complained of %q\nwant            %q", got, want)
	}
}

func TestIssuer(t *testing.T) {
	const (
		absolute, secure, bare = "absolute https URL", "must be https", "no user information, query or fragment"
		slash, lower           = "not end in a slash", "in lower case"
		host, path             = "its host must be", "its path must be"
	)
	tests := map[string]struct {
		issuer string
		// faults are found in the error, one in each line; none: it is right.
		faults []string
	}{
		"https":                     {"https://id.example", nil},
		"https with port":           {"https://id.example:8443", nil},
		"https with path":           {"https://id.example/tenants/a-1", nil},
		"https address":             {"https://192.0.2.7", nil},
		"https IPv6 address":        {"https://[2001:db8::7]:8443", nil},
		"localhost":                 {"http://localhost:8080", nil},
		"loopback":                  {"http://127.0.0.2:8080", nil},
		"loopback, IPv6":            {"http://[::1]:8080", nil},
		"http":                      {"http://id.example", []string{secure}},
		"http, like localhost":      {"http://localhost.id.example", []string{secure}},
		"http, private address":     {"http://10.0.0.1", []string{secure}},
		"other scheme":              {"ftp://id.example", []string{absolute}},
		"no scheme":                 {"id.example", []string{absolute, path}},
		"no host":                   {"https:///a", []string{absolute}},
		"opaque":                    {"https:id.example", []string{absolute}},
		"slash":                     {"https://id.example/", []string{slash}},
		"path with slash":           {"https://id.example/a/", []string{slash}},
		"query":                     {"https://id.example?a=b", []string{bare}},
		"empty query":               {"https://id.example?", []string{bare}},
		"fragment":                  {"https://id.example#a", []string{bare}},
		"empty fragment":            {"https://id.example#", []string{bare}},
		"user":                      {"https://u:p4ssw0rd@id.example", []string{bare}},
		"empty user":                {"https://@id.example", []string{bare}},
		"host in upper case":        {"https://ID.example", []string{lower}},
		"scheme in upper case":      {"HTTPS://id.example", []string{lower}},
		"localhost in upper case":   {"http://LOCALHOST", []string{secure, lower}},
		"path in upper case":        {"https://id.example/A", nil},
		"host not ASCII":            {"https://ïd.example", []string{host}},
		"impossible port":           {"https://id.example:99999", []string{"1 to 65535"}},
		"port 0":                    {"https://id.example:0", []string{"1 to 65535"}},
		"empty port":                {"https://id.example:", []string{host}},
		"wildcard":                  {"https://*.example", []string{host}},
		"dot segment":               {"https://id.example/a/../b", []string{path}},
		"empty segment":             {"https://id.example//a", []string{path}},
		"escaped":                   {"https://id.example/a%2Fb", []string{path}},
		"router pattern":            {"https://id.example/:a", []string{path}},
		"not a URL":                 {"https://id.example/\x7f", []string{"not a URL"}},
		"port not a number":         {"https://id.example:p4ssw0rd", []string{"not a URL"}},
		"slash, query and no https": {"http://u@id.example?q/", []string{secure, bare, slash}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load("ISSUER=" + test.issuer)
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if len(lines) != len(test.faults) {
				t.Fatalf("got %q, want %q", lines, test.faults)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, Prefix+"ISSUER: ") || !strings.Contains(line, test.faults[i]) || strings.Contains(line, "p4ssw0rd") {
					t.Errorf("got %q, want one about %q", line, test.faults[i])
				}
			}
		})
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := write("database", "  postgres://u:p4ssw0rd@db/x\n\n")
	cache := write("cache", "redis://:p4ssw0rd@cache\r\n")
	empty, odd := write("empty", " \n"), write("odd", "mysql://u:p4ssw0rd@db")

	c := mustLoad(t, "DATABASE_URL_FILE="+database, "REDIS_URL_FILE="+cache, goodKey)
	if c.DatabaseURL != "postgres://u:p4ssw0rd@db/x" || c.RedisURL != "redis://:p4ssw0rd@cache" {
		t.Errorf("got %q and %q", c.DatabaseURL, c.RedisURL)
	}
	bad := map[string][]string{
		"both":       {"DATABASE_URL_FILE=" + database, "DATABASE_URL=sqlite://x.db"},
		"empty":      {"DATABASE_URL_FILE=" + empty},
		"missing":    {"DATABASE_URL_FILE=" + filepath.Join(dir, "missing")},
		"a folder":   {"DATABASE_URL_FILE=" + dir},
		"wrong kind": {"DATABASE_URL_FILE=" + odd},
	}
	for name, variables := range bad {
		t.Run(name, func(t *testing.T) {
			_, err := load(variables...)
			if err == nil || !strings.HasPrefix(err.Error(), Prefix+"DATABASE_URL") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("want one line about the variable, got %v", err)
			}
			if strings.Contains(err.Error(), "p4ssw0rd") || strings.Contains(err.Error(), dir) {
				t.Errorf("the error tells too much: %v", err)
			}
		})
	}
}

func TestMoreSecretFiles(t *testing.T) {
	dir := t.TempDir()
	keyFile, secretFile, oddFile := filepath.Join(dir, "key"), filepath.Join(dir, "secret"), filepath.Join(dir, "odd")
	key := strings.Repeat("k", secretKeyBytes)
	for path, content := range map[string]string{
		keyFile:    base64.StdEncoding.EncodeToString([]byte(key)) + "\n",
		secretFile: "p4ssw0rd\n",
		oddFile:    "p4ssw0rd",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := mustLoad(t, "SECRET_KEY_FILE="+keyFile, "UPSTREAM_ISSUER=https://up.example", "UPSTREAM_CLIENT_ID=registrar", "UPSTREAM_CLIENT_SECRET_FILE="+secretFile)
	if string(c.SecretKey) != key || c.UpstreamClientSecret.Reveal() != "p4ssw0rd" {
		t.Error("the secrets are not those of the files")
	}
	printed := fmt.Sprintf("%v %+v %#v %s", c, *c, c.SecretKey, c.SecretKey)
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"p4ssw0rd", key, fmt.Sprintf("%d", []byte(key)), base64.StdEncoding.EncodeToString([]byte(key))} {
		if strings.Contains(printed+string(encoded), secret) {
			t.Errorf("a secret is printed: %s %s", printed, encoded)
		}
	}
	const postgres = "DATABASE_URL=postgres://db/x"
	for name, variables := range map[string][]string{
		"REGISTRAR_SECRET_KEY":      {postgres, "SECRET_KEY_FILE=" + oddFile},
		"REGISTRAR_SECRET_KEY_FILE": {postgres, "SECRET_KEY_FILE=" + dir},
	} {
		_, err := load(variables...)
		if err == nil || !strings.HasPrefix(err.Error(), name+": ") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "p4ssw0rd") {
			t.Errorf("%q: want one line about %s, got %v", variables, name, err)
		}
	}
}

// TestFaultsOfSeveral has faults that only several variables make.
func TestFaultsOfSeveral(t *testing.T) {
	const (
		client = "UPSTREAM_CLIENT_ID=registrar"
		google = "UPSTREAM_ISSUER=https://accounts.google.com"
		entra  = "UPSTREAM_ISSUER=https://login.microsoftonline.com/"
		policy = "UPSTREAM_ISSUER: anybody can have an account there"
		secure = "UPSTREAM_ISSUER: it must be an https URL"
	)
	tests := map[string]struct {
		variables []string
		// faults begin the lines of the error; none: it is right.
		faults []string
	}{
		"PostgreSQL without key":           {[]string{"DATABASE_URL=postgres://u:p4ssw0rd@db/x"}, []string{"SECRET_KEY: PostgreSQL needs it; make one with: openssl rand -base64 32"}},
		"postgresql without key":           {[]string{"DATABASE_URL=postgresql://u:p4ssw0rd@db/x"}, []string{"SECRET_KEY: PostgreSQL needs it"}},
		"PostgreSQL with bad key":          {[]string{"DATABASE_URL=postgres://u:p4ssw0rd@db/x", "SECRET_KEY=p4ssw0rd"}, []string{"SECRET_KEY: it must be the base64 of 32 bytes; make one with: openssl rand -base64 32"}},
		"SQLite without key":               {[]string{"DATABASE_URL=sqlite://x.db"}, nil},
		"upstream":                         {[]string{"UPSTREAM_ISSUER=https://up.example/realms/a", client}, nil},
		"upstream with a slash at the end": {[]string{"UPSTREAM_ISSUER=https://up.example/", client, "UPSTREAM_CLIENT_SECRET=p4ssw0rd"}, nil},
		"upstream on this machine":         {[]string{"UPSTREAM_ISSUER=http://127.0.0.1:3000", client}, nil},
		"upstream without client":          {[]string{"UPSTREAM_ISSUER=https://up.example"}, []string{"UPSTREAM_CLIENT_ID: REGISTRAR_UPSTREAM_ISSUER needs it"}},
		"client without upstream":          {[]string{client, "UPSTREAM_CLIENT_SECRET=p4ssw0rd"}, []string{"UPSTREAM_CLIENT_ID: it needs", "UPSTREAM_CLIENT_SECRET: it needs"}},
		"upstream over http":               {[]string{"UPSTREAM_ISSUER=http://up.example", client}, []string{secure}},
		"upstream without scheme":          {[]string{"UPSTREAM_ISSUER=up.example", client}, []string{secure}},
		"upstream with password":           {[]string{"UPSTREAM_ISSUER=https://u:p4ssw0rd@up.example", client}, []string{secure}},
		"upstream with query":              {[]string{"UPSTREAM_ISSUER=https://up.example?a", client}, []string{secure}},
		"upstream with fragment":           {[]string{"UPSTREAM_ISSUER=https://up.example#", client}, []string{secure}},
		"upstream, bad port":               {[]string{"UPSTREAM_ISSUER=https://up.example:p4ssw0rd", client}, []string{secure}},
		"upstream and users":               {[]string{"UPSTREAM_ISSUER=https://up.example", client, "USERS_FILE=users"}, []string{"USERS_FILE: set it or REGISTRAR_UPSTREAM_ISSUER, not both"}},
		"recheck of users":                 {[]string{"USERS_FILE=users", "RECHECK_UPSTREAM=true"}, []string{"RECHECK_UPSTREAM: it needs REGISTRAR_UPSTREAM_ISSUER"}},
		"open to anyone":                   {[]string{google, client}, []string{policy}},
		"open to anyone, common":           {[]string{entra + "common/v2.0", client}, []string{policy}},
		"open to anyone, organizations":    {[]string{entra + "organizations/v2.0", client}, []string{policy}},
		"open to anyone, consumers":        {[]string{entra + "Consumers/v2.0", client}, []string{policy}},
		"open to anyone, consumers by id":  {[]string{entra + "9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", client}, []string{policy}},
		"one organisation":                 {[]string{entra + "0f0f0f0f-6c67-4c5b-b112-36a304b66dad/v2.0", client}, nil},
		"anyone, on purpose":               {[]string{google, client, "ALLOW_ANY_USER=true"}, nil},
		"anyone, not on purpose":           {[]string{google, client, "ALLOW_ANY_USER=false"}, []string{policy}},
		"open, by e-mail":                  {[]string{google, client, "LOGIN_EMAIL_DOMAINS=example.com"}, nil},
		"open, by hosted domain":           {[]string{google, client, "LOGIN_HOSTED_DOMAINS=example.com"}, nil},
		"open, by group":                   {[]string{google, client, "LOGIN_GROUPS=staff"}, nil},
		"open, by subject":                 {[]string{google, client, "LOGIN_SUBJECTS=ada"}, nil},
		"open, by an empty list":           {[]string{google, client, "LOGIN_SUBJECTS="}, []string{policy}},
		"open, by a list of nobody":        {[]string{google, client, "LOGIN_SUBJECTS=,"}, []string{policy, "LOGIN_SUBJECTS: it names nobody"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(test.variables...)
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if len(lines) != len(test.faults) {
				t.Fatalf("got %q, want %q", lines, test.faults)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, Prefix+test.faults[i]) || strings.Contains(line, "p4ssw0rd") {
					t.Errorf("got %q, want one about %q", line, test.faults[i])
				}
			}
		})
	}
}

func TestLogin(t *testing.T) {
	const public, upstream, client = "ISSUER=https://id.example", "UPSTREAM_ISSUER=https://up.example", "UPSTREAM_CLIENT_ID=registrar"
	tests := map[string]struct {
		variables []string
		want      LoginKind
	}{
		"nothing set":                    {nil, LoginDevelopment},
		"localhost":                      {[]string{"ISSUER=http://localhost:9000/a"}, LoginDevelopment},
		"loopback":                       {[]string{"ISSUER=http://127.0.0.2"}, LoginDevelopment},
		"loopback, IPv6":                 {[]string{"ISSUER=http://[::1]:9000"}, LoginDevelopment},
		"https on this machine":          {[]string{"ISSUER=https://localhost"}, LoginDevelopment},
		"public":                         {[]string{public}, LoginNone},
		"public, like localhost":         {[]string{"ISSUER=https://localhost.example"}, LoginNone},
		"public, listening on loopback":  {[]string{public, "ADDR=127.0.0.1:8080"}, LoginNone},
		"private address":                {[]string{"ISSUER=https://10.0.0.1"}, LoginNone},
		"upstream":                       {[]string{public, upstream, client}, LoginUpstream},
		"upstream, issuer on loopback":   {[]string{upstream, client}, LoginUpstream},
		"users":                          {[]string{public, "USERS_FILE=users"}, LoginUsers},
		"users file, issuer on loopback": {[]string{"USERS_FILE=users"}, LoginUsers},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := mustLoad(t, test.variables...).Login(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestSecretKeyFile(t *testing.T) {
	for database, want := range map[string]string{
		"sqlite://registrar.db":               "registrar.db.key",
		"sqlite:///var/lib/registrar/main.db": "/var/lib/registrar/main.db.key",
		"sqlite://./a//b.db":                  "a/b.db.key",
	} {
		if got := mustLoad(t, "DATABASE_URL="+database).SecretKeyFile(); got != want {
			t.Errorf("%s: got %q, want %q", database, got, want)
		}
	}
	if got := mustLoad(t, "DATABASE_URL=postgres://db/x", goodKey).SecretKeyFile(); got != "" {
		t.Errorf("PostgreSQL: got %q", got)
	}
}

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	users := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		// The umask would have the last word at creation.
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return "USERS_FILE=" + path
	}
	const (
		resources = "REGISTRAR_RESOURCES: without a list"
		noLogin   = "REGISTRAR_UPSTREAM_ISSUER: neither"
		exposed   = "REGISTRAR_USERS_FILE: others than its owner can read"
	)
	tests := map[string]struct {
		variables []string
		// want begins the warnings. RESOURCES is set unless it is named here.
		want []string
	}{
		"none":                 {nil, nil},
		"no resources":         {[]string{"RESOURCES="}, []string{resources}},
		"no limits":            {[]string{"REGISTRATION_RATE=off"}, []string{"REGISTRAR_REGISTRATION_RATE: registrations are not limited"}},
		"no login":             {[]string{"ISSUER=https://id.example"}, []string{noLogin}},
		"unknown":              {[]string{"ISUER=p4ssw0rd", "ADR=:80"}, []string{"REGISTRAR_ADR: this variable is not a setting", "REGISTRAR_ISUER: this variable is not a setting"}},
		"users, private":       {[]string{users("private", 0o600)}, nil},
		"users, read only":     {[]string{users("reading", 0o400)}, nil},
		"users, for a group":   {[]string{users("group", 0o640)}, []string{exposed}},
		"users, readable":      {[]string{users("readable", 0o604)}, []string{exposed}},
		"users, writable":      {[]string{users("writable", 0o602)}, []string{exposed}},
		"users, missing":       {[]string{"USERS_FILE=" + filepath.Join(dir, "missing")}, []string{"REGISTRAR_USERS_FILE: the file cannot be read: no such file"}},
		"several, in an order": {[]string{"RESOURCES=", "REGISTRATION_RATE=off", "ISSUER=https://id.example", "ISUER=x"}, []string{"REGISTRAR_ISUER: ", "REGISTRAR_REGISTRATION_RATE: ", noLogin, resources}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := mustLoad(t, append([]string{"RESOURCES=https://files.example"}, test.variables...)...).Warnings()
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) || strings.Contains(strings.Join(got, ""), "p4ssw0rd") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDefaultsStartWithoutWarnings(t *testing.T) {
	if got := mustLoad(t).StartWarnings(); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestUnknown(t *testing.T) {
	got := unknown([]string{
		"PATH=/bin", "REGISTRARX=1", "REGISTRAR_ISUER=https://id.example", "REGISTRAR_ADDR=:80", "REGISTRAR_DATABASE_URL_FILE=/x",
		"REGISTRAR_REDIS_URL_FILE=/x", "REGISTRAR_ISSUER_FILE=/x", "REGISTRAR_addr=:80", "REGISTRAR_=", "REGISTRAR_MAX_BODY=1",
		"REGISTRAR_SECRET_KEY_FILE=/x", "REGISTRAR_UPSTREAM_CLIENT_SECRET_FILE=/x", "REGISTRAR_USERS_FILE=/x", "REGISTRAR_CONFIG=/x", "REGISTRAR_FILE=/x", "REGISTRAR_-=/x",
	})
	want := []string{"REGISTRAR_", "REGISTRAR_-", "REGISTRAR_FILE", "REGISTRAR_ISSUER_FILE", "REGISTRAR_ISUER", "REGISTRAR_addr"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoOrigins(t *testing.T) {
	c, err := Load([]string{"REGISTRAR_CORS_ORIGINS=none"})
	if err != nil {
		t.Fatal(err)
	}
	if origins := c.Tenant().Policy.AllowedOrigins; len(origins) != 0 {
		t.Errorf("allowed: %v", origins)
	}
}
