package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// RunLogin runs the suite of [login.Store]. For open, see [Run].
func RunLogin(t *testing.T, open func(t *testing.T) login.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, login.Store)
	}{
		{"a session is found as it was created", sessionRoundTrip},
		{"any text in a session survives", loginHostileText},
		{"what is not text is refused", loginNotText},
		{"a session or attempt that exists is not overwritten", loginTwice},
		{"sessions and attempts that are not there", loginAbsent},
		{"a session is touched", touch},
		{"a session is deleted", deleteSession},
		{"an attempt is taken once", takeTwice},
		{"an upstream token takes the place of another", upstreamToken},
		{"tenants of sessions are apart", loginTenants},
		{"expired sessions go, within the limit", sessionExpiry},
		{"a cancelled call changes no session", loginCancelled},
		{"of parallel takers of an attempt one wins", parallelTakers},
		{"an upstream token is taken by one at a time", takeUpstreamToken},
		{"upstream tokens that are of no use go, within the limit", unusedUpstreamTokens},
		{"of parallel takers of an upstream token one wins", parallelUpstreamTakes},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// session is one with nothing that is optional.
func session(id string) *login.Session {
	return &login.Session{
		Tenant: "one", ID: id, Digest: digest("session " + id),
		User: tenant.User{Subject: "u_1", Login: "zoe"}, AuthenticatedAt: at.Add(-time.Second),
		SeenAt: at, ExpiresAt: at.Add(time.Hour),
	}
}

func loginAttempt(id string) *login.Attempt {
	return &login.Attempt{
		Tenant: "one", ID: id, Digest: digest("state " + id), Browser: digest("browser " + id),
		Continue: "/oauth/authorize?client_id=c_1&state=%2F", ExpiresAt: at.Add(time.Minute),
	}
}

func sessionRoundTrip(t *testing.T, s login.Store) {
	full, zoned := session("full"), session("zoned")
	full.User = person("u_1")
	want := *zoned
	for _, of := range []*time.Time{&zoned.AuthenticatedAt, &zoned.SeenAt, &zoned.ExpiresAt} {
		*of = of.Add(999).In(time.FixedZone("", -3*60*60))
	}
	must(t, s.CreateSession(t.Context(), zoned))
	wantSession(t, s, &want)
	for _, n := range []*login.Session{session("bare"), full} {
		must(t, s.CreateSession(t.Context(), n))
		wantSession(t, s, n)
	}
}

func loginHostileText(t *testing.T, s login.Store) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			key := keyOf(text)
			n := session(key)
			n.User = tenant.User{Subject: text, Login: text, Name: text, Email: text, HostedDomain: text, Groups: []string{text, ""}}
			must(t, s.CreateSession(t.Context(), n))
			wantSession(t, s, n)

			a := loginAttempt(key)
			a.Continue = text
			must(t, s.CreateAttempt(t.Context(), a))
			wantTaken(t, s, a)

			must(t, s.SaveUpstreamToken(t.Context(), "one", key, []byte(text), at))
			wantUpstreamToken(t, s, key, []byte(text))
		})
	}
}

func loginNotText(t *testing.T, s login.Store) {
	for name, text := range notText {
		t.Run(name, func(t *testing.T) {
			a := loginAttempt("a")
			a.Continue = text
			wantFault(t, "CreateSession", s.CreateSession(t.Context(), session(text)))
			wantFault(t, "CreateAttempt", s.CreateAttempt(t.Context(), loginAttempt(text)))
			wantFault(t, "CreateAttempt", s.CreateAttempt(t.Context(), a))
			wantFault(t, "SaveUpstreamToken", s.SaveUpstreamToken(t.Context(), "one", text, []byte("sealed"), at))
			wantNotTaken(t, s, a)
		})
	}
}

