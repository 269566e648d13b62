package signing

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

func TestSignWritesTheHeader(t *testing.T) {
	keys, _, _ := newPrepared(t)
	for i, members := range mustPublic(t, keys) {
		header, payload, _ := cutToken(t, mustSign(t, keys, algorithms[i]))
		want := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, algorithms[i], members["kid"])
		if header != want || payload != `{"sub":"u_1"}` {
			t.Errorf("header %s, want %s; payload %s", header, want, payload)
		}
	}
}

func TestSignFails(t *testing.T) {
	keys, _, _ := newPrepared(t)
	cases := map[string]struct {
		tenant    string
		algorithm oauth.Algorithm
		claims    any
	}{
		"tenant without keys":      {"other", oauth.ES256, nil},
		"algorithm without keys":   {acme, "PS256", nil},
		"claims without JSON form": {acme, oauth.ES256, math.Inf(1)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if token, err := keys.Sign(t.Context(), c.tenant, c.algorithm, "at+jwt", c.claims); err == nil {
				t.Errorf("got %s", token)
			}
		})
	}
}

func TestVerifyComparesTypes(t *testing.T) {
	keys, _, _ := newPrepared(t)
	cases := []struct {
		name, signed, want string
		ok                 bool
	}{
		{"the same", "at+jwt", "at+jwt", true},
		{"in capitals", "AT+JWT", "at+jwt", true},
		{"expected in capitals", "at+jwt", "AT+JWT", true},
		{"in full", "application/at+jwt", "at+jwt", true},
		{"in full capitals", "Application/AT+JWT", "at+jwt", true},
		{"expected in full", "at+jwt", "application/at+jwt", true},
		{"an ID token", "JWT", "at+jwt", false},
		{"an access token", "at+jwt", "JWT", false},
		{"longer", "at+jwt2", "at+jwt", false},
		{"shorter", "at+jw", "at+jwt", false},
		{"empty", "", "at+jwt", false},
		{"another kind", "text/at+jwt", "at+jwt", false},
		{"in full twice", "application/application/at+jwt", "at+jwt", false},
		{"blank behind", "at+jwt ", "at+jwt", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			token, err := keys.Sign(t.Context(), acme, oauth.ES256, c.signed, struct{}{})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok, err := keys.Verify(t.Context(), acme, c.want, token); ok != c.ok || err != nil {
				t.Errorf("Verify = %v, %v", ok, err)
			}
		})
	}
}

var encode = base64.RawURLEncoding.EncodeToString

// cutToken returns header and payload as text, and the signature.
func cutToken(t testing.TB, token string) (header, payload string, signature []byte) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			t.Fatal(err)
		}
	}
	return string(decoded[0]), string(decoded[1]), decoded[2]
}

// forge signs any header as a holder of the private key could.
func forge(t testing.TB, private *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// forgeHMAC signs with HS256 and the secret.
func forgeHMAC(header, payload string, secret []byte) string {
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + encode(mac.Sum(nil))
}

// forgeRS signs with another algorithm of RSA keys.
func forgeRS(t testing.TB, k *key, algorithm jose.SignatureAlgorithm, payload string) string {
	t.Helper()
	private := k.private
	private.Algorithm = ""
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: private}, new(jose.SignerOptions).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// flattened is the token in the flattened JSON serialization (RFC 7515 §7.2.2).
func flattened(token string) string {
	parts := strings.Split(token, ".")
	return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2])
}

// general is the token in the general JSON serialization (RFC 7515 §7.2.1).
func general(token string) string {
	parts := strings.Split(token, ".")
	return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, parts[1], parts[0], parts[2])
}

type forgery struct{ name, token string }

const (
	adminClaims = `{"sub":"admin"}`
	plainClaims = `{"sub":"u_1"}`
)

