package authorization

import (
	"context"
	"errors"
	"time"

	"github.com/seed-9c856424/registrar/internal/registration"
)

// What a Store answers besides success. A database that cannot serve at present is an
// *oauth.Error of code temporarily_unavailable; anything else is a fault.
var (
	ErrNotFound = errors.New("no such grant")
	// ErrSpent is something that can be used once and was, or whose client or grant ended.
	ErrSpent = errors.New("it was used already, or has ended")
)

// Store keeps grants and consents. Every method but SaveDocument, RevokeReused,
// Disconnect and DeleteExpiredGrants is one statement, and what it has acknowledged survives a
// crash of the process and of the machine. All that belongs to a client goes with it, in the
// statement that deletes it. An act enters the audit trail in the transaction of the change, if there is one.
type Store interface {
	// Find returns the client or registration.ErrNotFound.
	Find(ctx context.Context, tenant, id string) (*registration.Client, error)

	// SaveDocument inserts the client of a metadata document, or replaces Metadata,
	// DocumentFetchedAt and UpdatedAt of the stored one if they are of an older copy, and
	// raises its version, which is 1 as it is inserted. Its status stays. A copy that is only
	// newer leaves no entry: act.Reason, the members that changed, is empty then.
	SaveDocument(ctx context.Context, c *registration.Client, act registration.Act) error

	// CreateGrant inserts the grant, or returns ErrSpent if its client is gone.
	CreateGrant(ctx context.Context, g *Grant) error
	// FindGrant returns the grant, revoked and expired ones too, or ErrNotFound.
	FindGrant(ctx context.Context, tenant, id string) (*Grant, error)
	// RedeemCode writes RedeemedAt, FamilyDigest, RefreshDigest, RefreshedAt and ExpiresAt
	// of the grant, if its code was not redeemed and the grant stands. Of any number of
	// concurrent calls one succeeds; the others return ErrSpent.
	RedeemCode(ctx context.Context, g *Grant) error
	// RotateRefresh writes RefreshDigest, PreviousDigest, RefreshedAt and ExpiresAt of the
	// grant, if its stored refresh digest still is present, and the grant stands. Of any
	// number of concurrent calls one succeeds; the others return ErrSpent.
	RotateRefresh(ctx context.Context, g *Grant, present []byte) error
	// RevokeGrant ends the grant, at the given time. No such grant, or a revoked one: no error.
	RevokeGrant(ctx context.Context, tenant, id string, at time.Time) error
	// RevokeReused is RevokeGrant, at act.At, of a grant whose code or refresh token was
	// presented again.
	RevokeReused(ctx context.Context, g *Grant, act registration.Act) error

	// GrantsOf returns the grants of the user that stand at the given time and whose code
	// was redeemed, the newest first.
	GrantsOf(ctx context.Context, tenant, subject string, at time.Time) ([]*Grant, error)
	// Disconnect revokes the grants of the user for the client, at act.At, and forgets the
	// consents, in one transaction.
	Disconnect(ctx context.Context, tenant, subject, clientID string, act registration.Act) error

	// SaveConsent remembers the consent, in the place of one for the same user, client and
	// target; of a client that is gone nothing is remembered, without an error.
	SaveConsent(ctx context.Context, c *Consent) error
	// FindConsent returns the consent, expired ones too, or ErrNotFound.
	FindConsent(ctx context.Context, tenant, subject, clientID string, target []byte) (*Consent, error)

	// SpendAssertion remembers a client's assertion by the digest of its jti until it
	// expires, or returns ErrSpent if it is remembered already or the client is gone.
	SpendAssertion(ctx context.Context, tenant, clientID string, digest []byte, expiresAt time.Time) error

	// DeleteExpiredGrants removes at most limit grants, consents and assertions that were of no use at the
	// given time, and returns how many it removed.
	DeleteExpiredGrants(ctx context.Context, tenant string, at time.Time, limit int) (int64, error)
}
