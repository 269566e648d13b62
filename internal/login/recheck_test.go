package login

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

func sealForTest(purpose, owner string, text []byte) ([]byte, error) {
	return []byte(purpose + "|" + owner + "|" + string(text)), nil
}

var errSealed = errors.New("sealed for something else")

func openForTest(purpose, owner string, sealed []byte) ([]byte, error) {
	text, ok := strings.CutPrefix(string(sealed), purpose+"|"+owner+"|")
	if !ok {
		return nil, errSealed
	}
	return []byte(text), nil
}

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

// keptLogin is a login whose refresh token is kept, and the subject of its user.
func keptLogin(t *testing.T) (*upstreamUnderTest, string) {
	t.Helper()
	u := newDirectUpstream(t, "https://idp.example")
	u.OfflineAccess = true
	done, err := u.login(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Keep(t.Context(), "t", done); err != nil {
		t.Fatal(err)
	}
	return u, done.User.Subject
}

// kept is the refresh token that the store has.
func (u *upstreamUnderTest) kept(t *testing.T, subject string) string {
	t.Helper()
	u.memory.mu.Lock()
	sealed, taken := u.memory.tokens["t/"+subject], u.memory.taken["t/"+subject]
	u.memory.mu.Unlock()
	if !taken.IsZero() {
		t.Error("the token was not given back")
	}
	text, err := openForTest(purposeUpstream, ownerOf("t", subject), sealed)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRecheckRotates(t *testing.T) {
	u, subject := keptLogin(t)
	for range 3 {
		before := u.kept(t, subject)
		if err := u.Recheck(t.Context(), "t", subject); err != nil {
			t.Fatal(err)
		}
		if after := u.kept(t, subject); after == before || !u.refreshes[after] {
			t.Errorf("kept %q after %q", after, before)
		}
	}
}

func TestRecheckWithoutRotation(t *testing.T) {
	u, subject := keptLogin(t)
	u.answers("/token", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, object{"access_token": "access", "token_type": "Bearer"})
	})
	before := u.kept(t, subject)
	for range 2 {
		if err := u.Recheck(t.Context(), "t", subject); err != nil {
			t.Fatal(err)
		}
	}
	if after := u.kept(t, subject); after != before {
		t.Errorf("kept %q after %q", after, before)
	}
}

func TestRecheckFails(t *testing.T) {
	cases := []struct {
		name   string
		change func(*upstreamUnderTest)
		want   oauth.Code
		gone   bool
	}{
		{"user gone", func(u *upstreamUnderTest) { clear(u.refreshes) }, "fault", true},
		{"no token", func(u *upstreamUnderTest) { clear(u.memory.tokens) }, "fault", true},
		{"provider down", func(u *upstreamUnderTest) {
			u.answers("/token", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		}, oauth.TemporarilyUnavailable, false},
		{"client not known", func(u *upstreamUnderTest) { u.ClientSecret = "another" }, "fault", false},
		{"store down", func(u *upstreamUnderTest) { u.memory.fail("TakeUpstreamToken", errDown) }, oauth.TemporarilyUnavailable, false},
		{"store down when it is replaced", func(u *upstreamUnderTest) { u.memory.fail("ReturnUpstreamToken", errDown) }, oauth.TemporarilyUnavailable, false},
		{"store down when it is forgotten", func(u *upstreamUnderTest) {
			clear(u.refreshes)
			u.memory.fail("DeleteUpstreamToken", errDown)
		}, oauth.TemporarilyUnavailable, false},
		{"sealed under another key", func(u *upstreamUnderTest) {
			u.Open = func(string, string, []byte) ([]byte, error) { return nil, errSealed }
		}, "fault", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u, subject := keptLogin(t)
			c.change(u)
			err := u.Recheck(t.Context(), "t", subject)
			wantOutcome(t, err, c.want)
			if errors.Is(err, ErrUserGone) != c.gone {
				t.Errorf("got %v", err)
			}
			if c.gone && len(u.memory.tokens) != 0 {
				t.Error("the token of a user who is gone is kept")
			}
		})
	}
}