func loginTwice(t *testing.T, s login.Store) {
	n, a := session("twice"), loginAttempt("twice")
	n.User = person("u_1")
	must(t, s.CreateSession(t.Context(), n))
	must(t, s.CreateAttempt(t.Context(), a))
	other := loginAttempt("twice")
	other.Continue = "/account"
	wantFault(t, "the second CreateSession", s.CreateSession(t.Context(), session("twice")))
	wantFault(t, "the second CreateAttempt", s.CreateAttempt(t.Context(), other))
	wantSession(t, s, n)
	wantTaken(t, s, a)
}

func loginAbsent(t *testing.T, s login.Store) {
	n, a := session("here"), loginAttempt("here")
	must(t, s.CreateSession(t.Context(), n))
	must(t, s.CreateAttempt(t.Context(), a))
	must(t, s.SaveUpstreamToken(t.Context(), "one", "here", []byte("sealed"), at))
	for name, key := range map[string]string{
		"unknown": "gone", "empty": "", "prefix": "her", "longer": "heree", "other case": "HERE",
		"pattern": "%", "NUL": "here\x00", "not UTF-8": "here\xff", "quote": "' OR '1'='1",
	} {
		t.Run(name, func(t *testing.T) {
			wantNoSession(t, s, session(key))
			wantNotTaken(t, s, loginAttempt(key))
			must(t, s.TouchSession(t.Context(), "one", key, at.Add(time.Minute)))
			must(t, s.DeleteSession(t.Context(), "one", key))
			wantNoUpstreamToken(t, s, "one", key)
			must(t, s.TouchUpstreamToken(t.Context(), "one", key, at))
			must(t, s.ReturnUpstreamToken(t.Context(), "one", key, []byte("sealed"), []byte("another"), at))
			wantError(t, "DeleteUpstreamToken", s.DeleteUpstreamToken(t.Context(), "one", key, []byte("sealed")), login.ErrNotFound)
		})
	}
	wantSession(t, s, n)
	wantTaken(t, s, a)
	wantUpstreamToken(t, s, "here", []byte("sealed"))
}

func touch(t *testing.T, s login.Store) {
	n, bystander := session("n"), session("bystander")
	must(t, s.CreateSession(t.Context(), n))
	must(t, s.CreateSession(t.Context(), bystander))
	n.SeenAt = at.Add(5 * time.Minute)
	must(t, s.TouchSession(t.Context(), n.Tenant, n.ID, n.SeenAt))
	wantSession(t, s, n)
	wantSession(t, s, bystander)
}

func deleteSession(t *testing.T, s login.Store) {
	n, bystander := session("n"), session("bystander")
	must(t, s.CreateSession(t.Context(), n))
	must(t, s.CreateSession(t.Context(), bystander))
	for range 2 {
		must(t, s.DeleteSession(t.Context(), n.Tenant, n.ID))
		wantNoSession(t, s, n)
	}
	wantSession(t, s, bystander)
}

func takeTwice(t *testing.T, s login.Store) {
	a, bystander := loginAttempt("a"), loginAttempt("bystander")
	bystander.Continue = ""
	must(t, s.CreateAttempt(t.Context(), a))
	must(t, s.CreateAttempt(t.Context(), bystander))
	wantTaken(t, s, a)
	wantNotTaken(t, s, a)
	must(t, s.CreateAttempt(t.Context(), a))
	wantTaken(t, s, a)
	wantTaken(t, s, bystander)
}

func upstreamToken(t *testing.T, s login.Store) {
	first, second, third := []byte{0, 0xff, '\''}, []byte("second"), []byte("third")
	must(t, s.SaveUpstreamToken(t.Context(), "one", "bystander", first, at))
	for _, sealed := range [][]byte{first, second} {
		must(t, s.SaveUpstreamToken(t.Context(), "one", "u_1", sealed, at))
		wantUpstreamToken(t, s, "u_1", sealed)
	}
	for _, other := range [][]byte{first, third, {}, nil, second[:5]} {
		must(t, s.ReturnUpstreamToken(t.Context(), "one", "u_1", other, third, at))
		wantError(t, fmt.Sprintf("DeleteUpstreamToken of %q", other), s.DeleteUpstreamToken(t.Context(), "one", "u_1", other), login.ErrNotFound)
	}
	wantUpstreamToken(t, s, "u_1", second)
	must(t, s.ReturnUpstreamToken(t.Context(), "one", "u_1", second, third, at))
	wantUpstreamToken(t, s, "u_1", third)
	must(t, s.DeleteUpstreamToken(t.Context(), "one", "u_1", third))
	wantNoUpstreamToken(t, s, "one", "u_1")
	wantUpstreamToken(t, s, "bystander", first)
}

