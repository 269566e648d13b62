package config

import (
	"encoding/hex"
	"maps"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// File is what the file named by REGISTRAR_CONFIG says.
type File struct {
	// ScopeTexts say what a scope allows, to people, by scope.
	ScopeTexts map[string]string
	// ScopeRequirements are what a user must meet to grant a scope, by scope.
	ScopeRequirements map[string]tenant.Requirement
	// ResourceServers may introspect tokens.
	ResourceServers []tenant.ResourceServer
	// SoftwareStatements says what is made of software statements.
	SoftwareStatements tenant.SoftwareStatements
}

// fileReader reads a File.
type fileReader struct {
	document
	// scopes are those that exist.
	scopes []string
	// readSecret returns what a file holds.
	readSecret func(path string) (string, error)
	file       File
}

// standardTexts are the words for the scopes of OpenID Connect.
var standardTexts = map[string]string{
	oauth.ScopeOpenID:  "Know that it is you, each time",
	oauth.ScopeProfile: "See your name",
	oauth.ScopeEmail:   "See your e-mail address",
	"offline_access":   "Stay connected while you are away",
}

// scopeTexts are the words of the file, and for standard scopes without, words of ours.
func (c *Config) scopeTexts() map[string]string {
	texts := maps.Clone(standardTexts)
	maps.DeleteFunc(texts, func(scope, _ string) bool { return !slices.Contains(c.Scopes, scope) })
	maps.Copy(texts, c.File.ScopeTexts)
	return texts
}

func (c *Config) loadFile(found *faults) {
	if c.ConfigFile == "" {
		return
	}
	text, err := readFile(c.ConfigFile)
	if err != nil {
		found.add("CONFIG", err.Error())
		return
	}
	r := &fileReader{document: document{name: c.ConfigFile}, scopes: c.Scopes, readSecret: readSecret}
	r.read(text)
	c.File = r.file
	found.lines = append(found.lines, r.lines...)
}

func (r *fileReader) read(text []byte) {
	root, found := r.parse(text)
	if !found {
		return
	}
	r.members(root, map[string]func(entry){
		"scopes":              r.readScopes,
		"resource_servers":    r.readResourceServers,
		"software_statements": r.readSoftwareStatements,
	})
}

// maxScopeText is how many characters the words for a scope may have.
const maxScopeText = 200

var (
	scopeText  = format{isScopeText, "1 to 200 characters of printable text"}
	domainText = format{isDomain, "a domain such as example.com"}
	nameText   = format{isName, "printable text"}
	idText     = format{visibleASCII.MatchString, "ASCII letters, digits and signs without blanks (RFC 6749 appendix A.1)"}
	digestText = format{isDigest, "the SHA-256 digest of a secret, 64 hexadecimal digits"}
	pathText   = format{isName, "the path of a file"}
	truthText  = format{func(text string) bool { return text == "true" || text == "false" }, "true or false"}
	webText    = format{registration.IsWebURI, "an https URI"}
	audience   = format{func(uri string) bool { return isResource(authorization.NormalResource(uri)) }, resourceRule}
)

func (r *fileReader) readScopes(e entry) {
	r.file.ScopeTexts, r.file.ScopeRequirements = map[string]string{}, map[string]tenant.Requirement{}
	for _, scope := range r.pairs(e) {
		if !slices.Contains(r.scopes, scope.key) {
			r.fault(scope, "it is not one of "+Prefix+"SCOPES")
		}
		r.members(scope, map[string]func(entry){
			"text":    func(e entry) { r.file.ScopeTexts[scope.key] = r.text(e, scopeText) },
			"require": func(e entry) { r.file.ScopeRequirements[scope.key] = r.requirement(e) },
		})
	}
}

// requirement must require something: an empty one would admit everybody.
func (r *fileReader) requirement(e entry) (required tenant.Requirement) {
	r.members(e, map[string]func(entry){
		"email_domains":  func(e entry) { required.EmailDomains = r.texts(e, domainText) },
		"hosted_domains": func(e entry) { required.HostedDomains = r.texts(e, domainText) },
		"groups":         func(e entry) { required.Groups = r.texts(e, nameText) },
		"subjects":       func(e entry) { required.Subjects = r.texts(e, nameText) },
	})
	if e.node.Kind == yaml.MappingNode && len(e.node.Content) == 0 {
		r.fault(e, "it is empty")
	}
	return required
}

func (r *fileReader) readResourceServers(e entry) {
	taken := map[string]bool{}
	for _, item := range r.items(e) {
		server := r.resourceServer(item)
		if taken[server.ID] && server.ID != "" {
			r.fault(item, "another resource server has the same id")
		}
		taken[server.ID] = true
		r.file.ResourceServers = append(r.file.ResourceServers, server)
	}
}

func (r *fileReader) resourceServer(e entry) (server tenant.ResourceServer) {
	const oneSecret = "it must have secret_file or secret_sha256"
	r.members(e, map[string]func(entry){
		"id":            func(e entry) { server.ID = r.text(e, idText) },
		"secret":        func(e entry) { r.fault(e, "a secret does not belong here: use secret_file or secret_sha256") },
		"secret_file":   func(e entry) { server.SecretDigest = r.digestOfFile(e) },
		"secret_sha256": func(e entry) { server.SecretDigest, _ = hex.DecodeString(r.text(e, digestText)) },
		"audiences":     func(e entry) { server.Audiences = r.audiences(e) },
	})
	for _, missing := range []struct {
		bad  bool
		rule string
	}{
		{!e.has("id"), "it must have an id"},
		{!e.has("audiences"), "it must have audiences"},
		{!e.has("secret") && !e.has("secret_file") && !e.has("secret_sha256"), oneSecret},
		{e.has("secret_file") && e.has("secret_sha256"), oneSecret + ", not both"},
	} {
		if missing.bad && e.node.Kind == yaml.MappingNode {
			r.fault(e, missing.rule)
		}
	}
	return server
}

func (r *fileReader) readSoftwareStatements(e entry) {
	statements := &r.file.SoftwareStatements
	r.members(e, map[string]func(entry){
		"required":             func(e entry) { statements.Required = r.text(e, truthText) == "true" },
		"issuers":              func(e entry) { statements.Issuers = r.statementIssuers(e) },
		"revoked_software_ids": func(e entry) { statements.RevokedSoftwareIDs = r.texts(e, nameText) },
	})
}

func (r *fileReader) statementIssuers(e entry) map[string]tenant.StatementIssuer {
	const oneSource = "it must have jwks_uri or jwks_file"
	issuers := map[string]tenant.StatementIssuer{}
	for _, item := range r.pairs(e) {
		var issuer tenant.StatementIssuer
		r.members(item, map[string]func(entry){
			"jwks_uri":  func(e entry) { issuer.JWKSURI = r.text(e, webText) },
			"jwks_file": func(e entry) { issuer.JWKS = r.keysOfFile(e) },
		})
		if item.node.Kind == yaml.MappingNode && item.has("jwks_uri") == item.has("jwks_file") {
			r.fault(item, oneSource+", not both")
		}
		issuers[item.key] = issuer
	}
	return issuers
}

func (r *fileReader) keysOfFile(e entry) []byte {
	path := r.text(e, pathText)
	if path == "" {
		return nil
	}
	keys, err := r.readSecret(path)
	if err != nil {
		r.fault(e, err.Error())
		return nil
	}
	if _, reason := registration.ReadKeys([]byte(keys)); reason != "" {
		r.fault(e, "the set of keys "+reason)
	}
	return []byte(keys)
}

// digestOfFile does not keep the secret: its digest is all that is needed of it.
func (r *fileReader) digestOfFile(e entry) credential.Digest {
	path := r.text(e, pathText)
	if path == "" {
		return nil
	}
	secret, err := r.readSecret(path)
	if err != nil {
		r.fault(e, err.Error())
		return nil
	}
	return credential.Secret(secret).Digest()
}

func (r *fileReader) audiences(e entry) []string {
	audiences := r.texts(e, audience)
	for i, uri := range audiences {
		audiences[i] = authorization.NormalResource(uri)
	}
	return audiences
}

func isScopeText(text string) bool {
	return isName(text) && utf8.RuneCountInString(text) <= maxScopeText
}

func isName(text string) bool { return text != "" && isPrintable(text) }

// isDigest refuses the digest of nothing, which is what a mistyped command leaves.
func isDigest(text string) bool {
	digest, err := hex.DecodeString(text)
	nothing := credential.Secret("").Digest()
	return err == nil && len(digest) == len(nothing) && string(digest) != string(nothing)
}
