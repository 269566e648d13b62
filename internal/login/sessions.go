package login

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// How long a session lives.
const (
	// SessionIdle is how long a session lasts that nobody uses.
	SessionIdle = 8 * time.Hour
	// SessionLifetime is how long a session lasts at most.
	SessionLifetime = 24 * time.Hour
	// touchEvery keeps most requests of a session from writing.
	touchEvery = 5 * time.Minute
)

// ErrNotAdmitted is a user whom the tenant's login policy does not let in.
var ErrNotAdmitted error = &oauth.Error{Code: oauth.AccessDenied, Description: "this account may not log in here"}

// Sessions are the browsers in which users have logged in.
type Sessions struct {
	Store  Store
	Now    func() time.Time
	Random io.Reader
	// Log hears of a session whose use could not be noted.
	Log *slog.Logger
}

// Start begins a session of the user, who logged in at the given time, and returns the secret that
// the browser holds from now on. It ends the session that the browser held before, if
// replaced is the secret of one: a login never goes on under an old secret. It returns
// what the store returns.
func (s *Sessions) Start(ctx context.Context, tenantID string, u tenant.User, at time.Time, replaced credential.Secret) (credential.Secret, *Session, error) {
	if err := s.End(ctx, tenantID, replaced); err != nil {
		return "", nil, err
	}
	now := storedTime(s.Now())
	id, err := newID(now, s.Random)
	if err != nil {
		return "", nil, err
	}
	secret, err := credential.Mint(s.Random, credential.Session, id)
	if err != nil {
		return "", nil, err
	}
	session := &Session{
		Tenant: tenantID, ID: id, Digest: secret.Digest(), User: u,
		AuthenticatedAt: storedTime(at), SeenAt: now, ExpiresAt: now.Add(SessionLifetime),
	}
	if err := s.Store.CreateSession(ctx, session); err != nil {
		return "", nil, err
	}
	return secret, session, nil
}

// Find returns the session that the secret belongs to, and notes that it is in use. It
// returns [ErrNotFound] for a secret that is malformed, wrong or of a session that has
// ended, and what the store returns.
func (s *Sessions) Find(ctx context.Context, tenantID string, secret credential.Secret) (*Session, error) {
	session, err := s.stored(ctx, tenantID, secret)
	if err != nil {
		return nil, err
	}
	now := storedTime(s.Now())
	unseen := now.Sub(session.SeenAt)
	if !now.Before(session.ExpiresAt) || unseen >= SessionIdle {
		return nil, ErrNotFound
	}
	if unseen <= touchEvery {
		return session, nil
	}
	return session, s.touch(ctx, session, now)
}

// touch fails only with the store as a whole: a user is not turned away over a note that
// was not taken.
func (s *Sessions) touch(ctx context.Context, session *Session, now time.Time) error {
	err := s.Store.TouchSession(ctx, session.Tenant, session.ID, now)
	var outage *oauth.Error
	switch {
	case errors.As(err, &outage):
		return err
	case err != nil:
		s.Log.WarnContext(ctx, "the use of a session was not noted", "error", err)
		return nil
	}
	session.SeenAt = now
	return nil
}

// End ends the session that the secret belongs to. No such session: no error. It returns
// what the store returns.
func (s *Sessions) End(ctx context.Context, tenantID string, secret credential.Secret) error {
	session, err := s.stored(ctx, tenantID, secret)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Store.DeleteSession(ctx, session.Tenant, session.ID)
}

// stored returns the session of the secret, an expired one too, or ErrNotFound.
func (s *Sessions) stored(ctx context.Context, tenantID string, secret credential.Secret) (*Session, error) {
	id, wellFormed := credential.Subject(credential.Session, secret)
	if !wellFormed || !isID(id) {
		return nil, ErrNotFound
	}
	session, err := s.Store.FindSession(ctx, tenantID, id)
	if err != nil {
		return nil, err
	}
	if !session.Digest.Verifies(secret) {
		return nil, ErrNotFound
	}
	return session, nil
}
