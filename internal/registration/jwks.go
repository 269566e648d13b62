package registration

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

// MaxKeys is how many keys a jwks may have: verifying a signature can mean trying
// each of them.
const MaxKeys = 32

// The sizes of RSA keys that can be registered, in bits.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// go-jose parses no RSA key above its own limit of 4096 bits, here and where
// signatures are verified.
func init() { jose.MaxRSAModulusBits = maxRSABits }

// privateMembers are the members of private and symmetric keys (RFC 7518 §6.2.2,
// §6.3.2, §6.4; RFC 8037 §2; priv of RFC 9964).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// setJWKS registers the client's public keys (RFC 7517 §5), byte for byte.
func setJWKS(_ tenant.Policy, m *Metadata) error {
	if len(m.JWKS) == 0 {
		m.JWKS = nil
		return nil
	}
	keys, reason := parseKeySet(m.JWKS)
	if reason != "" {
		return invalidMetadata("jwks", reason)
	}
	for i, key := range keys {
		if reason := keyFault(key); reason != "" {
			return invalidMetadata(element("jwks.keys", i), reason)
		}
	}
	m.JWKS = bytes.Clone(m.JWKS)
	return nil
}

// ReadKeys returns the keys of a set that can verify signatures, or why it is no set of
// public keys. Others are passed over, as a set may hold some for other uses (RFC 7517 §5).
func ReadKeys(raw []byte) (keys []jose.JSONWebKey, reason string) {
	texts, reason := parseKeySet(raw)
	for _, text := range texts {
		var key jose.JSONWebKey
		switch fault := keyFault(text); {
		case fault == publicKeysOnly:
			return nil, fault
		case fault == "" && key.UnmarshalJSON(text) == nil:
			keys = append(keys, key)
		}
	}
	return keys, reason
}

// parseKeySet reads with the parser that will read the keys again: it tells names
// by case and refuses repeated ones. The standard library has its say because it
// is to write the text again when the client is stored.
func parseKeySet(raw []byte) (keys []josejson.RawMessage, reason string) {
	var set map[string]josejson.RawMessage
	switch {
	case !utf8.Valid(raw) || !json.Valid(raw) || josejson.Unmarshal(raw, &set) != nil:
		return nil, "must be a JSON object without repeated members"
	case hasPrivateMember(set):
		return nil, publicKeysOnly
	case josejson.Unmarshal(set["keys"], &keys) != nil || len(keys) == 0:
		return nil, "must have a non-empty array keys"
	case len(keys) > MaxKeys:
		return nil, "must have at most " + strconv.Itoa(MaxKeys) + " keys"
	}
	return keys, ""
}

const publicKeysOnly = "must hold public keys alone, without private or symmetric members"

func hasPrivateMember(members map[string]josejson.RawMessage) bool {
	return slices.ContainsFunc(privateMembers, func(name string) bool { _, ok := members[name]; return ok })
}

// keyFault returns why the key cannot be registered, or "". The errors of the
// parser are dropped, as they could repeat parts of a private key.
func keyFault(raw []byte) string {
	var members map[string]josejson.RawMessage
	if josejson.Unmarshal(raw, &members) != nil {
		return "must be an object without repeated members"
	}
	if hasPrivateMember(members) {
		return publicKeysOnly
	}
	var key jose.JSONWebKey
	if key.UnmarshalJSON(raw) != nil || !key.IsPublic() || !key.Valid() {
		return "is not a valid public key of a supported type"
	}
	if k, ok := key.Key.(*rsa.PublicKey); ok {
		return rsaFault(k)
	}
	return ""
}

// rsaFault also refuses the keys with which crypto/rsa never verifies anything.
func rsaFault(key *rsa.PublicKey) string {
	switch {
	case key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits:
		return "an RSA key must have " + strconv.Itoa(minRSABits) + " to " + strconv.Itoa(maxRSABits) + " bits"
	case key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 || key.E > math.MaxInt32:
		return "the RSA modulus or exponent is not valid"
	}
	return ""
}
