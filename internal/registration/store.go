package registration

import (
	"context"
	"errors"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
)

// What a Store answers besides success. A database that cannot serve at present is
// an *oauth.Error of code temporarily_unavailable; anything else is a fault.
var (
	ErrNotFound = errors.New("no such client")
	ErrConflict = errors.New("the client was changed meanwhile")
)

// Store keeps clients. What it has acknowledged survives a crash of the process
// and of the machine.
type Store interface {
	// Create inserts the client, in one statement. A client that exists is never
	// overwritten: that is an error.
	Create(ctx context.Context, c *Client) error
	// Find returns the client, in one statement, or ErrNotFound.
	Find(ctx context.Context, tenant, id string) (*Client, error)
	// Update replaces metadata, AuthMethodDefaulted, digests and UpdatedAt where
	// the stored version is c.Version, and raises it, in the row and in c.
	// Returns ErrConflict if the stored client is gone or has another version.
	Update(ctx context.Context, c *Client) error
	// RevokeAccessToken forgets the registration access token if it is still the
	// one with this digest, and raises the version. No such client or token: no error.
	RevokeAccessToken(ctx context.Context, tenant, id string, digest credential.Digest) error
	// SetStatus writes the status and UpdatedAt, and raises the version, or returns
	// ErrNotFound. The grants of a client that is not active end in the same transaction.
	SetStatus(ctx context.Context, tenant, id string, status Status, at time.Time) error
	// SaveDocument inserts the client of a metadata document, or replaces Metadata,
	// DocumentFetchedAt and UpdatedAt of the stored one if they are of an older copy, and
	// raises its version. Its status stays.
	SaveDocument(ctx context.Context, c *Client) error
	// Delete removes the client, or returns ErrNotFound.
	Delete(ctx context.Context, tenant, id string) error
}