func takeUpstreamToken(t *testing.T, s login.Store) {
	take := func(at, until time.Time) error {
		_, err := s.TakeUpstreamToken(t.Context(), "one", "u_1", at, until)
		return err
	}
	end := at.Add(time.Minute)
	must(t, s.SaveUpstreamToken(t.Context(), "one", "u_1", []byte("first"), at))
	must(t, take(at, end))
	wantError(t, "a second Take", take(at, end), login.ErrTaken)
	wantError(t, "a Take a moment before the end", take(end.Add(-time.Microsecond), end), login.ErrTaken)
	must(t, take(end, end.Add(time.Minute)))
	must(t, s.ReturnUpstreamToken(t.Context(), "one", "u_1", []byte("first"), []byte("second"), at))
	must(t, take(end, end.Add(time.Minute)))
	must(t, s.SaveUpstreamToken(t.Context(), "one", "u_1", []byte("third"), at))
	must(t, take(end, end.Add(time.Minute)))
}

func unusedUpstreamTokens(t *testing.T, s login.Store) {
	for subject, kept := range map[string]time.Duration{"old": -time.Microsecond, "due": 0, "used": time.Microsecond, "touched": -time.Hour, "returned": -time.Hour} {
		must(t, s.SaveUpstreamToken(t.Context(), "one", subject, []byte("sealed"), at.Add(kept)))
	}
	must(t, s.SaveUpstreamToken(t.Context(), "two", "old", []byte("sealed"), at.Add(-time.Hour)))
	must(t, s.TouchUpstreamToken(t.Context(), "one", "touched", at.Add(time.Hour)))
	must(t, s.ReturnUpstreamToken(t.Context(), "one", "returned", []byte("sealed"), []byte("sealed"), at.Add(time.Hour)))
	wantRemoved(t, 1)(s.DeleteUnusedUpstreamTokens(t.Context(), "one", at, 1))
	wantRemoved(t, 1)(s.DeleteUnusedUpstreamTokens(t.Context(), "one", at, 100))
	wantRemoved(t, 0)(s.DeleteUnusedUpstreamTokens(t.Context(), "one", at, 100))
	for _, subject := range []string{"used", "touched", "returned"} {
		wantUpstreamToken(t, s, subject, []byte("sealed"))
	}
}

func parallelUpstreamTakes(t *testing.T, s login.Store) {
	must(t, s.SaveUpstreamToken(t.Context(), "one", "u_1", []byte("sealed"), at))
	errs := inParallel(16, func(int) error {
		_, err := s.TakeUpstreamToken(t.Context(), "one", "u_1", at, at.Add(time.Minute))
		return err
	})
	onlySuccess(t, errs, login.ErrTaken)
}

