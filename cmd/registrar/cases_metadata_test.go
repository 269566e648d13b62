package main

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// Public keys: a modulus of 2048 bits that is nobody's, and the keys of RFC 7517
// appendix A.1 and RFC 8037 appendix A.2.
var (
	rsaKey = object{"kty": "RSA", "use": "sig", "kid": "1", "alg": "RS256", "e": "AQAB", "n": modulus(256)}
	ecKey  = object{"kty": "EC", "crv": "P-256", "kid": "2", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}
	okpKey = object{"kty": "OKP", "crv": "Ed25519", "kid": "3", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPJHURo"}
)

func modulus(size int) string {
	return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xd5}, size))
}

func keySet(keys ...any) object { return object{"keys": keys} }

func TestMetadata(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		accept(t, s, metadataAccepted)
		refuse(t, s, metadataRefused)
		refuse(t, s, uriMembersRefused())
		refuse(t, s, keysRefused)
	})
}

var metadataAccepted = []acceptedCase{
	{name: "M-02 keys of each type", sent: object{"token_endpoint_auth_method": "private_key_jwt", "jwks": keySet(rsaKey, ecKey, okpKey)}},
	{name: "M-02 keys that the method does not need", sent: object{"jwks": keySet(ecKey)}},
	{name: "M-03 members of a key that nobody knows", sent: object{"jwks": object{"keys": []any{with(ecKey, object{"x_note": []any{1.5, "a", true, object{}}})}, "x_set": "b"}}},
	{name: "M-05 name of 200 letters", sent: object{"client_name": strings.Repeat("a", 200)}},
	{name: "M-05 name of 200 code points beyond the first plane", sent: object{"client_name": strings.Repeat("😀", 200), "client_name#ja": strings.Repeat("𠮷", 200)}},
	{name: "M-05 name in many scripts", sent: object{"client_name": "Ünï 客户端 عميل לקוח клиент e\u0301 👩‍👩‍👧 \ue000"}},
	{name: "M-10 grants repeat", sent: object{"grant_types": []string{"refresh_token", "authorization_code", "refresh_token"}}, changed: object{"grant_types": []string{"refresh_token", "authorization_code"}}},
	{name: "M-10 grant that is not offered beside the code", sent: object{"grant_types": []string{"authorization_code", "urn:ietf:params:oauth:grant-type:device_code"}}, changed: object{"grant_types": []string{"authorization_code"}}},
	{name: "M-12 response type repeats", sent: object{"response_types": []string{"code", "code"}}, changed: object{"response_types": []string{"code"}}},
	{name: "M-18 scope omitted"},
	{name: "M-19 scope within the allowlist", sent: object{"scope": "profile openid"}},
	{name: "M-19 scope repeats", sent: object{"scope": "profile openid profile"}, changed: object{"scope": "profile openid"}},
	{name: "M-20 one unknown scope", sent: object{"scope": "openid admin email"}, changed: object{"scope": "openid email"}},
	{name: "M-20 scope in another letter case", sent: object{"scope": "openid EMAIL"}, changed: object{"scope": "openid"}},
	{name: "M-22 unknown scopes alone", sent: object{"scope": "admin root"}, changed: object{"scope": defaults["scope"]}},
	{name: "M-28 web on loopback", sent: object{"application_type": "web", "redirect_uris": []string{"http://localhost:3000/cb"}}, changed: object{"token_endpoint_auth_method": "none"}},
	{name: "M-29 native on https", sent: object{"application_type": "native"}},
	{name: "M-30 members whose behaviour is not offered", sent: object{
		"dpop_bound_access_tokens": true, "sector_identifier_uri": "https://c.example/s", "subject_type": "pairwise", "default_max_age": 60,
		"require_auth_time": true, "id_token_signed_response_alg": "none", "token_endpoint_auth_signing_alg": "HS256"},
		changed: object{
			"dpop_bound_access_tokens": nil, "sector_identifier_uri": nil, "subject_type": nil, "default_max_age": nil,
			"require_auth_time": nil, "id_token_signed_response_alg": nil, "token_endpoint_auth_signing_alg": nil}},
	{name: "M-31 method of a client with a loopback redirect", sent: object{"redirect_uris": []string{"https://c.example/cb", "http://127.0.0.1/cb"}}, changed: object{"token_endpoint_auth_method": "none"}},
	{name: "M-31 chosen method of a client with a loopback redirect", sent: object{"redirect_uris": []string{"http://127.0.0.1/cb"}, "token_endpoint_auth_method": "client_secret_post"}, changed: object{"application_type": "native"}},
}

