package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// rsaBits is the least that RFC 7518 §3.3 allows: larger keys sign several times slower.
const rsaBits = 2048

// algorithms are those that every tenant has keys for.
var algorithms = []oauth.Algorithm{oauth.ES256, oauth.RS256}

// generators draw from the secure source of the standard library, which takes no other.
var generators = map[oauth.Algorithm]func() (crypto.Signer, error){
	oauth.ES256: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	oauth.RS256: func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) },
}

// key is an opened key.
type key struct {
	stored *SealedKey
	// private and public carry the kid.
	private, public jose.JSONWebKey
	// members are those of public (RFC 7517 §4).
	members map[string]any
	// until is when nothing that the key signed is valid any longer; zero while no
	// newer key of the algorithm exists.
	until time.Time
}

// newJWK describes a signing key, private or public (RFC 7517 §4).
func newJWK(algorithm oauth.Algorithm, id string, material any) jose.JSONWebKey {
	return jose.JSONWebKey{Key: material, KeyID: id, Algorithm: string(algorithm), Use: "sig"}
}

// keyID is the thumbprint of the public key (RFC 7638 §3).
func keyID(public crypto.PublicKey) (string, error) {
	jwk := jose.JSONWebKey{Key: public}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

const sealPurpose = "signing key"

// sealContext ties the sealed key to its row.
func (k *SealedKey) sealContext() string {
	return fmt.Sprintf("%q %s %d %s", k.Tenant, k.Algorithm, k.Generation, k.KeyID)
}

// sealNew generates the private key of the row, and fills in KeyID and Sealed.
func sealNew(sealer *Sealer, k *SealedKey) error {
	private, err := generators[k.Algorithm]()
	if err != nil {
		return fmt.Errorf("generate an %s key: %w", k.Algorithm, err)
	}
	return seal(sealer, k, private)
}

func seal(sealer *Sealer, k *SealedKey, private crypto.Signer) error {
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("encode an %s key: %w", k.Algorithm, err)
	}
	if k.KeyID, err = keyID(private.Public()); err != nil {
		return fmt.Errorf("name an %s key: %w", k.Algorithm, err)
	}
	k.Sealed, err = sealer.Seal(sealPurpose, k.sealContext(), encoded)
	return err
}

func open(sealer *Sealer, k *SealedKey) (*key, error) {
	encoded, err := sealer.Open(sealPurpose, k.sealContext(), k.Sealed)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(encoded)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T does not sign", parsed)
	}
	opened := &key{
		stored:  k,
		private: newJWK(k.Algorithm, k.KeyID, private),
		public:  newJWK(k.Algorithm, k.KeyID, private.Public()),
	}
	opened.members, err = members(opened.public)
	return opened, err
}

func members(jwk jose.JSONWebKey) (map[string]any, error) {
	encoded, err := jwk.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var m map[string]any
	err = json.Unmarshal(encoded, &m)
	return m, err
}
