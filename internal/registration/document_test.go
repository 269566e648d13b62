package registration

import (
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

const documentURL = "https://client.example/oauth/client.json?v=1"

func TestDocumentURLFault(t *testing.T) {
	cases := []struct {
		name, url string
		sound     bool
	}{
		{"path", "https://client.example/client.json", true},
		{"query", documentURL, true},
		{"port", "https://client.example:8443/c", true},
		{"trailing slash", "https://client.example/c/", true},
		{"dots in a name", "https://client.example/a..b/.well-known/c", true},
		{"escapes", "https://client.example/a%20b", true},
		{"no path", "https://client.example", false},
		{"root", "https://client.example/", false},
		{"no path but a query", "https://client.example?a=b", false},
		{"fragment", "https://client.example/c#a", false},
		{"empty fragment", "https://client.example/c#", false},
		{"user", "https://u@client.example/c", false},
		{"user and password", "https://u:p@client.example/c", false},
		{"dot segment", "https://client.example/./c", false},
		{"dot segments", "https://client.example/a/../c", false},
		{"dot segments at the end", "https://client.example/a/..", false},
		{"encoded dot segments", "https://client.example/a/%2e%2E/c", false},
		{"half encoded", "https://client.example/a/.%2e/c", false},
		{"encoded slash", "https://client.example/a%2f..%2fc", false},
		{"backslash", `https://client.example\c`, false},
		{"blank", "https://client.example/a b", false},
		{"line feed", "https://client.example/c\n", false},
		{"not ASCII", "https://client.example/ç", false},
		{"capital scheme", "HTTPS://client.example/c", false},
		{"http", "http://client.example/c", false},
		{"no host", "https:///c", false},
		{"bad port", "https://client.example:0/c", false},
		{"broken escape", "https://client.example/%zz", false},
		{"too long", "https://client.example/" + strings.Repeat("a", MaxURIBytes), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if reason := DocumentURLFault(c.url); (reason == "") != c.sound {
				t.Errorf("reason %q", reason)
			}
		})
	}
}

// documentOf is a sound document with members set; a nil value removes one.
func documentOf(members map[string]any) map[string]any {
	document := map[string]any{"client_id": documentURL, "client_name": "Client", "redirect_uris": []any{"https://client.example/cb"}}
	maps.Copy(document, members)
	maps.DeleteFunc(document, func(_ string, value any) bool { return value == nil })
	return document
}

