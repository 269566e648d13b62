package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// secretsForTest stand in for the files of secrets.
func secretsForTest(path string) (string, error) {
	if path == "/run/secrets/files" {
		return "p4ssw0rd", nil
	}
	return "", errors.New("the file cannot be read: no such file")
}

// readText reads a file whose scopes may be openid, read and mcp:tools.
func readText(text string) *fileReader {
	r := &fileReader{document: document{name: "registrar.yaml"}, scopes: []string{"openid", "read", "mcp:tools"}, readSecret: secretsForTest}
	r.read([]byte(text))
	return r
}

// digest is that of the password, in hexadecimal digits.
const digest = "48d2a5bbcf422ccd1b69e2a82fb90bafb52384953e77e304bef856084be052b6"

const wholeFile = `
scopes:
  mcp:tools:
    text: Use your tools
    require: {email_domains: [a.example, B.example], hosted_domains: [a.example], groups: [staff, Ärzte im Dienst, 007], subjects: [10769150350006150715113082367]}
  openid:
    text: "Know: it is you"
    require:
      groups: [staff]
  read: {}
resource_servers:
  - id: files
    secret_file: /run/secrets/files
    audiences: [HTTPS://Files.example, http://localhost:3000/mcp]
  - id: mail
    secret_sha256: ` + digest + `
    audiences:
      - https://mail.example/mcp
`

func TestFile(t *testing.T) {
	r := readText(wholeFile)
	if len(r.lines) != 0 {
		t.Fatalf("refused: %q", r.lines)
	}
	password := credential.Secret("p4ssw0rd").Digest()
	want := File{
		ScopeTexts: map[string]string{"mcp:tools": "Use your tools", "openid": "Know: it is you"},
		ScopeRequirements: map[string]tenant.Requirement{
			"mcp:tools": {
				EmailDomains: []string{"a.example", "B.example"}, HostedDomains: []string{"a.example"},
				Groups: []string{"staff", "Ärzte im Dienst", "007"}, Subjects: []string{"10769150350006150715113082367"},
			},
			"openid": {Groups: []string{"staff"}},
		},
		ResourceServers: []tenant.ResourceServer{
			{ID: "files", SecretDigest: password, Audiences: []string{"https://files.example/", "http://localhost:3000/mcp"}},
			{ID: "mail", SecretDigest: password, Audiences: []string{"https://mail.example/mcp"}},
		},
	}
	if !reflect.DeepEqual(r.file, want) {
		t.Errorf("got  %+v\nwant %+v", r.file, want)
	}
}

func TestFilesThatSayLittle(t *testing.T) {
	for name, text := range map[string]string{
		"empty":      "",
		"blank":      "\n\n",
		"a comment":  "# nothing yet\n",
		"a document": "---\n",
		"no entries": "scopes: {}\nresource_servers: []\n",
		"a BOM":      "\ufeffscopes: {}\n",
		"JSON":       `{"scopes": {"read": {"text": "Read"}}}`,
		"an alias":   "scopes:\n  read: &read {text: Read}\n  openid: *read\n",
	} {
		t.Run(name, func(t *testing.T) {
			if r := readText(text); len(r.lines) != 0 || len(r.file.ResourceServers) != 0 {
				t.Errorf("got %+v and %q", r.file, r.lines)
			}
		})
	}
}

