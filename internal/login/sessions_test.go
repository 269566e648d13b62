package login

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

var alice = tenant.User{Subject: "u_alice", Login: "alice", Name: "Alice", Groups: []string{"staff"}}

type sessionsUnderTest struct {
	*Sessions
	*clock
	memory *memory
	log    *bytes.Buffer
}

func newSessions() sessionsUnderTest {
	s := sessionsUnderTest{clock: newClock(), memory: newMemory(), log: new(bytes.Buffer)}
	s.Sessions = &Sessions{Store: s.memory, Now: s.clock.Now, Random: rand.Reader, Log: slog.New(slog.NewTextHandler(s.log, nil))}
	return s
}

func (s sessionsUnderTest) start(t *testing.T, replaced credential.Secret) (credential.Secret, *Session) {
	t.Helper()
	secret, session, err := s.Start(t.Context(), "t", alice, s.Sessions.Now(), replaced)
	if err != nil {
		t.Fatal(err)
	}
	return secret, session
}

func TestSessionIsFoundAsStarted(t *testing.T) {
	s := newSessions()
	secret, started := s.start(t, "")
	now := s.clock.Now().Truncate(time.Microsecond)
	want := &Session{
		Tenant: "t", ID: started.ID, Digest: secret.Digest(), User: alice,
		AuthenticatedAt: now, SeenAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}
	if !reflect.DeepEqual(started, want) {
		t.Errorf("started %+v, want %+v", started, want)
	}
	if found, err := s.Find(t.Context(), "t", secret); err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, %v, want %+v", found, err, want)
	}
	if subject, ok := credential.Subject(credential.Session, secret); !ok || subject != started.ID || !isID(subject) {
		t.Errorf("the secret embeds %q, %v; the session is %q", subject, ok, started.ID)
	}
}

func TestSessionNotFound(t *testing.T) {
	s := newSessions()
	secret, started := s.start(t, "")
	forged, err := credential.Mint(rand.Reader, credential.Session, started.ID)
	if err != nil {
		t.Fatal(err)
	}
	mint := func(kind credential.Kind, subject string) credential.Secret {
		minted, err := credential.Mint(rand.Reader, kind, subject)
		if err != nil {
			t.Fatal(err)
		}
		return minted
	}
	cases := []struct {
		name, tenant string
		secret       credential.Secret
		asksStore    bool
	}{
		{"no secret", "t", "", false},
		{"cut", "t", secret[:len(secret)-1], false},
		{"of another kind", "t", mint(credential.Browser, started.ID), false},
		{"without an id", "t", mint(credential.Session, ""), false},
		{"of an id that is none", "t", mint(credential.Session, strings.Repeat("u", 26)), false},
		{"of an id in capitals", "t", mint(credential.Session, strings.ToUpper(started.ID)), false},
		{"of an unknown session", "t", mint(credential.Session, "01k9qv5w3m8zr4t6y2b0n7xdce"), true},
		{"another secret of the id", "t", forged, true},
		{"in another tenant", "other", secret, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := s.memory.called("FindSession")
			if found, err := s.Find(t.Context(), c.tenant, c.secret); !errors.Is(err, ErrNotFound) || found != nil {
				t.Errorf("found %+v, %v", found, err)
			}
			if asked := s.memory.called("FindSession") > before; asked != c.asksStore {
				t.Errorf("the store was asked: %v", asked)
			}
			if err := s.End(t.Context(), c.tenant, c.secret); err != nil {
				t.Errorf("its end: %v", err)
			}
			if _, err := s.Find(t.Context(), "t", secret); err != nil {
				t.Errorf("the true session ended: %v", err)
			}
		})
	}
}

