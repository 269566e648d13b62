package login

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// errDown is what a store answers while its database is down.
var errDown error = &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the database does not answer"}

// memory is a Store. Every method first returns the error that is set for it by name.
type memory struct {
	mu       sync.Mutex
	fails    map[string]error
	calls    map[string]int
	sessions map[string]Session
	attempts map[string]Attempt
	tokens   map[string][]byte
	// taken is until when a token is taken.
	taken map[string]time.Time
}

func newMemory() *memory {
	return &memory{
		fails: map[string]error{}, calls: map[string]int{},
		sessions: map[string]Session{}, attempts: map[string]Attempt{}, tokens: map[string][]byte{}, taken: map[string]time.Time{},
	}
}

// enter counts the call and returns the error that is set for it.
func (m *memory) enter(method string) error {
	m.calls[method]++
	return m.fails[method]
}

func (m *memory) fail(method string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails[method] = err
}

func (m *memory) called(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[method]
}

func (m *memory) CreateSession(_ context.Context, s *Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("CreateSession"); err != nil {
		return err
	}
	m.sessions[s.Tenant+"/"+s.ID] = *s
	return nil
}

func (m *memory) FindSession(_ context.Context, tenant, id string) (*Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("FindSession"); err != nil {
		return nil, err
	}
	s, found := m.sessions[tenant+"/"+id]
	if !found {
		return nil, ErrNotFound
	}
	return &s, nil
}

func (m *memory) TouchSession(_ context.Context, tenant, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("TouchSession"); err != nil {
		return err
	}
	if s, found := m.sessions[tenant+"/"+id]; found {
		s.SeenAt = at
		m.sessions[tenant+"/"+id] = s
	}
	return nil
}

func (m *memory) DeleteSession(_ context.Context, tenant, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("DeleteSession"); err != nil {
		return err
	}
	delete(m.sessions, tenant+"/"+id)
	return nil
}

func (m *memory) CreateAttempt(_ context.Context, a *Attempt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("CreateAttempt"); err != nil {
		return err
	}
	m.attempts[a.Tenant+"/"+a.ID] = *a
	return nil
}

func (m *memory) TakeAttempt(_ context.Context, tenant, id string) (*Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("TakeAttempt"); err != nil {
		return nil, err
	}
	a, found := m.attempts[tenant+"/"+id]
	if !found {
		return nil, ErrNotFound
	}
	delete(m.attempts, tenant+"/"+id)
	return &a, nil
}

func (m *memory) SaveUpstreamToken(_ context.Context, tenant, subject string, sealed []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("SaveUpstreamToken"); err != nil {
		return err
	}
	m.tokens[tenant+"/"+subject] = sealed
	delete(m.taken, tenant+"/"+subject)
	return nil
}

func (m *memory) TouchUpstreamToken(context.Context, string, string, time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.enter("TouchUpstreamToken")
}

func (m *memory) TakeUpstreamToken(_ context.Context, tenant, subject string, now, until time.Time) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("TakeUpstreamToken"); err != nil {
		return nil, err
	}
	sealed, found := m.tokens[tenant+"/"+subject]
	switch {
	case !found:
		return nil, ErrNotFound
	case now.Before(m.taken[tenant+"/"+subject]):
		return nil, ErrTaken
	}
	m.taken[tenant+"/"+subject] = until
	return sealed, nil
}

func (m *memory) ReturnUpstreamToken(_ context.Context, tenant, subject string, old, sealed []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("ReturnUpstreamToken"); err != nil {
		return err
	}
	if present, found := m.tokens[tenant+"/"+subject]; found && bytes.Equal(present, old) {
		m.tokens[tenant+"/"+subject] = sealed
		delete(m.taken, tenant+"/"+subject)
	}
	return nil
}

func (m *memory) DeleteUpstreamToken(_ context.Context, tenant, subject string, sealed []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("DeleteUpstreamToken"); err != nil {
		return err
	}
	if present, found := m.tokens[tenant+"/"+subject]; !found || !bytes.Equal(present, sealed) {
		return ErrNotFound
	}
	delete(m.tokens, tenant+"/"+subject)
	return nil
}

func (m *memory) DeleteUnusedUpstreamTokens(context.Context, string, time.Time, int) (int64, error) {
	return 0, errors.New("not asked of this room")
}

func (m *memory) DeleteExpiredSessions(context.Context, string, time.Time, time.Time, int) (int64, error) {
	return 0, errors.New("not asked of this room")
}

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// outcome is the code of an *oauth.Error, "fault" for another error and "" for none.
func outcome(err error) oauth.Code {
	var known *oauth.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &known):
		return known.Code
	}
	return "fault"
}

func wantOutcome(t *testing.T, err error, want oauth.Code) {
	t.Helper()
	if got := outcome(err); got != want {
		t.Fatalf("outcome %q of %v, want %q", got, err, want)
	}
}