func TestFileFaults(t *testing.T) {
	const server = "resource_servers:\n- id: files\n  audiences: [https://files.example]\n"
	tests := map[string]struct {
		text string
		// faults are the whole lines, without the file's name.
		faults []string
	}{
		"unknown key":                {"scopes: {}\n\nscope: {}\n", []string{"3: scope: this key is not known"}},
		"unknown key of a scope":     {"scopes:\n  read:\n    words: x\n", []string{"3: scopes.read.words: this key is not known"}},
		"unknown key, another case":  {"Scopes: {}\n", []string{"1: Scopes: this key is not known"}},
		"unknown requirement":        {"scopes:\n  mcp:tools:\n    require:\n      emails: [a]\n", []string{"4: scopes.mcp:tools.require.emails: this key is not known"}},
		"merged keys":                {"scopes:\n  read: &r {text: x}\n  openid:\n    <<: *r\n", []string{"4: scopes.openid.<<: this key is not known"}},
		"no such scope":              {"scopes:\n  write:\n    text: x\n", []string{"2: scopes.write: it is not one of REGISTRAR_SCOPES"}},
		"key given twice":            {"scopes:\n  read: {text: x}\n  read: {text: y}\n", []string{"3: scopes.read: it is given twice"}},
		"key is a list":              {"scopes:\n  ? [read]\n  : {text: x}\n", []string{`2: scopes."": a key must be a word`}},
		"key of several lines":       {"scopes:\n  \"a\\nb\": {}\n", []string{`2: scopes."a\nb": it is not one of REGISTRAR_SCOPES`}},
		"statements":                 {"software_statements: {required: true, issuers: {'https://a.example': {jwks_uri: 'https://a.example/k'}}, revoked_software_ids: [a]}", nil},
		"statements are a list":      {"software_statements: [a]\n", []string{"1: software_statements: it must be keys with values"}},
		"statements perhaps":         {"software_statements: {required: perhaps}", []string{"1: software_statements.required: it must be true or false"}},
		"issuer without keys":        {"software_statements:\n  issuers:\n    https://a.example: {}\n", []string{"3: software_statements.issuers.https://a.example: it must have jwks_uri or jwks_file, not both"}},
		"issuer over http":           {"software_statements: {issuers: {a: {jwks_uri: 'http://a.example/k'}}}", []string{"1: software_statements.issuers.a.jwks_uri: it must be an https URI"}},
		"issuer's keys not there":    {"software_statements: {issuers: {a: {jwks_file: /none}}}", []string{"1: software_statements.issuers.a.jwks_file: the file cannot be read: no such file"}},
		"no revoked software":        {"software_statements: {revoked_software_ids: []}", []string{"1: software_statements.revoked_software_ids: it is empty"}},
		"whole is a list":            {"- scopes\n", []string{"1: it must be keys with values"}},
		"whole is a word":            {"\np4ssw0rd\n", []string{"2: it must be keys with values"}},
		"scopes are a list":          {"scopes:\n- read\n", []string{"1: scopes: it must be keys with values"}},
		"scopes without value":       {"scopes:\n", []string{"1: scopes: it has no value"}},
		"scope is a text":            {"scopes:\n  read: p4ssw0rd\n", []string{"2: scopes.read: it must be keys with values"}},
		"text without value":         {"scopes:\n  read:\n    text:\n", []string{"3: scopes.read.text: it has no value"}},
		"text empty":                 {"scopes: {read: {text: ''}}", []string{"1: scopes.read.text: it must be 1 to 200 characters of printable text"}},
		"text too long":              {"scopes: {read: {text: " + strings.Repeat("é", 201) + "}}", []string{"1: scopes.read.text: it must be 1 to 200 characters of printable text"}},
		"text as long as can be":     {"scopes: {read: {text: " + strings.Repeat("é", 200) + "}}", nil},
		"text of several lines":      {"scopes:\n  read:\n    text: |\n      a\n      b\n", []string{"3: scopes.read.text: it must be 1 to 200 characters of printable text"}},
		"text that turns":            {"scopes: {read: {text: \"a\u202eb\"}}", []string{"1: scopes.read.text: it must be 1 to 200 characters of printable text"}},
		"text is a list":             {"scopes: {read: {text: [a]}}", []string{"1: scopes.read.text: it must be 1 to 200 characters of printable text"}},
		"text with a tag":            {"scopes: {read: {text: !!binary cDRzc3cwcmQ=}}", []string{"1: scopes.read.text: it must be 1 to 200 characters of printable text"}},
		"requirement without value":  {"scopes:\n  read:\n    require:\n", []string{"3: scopes.read.require: it has no value"}},
		"requirement empty":          {"scopes:\n  read:\n    require: {}\n", []string{"3: scopes.read.require: it is empty"}},
		"requirement is a list":      {"scopes:\n  read:\n    require: [staff]\n", []string{"3: scopes.read.require: it must be keys with values"}},
		"groups without value":       {"scopes:\n  read:\n    require:\n      groups:\n", []string{"4: scopes.read.require.groups: it has no value"}},
		"groups empty":               {"scopes: {read: {require: {groups: []}}}", []string{"1: scopes.read.require.groups: it is empty"}},
		"groups are one":             {"scopes: {read: {require: {groups: staff}}}", []string{"1: scopes.read.require.groups: it must be a list"}},
		"group empty":                {"scopes: {read: {require: {groups: ['']}}}", []string{"1: scopes.read.require.groups[0]: it must be printable text"}},
		"group null":                 {"scopes: {read: {require: {groups: [~]}}}", []string{"1: scopes.read.require.groups[0]: it must be printable text"}},
		"subject is a mapping":       {"scopes: {read: {require: {subjects: [ada, {a: b}]}}}", []string{"1: scopes.read.require.subjects[1]: it must be printable text"}},
		"domain with @":              {"scopes:\n  read:\n    require:\n      email_domains:\n      - a.example\n      - '@b.example'\n", []string{"6: scopes.read.require.email_domains[1]: it must be a domain such as example.com"}},
		"hosted domain":              {"scopes: {read: {require: {hosted_domains: [https://a.example]}}}", []string{"1: scopes.read.require.hosted_domains[0]: it must be a domain such as example.com"}},
		"servers by id":              {"resource_servers:\n  files: {}\n", []string{"1: resource_servers: it must be a list"}},
		"server is a word":           {"resource_servers:\n- p4ssw0rd\n", []string{"2: resource_servers[0]: it must be keys with values"}},
		"server without anything":    {"resource_servers:\n- {}\n", []string{"2: resource_servers[0]: it must have an id", "2: resource_servers[0]: it must have audiences", "2: resource_servers[0]: it must have secret_file or secret_sha256"}},
		"plain secret":               {server + "  secret: p4ssw0rd\n", []string{"4: resource_servers[0].secret: a secret does not belong here: use secret_file or secret_sha256"}},
		"secret without value":       {server + "  secret_file:\n", []string{"4: resource_servers[0].secret_file: it has no value"}},
		"no secret":                  {server, []string{"2: resource_servers[0]: it must have secret_file or secret_sha256"}},
		"two secrets":                {server + "  secret_file: /run/secrets/files\n  secret_sha256: " + digest + "\n", []string{"2: resource_servers[0]: it must have secret_file or secret_sha256, not both"}},
		"secret as path":             {server + "  secret_file: p4ssw0rd\n", []string{"4: resource_servers[0].secret_file: the file cannot be read: no such file"}},
		"secret as digest":           {server + "  secret_sha256: p4ssw0rd\n", []string{"4: resource_servers[0].secret_sha256: it must be the SHA-256 digest of a secret, 64 hexadecimal digits"}},
		"digest too short":           {server + "  secret_sha256: " + digest[2:] + "\n", []string{"4: resource_servers[0].secret_sha256: it must be the SHA-256 digest of a secret, 64 hexadecimal digits"}},
		"digest of nothing":          {server + "  secret_sha256: " + hex.EncodeToString(credential.Secret("").Digest()) + "\n", []string{"4: resource_servers[0].secret_sha256: it must be the SHA-256 digest of a secret, 64 hexadecimal digits"}},
		"id with a blank":            {"resource_servers:\n- {id: a b, secret_sha256: " + digest + ", audiences: [https://a.example]}\n", []string{"2: resource_servers[0].id: it must be ASCII letters, digits and signs without blanks (RFC 6749 appendix A.1)"}},
		"id twice":                   {"resource_servers:\n- &a {id: a, secret_sha256: " + digest + ", audiences: [https://a.example]}\n- *a\n", []string{"3: resource_servers[1]: another resource server has the same id"}},
		"no audience":                {"resource_servers:\n- {id: a, secret_sha256: " + digest + ", audiences: []}\n", []string{"2: resource_servers[0].audiences: it is empty"}},
		"audience over http":         {"resource_servers:\n- {id: a, secret_sha256: " + digest + ", audiences: [https://a.example, http://a.example]}\n", []string{"2: resource_servers[0].audiences[1]: it must be an https URI (http on this machine) without user information or fragment"}},
		"audience with fragment":     {"resource_servers:\n- {id: a, secret_sha256: " + digest + ", audiences: ['https://a.example#p4ssw0rd']}\n", []string{"2: resource_servers[0].audiences[0]: it must be an https URI (http on this machine) without user information or fragment"}},
		"not YAML":                   {"scopes:\n  read: {text: x}\n\tread: {}\n", []string{"3: it is not YAML: found character that cannot start any token"}},
		"not closed":                 {"scopes: {", []string{"1: it is not YAML: did not find expected node content"}},
		"not text":                   {"scopes: \x00", []string{"1: it is not YAML: control characters are not allowed"}},
		"secret taken for an alias":  {"resource_servers:\n- id: *p4ssw0rd\n", []string{"1: it is not YAML"}},
		"two documents":              {"scopes: {}\n---\nscopes: {}\n", []string{"2: there is a second document"}},
		"second document not YAML":   {"scopes: {}\n---\n\t-\n", []string{"3: it is not YAML: found character that cannot start any token"}},
		"contains itself":            {"resource_servers: &a\n- *a\n", []string{"2: resource_servers[0]: it must be keys with values"}},
		"several, all of them named": {"scopes:\n  write: {text: ''}\n  read:\n    require: {emails: [x], groups: []}\nresource_servers:\n- id: ''\n  secret: p4ssw0rd\nmore: x\n", []string{"2: scopes.write: it is not one of REGISTRAR_SCOPES", "2: scopes.write.text: it must be 1 to 200 characters of printable text", "4: scopes.read.require.emails: this key is not known", "4: scopes.read.require.groups: it is empty", "6: resource_servers[0].id: it must be ASCII letters, digits and signs without blanks (RFC 6749 appendix A.1)", "7: resource_servers[0].secret: a secret does not belong here: use secret_file or secret_sha256", "6: resource_servers[0]: it must have audiences", "8: more: this key is not known"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := readText(test.text).lines
			for i := range test.faults {
				test.faults[i] = "registrar.yaml:" + test.faults[i]
			}
			if !slices.Equal(got, test.faults) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.faults, "\n"))
			}
			if strings.Contains(strings.Join(got, ""), "p4ssw0rd") {
				t.Errorf("the password stands in %q", got)
			}
		})
	}
}

func TestFileIsPartOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := write("secret", "p4ssw0rd\n")
	good := write("good.yaml", "scopes:\n  mcp:tools: {text: Use your tools, require: {groups: [staff]}}\n  email: {text: Write to you}\n"+
		"resource_servers:\n- {id: files, secret_file: "+secret+", audiences: [https://files.example]}\n")
	bad := write("bad.yaml", "scopes:\n  write: {text: x}\n")

	policy := mustLoad(t, "SCOPES=openid email mcp:tools mcp:read", "CONFIG="+good).Tenant().Policy
	texts := map[string]string{"openid": standardTexts["openid"], "email": "Write to you", "mcp:tools": "Use your tools"}
	if !reflect.DeepEqual(policy.ScopeTexts, texts) {
		t.Errorf("texts: got %q, want %q", policy.ScopeTexts, texts)
	}
	if want := map[string]tenant.Requirement{"mcp:tools": {Groups: []string{"staff"}}}; !reflect.DeepEqual(policy.ScopeRequirements, want) {
		t.Errorf("requirements: got %v, want %v", policy.ScopeRequirements, want)
	}
	if len(policy.ResourceServers) != 1 || !policy.ResourceServers[0].SecretDigest.Verifies("p4ssw0rd") {
		t.Errorf("resource servers: got %v", policy.ResourceServers)
	}

	c, err := load("CONFIG="+bad, "ADDR=nowhere")
	want := "REGISTRAR_ADDR: it must be host:port or :port, with a port from 0 to 65535\n" + bad + ":2: scopes.write: it is not one of REGISTRAR_SCOPES"
	if err == nil || err.Error() != want || c != nil {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestStandardScopesHaveWords(t *testing.T) {
	c := mustLoad(t)
	texts := c.Tenant().Policy.ScopeTexts
	for _, scope := range c.Scopes {
		if !isScopeText(texts[scope]) {
			t.Errorf("%s: %q", scope, texts[scope])
		}
	}
}

// looseFile is what a File would be with the library's own strict reading.
type looseFile struct {
	Scopes map[string]struct {
		Text    string `yaml:"text"`
		Require struct {
			EmailDomains  []string `yaml:"email_domains"`
			HostedDomains []string `yaml:"hosted_domains"`
			Groups        []string `yaml:"groups"`
			Subjects      []string `yaml:"subjects"`
		} `yaml:"require"`
	} `yaml:"scopes"`
	ResourceServers []struct {
		ID           string   `yaml:"id"`
		SecretFile   string   `yaml:"secret_file"`
		SecretSHA256 string   `yaml:"secret_sha256"`
		Audiences    []string `yaml:"audiences"`
	} `yaml:"resource_servers"`
}

var faultLine = regexp.MustCompile(`^registrar\.yaml:[1-9][0-9]*: [^\n]+$`)

func FuzzFile(f *testing.F) {
	f.Add(wholeFile)
	f.Add("scopes:\n  read: &r {text: x, require: &q {groups: [a]}}\n  openid: {<<: *r, require: *q}\n")
	f.Add("scopes: {read: {text: \"a\\nb\"}}\nresource_servers: [{secret: x}]\n---\n")
	f.Add("? [a]\n: !!binary x\n&a : *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := readText(text)
		for _, line := range r.lines {
			if !faultLine.MatchString(line) || strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("not a fault in one line: %q", line)
			}
		}
		if len(r.lines) == 0 {
			wantSound(t, r.file)
			wantReadAlike(t, text, r.file)
		}
	})
}