// forgeries are tokens that must not verify as at+jwt. Those of ec are signed by the key itself.
func forgeries(t testing.TB, ec *key, good string) []forgery {
	t.Helper()
	private, public := ec.private.Key.(*ecdsa.PrivateKey), ec.public.Key
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strangerJWK, errJWK := (&jose.JSONWebKey{Key: stranger.Public(), KeyID: ec.stored.KeyID}).MarshalJSON()
	publicJWK, errPublic := ec.public.MarshalJSON()
	der, errDER := x509.MarshalPKIXPublicKey(public)
	if errJWK != nil || errPublic != nil || errDER != nil {
		t.Fatal(errJWK, errPublic, errDER)
	}
	kid := ec.stored.KeyID
	header := func(format string, a ...any) string {
		return fmt.Sprintf(`{"kid":%q,`, kid) + fmt.Sprintf(format, a...) + "}"
	}
	ours := header(`"alg":"ES256","typ":"at+jwt"`)
	own := func(header string) string { return forge(t, private, header, plainClaims) }
	parts := strings.Split(good, ".")
	text, _, signature := cutToken(t, good)
	return []forgery{
		{"alg none, without signature", encode([]byte(header(`"alg":"none","typ":"at+jwt"`))) + "." + parts[1] + "."},
		{"alg none, with the signature", encode([]byte(header(`"alg":"none","typ":"at+jwt"`))) + "." + parts[1] + "." + parts[2]},
		{"alg NONE", encode([]byte(header(`"alg":"NONE","typ":"at+jwt"`))) + "." + parts[1] + "."},
		{"no alg", own(header(`"typ":"at+jwt"`))},
		{"alg null", own(header(`"alg":null,"typ":"at+jwt"`))},
		{"HS256 with the PEM of the public key", forgeHMAC(header(`"alg":"HS256","typ":"at+jwt"`), adminClaims,
			pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))},
		{"HS256 with the DER of the public key", forgeHMAC(header(`"alg":"HS256","typ":"at+jwt"`), adminClaims, der)},
		{"HS256 with the JWK of the public key", forgeHMAC(header(`"alg":"HS256","typ":"at+jwt"`), adminClaims, publicJWK)},
		{"another algorithm than the key's", own(header(`"alg":"RS256","typ":"at+jwt"`))},
		{"another algorithm in small letters", own(header(`"alg":"es256","typ":"at+jwt"`))},

		{"another key under our kid", forge(t, stranger, ours, adminClaims)},
		{"another key that the header brings along", forge(t, stranger, header(`"alg":"ES256","typ":"at+jwt","jwk":%s`, strangerJWK), adminClaims)},
		{"another key that the header points to", forge(t, stranger, header(`"alg":"ES256","typ":"at+jwt","jku":"https://evil.example/jwks"`), adminClaims)},
		{"unknown kid", own(`{"alg":"ES256","kid":"x","typ":"at+jwt"}`)},
		{"no kid", own(`{"alg":"ES256","typ":"at+jwt"}`)},
		{"empty kid", own(`{"alg":"ES256","kid":"","typ":"at+jwt"}`)},
		{"kid that is no string", own(`{"alg":"ES256","kid":1,"typ":"at+jwt"}`)},
		{"kid with a blank", own(fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, kid+" "))},

		{"another typ", own(header(`"alg":"ES256","typ":"JWT"`))},
		{"no typ", own(header(`"alg":"ES256"`))},
		{"typ that is no string", own(header(`"alg":"ES256","typ":["at+jwt"]`))},
		{"Typ", own(header(`"alg":"ES256","Typ":"at+jwt"`))},
		{"typ twice", own(header(`"alg":"ES256","typ":"JWT","typ":"at+jwt"`))},
		{"crit that nobody knows", own(header(`"alg":"ES256","typ":"at+jwt","crit":["exp"],"exp":1`))},
		{"crit that the library knows", own(header(`"alg":"ES256","typ":"at+jwt","crit":["b64"],"b64":true`))},
		{"empty crit", own(header(`"alg":"ES256","typ":"at+jwt","crit":[]`))},
		{"crit that is no list", own(header(`"alg":"ES256","typ":"at+jwt","crit":"b64"`))},
		{"header that is a list", own("[" + ours + "]")},
		{"header that is no JSON", own("header")},
		{"two headers", own(ours + ours)},
		{"no header", own("")},

		{"other claims", parts[0] + "." + encode([]byte(adminClaims)) + "." + parts[2]},
		{"no claims", parts[0] + ".." + parts[2]},
		{"claims of the header", parts[0] + "." + parts[0] + "." + parts[2]},
		{"the header spelled otherwise", encode([]byte(text+" ")) + "." + parts[1] + "." + parts[2]},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"no third part", parts[0] + "." + parts[1]},
		{"cut signature", parts[0] + "." + parts[1] + "." + encode(signature[:63])},
		{"signature of zeroes", parts[0] + "." + parts[1] + "." + encode(make([]byte, 64))},
		{"longer signature", parts[0] + "." + parts[1] + "." + encode(append(bytes.Clone(signature), 0))},
		{"four parts", good + "." + parts[2]},
		{"five parts, as if encrypted", good + "." + parts[1] + "." + parts[2]},
		{"padded", parts[0] + "." + parts[1] + "." + parts[2] + "=="},
		{"blank in front", " " + good},
		{"line break behind", good + "\n"},
		{"line break within", parts[0] + ".\r\n" + parts[1] + "." + parts[2]},
		{"twice", good + good},
		{"flattened JSON", flattened(good)},
		{"general JSON", general(good)},
		{"longer than allowed", forge(t, private, ours, `{"sub":"`+strings.Repeat("x", MaxTokenBytes)+`"}`)},
		{"empty", ""},
		{"dots", ".."},
		{"something else", "rgr_01k9qv5w3m8zr4t6y2b0n7xdce"},
		{"NUL", "\x00"},
	}
}

