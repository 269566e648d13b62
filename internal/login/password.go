package login

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
)

// MaxPasswordBytes is how long a password may be.
const MaxPasswordBytes = 1024

// The parameters of new hashes: the OWASP Password Storage Cheat Sheet's for argon2id.
const (
	hashMemory  = 19456 // KiB
	hashPasses  = 2
	hashThreads = 1
	saltBytes   = 16
	keyBytes    = 32
)

// The bounds of a stored hash: a file of users must not exhaust the memory of the process,
// nor its time.
const (
	maxHashMemory  = 64 << 10 // KiB
	maxHashPasses  = 10
	maxHashThreads = 4
	minSaltBytes   = 8 // RFC 9106 §3.1
	maxSaltBytes   = 64
	minKeyBytes    = 16
	maxKeyBytes    = 64
)

// passwordHash is an argon2id hash (RFC 9106), version 19.
type passwordHash struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

// HashPassword returns the hash of the password, to be kept in a file of users. It fails
// for a password that is empty or longer than [MaxPasswordBytes], and when random does.
func HashPassword(random io.Reader, password string) (string, error) {
	if password == "" || len(password) > MaxPasswordBytes {
		return "", fmt.Errorf("a password has 1 to %d bytes", MaxPasswordBytes)
	}
	h := passwordHash{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	if _, err := io.ReadFull(random, h.salt); err != nil {
		return "", fmt.Errorf("draw a salt: %w", err)
	}
	h.key = h.keyOf(password)
	return h.String(), nil
}

// decoy costs what the hash costs, and is of no password.
func (h passwordHash) decoy() passwordHash {
	h.salt, h.key = make([]byte, len(h.salt)), make([]byte, len(h.key))
	return h
}

func (h passwordHash) keyOf(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.key))) //nolint:gosec // at most maxKeyBytes
}

// verifies reports whether the hash is the password's, in time that does not depend on
// where they differ.
func (h passwordHash) verifies(password string) bool {
	return subtle.ConstantTimeCompare(h.keyOf(password), h.key) == 1
}

const phcLayout = "$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s"

var phcEncoding = base64.RawStdEncoding

// String is the form that is stored, the PHC string format.
func (h passwordHash) String() string {
	return fmt.Sprintf(phcLayout, h.memory, h.passes, h.threads, phcEncoding.EncodeToString(h.salt), phcEncoding.EncodeToString(h.key))
}

var errPasswordHash = errors.New("must be an argon2id hash such as registrar user add makes: $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH")

// parsePasswordHash reads what String writes, and nothing else that means the same. Its
// errors do not tell the hash.
func parsePasswordHash(text string) (passwordHash, error) {
	var h passwordHash
	fields := strings.Split(text, "$")
	if len(fields) != 6 {
		return h, errPasswordHash
	}
	_, parametersErr := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads)
	var saltErr, keyErr error
	h.salt, saltErr = phcEncoding.DecodeString(fields[4])
	h.key, keyErr = phcEncoding.DecodeString(fields[5])
	if errors.Join(parametersErr, saltErr, keyErr) != nil || h.String() != text {
		return h, errPasswordHash
	}
	return h, h.checkBounds()
}

func (h passwordHash) checkBounds() error {
	for _, parameter := range []struct {
		name              string
		value, from, upTo int
	}{
		{"the threads p", int(h.threads), 1, maxHashThreads},
		{"the passes t", int(h.passes), 1, maxHashPasses},
		{"the memory m in KiB", int(h.memory), 8 * int(h.threads), maxHashMemory}, // RFC 9106 §3.1
		{"the bytes of the salt", len(h.salt), minSaltBytes, maxSaltBytes},
		{"the bytes of the hash", len(h.key), minKeyBytes, maxKeyBytes},
	} {
		if parameter.value < parameter.from || parameter.value > parameter.upTo {
			return fmt.Errorf("%s must be %d to %d", parameter.name, parameter.from, parameter.upTo)
		}
	}
	return nil
}
