package registration

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func FuzzRedirectURI(f *testing.F) {
	for _, c := range acceptedRedirectURIs {
		f.Add(c.uri)
	}
	for _, c := range refusedRedirectURIs {
		f.Add(c.uri)
	}
	f.Fuzz(func(t *testing.T, text string) {
		asked := Metadata{RedirectURIs: []string{text}}
		if redirectURIFault(rulesPolicy(), text) != "" {
			mustRefuse(t, rulesPolicy(), asked, oauth.InvalidRedirectURI, "redirect_uris[0]")
			return
		}
		registered, _ := mustRegister(t, rulesPolicy(), asked)
		if !slices.Equal(registered.RedirectURIs, asked.RedirectURIs) {
			t.Errorf("registered %q", registered.RedirectURIs)
		}
		checkAcceptedText(t, text)
		checkAsParsed(t, text)
	})
}

var acceptedBytes = regexp.MustCompile(`^[!$%&'()+,\-./0-9:;=?@A-Z\[\]_a-z~]+$`)

func checkAcceptedText(t *testing.T, text string) {
	t.Helper()
	if len(text) > MaxRedirectURIBytes || !acceptedBytes.MatchString(text) {
		t.Errorf("accepted %q", text)
	}
}

// checkAsParsed compares what was accepted with what the standard library sees.
func checkAsParsed(t *testing.T, text string) {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatalf("accepted %q: %v", text, err)
	}
	u := cutURI(text)
	if parsed.User != nil || parsed.Fragment != "" || parsed.Opaque != "" || parsed.Scheme != u.scheme || parsed.Host != u.authority {
		t.Errorf("accepted %q: scheme %q and authority %q, parsed as %#v", text, u.scheme, u.authority, parsed)
	}
	for segment := range strings.SplitSeq(parsed.Path, "/") {
		if segment == "." || segment == ".." {
			t.Errorf("accepted %q with a dot segment", text)
		}
	}
	if !hostFitsScheme(parsed) {
		t.Errorf("accepted %q", text)
	}
}

func hostFitsScheme(parsed *url.URL) bool {
	host := parsed.Hostname()
	switch parsed.Scheme {
	case "https":
		return host != ""
	case "http":
		addr, err := netip.ParseAddr(host)
		return host == "localhost" || err == nil && addr.IsLoopback() && addr.String() == host
	}
	return strings.Contains(parsed.Scheme, ".") || slices.Contains(rulesPolicy().CustomSchemes, parsed.Scheme)
}

// scopeGrammar is the ABNF of RFC 6749 §3.3.
var scopeGrammar = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$`)

func FuzzScope(f *testing.F) {
	for _, seed := range []string{"", " ", "openid", "email openid email", "admin", "openid  email", " openid", `openid "`, `\`, "é", "\x00", "openid\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		asked := minimal(func(m *Metadata) { m.Scope = scope })
		if scope != "" && !scopeGrammar.MatchString(scope) {
			mustRefuse(t, rulesPolicy(), asked, oauth.InvalidClientMetadata, "scope")
			mustRefuse(t, rulesPolicy(rejectScopes), asked, oauth.InvalidClientMetadata, "scope")
			return
		}
		registered, _ := mustRegister(t, rulesPolicy(), asked)
		if want := narrowed(scope); registered.Scope != want {
			t.Errorf("%q registered as %q, want %q", scope, registered.Scope, want)
		}
		notAllowed := func(token string) bool { return !slices.Contains(rulesPolicy().Scopes, token) }
		if scope != "" && slices.ContainsFunc(strings.Split(scope, " "), notAllowed) {
			mustRefuse(t, rulesPolicy(rejectScopes), asked, oauth.InvalidClientMetadata, "scope")
			return
		}
		mustRegister(t, rulesPolicy(rejectScopes), asked)
	})
}

// narrowed says slowly what the rule says.
func narrowed(scope string) string {
	policy, want := rulesPolicy(), []string{}
	for _, token := range strings.Split(scope, " ") {
		if slices.Contains(policy.Scopes, token) && !slices.Contains(want, token) {
			want = append(want, token)
		}
	}
	if len(want) == 0 {
		want = policy.DefaultScopes
	}
	return strings.Join(want, " ")
}