// ecKey returns the key of acme that signs ES256.
func ecKey(t testing.TB, keys *Keys) *key {
	t.Helper()
	set, err := keys.current(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	return set.newest(oauth.ES256)
}

func TestVerifyRefuses(t *testing.T) {
	keys, _, _ := newPrepared(t)
	good := mustSign(t, keys, oauth.ES256)
	mustVerify(t, keys, good)
	ec := ecKey(t, keys)
	for _, f := range forgeries(t, ec, good) {
		t.Run(f.name, func(t *testing.T) { mustRefuse(t, keys, f.token) })
	}
	// What forge makes is refused for its header alone.
	mustVerify(t, keys, forge(t, ec.private.Key.(*ecdsa.PrivateKey), fmt.Sprintf(`{"kid":%q,"alg":"ES256","typ":"at+jwt"}`, ec.stored.KeyID), plainClaims))
}

func TestVerifyRefusesOtherAlgorithmsOfTheKey(t *testing.T) {
	keys, _, _ := newPrepared(t)
	set, err := keys.current(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	rsa := set.newest(oauth.RS256)
	for _, algorithm := range []jose.SignatureAlgorithm{jose.PS256, jose.RS384, jose.RS512} {
		mustRefuse(t, keys, forgeRS(t, rsa, algorithm, plainClaims))
	}
	mustVerify(t, keys, forgeRS(t, rsa, jose.RS256, plainClaims))
}

// TestVerifyLongestToken: the bound is exact.
func TestVerifyLongestToken(t *testing.T) {
	keys, _, _ := newPrepared(t)
	sign := func(length int) string {
		token, err := keys.Sign(t.Context(), acme, oauth.ES256, "at+jwt", strings.Repeat("x", length))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	longest := 5000
	for len(sign(longest+1)) <= MaxTokenBytes {
		longest++
	}
	if _, ok, err := keys.Verify(t.Context(), acme, "at+jwt", sign(longest)); !ok || err != nil {
		t.Errorf("a token of %d bytes: %v, %v", len(sign(longest)), ok, err)
	}
	mustRefuse(t, keys, sign(longest+1))
}

// TestVerifyNoticesEveryChange changes each character of a token.
func TestVerifyNoticesEveryChange(t *testing.T) {
	keys, _, _ := newPrepared(t)
	token := []byte(mustSign(t, keys, oauth.ES256))
	// The last character of a part holds bits that belong to no byte.
	for i := range len(token) - 1 {
		if token[i] == '.' || token[i+1] == '.' {
			continue
		}
		was := token[i]
		token[i] = 'A'
		if was == 'A' {
			token[i] = 'B'
		}
		mustRefuse(t, keys, string(token))
		token[i] = was
	}
	for length := range len(token) {
		mustRefuse(t, keys, string(token[:length]))
	}
}

// fuzzKeys are the same in every process, so that the tokens of the corpus verify in all.
func fuzzKeys(t testing.TB) *Keys {
	t.Helper()
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	stored := &SealedKey{Tenant: acme, Algorithm: oauth.ES256, Generation: 1, CreatedAt: start, SignsFrom: start}
	if err := seal(newSealer(t, secretKey), stored, private); err != nil {
		t.Fatal(err)
	}
	return newKeys(t, &memory{keys: []*SealedKey{stored}}, newClock())
}

func FuzzVerify(f *testing.F) {
	keys := fuzzKeys(f)
	good := mustSign(f, keys, oauth.ES256)
	f.Add(good)
	for _, forged := range forgeries(f, ecKey(f, keys), good) {
		f.Add(forged.token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		payload, ok, err := keys.Verify(t.Context(), acme, "at+jwt", token)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		// Nobody but the key itself signs: what verifies is the good token.
		header, _, _ := cutToken(t, token)
		var members map[string]string
		if err := json.Unmarshal([]byte(header), &members); err != nil || members["alg"] != "ES256" || members["typ"] != "at+jwt" {
			t.Errorf("verified the header %s, %v", header, err)
		}
		if string(payload) != plainClaims || len(token) > MaxTokenBytes {
			t.Errorf("verified %d bytes of %s", len(token), payload)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	keys, _, _ := newPrepared(b)
	claims := map[string]any{
		"iss": "https://auth.example", "sub": "u_0123456789abcdefghjkmnpqrstvwxyz0123456789abcdefghjk", "aud": "https://mcp.example/",
		"exp": start.Unix(), "iat": start.Unix(), "jti": "01k9qv5w3m8zr4t6y2b0n7xdce.0123456789abcdefghjkmnpqrs",
		"client_id": "c_01k9qv5w3m8zr4t6y2b0n7xdce", "scope": "openid profile", "auth_time": start.Unix(),
	}
	for _, algorithm := range algorithms {
		b.Run(string(algorithm), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := keys.Sign(b.Context(), acme, algorithm, "at+jwt", claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	keys, _, _ := newPrepared(b)
	for _, algorithm := range algorithms {
		token := mustSign(b, keys, algorithm)
		b.Run(string(algorithm), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := keys.Verify(b.Context(), acme, "at+jwt", token); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
