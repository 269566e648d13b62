package signing

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// SecretKeyBytes is the length of the secret key of a deployment.
const SecretKeyBytes = 32

// ErrSealed is something that does not open. It tells nothing of what is inside.
var ErrSealed = errors.New("sealed under another REGISTRAR_SECRET_KEY, or damaged")

// Sealer seals small secrets for the store under the secret key of the deployment:
// AES-256-GCM (NIST SP 800-38D) with a key for each purpose (RFC 5869). It is safe for
// concurrent use. Its nonces are random, so a purpose is good for 2^32 secrets.
type Sealer struct {
	key    []byte
	random io.Reader
}

// NewSealer returns a sealer under the key, which must have [SecretKeyBytes]. The source
// of randomness must be safe for concurrent use.
func NewSealer(key []byte, random io.Reader) (*Sealer, error) {
	if len(key) != SecretKeyBytes {
		return nil, fmt.Errorf("the secret key has %d bytes, it must have %d", len(key), SecretKeyBytes)
	}
	return &Sealer{key: bytes.Clone(key), random: random}, nil
}

// Format keeps the key out of whatever prints the sealer.
func (*Sealer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[sealer]") }

// Seal encrypts the secret, which can be opened only for the same purpose, a constant of
// the caller, and in the same context, which tells whose secret it is. It fails only when
// the source of randomness does.
func (s *Sealer) Seal(purpose, context string, plain []byte) ([]byte, error) {
	aead, err := s.cipher(purpose)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return aead.Seal(nonce, nonce, plain, []byte(context)), nil
}

// Open returns what was sealed, or [ErrSealed].
func (s *Sealer) Open(purpose, context string, sealed []byte) ([]byte, error) {
	aead, err := s.cipher(purpose)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, ErrSealed
	}
	nonce, text := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, text, []byte(context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func (s *Sealer) cipher(purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.key, nil, "registrar: "+purpose, SecretKeyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
