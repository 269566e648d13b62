package login

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound is a session or an attempt that is not there, or no longer. A database that
// cannot serve at present is an *oauth.Error of code temporarily_unavailable; anything
// else is a fault.
var ErrNotFound = errors.New("no such session")

// Store keeps sessions and attempts, and for upstream refresh tokens a sealed text for
// each user. Every method but DeleteExpiredSessions is one statement.
type Store interface {
	CreateSession(ctx context.Context, s *Session) error
	// FindSession returns the session, expired ones too, or ErrNotFound.
	FindSession(ctx context.Context, tenant, id string) (*Session, error)
	// TouchSession writes SeenAt. No such session: no error.
	TouchSession(ctx context.Context, tenant, id string, at time.Time) error
	// DeleteSession removes the session. No such session: no error.
	DeleteSession(ctx context.Context, tenant, id string) error

	CreateAttempt(ctx context.Context, a *Attempt) error
	// TakeAttempt removes the attempt and returns it, or ErrNotFound. Of any number of
	// concurrent calls one gets it.
	TakeAttempt(ctx context.Context, tenant, id string) (*Attempt, error)

	// SaveUpstreamToken keeps the sealed refresh token of the user, in place of another.
	SaveUpstreamToken(ctx context.Context, tenant, subject string, sealed []byte) error
	// ReplaceUpstreamToken does so if the stored one still is the old one, and returns
	// ErrNotFound otherwise.
	ReplaceUpstreamToken(ctx context.Context, tenant, subject string, old, sealed []byte) error
	// FindUpstreamToken returns it or ErrNotFound.
	FindUpstreamToken(ctx context.Context, tenant, subject string) ([]byte, error)

	// DeleteExpiredSessions removes at most limit sessions and attempts that have expired at the
	// given time, or were not seen since idle, and returns how many it removed.
	DeleteExpiredSessions(ctx context.Context, tenant string, at, idle time.Time, limit int) (int64, error)
}
