// Package credential mints, digests, verifies and redacts the secrets that the
// service hands out. Every secret carries 256 random bits, so a plain SHA-256
// digest is all that needs to be stored of it.
package credential

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"
)

// Kind is the prefix by which people and leak scanners recognise a secret.
type Kind string

// The kinds of secret.
const (
	ClientSecret            Kind = "rgs_"
	RegistrationAccessToken Kind = "rgr_"
	InitialAccessToken      Kind = "rgi_"
	AuthorizationCode       Kind = "rgc_"
	RefreshToken            Kind = "rgf_"
	// Session is what a browser holds of a login.
	Session Kind = "rgn_"
	// LoginState goes to the upstream provider and back (OpenID Connect Core 1.0 §3.1.2.1).
	LoginState Kind = "rgl_"
	// Browser ties a login to the browser that began it.
	Browser Kind = "rgb_"
)

// alphabet is safe in a URL, a form, a header and a shell, and has no letters
// that people mistake for digits (Crockford's base 32).
var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const (
	entropyBytes = 32
	redacted     = "[redacted]"
)

var (
	entropyLen  = alphabet.EncodedLen(entropyBytes)
	checksumLen = alphabet.EncodedLen(crc32.Size)
)

// Secret is a secret in the clear. It prints and logs as "[redacted]"; Reveal
// gives the value to the one place that sends it to its owner.
type Secret string

// Reveal returns the secret in the clear.
func (s Secret) Reveal() string { return string(s) }

// Format writes "[redacted]" whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText writes "[redacted]": whoever encodes a structure does not mean its secrets.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue keeps the secret out of structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Mint draws 256 bits from random and returns prefix, subject, entropy and
// checksum in one word. The subject names whose secret it is, so that the owner
// is found by its key and not by a search for the digest; it may be empty.
// It fails only when random does.
func Mint(random io.Reader, kind Kind, subject string) (Secret, error) {
	var entropy [entropyBytes]byte
	if _, err := io.ReadFull(random, entropy[:]); err != nil {
		return "", fmt.Errorf("draw a secret: %w", err)
	}
	body := string(kind) + subject + alphabet.EncodeToString(entropy[:])
	return Secret(body + checksum(body)), nil
}

// Subject returns the subject that a well-formed secret of this kind embeds, and
// whether it is well formed. It says nothing about validity: that takes the digest.
func Subject(kind Kind, s Secret) (string, bool) {
	text := s.Reveal()
	end := len(text) - checksumLen
	if !strings.HasPrefix(text, string(kind)) || end-entropyLen < len(kind) || checksum(text[:end]) != text[end:] {
		return "", false
	}
	return text[len(kind) : end-entropyLen], true
}

func checksum(body string) string {
	var sum [crc32.Size]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(body)))
	return alphabet.EncodeToString(sum[:])
}

// Digest is the SHA-256 digest of a secret: what the store holds. The nil digest
// belongs to no secret.
type Digest []byte

// Digest returns what is stored of the secret.
func (s Secret) Digest() Digest {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// Verifies reports whether the secret is the one that the digest was made of, in
// time that does not depend on where they differ.
func (d Digest) Verifies(s Secret) bool {
	return subtle.ConstantTimeCompare(d, s.Digest()) == 1
}
