package authorization

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

const (
	challengeBytes   = 43
	minVerifierBytes = 43
	maxVerifierBytes = 128
)

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// isChallenge reports whether the text can be an S256 challenge: 32 bytes in base64url
// without padding (RFC 7636 §4.2).
func isChallenge(text string) bool {
	return len(text) == challengeBytes && strings.Trim(text, base64URL) == ""
}

// isVerifier holds to the grammar of RFC 7636 §4.1.
func isVerifier(text string) bool {
	return len(text) >= minVerifierBytes && len(text) <= maxVerifierBytes && strings.Trim(text, base64URL+".~") == ""
}

// answers reports whether the verifier is the one of the challenge, in time that does not
// depend on where they differ (RFC 7636 §4.6).
func answers(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	made := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(challenge), []byte(made)) == 1
}