func encoded(tb testing.TB, value any) []byte {
	tb.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestReadDocument(t *testing.T) {
	keys := jsonValue(t, json.RawMessage(keySet(ecKey)))
	cases := []struct {
		name    string
		members map[string]any
		want    func(*Metadata)
	}{
		{"the least", nil, func(*Metadata) {}},
		{"a public client", map[string]any{"token_endpoint_auth_method": "none"}, func(*Metadata) {}},
		{"unknown members", map[string]any{"x": []any{1}, "CLIENT_SECRET": "x", "Scope": "admin"}, func(*Metadata) {}},
		{"null and empty", map[string]any{"client_uri": "", "scope": ""}, func(*Metadata) {}},
		{"everything", map[string]any{
			"client_uri": "https://client.example/", "logo_uri": "https://client.example/l.png", "tos_uri": "https://client.example/t", "policy_uri": "https://client.example/p",
			"client_name#ja": "クライアント", "contacts": []any{"a@client.example"}, "software_id": "s", "software_version": "1",
		}, func(m *Metadata) {
			m.ClientURI, m.LogoURI, m.TosURI, m.PolicyURI = "https://client.example/", "https://client.example/l.png", "https://client.example/t", "https://client.example/p"
			m.Localized, m.Contacts, m.SoftwareID, m.SoftwareVersion = map[string]string{"client_name#ja": "クライアント"}, []string{"a@client.example"}, "s", "1"
		}},
		{"keys here", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}, func(m *Metadata) {
			m.TokenEndpointAuthMethod, m.JWKS = oauth.AuthPrivateKeyJWT, encoded(t, keys)
		}},
		{"keys elsewhere", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.example/k"}, func(m *Metadata) {
			m.TokenEndpointAuthMethod, m.JWKSURI = oauth.AuthPrivateKeyJWT, "https://client.example/k"
		}},
		{"a method that is not supported", map[string]any{"token_endpoint_auth_method": "tls_client_auth"}, func(*Metadata) {}},
		{"a list", map[string]any{"token_endpoint_auth_methods_supported": []any{"tls_client_auth", "client_secret_basic", "private_key_jwt", "none"}, "jwks_uri": "https://client.example/k"}, func(m *Metadata) {
			m.TokenEndpointAuthMethod, m.JWKSURI = oauth.AuthPrivateKeyJWT, "https://client.example/k"
		}},
		{"a list in another order", map[string]any{"token_endpoint_auth_methods_supported": []any{"none", "private_key_jwt"}, "jwks_uri": "https://client.example/k"}, func(m *Metadata) { m.JWKSURI = "https://client.example/k" }},
		{"a list without keys", map[string]any{"token_endpoint_auth_methods_supported": []any{"private_key_jwt"}}, func(*Metadata) {}},
		{"a list of nothing that helps", map[string]any{"token_endpoint_auth_methods_supported": []any{"client_secret_post", 1}}, func(*Metadata) {}},
		{"a method before a list", map[string]any{"token_endpoint_auth_method": "none", "token_endpoint_auth_methods_supported": []any{"private_key_jwt"}, "jwks_uri": "https://client.example/k"}, func(m *Metadata) { m.JWKSURI = "https://client.example/k" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadDocument(rulesPolicy(), documentURL, encoded(t, documentOf(c.members)))
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := applyRules(rulesPolicy(), Metadata{ClientName: "Client", RedirectURIs: []string{"https://client.example/cb"}, TokenEndpointAuthMethod: oauth.AuthNone})
			if err != nil {
				t.Fatal(err)
			}
			if c.want(&want); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestReadDocumentRefuses(t *testing.T) {
	const m, r = oauth.InvalidClientMetadata, oauth.InvalidRedirectURI
	cases := []struct {
		name    string
		members map[string]any
		code    oauth.Code
		says    string
	}{
		{"no client_id", map[string]any{"client_id": nil}, m, "client_id: "},
		{"another client_id", map[string]any{"client_id": "https://client.example/oauth/client.json"}, m, "client_id: "},
		{"client_id of another type", map[string]any{"client_id": []any{documentURL}}, m, "client_id: "},
		{"no name", map[string]any{"client_name": nil}, m, "client_name: "},
		{"an empty name", map[string]any{"client_name": ""}, m, "client_name: "},
		{"no redirects", map[string]any{"redirect_uris": nil}, r, "redirect_uris: "},
		{"an empty list", map[string]any{"redirect_uris": []any{}}, r, "redirect_uris: "},
		{"a redirect that is no string", map[string]any{"redirect_uris": []any{"https://client.example/cb", 1}}, r, "redirect_uris: entry 1"},
		{"redirects that are no list", map[string]any{"redirect_uris": "https://client.example/cb", "client_name": 1}, r, "redirect_uris: "},
		{"a bad redirect", map[string]any{"redirect_uris": []any{"http://client.example/cb"}}, r, "redirect_uris[0]: "},
		{"a secret", map[string]any{"client_secret": "hush"}, m, "client_secret: "},
		{"when a secret ends", map[string]any{"client_secret_expires_at": 0}, m, "client_secret: "},
		{"client_secret_basic", map[string]any{"token_endpoint_auth_method": "client_secret_basic"}, m, "token_endpoint_auth_method: "},
		{"client_secret_post", map[string]any{"token_endpoint_auth_method": "client_secret_post"}, m, "token_endpoint_auth_method: "},
		{"client_secret_jwt", map[string]any{"token_endpoint_auth_method": "client_secret_jwt"}, m, "token_endpoint_auth_method: "},
		{"a key and no keys", map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, m, "token_endpoint_auth_method: "},
		{"a private key", map[string]any{"jwks": map[string]any{"keys": []any{map[string]any{"kty": "EC", "d": "hush"}}}}, m, "jwks"},
		{"a symmetric key", map[string]any{"jwks": map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "hush"}}}}, m, "jwks"},
		{"keys that are no set", map[string]any{"jwks": "hush"}, m, "jwks: "},
		{"keys twice", map[string]any{"jwks": map[string]any{"keys": []any{json.RawMessage(ecKey)}}, "jwks_uri": "https://client.example/k"}, m, "jwks: "},
		{"a text of another type", map[string]any{"client_uri": map[string]any{"a": "hush"}}, m, "client_uri: "},
		{"a translation of another type", map[string]any{"client_name#ja": []any{"hush"}}, m, "client_name: "},
		{"a tag that is none", map[string]any{"client_name#\"\x01": "hush"}, m, "client_name: "},
		{"a name that turns the text", map[string]any{"client_name": "a\u202Ehush"}, m, "client_name: "},
		{"a grant that is refused", map[string]any{"grant_types": []any{"implicit"}}, m, "grant_types[0]: "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadDocument(rulesPolicy(), documentURL, encoded(t, documentOf(c.members)))
			refusesDocument(t, err, c.code, c.says)
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("%v repeats the document", err)
			}
		})
	}
	for name, body := range map[string]string{
		"nothing": "", "no object": "[]", "broken": `{"client_name":"hush`, "twice": `{"client_name":"a","client_name":"hush"}`,
		"not UTF-8": "{\"client_name\":\"\xffhush\"}", "something behind": string(encoded(t, documentOf(nil))) + "hush",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadDocument(rulesPolicy(), documentURL, []byte(body))
			refusesDocument(t, err, m, "")
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("%v repeats the document", err)
			}
		})
	}
	t.Run("no keys here", func(t *testing.T) {
		policy := rulesPolicy()
		policy.AuthMethods = []oauth.AuthMethod{oauth.AuthNone}
		signing := map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.example/k"}
		read, err := ReadDocument(policy, documentURL, encoded(t, documentOf(signing)))
		if err != nil || read.TokenEndpointAuthMethod != oauth.AuthNone {
			t.Errorf("read %+v, %v", read, err)
		}
	})
	t.Run("no public clients here", func(t *testing.T) {
		policy := rulesPolicy()
		policy.AuthMethods = []oauth.AuthMethod{oauth.AuthPrivateKeyJWT}
		_, err := ReadDocument(policy, documentURL, encoded(t, documentOf(nil)))
		refusesDocument(t, err, m, "token_endpoint_auth_method: ")
	})
	t.Run("a redirect host that is denied", func(t *testing.T) {
		policy := rulesPolicy()
		policy.RedirectHosts.Deny = tenant.Hosts{"client.example"}
		_, err := ReadDocument(policy, documentURL, encoded(t, documentOf(nil)))
		refusesDocument(t, err, r, "redirect_uris[0]: ")
	})
}

