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
	// ErrSpent is an initial access token that is good for no registration.
	ErrSpent = errors.New("the token is used up, or has ended")
)

// Store keeps clients. What it has acknowledged survives a crash of the process
// and of the machine. An act enters the audit trail in the transaction of the change, if
// there is one.
type Store interface {
	// Create inserts the client, in one statement. A client that exists is never
	// overwritten: that is an error.
	Create(ctx context.Context, c *Client) error
	// Find returns the client, in one statement, or ErrNotFound.
	Find(ctx context.Context, tenant, id string) (*Client, error)
	// Update replaces metadata, AuthMethodDefaulted, digests and UpdatedAt where
	// the stored version is c.Version, and raises it, in the row and in c.
	// Returns ErrConflict if the stored client is gone or has another version.
	Update(ctx context.Context, c *Client, act Act) error
	// RevokeAccessToken forgets the registration access token, which was misused, if it is
	// still the one with this digest, and raises the version. No such client or token: no error.
	RevokeAccessToken(ctx context.Context, tenant, id string, digest credential.Digest, act Act) error
	// SetStatus writes the status, and act.At as UpdatedAt, and raises the version, or returns
	// ErrNotFound. The grants of a client that is not active end in the same transaction.
	SetStatus(ctx context.Context, tenant, id string, status Status, act Act) error
	// SaveDocument inserts the client of a metadata document, or replaces Metadata,
	// DocumentFetchedAt and UpdatedAt of the stored one if they are of an older copy, and
	// raises its version, which is 1 as it is inserted. Its status stays. A copy that is only
	// newer leaves no entry: act.Reason, the members that changed, is empty then.
	SaveDocument(ctx context.Context, c *Client, act Act) error

	// CreateInitialToken inserts the token.
	CreateInitialToken(ctx context.Context, token *InitialAccessToken, act Act) error
	// FindInitialToken returns the token, whatever has become of it, or ErrNotFound.
	FindInitialToken(ctx context.Context, tenant, id string) (*InitialAccessToken, error)
	// InitialTokens returns all of the tenant, the newest first.
	InitialTokens(ctx context.Context, tenant string) ([]*InitialAccessToken, error)
	// RevokeInitialToken ends the token at act.At, or returns ErrNotFound for one that is not
	// there or was revoked before.
	RevokeInitialToken(ctx context.Context, tenant, id string, act Act) error
	// CreateWithToken takes one use of c.InitialToken and inserts the client, in one
	// transaction, or returns ErrSpent: of concurrent calls no more succeed than uses are
	// left.
	CreateWithToken(ctx context.Context, c *Client, at time.Time) error

	// Delete removes the client, or returns ErrNotFound. The trail keeps how it was
	// registered.
	Delete(ctx context.Context, tenant, id string, act Act) error
}