func loginTenants(t *testing.T, s login.Store) {
	here, there := session("same"), session("same")
	there.Tenant, there.User = "two", person("u_2")
	hereAttempt, thereAttempt := loginAttempt("same"), loginAttempt("same")
	thereAttempt.Tenant, thereAttempt.Continue = "two", "/account"
	must(t, s.CreateSession(t.Context(), here))
	must(t, s.CreateAttempt(t.Context(), hereAttempt))
	must(t, s.SaveUpstreamToken(t.Context(), "one", "u_1", []byte("here"), at))
	wantNoSession(t, s, there)
	wantNotTaken(t, s, thereAttempt)
	wantNoUpstreamToken(t, s, "two", "u_1")

	must(t, s.CreateSession(t.Context(), there))
	must(t, s.CreateAttempt(t.Context(), thereAttempt))
	must(t, s.SaveUpstreamToken(t.Context(), "two", "u_1", []byte("there"), at))
	must(t, s.ReturnUpstreamToken(t.Context(), "two", "u_1", []byte("there"), []byte("here"), at))
	must(t, s.TouchSession(t.Context(), "two", "same", at.Add(time.Minute)))
	wantTaken(t, s, thereAttempt)
	wantRemoved(t, 1)(s.DeleteExpiredSessions(t.Context(), "two", at.Add(24*time.Hour), at, 100))
	wantNoSession(t, s, there)
	must(t, s.DeleteSession(t.Context(), "two", "same"))

	wantSession(t, s, here)
	wantTaken(t, s, hereAttempt)
	wantUpstreamToken(t, s, "u_1", []byte("here"))
}

func sessionExpiry(t *testing.T, s login.Store) {
	end, idle := at.Add(time.Hour), at.Add(-time.Hour)
	for i := range 5 {
		n := session(fmt.Sprint("expired ", i))
		n.ExpiresAt = end.Add(time.Duration(i-4) * time.Microsecond)
		must(t, s.CreateSession(t.Context(), n))
	}
	unused, live := session("unused"), session("live")
	unused.SeenAt, unused.ExpiresAt = idle, end.Add(time.Microsecond)
	live.SeenAt, live.ExpiresAt = idle.Add(time.Microsecond), end.Add(time.Microsecond)
	must(t, s.CreateSession(t.Context(), unused))
	must(t, s.CreateSession(t.Context(), live))
	expired, open := loginAttempt("expired"), loginAttempt("open")
	expired.ExpiresAt, open.ExpiresAt = end, end.Add(time.Microsecond)
	must(t, s.CreateAttempt(t.Context(), expired))
	must(t, s.CreateAttempt(t.Context(), open))
	must(t, s.SaveUpstreamToken(t.Context(), "one", "u_1", []byte("sealed"), at))

	// The limit is one for sessions and attempts.
	for _, step := range []struct{ limit, removed int }{{0, 0}, {-1, 0}, {4, 4}, {2, 2}, {5, 1}, {5, 0}} {
		got, err := s.DeleteExpiredSessions(t.Context(), "one", end.In(time.FixedZone("", 5*60*60)), idle.Local(), step.limit)
		if err != nil || got != int64(step.removed) {
			t.Errorf("DeleteExpiredSessions with limit %d returned %d, %v, want %d", step.limit, got, err, step.removed)
		}
	}
	for i := range 5 {
		wantNoSession(t, s, session(fmt.Sprint("expired ", i)))
	}
	wantNoSession(t, s, unused)
	wantSession(t, s, live)
	wantNotTaken(t, s, expired)
	wantTaken(t, s, open)
	wantUpstreamToken(t, s, "u_1", []byte("sealed"))
}