// wantSound checks what must hold for every file that is accepted.
func wantSound(t *testing.T, file File) {
	for scope, text := range file.ScopeTexts {
		if !isScopeText(text) {
			t.Errorf("%s: accepted the words %q", scope, text)
		}
	}
	for scope, required := range file.ScopeRequirements {
		if required.IsZero() {
			t.Errorf("%s: a requirement that requires nothing", scope)
		}
	}
	for _, server := range file.ResourceServers {
		if server.ID == "" || len(server.SecretDigest) != sha256.Size || server.SecretDigest.Verifies("") || len(server.Audiences) == 0 {
			t.Errorf("accepted the resource server %+v", server)
		}
	}
}

// wantReadAlike checks that the library, told to be strict, finds the same.
func wantReadAlike(t *testing.T, text string, file File) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	var loose looseFile
	if err := decoder.Decode(&loose); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("the library refuses it: %v", err)
	}
	for scope, texts := range file.ScopeTexts {
		if loose.Scopes[scope].Text != texts {
			t.Errorf("%s: %q, to the library %q", scope, texts, loose.Scopes[scope].Text)
		}
	}
	for scope, required := range file.ScopeRequirements {
		if !reflect.DeepEqual(required, tenant.Requirement(loose.Scopes[scope].Require)) {
			t.Errorf("%s: %v, to the library %v", scope, required, loose.Scopes[scope].Require)
		}
	}
	if len(file.ResourceServers) != len(loose.ResourceServers) {
		t.Errorf("%d resource servers, to the library %d", len(file.ResourceServers), len(loose.ResourceServers))
	}
}
