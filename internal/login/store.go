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

// ErrTaken is an upstream refresh token that another process is using.
var ErrTaken = errors.New("the token is being used")

// Store keeps sessions and attempts, and for upstream refresh tokens a sealed text for
// each user. Every method but DeleteExpiredSessions and TakeUpstreamToken is one statement.
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

	// SaveUpstreamToken keeps the sealed refresh token of the user, in place of another and
	// whoever has taken that.
	SaveUpstreamToken(ctx context.Context, tenant, subject string, sealed []byte, at time.Time) error
	// TouchUpstreamToken says that the token, if there is one, was of use.
	TouchUpstreamToken(ctx context.Context, tenant, subject string, at time.Time) error
	// TakeUpstreamToken returns the token and keeps others from taking it until the given
	// time. It returns ErrTaken while another has it and ErrNotFound if there is none, both
	// in a second statement. The times are the caller's, so that replicas whose clocks
	// differ need to take it for much longer than the difference.
	TakeUpstreamToken(ctx context.Context, tenant, subject string, now, until time.Time) ([]byte, error)
	// ReturnUpstreamToken gives back the token that was taken, as the one to use next. If
	// the stored one no longer is the old one, that stays, without an error.
	ReturnUpstreamToken(ctx context.Context, tenant, subject string, old, sealed []byte, at time.Time) error
	// DeleteUpstreamToken removes the token, or returns ErrNotFound if it is another one.
	DeleteUpstreamToken(ctx context.Context, tenant, subject string, sealed []byte) error
	// DeleteUnusedUpstreamTokens removes at most limit tokens that were of no use since the
	// given time, and returns how many it removed.
	DeleteUnusedUpstreamTokens(ctx context.Context, tenant string, since time.Time, limit int) (int64, error)

	// DeleteExpiredSessions removes at most limit sessions and attempts that have expired at the
	// given time, or were not seen since idle, and returns how many it removed.
	DeleteExpiredSessions(ctx context.Context, tenant string, at, idle time.Time, limit int) (int64, error)
}