// FuzzMetadata takes the members apart, so that the fuzzer need not find JSON first.
func FuzzMetadata(f *testing.F) {
	f.Add("https://c.example/cb", "refresh_token", "code", "openid", "none", "web", "A", "client_name#ja", "https://c.example/", "a@b.c", "")
	f.Add("http://localhost/cb", "urn:x:y", "code", "email admin", "client_secret_post", "native", "é", "tos_uri#de-CH-1901", "https://[::1]:8443/a?b#c", "", keySet(ecKey))
	f.Add("com.example.app:/cb", "implicit", "token", "a  b", "private_key_jwt", "", "", "client_name#en-a-bb-x-c", "", "\u202e", keySet(edKey, rsaKey(2048, 65537, 1)))
	f.Add("", "", "", "", "", "", "", "", "", "", `{"keys":[{"kty":"oct","k":"AA"}]}`)
	policies := []tenant.Policy{rulesPolicy(), rulesPolicy(strictType, rejectScopes, secretsOnly)}
	f.Fuzz(func(t *testing.T, redirect, grant, response, scope, method, kind, name, localized, uri, contact, jwks string) {
		asked := Metadata{
			RedirectURIs: []string{"https://c.example/", redirect}, GrantTypes: []string{oauth.GrantAuthorizationCode, grant},
			ResponseTypes: []string{response}, Scope: scope, TokenEndpointAuthMethod: oauth.AuthMethod(method),
			ApplicationType: oauth.ApplicationType(kind), ClientName: name, ClientURI: uri, Contacts: []string{contact},
			Localized: map[string]string{localized: name, "logo_uri#" + name: uri, "client_name#JA": name}, JWKS: json.RawMessage(jwks),
		}
		for _, policy := range policies {
			if _, _, err := applyRules(policy, asked); err != nil {
				checkCode(t, sendableError(t, err))
				continue
			}
			registered, _ := mustRegister(t, policy, asked)
			checkComplete(t, policy, registered)
			checkReadsBack(t, registered)
		}
	})
}

func checkCode(t *testing.T, refusal *oauth.Error) {
	t.Helper()
	aboutRedirects := strings.HasPrefix(refusal.Description, "redirect_uris")
	if aboutRedirects != (refusal.Code == oauth.InvalidRedirectURI) || !aboutRedirects && refusal.Code != oauth.InvalidClientMetadata {
		t.Errorf("code %s with %q", refusal.Code, refusal.Description)
	}
}

// checkComplete checks that nothing is left to be defaulted and nothing is beyond policy.
func checkComplete(t *testing.T, policy tenant.Policy, m Metadata) {
	t.Helper()
	if len(m.RedirectURIs) == 0 || len(m.RedirectURIs) > MaxRedirectURIs || !slices.Contains(m.GrantTypes, oauth.GrantAuthorizationCode) ||
		!slices.Equal(m.ResponseTypes, []string{"code"}) || m.Scope == "" || m.ApplicationType == "" ||
		!slices.Contains(policy.AuthMethods, m.TokenEndpointAuthMethod) {
		t.Errorf("registered %+v", m)
	}
}

// checkReadsBack checks that what is registered survives the form in which it is
// stored; of jwks, the JSON value does.
func checkReadsBack(t *testing.T, registered Metadata) {
	t.Helper()
	stored, err := json.Marshal(registered)
	if err != nil {
		t.Fatalf("store %+v: %v", registered, err)
	}
	var read Metadata
	if err := json.Unmarshal(stored, &read); err != nil {
		t.Fatalf("read %s: %v", stored, err)
	}
	if !reflect.DeepEqual(jsonValue(t, read.JWKS), jsonValue(t, registered.JWKS)) {
		t.Errorf("jwks %s read back as %s", registered.JWKS, read.JWKS)
	}
	read.JWKS = registered.JWKS
	if !reflect.DeepEqual(read, registered) {
		t.Errorf("%+v read back as %+v", registered, read)
	}
}

func jsonValue(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	if raw == nil {
		return nil
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("jwks %q: %v", raw, err)
	}
	return value
}