func refusesDocument(t *testing.T, err error, code oauth.Code, says string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	refusal := sendableError(t, err)
	if refusal.Code != code || !strings.HasPrefix(refusal.Description, says) {
		t.Errorf("refused with %v, want %s that begins with %q", err, code, says)
	}
}

func TestReadKeys(t *testing.T) {
	cases := []struct {
		name, set string
		keys      int
		sound     bool
	}{
		{"one", keySet(edKey), 1, true},
		{"of a type that is not known", keySet(`{"kty":"X","x":"AA"}`, edKey), 1, true},
		{"too small", keySet(rsaKey(1024, 65537, 1), edKey), 1, true},
		{"none that is of use", keySet(`{"kty":"X"}`), 0, true},
		{"private", keySet(edKey, strings.Replace(edKey, "{", `{"d":"AA",`, 1)), 0, false},
		{"symmetric", keySet(`{"kty":"oct","k":"AA"}`), 0, false},
		{"no keys", `{"keys":[]}`, 0, false},
		{"no set", `[]`, 0, false},
		{"no JSON", `{`, 0, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			keys, reason := ReadKeys([]byte(c.set))
			if (reason == "") != c.sound || len(keys) != c.keys {
				t.Errorf("%d keys, %q", len(keys), reason)
			}
		})
	}
}

func FuzzDocumentURL(f *testing.F) {
	for _, seed := range []string{documentURL, "https://a/%2e%2e/", "https://[::1]:1/a", "https://a/.", "https://a\\b/c", "https://a@b/c#d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if DocumentURLFault(text) != "" {
			return
		}
		parsed, err := url.Parse(text)
		if err != nil || parsed.Scheme != "https" || parsed.User != nil || parsed.Fragment != "" || strings.Contains(text, "#") || parsed.Path == "" {
			t.Fatalf("accepted %q: %v", text, err)
		}
		if host := DocumentHost(text); host != strings.TrimSuffix(parsed.Host, ":"+parsed.Port()) || host == "" {
			t.Errorf("host %q of %q", host, text)
		}
		for segment := range strings.SplitSeq(strings.ReplaceAll(parsed.Path, "\\", "/"), "/") {
			if segment == "." || segment == ".." {
				t.Errorf("accepted %q", text)
			}
		}
	})
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"client_id":"` + documentURL + `","client_name":"a","redirect_uris":["http://localhost/callback"],"token_endpoint_auth_methods_supported":["none"]}`))
	f.Add([]byte(`{"client_id":"` + documentURL + `","client_name":"a","redirect_uris":["https://c.example/"],"token_endpoint_auth_method":"private_key_jwt","jwks":` + keySet(ecKey) + `}`))
	f.Add([]byte(`{"client_id":null,"client_name#ja":1,"redirect_uris":[{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		read, err := ReadDocument(rulesPolicy(), documentURL, body)
		if err != nil {
			checkCode(t, sendableError(t, err))
			return
		}
		if read.ClientName == "" || read.TokenEndpointAuthMethod.UsesSecret() {
			t.Errorf("read %+v", read)
		}
		checkComplete(t, rulesPolicy(), read)
		checkReadsBack(t, read)
		if again, _ := mustRegister(t, rulesPolicy(), read); !reflect.DeepEqual(again, read) {
			t.Errorf("read %+v, which registers as %+v", read, again)
		}
	})
}