// TestRecheckRace: what another process does meanwhile counts as well.
func TestRecheckRace(t *testing.T) {
	cases := []struct {
		name string
		// meanwhile is what the other does while this one asks the provider.
		meanwhile func(u *upstreamUnderTest, key string)
		answered  bool
		gone      bool
	}{
		{"a login came first", func(u *upstreamUnderTest, key string) { u.memory.tokens[key] = []byte("another's") }, false, false},
		{"a login came too", func(u *upstreamUnderTest, key string) { u.memory.tokens[key] = []byte("another's") }, true, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u, subject := keptLogin(t)
			u.answers("/token", func(w http.ResponseWriter, r *http.Request) {
				u.memory.mu.Lock()
				c.meanwhile(u, "t/"+subject)
				u.memory.mu.Unlock()
				if c.answered {
					u.grant(w, r)
					return
				}
				reply(w, http.StatusBadRequest, object{"error": "invalid_grant"})
			})
			if err := u.Recheck(t.Context(), "t", subject); errors.Is(err, ErrUserGone) != c.gone || (err != nil) != c.gone {
				t.Fatalf("got %v", err)
			}
			if got := string(u.memory.tokens["t/"+subject]); !c.gone && got != "another's" {
				t.Errorf("kept %q", got)
			}
		})
	}
}

// TestRechecksOfReplicas: two processes do not use one token at once. One that died with it
// is waited for no longer than it can have needed.
func TestRechecksOfReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, subject := keptLogin(t)
		taken := u.clock.Now().Add(time.Second)
		u.memory.taken["t/"+subject] = taken
		done := make(chan error, 1)
		before := u.asked("/token")
		go func() { done <- u.Recheck(t.Context(), "t", subject) }()
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		if n := u.asked("/token") - before; n != 0 {
			t.Errorf("%d refreshes with a token that another uses", n)
		}
		u.clock.advance(2 * time.Second)
		if err := <-done; err != nil || !u.refreshes[u.kept(t, subject)] {
			t.Errorf("after that: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		u, subject := keptLogin(t)
		u.memory.taken["t/"+subject] = u.clock.Now().Add(time.Hour)
		wantOutcome(t, u.Recheck(t.Context(), "t", subject), oauth.TemporarilyUnavailable)
	})
}

// TestRechecksShareOneRefresh: a provider takes the same refresh token twice for a theft.
func TestRechecksShareOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, subject := keptLogin(t)
		release := make(chan struct{})
		u.answers("/token", func(w http.ResponseWriter, r *http.Request) {
			<-release
			u.grant(w, r)
		})
		before := u.asked("/token")
		first, hangUp := contextWithCancel(t)
		var gone error
		var wg sync.WaitGroup
		wg.Go(func() { gone = u.Recheck(first, "t", subject) })
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				if err := u.Recheck(t.Context(), "t", subject); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		hangUp()
		synctest.Wait()
		wantOutcome(t, gone, oauth.TemporarilyUnavailable)
		close(release)
		wg.Wait()
		if n := u.asked("/token") - before; n != 1 || !u.refreshes[u.kept(t, subject)] {
			t.Errorf("%d refreshes, kept %q", n, u.kept(t, subject))
		}
	})
}

func TestKeep(t *testing.T) {
	cases := []struct {
		name    string
		offline bool
		token   string
		want    int
	}{
		{"a token", true, "refresh", 1},
		{"no token, the last one stays", true, "", 0},
		{"not asked for", false, "refresh", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := newDirectUpstream(t, "https://idp.example")
			u.OfflineAccess = c.offline
			done := Completion{User: alice, RefreshToken: "refresh"}
			if c.token == "" {
				done.RefreshToken = ""
			}
			if err := u.Keep(t.Context(), "t", done); err != nil || len(u.memory.tokens) != c.want {
				t.Errorf("%d tokens are kept, %v", len(u.memory.tokens), err)
			}
		})
	}
	u := newDirectUpstream(t, "https://idp.example")
	u.OfflineAccess = true
	u.memory.fail("SaveUpstreamToken", errDown)
	if err := u.Keep(t.Context(), "t", Completion{User: alice, RefreshToken: "refresh"}); !errors.Is(err, errDown) {
		t.Errorf("store down: %v", err)
	}
}

// TestOfflineLoginGivesTheToken: what Complete returns is what Keep keeps.
func TestOfflineLoginGivesTheToken(t *testing.T) {
	u := newDirectUpstream(t, "https://idp.example")
	if done, err := u.login(t); err != nil || done.RefreshToken != "" {
		t.Errorf("not asked for: %+v, %v", done, err)
	}
	u.OfflineAccess = true
	if done, err := u.login(t); err != nil || !u.refreshes[done.RefreshToken.Reveal()] {
		t.Errorf("asked for: %+v, %v", done, err)
	}
}
