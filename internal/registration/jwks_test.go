package registration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// ecKey and edKey are the public keys of RFC 7517 §A.1 and RFC 8037 §A.2.
const (
	ecKey = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}`
	edKey = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
)

// rsaKey is a key of that many bits with whose like no factors are known here.
func rsaKey(bits uint, exponent int64, modulusPlus int64) string {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	n.Add(n, big.NewInt(modulusPlus))
	text := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"kty":"RSA","n":"%s","e":"%s"}`, text(n.Bytes()), text(big.NewInt(exponent).Bytes()))
}

func keySet(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func withJWKS(set string) Metadata {
	return minimal(func(m *Metadata) { m.JWKS = json.RawMessage(set) })
}

func TestJWKSRegisteredAsSent(t *testing.T) {
	cases := []struct{ name, set string }{
		{"EC", keySet(ecKey)},
		{"Ed25519", keySet(edKey)},
		{"RSA of 2048 bits", keySet(rsaKey(2048, 65537, 1))},
		{"RSA of 8192 bits", keySet(rsaKey(8192, 3, 1))},
		{"several, blanks and other members", "{ \"keys\" :\n[" + ecKey + " , " + edKey + `], "x": null, "KEYS": 1}`},
		{"unknown member of a key", keySet(strings.Replace(edKey, "{", `{"ext":true,"D":1,"key_ops":["verify"],`, 1))},
		{"as many as allowed", keySet(slices.Repeat([]string{edKey}, MaxKeys)...)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := withJWKS(c.set)
			registered, _ := mustRegister(t, rulesPolicy(), asked)
			if string(registered.JWKS) != c.set {
				t.Errorf("got %s, want %s", registered.JWKS, c.set)
			}
			asked.TokenEndpointAuthMethod = oauth.AuthPrivateKeyJWT
			mustRegister(t, rulesPolicy(), asked)
		})
	}
}

func TestJWKSRefused(t *testing.T) {
	const set, key = "jwks", "jwks.keys[0]"
	with := func(member string) string { return keySet(strings.Replace(ecKey, "{", "{"+member+",", 1)) }
	cases := []struct{ name, set, member string }{
		{"array", `[]`, set},
		{"null", `null`, set},
		{"string", `"x"`, set},
		{"number", `1`, set},
		{"broken", `{"keys":[`, set},
		{"trailing data", keySet(edKey) + "x", set},
		{"not UTF-8", keySet(strings.Replace(edKey, "{", "{\"kid\":\"\xff\",", 1)), set},
		{"no keys", `{}`, set},
		{"keys in capitals", `{"KEYS":[` + edKey + `]}`, set},
		{"keys null", `{"keys":null}`, set},
		{"keys empty", `{"keys":[]}`, set},
		{"keys an object", `{"keys":{}}`, set},
		{"keys twice", `{"keys":[` + edKey + `],"keys":[` + edKey + `]}`, set},
		{"too many", keySet(slices.Repeat([]string{edKey}, MaxKeys+1)...), set},
		{"nested beyond reading", `{"keys":[` + edKey + `],"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, set},

		{"key empty", keySet(`{}`), key},
		{"key null", keySet(`null`), key},
		{"key a string", keySet(`"x"`), key},
		{"key an array", keySet(`[]`), key},
		{"second key bad", keySet(edKey, `{}`), "jwks.keys[1]"},
		{"member twice", with(`"kty":"EC"`), key},
		{"unknown type", keySet(`{"kty":"XX"}`), key},
		{"type in lower case", keySet(strings.Replace(ecKey, `"EC"`, `"ec"`, 1)), key},
		{"type a number", keySet(`{"kty":1}`), key},
		{"unknown curve", keySet(strings.Replace(ecKey, "P-256", "P-255", 1)), key},
		{"point not on the curve", keySet(strings.Replace(ecKey, "MKBC", "MKBD", 1)), key},
		{"coordinate missing", keySet(`{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}`), key},
		{"X25519", keySet(strings.Replace(edKey, "Ed25519", "X25519", 1)), key},
		{"Ed25519 too short", keySet(`{"kty":"OKP","crv":"Ed25519","x":"11qY"}`), key},
		{"bad certificate chain", with(`"x5c":["AAAA"]`), key},
		{"symmetric", keySet(`{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}`), key},
		{"symmetric without k", keySet(`{"kty":"oct"}`), key},
		{"RSA of 2047 bits", keySet(rsaKey(2047, 65537, 1)), key},
		{"RSA of 8193 bits", keySet(rsaKey(8193, 65537, 1)), key},
		{"RSA even modulus", keySet(rsaKey(2048, 65537, 2)), key},
		{"RSA even exponent", keySet(rsaKey(2048, 65536, 1)), key},
		{"RSA exponent 1", keySet(rsaKey(2048, 1, 1)), key},
		{"RSA exponent too large", keySet(rsaKey(2048, 1<<31+1, 1)), key},
		{"RSA without n", keySet(`{"kty":"RSA","e":"AQAB"}`), key},
	}
	for _, member := range privateMembers {
		cases = append(cases,
			struct{ name, set, member string }{"private member " + member, with(`"` + member + `":"AQAB"`), key},
			struct{ name, set, member string }{"private member null " + member, with(`"` + member + `":null`), key},
			struct{ name, set, member string }{"private member escaped " + member, with(fmt.Sprintf(`"\u%04x%s":"AQAB"`, member[0], member[1:])), key},
		)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			mustRefuse(t, rulesPolicy(), withJWKS(c.set), oauth.InvalidClientMetadata, c.member)
		})
	}
}

func TestJWKSURIWithPrivateKeyJWT(t *testing.T) {
	asked := minimal(set("jwks_uri", "https://c.example/jwks"), func(m *Metadata) { m.TokenEndpointAuthMethod = oauth.AuthPrivateKeyJWT })
	registered, defaulted := mustRegister(t, rulesPolicy(), asked)
	if defaulted || registered.JWKSURI != asked.JWKSURI || registered.TokenEndpointAuthMethod != oauth.AuthPrivateKeyJWT {
		t.Errorf("got %+v, defaulted %v", registered, defaulted)
	}
}