var metadataRefused = []refusedCase{
	{"M-01 jwks and jwks_uri", object{"jwks": keySet(ecKey), "jwks_uri": "https://c.example/jwks.json"}, "invalid_client_metadata", "jwks"},
	{"M-02 private_key_jwt without keys", object{"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata", "private_key_jwt"},
	{"M-05 name of 201 letters", object{"client_name": strings.Repeat("a", 201)}, "invalid_client_metadata", "client_name"},
	{"M-05 name of 201 code points", object{"client_name": strings.Repeat("😀", 201)}, "invalid_client_metadata", "client_name"},
	{"M-05 name of 201 combining marks", object{"client_name": "e" + strings.Repeat("\u0301", 200)}, "invalid_client_metadata", "client_name"},
	{"M-05 localised name of 201 code points", object{"client_name#ja": strings.Repeat("𠮷", 201)}, "invalid_client_metadata", "client_name#ja"},
	{"M-05 NUL in a name", object{"client_name": "a\x00"}, "invalid_client_metadata", "client_name"},
	{"M-05 line break in a name", object{"client_name": "a\nb"}, "invalid_client_metadata", "client_name"},
	{"M-05 C1 control in a name", object{"client_name": "a\u0085"}, "invalid_client_metadata", "client_name"},
	{"M-05 override in a name", object{"client_name": "a\u202eb"}, "invalid_client_metadata", "client_name"},
	{"M-05 embedding in a name", object{"client_name": "a\u202ab"}, "invalid_client_metadata", "client_name"},
	{"M-05 isolate in a localised name", object{"client_name#he": "a\u2066b"}, "invalid_client_metadata", "client_name#he"},
	{"M-05 pop isolate in a name", object{"client_name": "a\u2069b"}, "invalid_client_metadata", "client_name"},
	{"M-05 NUL in software_id", object{"software_id": "a\x00"}, "invalid_client_metadata", "software_id"},
	{"M-05 NUL in software_version", object{"software_version": "a\x00"}, "invalid_client_metadata", "software_version"},
	{"M-05 NUL in a contact", object{"contacts": []string{"a\x00"}}, "invalid_client_metadata", "contacts[0]"},
	{"M-09 unsupported method", object{"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata", "token_endpoint_auth_method"},
	{"M-09 client_secret_jwt", object{"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata", "token_endpoint_auth_method"},
	{"M-09 method in another letter case", object{"token_endpoint_auth_method": "NONE"}, "invalid_client_metadata", "token_endpoint_auth_method"},
	{"M-10 password", object{"grant_types": []string{"password"}}, "invalid_client_metadata", "grant_types"},
	{"M-10 password beside the code", object{"grant_types": []string{"authorization_code", "password"}}, "invalid_client_metadata", "grant_types[1]"},
	{"M-10 client_credentials beside the code", object{"grant_types": []string{"authorization_code", "client_credentials"}}, "invalid_client_metadata", "grant_types[1]"},
	{"M-10 refresh_token alone", object{"grant_types": []string{"refresh_token"}}, "invalid_client_metadata", "grant_types"},
	{"M-10 device_code alone", object{"grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code"}}, "invalid_client_metadata", "grant_types"},
	{"M-10 no grant", object{"grant_types": []string{}}, "invalid_client_metadata", "grant_types"},
	{"M-10 grants as text", object{"grant_types": "authorization_code"}, "invalid_client_metadata", "grant_types"},
	{"M-11 implicit", object{"grant_types": []string{"implicit"}, "response_types": []string{"token"}}, "invalid_client_metadata", ""},
	{"M-11 implicit beside the code", object{"grant_types": []string{"authorization_code", "implicit"}}, "invalid_client_metadata", "grant_types[1]"},
	{"M-11 hybrid", object{"response_types": []string{"code id_token"}}, "invalid_client_metadata", "response_types"},
	{"M-11 token beside code", object{"response_types": []string{"code", "token"}}, "invalid_client_metadata", "response_types"},
	{"M-12 code grant without response type", object{"grant_types": []string{"authorization_code"}, "response_types": []string{}}, "invalid_client_metadata", "response_types"},
	{"M-12 response type without code grant", object{"grant_types": []string{"refresh_token"}, "response_types": []string{"code"}}, "invalid_client_metadata", "grant_types"},
	{"M-13 name of another type", object{"client_name": 123}, "invalid_client_metadata", "client_name"},
	{"M-21 quotation mark in a scope", object{"scope": `openid a"b`}, "invalid_client_metadata", "scope"},
	{"M-21 backslash in a scope", object{"scope": `a\b`}, "invalid_client_metadata", "scope"},
	{"M-21 two blanks in a scope", object{"scope": "openid  email"}, "invalid_client_metadata", "scope"},
	{"M-21 blank before a scope", object{"scope": " openid"}, "invalid_client_metadata", "scope"},
	{"M-21 tab in a scope", object{"scope": "openid\temail"}, "invalid_client_metadata", "scope"},
	{"M-21 scope beyond ASCII", object{"scope": "openid é"}, "invalid_client_metadata", "scope"},
	{"M-21 scopes as a list", object{"scope": []string{"openid"}}, "invalid_client_metadata", "scope"},
	{"M-27 desktop", object{"application_type": "desktop"}, "invalid_client_metadata", "application_type"},
	{"M-27 type in another letter case", object{"application_type": "Web"}, "invalid_client_metadata", "application_type"},
}

var keysRefused = []refusedCase{
	{"M-04 key without members", object{"jwks": keySet(object{})}, "invalid_client_metadata", "jwks"},
	{"M-04 array", object{"jwks": []any{}}, "invalid_client_metadata", "jwks"},
	{"M-04 array of keys", object{"jwks": []any{ecKey}}, "invalid_client_metadata", "jwks"},
	{"M-04 text", object{"jwks": `{"keys":[]}`}, "invalid_client_metadata", "jwks"},
	{"M-04 empty object", object{"jwks": object{}}, "invalid_client_metadata", "jwks"},
	{"M-04 no keys", object{"jwks": keySet()}, "invalid_client_metadata", "jwks"},
	{"M-04 keys as an object", object{"jwks": object{"keys": ecKey}}, "invalid_client_metadata", "jwks"},
	{"M-04 keys that are null", object{"jwks": object{"keys": nil}}, "invalid_client_metadata", "jwks"},
	{"M-04 null among the keys", object{"jwks": keySet(ecKey, nil)}, "invalid_client_metadata", "jwks"},
	{"M-04 key as text", object{"jwks": keySet("x")}, "invalid_client_metadata", "jwks"},
	{"M-04 unknown type", object{"jwks": keySet(with(ecKey, object{"kty": "XY"}))}, "invalid_client_metadata", "jwks"},
	{"M-04 point off the curve", object{"jwks": keySet(with(ecKey, object{"x": ecKey["y"]}))}, "invalid_client_metadata", "jwks"},
	{"M-04 private RSA key", object{"jwks": keySet(with(rsaKey, object{"d": modulus(256)}))}, "invalid_client_metadata", "jwks"},
	{"M-04 prime factor of an RSA key", object{"jwks": keySet(with(rsaKey, object{"p": modulus(128)}))}, "invalid_client_metadata", "jwks"},
	{"M-04 private EC key", object{"jwks": keySet(with(ecKey, object{"d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}))}, "invalid_client_metadata", "jwks"},
	{"M-04 private key behind a public one", object{"jwks": keySet(ecKey, with(okpKey, object{"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}))}, "invalid_client_metadata", "jwks"},
	{"M-04 symmetric key", object{"jwks": keySet(object{"kty": "oct", "k": modulus(32)})}, "invalid_client_metadata", "jwks"},
	{"M-04 RSA key of 1024 bits", object{"jwks": keySet(with(rsaKey, object{"n": modulus(128)}))}, "invalid_client_metadata", "jwks"},
}

// uriMembersRefused are the members that hold an address, with what is none or is unsafe.
func uriMembersRefused() []refusedCase {
	bad := map[string]string{
		"script":           "javascript:alert(1)",
		"data":             "data:text/html,x",
		"file":             "file:///etc/passwd",
		"http":             "http://c.example/",
		"relative":         "/logo.png",
		"without scheme":   "c.example/logo.png",
		"without protocol": "//c.example/logo.png",
		"opaque":           "https:logo.png",
		"without host":     "https:///logo.png",
		"user information": "https://u:p@c.example/",
		"blank":            "https://c.example/a b",
		"line break":       "https://c.example/\n",
		"backslash":        `https://c.example\x`,
		"bad port":         "https://c.example:99999/",
	}
	var cases []refusedCase
	for _, member := range []string{"client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "client_uri#fr", "logo_uri#fr", "tos_uri#fr", "policy_uri#fr"} {
		for name, uri := range bad {
			cases = append(cases, refusedCase{"M-14 " + member + " " + name, object{member: uri}, "invalid_client_metadata", member})
		}
	}
	return cases
}

func TestMetadataPolicies(t *testing.T) {
	policies := []struct {
		name     string
		settings map[string]string
		accepted []acceptedCase
		refused  []refusedCase
	}{
		{
			"M-20 scopes beyond the allowlist are refused",
			map[string]string{"REGISTRAR_SCOPE_OVERFLOW": "reject"},
			[]acceptedCase{{name: "within", sent: object{"scope": "email"}}},
			[]refusedCase{{"beyond", object{"scope": "openid admin"}, "invalid_client_metadata", "admin"}},
		},
		{
			"M-18 other scopes, other defaults",
			map[string]string{"REGISTRAR_SCOPES": "read write admin", "REGISTRAR_DEFAULT_SCOPES": "write read"},
			[]acceptedCase{
				{name: "omitted", changed: object{"scope": "write read"}},
				{name: "nothing left", sent: object{"scope": "openid"}, changed: object{"scope": "write read"}},
				{name: "not among the defaults", sent: object{"scope": "admin"}},
			},
			nil,
		},
		{
			"M-09 fewer methods",
			map[string]string{"REGISTRAR_AUTH_METHODS": "none private_key_jwt", "REGISTRAR_DEFAULT_AUTH_METHOD": "none"},
			[]acceptedCase{{name: "omitted", changed: object{"token_endpoint_auth_method": "none"}}},
			[]refusedCase{
				{"basic", object{"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata", "token_endpoint_auth_method"},
				{"post", object{"token_endpoint_auth_method": "client_secret_post"}, "invalid_client_metadata", "token_endpoint_auth_method"},
			},
		},
		{
			"M-09 another default method",
			map[string]string{"REGISTRAR_DEFAULT_AUTH_METHOD": "client_secret_post"},
			[]acceptedCase{
				{name: "web", changed: object{"token_endpoint_auth_method": "client_secret_post"}},
				{name: "native", sent: object{"redirect_uris": []string{"http://localhost/cb"}}, changed: native},
			},
			nil,
		},
		{
			"M-09 native clients where public ones are not allowed",
			map[string]string{"REGISTRAR_AUTH_METHODS": "client_secret_basic"},
			[]acceptedCase{{name: "omitted", sent: object{"redirect_uris": []string{"http://localhost/cb"}}, changed: object{"application_type": "native"}}},
			[]refusedCase{{"none", object{"token_endpoint_auth_method": "none"}, "invalid_client_metadata", "token_endpoint_auth_method"}},
		},
	}
	for _, p := range policies {
		t.Run(p.name, func(t *testing.T) {
			s := startServer(t, p.settings)
			accept(t, s, p.accepted)
			refuse(t, s, p.refused)
		})
	}
}