func loginCancelled(t *testing.T, s login.Store) {
	n, a, token := session("n"), loginAttempt("a"), []byte("sealed")
	must(t, s.CreateSession(t.Context(), n))
	must(t, s.CreateAttempt(t.Context(), a))
	must(t, s.SaveUpstreamToken(t.Context(), "one", "u_1", token, at))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"CreateSession":       func() error { return s.CreateSession(ctx, session("never")) },
		"FindSession":         func() error { _, err := s.FindSession(ctx, "one", n.ID); return err },
		"TouchSession":        func() error { return s.TouchSession(ctx, "one", n.ID, at.Add(time.Hour)) },
		"DeleteSession":       func() error { return s.DeleteSession(ctx, "one", n.ID) },
		"CreateAttempt":       func() error { return s.CreateAttempt(ctx, loginAttempt("never")) },
		"TakeAttempt":         func() error { _, err := s.TakeAttempt(ctx, "one", a.ID); return err },
		"SaveUpstreamToken":   func() error { return s.SaveUpstreamToken(ctx, "one", "u_1", []byte("x"), at) },
		"TouchUpstreamToken":  func() error { return s.TouchUpstreamToken(ctx, "one", "u_1", at) },
		"TakeUpstreamToken":   func() error { _, err := s.TakeUpstreamToken(ctx, "one", "u_1", at, at); return err },
		"ReturnUpstreamToken": func() error { return s.ReturnUpstreamToken(ctx, "one", "u_1", token, []byte("x"), at) },
		"DeleteUpstreamToken": func() error { return s.DeleteUpstreamToken(ctx, "one", "u_1", token) },
		"DeleteExpiredSessions": func() error {
			_, err := s.DeleteExpiredSessions(ctx, "one", at.Add(24*time.Hour), at, 100)
			return err
		},
	} {
		wantError(t, name, call(), context.Canceled)
	}
	wantSession(t, s, n)
	wantNoSession(t, s, session("never"))
	wantTaken(t, s, a)
	wantUpstreamToken(t, s, "u_1", token)
}

func parallelTakers(t *testing.T, s login.Store) {
	a := loginAttempt("contended")
	must(t, s.CreateAttempt(t.Context(), a))
	taken := make([]*login.Attempt, rivals)
	errs := inParallel(rivals, func(i int) (err error) {
		taken[i], err = s.TakeAttempt(t.Context(), a.Tenant, a.ID)
		return err
	})
	winner := onlySuccess(t, errs, login.ErrNotFound)
	for i, got := range taken {
		if i != winner && got != nil {
			t.Errorf("call %d lost and returned an attempt", i)
		}
	}
	if !reflect.DeepEqual(taken[winner], a) {
		t.Errorf("took\n%+v\nwant\n%+v", taken[winner], a)
	}
}

func wantSession(t *testing.T, s login.Store, want *login.Session) {
	t.Helper()
	got, err := s.FindSession(t.Context(), want.Tenant, want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found\n%+v\nwant\n%+v", got, want)
	}
}

func wantNoSession(t *testing.T, s login.Store, n *login.Session) {
	t.Helper()
	found, err := s.FindSession(t.Context(), n.Tenant, n.ID)
	if found != nil || !errors.Is(err, login.ErrNotFound) {
		t.Errorf("FindSession returned %v, %v, want ErrNotFound", found, err)
	}
}

func wantTaken(t *testing.T, s login.Store, want *login.Attempt) {
	t.Helper()
	got, err := s.TakeAttempt(t.Context(), want.Tenant, want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("took\n%+v\nwant\n%+v", got, want)
	}
}

func wantNotTaken(t *testing.T, s login.Store, a *login.Attempt) {
	t.Helper()
	taken, err := s.TakeAttempt(t.Context(), a.Tenant, a.ID)
	if taken != nil || !errors.Is(err, login.ErrNotFound) {
		t.Errorf("TakeAttempt returned %v, %v, want ErrNotFound", taken, err)
	}
}

// everAfter is when nobody has anything any longer.
var everAfter = at.Add(10 * 365 * 24 * time.Hour)

// wantUpstreamToken checks what is kept for a user of the tenant "one".
func wantUpstreamToken(t *testing.T, s login.Store, subject string, want []byte) {
	t.Helper()
	got, err := s.TakeUpstreamToken(t.Context(), "one", subject, everAfter, at)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("TakeUpstreamToken returned %q, %v, want %q", got, err, want)
	}
}

func wantNoUpstreamToken(t *testing.T, s login.Store, tenant, subject string) {
	t.Helper()
	found, err := s.TakeUpstreamToken(t.Context(), tenant, subject, everAfter, at)
	if found != nil || !errors.Is(err, login.ErrNotFound) {
		t.Errorf("TakeUpstreamToken returned %q, %v, want ErrNotFound", found, err)
	}
}
