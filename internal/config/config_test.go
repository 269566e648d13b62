package config

import (
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

func TestDefaults(t *testing.T) {
	got := mustLoad(t)
	want := &Config{
		Addr:               "127.0.0.1:8080",
		Issuer:             "http://localhost:8080",
		DatabaseURL:        "sqlite://registrar.db",
		RegistrationMode:   "open",
		RegistrationRate:   Rate{Limit: ratelimit.Limit{Count: 10, Per: time.Hour}},
		Scopes:             Words{"openid", "profile", "email", "offline_access"},
		DefaultScopes:      Words{"openid", "profile", "email", "offline_access"},
		ScopeOverflow:      tenant.ScopeNarrow,
		AuthMethods:        Words{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		DefaultAuthMethod:  oauth.AuthClientSecretBasic,
		CustomSchemes:      Words{"cursor", "vscode", "vscode-insiders", "windsurf", "zed"},
		RevokeMisusedToken: true,
		CORSOrigins:        Words{"*"},
		Envelope:           EnvelopeNegotiated,
		MaxBody:            65536,
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
	got := mustLoad(t, "ISSUER=https://id.example", "SCOPES=a b", "DEFAULT_SCOPES=a", "SCOPE_OVERFLOW=reject", "AUTH_METHODS=none client_secret_post",
		"DEFAULT_AUTH_METHOD=client_secret_post", "CUSTOM_SCHEMES=x", "STRICT_APPLICATION_TYPE=true", "REVOKE_MISUSED_TOKEN=false", "CORS_ORIGINS=https://a.example").Tenant()
	want := &tenant.Tenant{ID: tenant.DefaultID, Issuer: "https://id.example", Policy: tenant.Policy{
		Scopes:                []string{"a", "b"},
		DefaultScopes:         []string{"a"},
		ScopeOverflow:         tenant.ScopeReject,
		AuthMethods:           []oauth.AuthMethod{oauth.AuthNone, oauth.AuthClientSecretPost},
		DefaultAuthMethod:     oauth.AuthClientSecretPost,
		CustomSchemes:         []string{"x"},
		StrictApplicationType: true,
		AllowedOrigins:        []string{"https://a.example"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// faults are variables that are wrong alone; each must be the only one complained of.
var faults = []string{
	"ADDR=localhost", "ADDR=8080", "ADDR=:", "ADDR=:http", "ADDR=:65536", "ADDR=::1:80",
	"DATABASE_URL=mysql://u:p4ssw0rd@db/x", "DATABASE_URL=registrar.db", "DATABASE_URL=p4ssw0rd",
	"REDIS_URL=http://:p4ssw0rd@cache", "REDIS_URL=cache:6379",
	"REGISTRATION_MODE=token", "REGISTRATION_MODE=Open",
	"REGISTRATION_RATE=10", "REGISTRATION_RATE=0/1h", "REGISTRATION_RATE=-1/1h", "REGISTRATION_RATE=10/0s", "REGISTRATION_RATE=10/1", "REGISTRATION_RATE=OFF",
	"SHARED_EGRESS=10.0.0.0/8", "SHARED_EGRESS=10.0.0.0/8=x", "SHARED_EGRESS=ten=10/1h",
	"TRUSTED_PROXIES=proxy.internal", "TRUSTED_PROXIES=::ffff:10.0.0.0/104", "TRUSTED_PROXIES=10.0.0.0/33", "TRUSTED_PROXIES=10.0.0.0/8;10.1.0.0/16",
	`SCOPES="`, `SCOPES=a\b`, "SCOPES=,", "SCOPES=é",
	"DEFAULT_SCOPES=openid admin",
	"SCOPE_OVERFLOW=drop",
	"AUTH_METHODS=tls_client_auth client_secret_basic",
	"DEFAULT_AUTH_METHOD=client_secret_jwt",
	"CUSTOM_SCHEMES=https", "CUSTOM_SCHEMES=javascript", "CUSTOM_SCHEMES=Cursor", "CUSTOM_SCHEMES=cursor://", "CUSTOM_SCHEMES=1x",
	"STRICT_APPLICATION_TYPE=yes", "REVOKE_MISUSED_TOKEN=on",
	"CORS_ORIGINS=none *", "CORS_ORIGINS=a.example", "CORS_ORIGINS=https://a.example/", "CORS_ORIGINS=https://*.example", "CORS_ORIGINS=ftp://a.example", "CORS_ORIGINS=null", "CORS_ORIGINS=https://App.example", "CORS_ORIGINS=https://",
	"ENVELOPE=never", "MAX_BODY=1023", "MAX_BODY=1048577", "MAX_BODY=64KiB", "MAX_BODY=-1", "LOG_LEVEL=loud",
	"ISSUER=id.example", "DATABASE_URL_FILE=postgres://u:p4ssw0rd@db/x", "REDIS_URL_FILE=", "REDIS_URL_FILE=.",
}

func TestFaults(t *testing.T) {
	for _, variable := range faults {
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

func TestAllFaultsAtOnce(t *testing.T) {
	worst := map[string]string{}
	for _, variable := range faults {
		name, _, _ := strings.Cut(variable, "=")
		worst[name] = variable
	}
	// Of these, one alone can be set.
	delete(worst, "DATABASE_URL_FILE")
	delete(worst, "REDIS_URL_FILE")
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

	c := mustLoad(t, "DATABASE_URL_FILE="+database, "REDIS_URL_FILE="+cache)
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

func TestUnknown(t *testing.T) {
	got := Unknown([]string{
		"PATH=/bin", "REGISTRARX=1", "REGISTRAR_ISUER=https://id.example", "REGISTRAR_ADDR=:80", "REGISTRAR_DATABASE_URL_FILE=/x",
		"REGISTRAR_REDIS_URL_FILE=/x", "REGISTRAR_ISSUER_FILE=/x", "REGISTRAR_addr=:80", "REGISTRAR_=", "REGISTRAR_MAX_BODY=1",
	})
	want := []string{"REGISTRAR_", "REGISTRAR_ISSUER_FILE", "REGISTRAR_ISUER", "REGISTRAR_addr"}
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
