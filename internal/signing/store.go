package signing

import (
	"context"
	"errors"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// ErrExists is a key whose generation is taken.
var ErrExists = errors.New("this generation of the key exists")

// SealedKey is a private key as it is stored.
type SealedKey struct {
	Tenant    string
	Algorithm oauth.Algorithm
	// Generation counts the keys of an algorithm, from 1.
	Generation int64
	// KeyID is the kid of the public key (RFC 7517 §4.5).
	KeyID string
	// Sealed is the PKCS #8 private key under the secret key of the deployment.
	Sealed    []byte
	CreatedAt time.Time
	// SignsFrom is when the key takes over: caches of the key set know it by then.
	SignsFrom time.Time
}

// Store keeps keys.
type Store interface {
	// CreateKey inserts the key, or returns ErrExists. Of any number of concurrent calls
	// for one generation one succeeds. The audit trail tells of it, in the same transaction,
	// unless by, who ordered it, is empty.
	CreateKey(ctx context.Context, k *SealedKey, by string) error
	// Keys returns all keys of the tenant, by algorithm and generation.
	Keys(ctx context.Context, tenant string) ([]*SealedKey, error)
	// DeleteKey removes the key. No such key: no error.
	DeleteKey(ctx context.Context, tenant string, algorithm oauth.Algorithm, generation int64) error
}