func TestSessionOverTime(t *testing.T) {
	type visit struct {
		wait    time.Duration
		found   bool
		touches int
	}
	cases := []struct {
		name   string
		visits []visit
	}{
		{"a visit within five minutes does not write", []visit{{5 * time.Minute, true, 0}}},
		{"one later does", []visit{{5*time.Minute + time.Microsecond, true, 1}, {time.Minute, true, 1}}},
		{"just short of idle", []visit{{8*time.Hour - time.Microsecond, true, 1}}},
		{"idle", []visit{{8 * time.Hour, false, 0}}},
		{"idle after a visit", []visit{{7 * time.Hour, true, 1}, {7 * time.Hour, true, 2}, {8 * time.Hour, false, 2}}},
		{"the visit that was not noted does not count", []visit{{4 * time.Minute, true, 0}, {8*time.Hour - 4*time.Minute, false, 0}}},
		{"busy to the end", []visit{{7 * time.Hour, true, 1}, {7 * time.Hour, true, 2}, {7 * time.Hour, true, 3}, {3*time.Hour - time.Microsecond, true, 4}, {time.Microsecond, false, 4}}},
		{"a clock set back", []visit{{-time.Hour, true, 0}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSessions()
			secret, started := s.start(t, "")
			for i, v := range c.visits {
				s.advance(v.wait)
				found, err := s.Find(t.Context(), "t", secret)
				if (err == nil) != v.found || (found != nil) != v.found || err != nil && !errors.Is(err, ErrNotFound) {
					t.Fatalf("visit %d: found %+v, %v", i, found, err)
				}
				touched := s.memory.called("TouchSession")
				if touched != v.touches {
					t.Errorf("visit %d: %d touches, want %d", i, touched, v.touches)
				}
				if stored, _ := s.memory.FindSession(t.Context(), "t", started.ID); found != nil && !found.SeenAt.Equal(stored.SeenAt) {
					t.Errorf("visit %d: seen at %v, stored as %v", i, found.SeenAt, stored.SeenAt)
				}
			}
		})
	}
}

func TestSessionTouchFails(t *testing.T) {
	cases := []struct {
		name   string
		err    error
		refuse bool
	}{
		{"the store is down", errDown, true},
		{"a fault", errors.New("deadlock"), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSessions()
			secret, _ := s.start(t, "")
			s.advance(time.Hour)
			s.memory.fail("TouchSession", c.err)
			found, err := s.Find(t.Context(), "t", secret)
			if c.refuse {
				if !errors.Is(err, c.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || found.User.Login != "alice" || !strings.Contains(s.log.String(), "deadlock") {
				t.Errorf("found %+v, %v; logged %q", found, err, s.log)
			}
		})
	}
}

func TestSessionRotatesAtLogin(t *testing.T) {
	s := newSessions()
	old, _ := s.start(t, "")
	fresh, _ := s.start(t, old)
	if _, err := s.Find(t.Context(), "t", old); !errors.Is(err, ErrNotFound) {
		t.Errorf("the replaced session: %v", err)
	}
	if _, err := s.Find(t.Context(), "t", fresh); err != nil || fresh == old {
		t.Errorf("the new session: %v", err)
	}
	if n := len(s.memory.sessions); n != 1 {
		t.Errorf("%d sessions are kept", n)
	}
}

func TestSessionEnds(t *testing.T) {
	s := newSessions()
	secret, _ := s.start(t, "")
	other, _ := s.start(t, "")
	for range 2 {
		if err := s.End(t.Context(), "t", secret); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Find(t.Context(), "t", secret); !errors.Is(err, ErrNotFound) {
		t.Errorf("the ended session: %v", err)
	}
	if _, err := s.Find(t.Context(), "t", other); err != nil {
		t.Errorf("another session of the user: %v", err)
	}
}

func TestSessionsPassOnWhatTheStoreReturns(t *testing.T) {
	find := func(s sessionsUnderTest, secret credential.Secret) error {
		_, err := s.Find(t.Context(), "t", secret)
		return err
	}
	end := func(s sessionsUnderTest, secret credential.Secret) error { return s.End(t.Context(), "t", secret) }
	start := func(s sessionsUnderTest, secret credential.Secret) error {
		_, _, err := s.Start(t.Context(), "t", alice, s.Sessions.Now(), secret)
		return err
	}
	cases := []struct {
		name, method string
		call         func(sessionsUnderTest, credential.Secret) error
	}{
		{"find", "FindSession", find},
		{"end, looking", "FindSession", end},
		{"end", "DeleteSession", end},
		{"start", "CreateSession", start},
		{"start, ending the old one", "DeleteSession", start},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSessions()
			secret, _ := s.start(t, "")
			s.memory.fail(c.method, errDown)
			if err := c.call(s, secret); !errors.Is(err, errDown) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSessionNeedsRandomness(t *testing.T) {
	s := newSessions()
	broken := errors.New("no entropy")
	for _, random := range []int{0, 10} {
		s.Random = iotest.DataErrReader(bytes.NewReader(make([]byte, random)))
		if random == 0 {
			s.Random = iotest.ErrReader(broken)
		}
		if _, _, err := s.Start(t.Context(), "t", alice, s.Sessions.Now(), ""); err == nil || len(s.memory.sessions) != 0 {
			t.Errorf("with %d random bytes: %v, %d sessions", random, err, len(s.memory.sessions))
		}
	}
}
