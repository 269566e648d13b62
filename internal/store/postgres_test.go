package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/testenv"
)

func isUnavailable(err error) bool {
	var e *oauth.Error
	return errors.As(err, &e) && e.Code == oauth.TemporarilyUnavailable
}

func TestOutageOfPostgres(t *testing.T) {
	cluster := testenv.StartPostgres(t)
	s := openMigrated(t, cluster.URL)
	t.Run("calls fail and then recover", func(t *testing.T) { outage(t, cluster, s) })
	t.Run("a restart that no call noticed", func(t *testing.T) { unnoticedRestart(t, cluster, s) })
}

func outage(t *testing.T, cluster *testenv.Cluster, s *Store) {
	before, after := client("c_before"), client("c_after")
	if err := s.Create(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	cluster.Stop()
	calls := map[string]func() error{
		"Ready":   func() error { return s.Ready(t.Context()) },
		"Pending": func() error { _, err := s.Pending(t.Context()); return err },
		"Migrate": func() error { return s.Migrate(t.Context()) },
	}
	for _, step := range steps(t.Context(), s) {
		calls[step.name] = step.call
	}
	for name, call := range calls {
		if err := call(); !isUnavailable(err) {
			t.Errorf("%s without a server returned %v, want temporarily_unavailable", name, err)
		}
	}
	cluster.Start()
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready after the restart: %v", err)
	}
	if err := s.Create(t.Context(), after); err != nil {
		t.Errorf("Create after the restart: %v", err)
	}
	for _, id := range []string{before.ID, after.ID} {
		if _, err := s.Find(t.Context(), "one", id); err != nil {
			t.Errorf("Find %s after the restart: %v", id, err)
		}
	}
}

// The pool then holds dead connections only.
func unnoticedRestart(t *testing.T, cluster *testenv.Cluster, s *Store) {
	fillPool(t, s)
	cluster.Stop()
	cluster.Start()
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	failures := 0
	for s.Ready(deadline) != nil && deadline.Err() == nil {
		failures++
	}
	if failures > postgresConnections {
		t.Errorf("%d calls failed after the restart, want at most one for each old connection", failures)
	}
	if err := s.Create(deadline, client("c_1")); err != nil {
		t.Error(err)
	}
}

func fillPool(t *testing.T, s *Store) {
	t.Helper()
	for range postgresConnections {
		conn, err := s.writers.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
}

// After a failover, connections to the old primary refuse to write.
func TestReadOnlyConnectionIsReplaced(t *testing.T) {
	databaseURL := postgresURL(t)
	admin := openMigrated(t, databaseURL)
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	set := "ALTER DATABASE " + strings.TrimPrefix(u.Path, "/") + " SET default_transaction_read_only = "
	mustExec(t, admin, set+"on")
	s := open(t, databaseURL)
	if err := s.Create(t.Context(), client("c_1")); !isUnavailable(err) {
		t.Errorf("Create on a standby returned %v, want temporarily_unavailable", err)
	}
	mustExec(t, admin, set+"off")
	if err := s.Create(t.Context(), client("c_1")); err != nil {
		t.Errorf("Create after the failover: %v", err)
	}
}

// The server carries out an insert and its answer is lost: the caller learns that the
// outcome is not known, and never that its new client exists already.
func TestLostAnswerIsNotRepeated(t *testing.T) {
	databaseURL := postgresURL(t)
	direct := openMigrated(t, databaseURL)
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	cut := &cutter{server: u.Host}
	u.Host = cut.listen(t)
	s := open(t, u.String())
	if err := s.Create(t.Context(), client("c_prepares")); err != nil {
		t.Fatal(err)
	}

	c := client("c_lost")
	cut.before.Store(&c.ID)
	if err := s.Create(t.Context(), c); !isUnavailable(err) {
		t.Errorf("Create returned %v, want temporarily_unavailable", err)
	}
	if cuts := cut.cuts.Load(); cuts != 1 {
		t.Errorf("the insert was sent %d times, want 1", cuts)
	}
	cut.before.Store(nil)
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready afterwards: %v", err)
	}
	awaitClient(t, direct, c)
}

// awaitClient waits until the server has carried out what it was sent.
func awaitClient(t *testing.T, s *Store, c *registration.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, err := s.Find(ctx, c.Tenant, c.ID)
		if err == nil {
			return
		}
		if !errors.Is(err, registration.ErrNotFound) {
			t.Fatal(err)
		}
	}
}

// cutter is a proxy that passes a message on and then hangs up, if the message holds a
// given text.
type cutter struct {
	server string
	before atomic.Pointer[string]
	cuts   atomic.Int64
}

func (c *cutter) listen(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return l.Addr().String()
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.server)
	if err != nil {
		return
	}
	go func() { _, _ = io.Copy(client, server) }()
	message := make([]byte, 1<<16)
	for {
		n, err := client.Read(message)
		text := c.before.Load()
		last := text != nil && bytes.Contains(message[:n], []byte(*text))
		if last {
			c.cuts.Add(1)
			_ = client.Close()
		}
		if _, writeErr := server.Write(message[:n]); err != nil || writeErr != nil {
			_ = server.Close()
			return
		}
		if last {
			return
		}
	}
}

func TestPostgresURLs(t *testing.T) {
	for _, c := range []struct{ name, url, description string }{
		{"all told", "postgres://u:p@db.example:6432/clients", "PostgreSQL, db.example:6432/clients"},
		{"the other scheme", "postgresql://u:p@db.example/clients?sslmode=disable", "PostgreSQL, db.example:5432/clients"},
		{"several hosts", "postgres://u:p@a.example,b.example:7/clients?sslmode=prefer", "PostgreSQL, a.example:5432,b.example:7/clients"},
		{"a socket", "postgres:///clients?host=/run/postgresql", "PostgreSQL, /run/postgresql:5432/clients"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := postgresDatabase(c.url)
			if err != nil {
				t.Fatal(err)
			}
			defer d.writers.Close()
			if d.description != c.description {
				t.Errorf("%q, want %q", d.description, c.description)
			}
		})
	}
}

func TestPostgresSettings(t *testing.T) {
	for _, c := range []struct {
		name, url   string
		timeout     time.Duration
		connections int
	}{
		{"as they are", "postgres://u:p@db.example/x", 5 * time.Second, 32},
		{"from the URL", "postgres://u:p@db.example/x?connect_timeout=9&pool_max_conns=7", 9 * time.Second, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := postgresConfig(c.url)
			if err != nil {
				t.Fatal(err)
			}
			if config.ConnectTimeout != c.timeout {
				t.Errorf("connect timeout %v, want %v", config.ConnectTimeout, c.timeout)
			}
			d, err := postgresDatabase(c.url)
			if err != nil {
				t.Fatal(err)
			}
			defer d.writers.Close()
			if got := d.writers.Stats().MaxOpenConnections; got != c.connections {
				t.Errorf("%d connections, want %d", got, c.connections)
			}
		})
	}
}

func TestPostgresRefusals(t *testing.T) {
	const secret = "s3cr3t"
	server, err := url.Parse(postgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	server.User = url.UserPassword(server.User.Username(), secret)
	for _, c := range []struct{ name, url, want string }{
		{"no scheme", secret, "must begin with sqlite://, postgres:// or postgresql://"},
		{"empty", "", "must begin with"},
		{"other database", "mysql://u:" + secret + "@h/x", "must begin with"},
		{"settings, not a URL", "host=h password=" + secret, "must begin with"},
		{"slash in the password", "postgres://u:" + secret + "/w@h/x", "percent-encode"},
		{"number and slash in the password", "postgres://u:5432/" + secret + "@h/x", "percent-encode"},
		{"@ in the password", "postgres://u:w@" + secret + "@h/x", "percent-encode"},
		{"@ and slash in the password", "postgres://u:w@" + secret + "/w@h/x", "percent-encode"},
		{"no host after the password", "postgres://u:" + secret + "/x", "not valid"},
		{"question mark in the password", "postgres://u:" + secret + "?w=x@127.0.0.1:1/x", "127.0.0.1:1/x: connection refused"},
		{"number sign in the password", "postgres://u:" + secret + "#w@127.0.0.1:1/x", "127.0.0.1:1/x: connection refused"},
		{"bad port", "postgres://u:" + secret + "@h:port/x", "invalid port"},
		{"bad sslmode", "postgres://u:" + secret + "@h/x?sslmode=perhaps", "sslmode"},
		{"bad sslmode, password as a parameter", "postgres://u@h/x?password=" + secret + "&sslmode=perhaps", "sslmode"},
		{"missing certificate", "postgres://u:" + secret + "@h/x?sslmode=verify-full&sslrootcert=/none.pem", "/none.pem"},
		{"bad pool size", "postgres://u:" + secret + "@h/x?pool_max_conns=0", "pool_max_conns"},
		{"nobody listens", "postgres://u:" + secret + "@127.0.0.1:1/x", "PostgreSQL, 127.0.0.1:1/x: connection refused"},
		{"nobody listens, two hosts", "postgres://u:" + secret + "@127.0.0.1:1,[::1]:1/x?sslmode=prefer", "connection refused"},
		{"no such host", "postgres://u:" + secret + "@nobody.invalid/x", "nobody.invalid:5432/x: "},
		{"wrong password", server.String(), "password authentication failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantRefused(t, c.url, c.want)
			if _, err := Open(t.Context(), c.url); strings.Contains(err.Error(), secret) {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestSilentServerIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wantRefused(t, "postgres://u:p@"+l.Addr().String()+"/x?connect_timeout=1", l.Addr().String())
}

func TestExplain(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	state := func(code string) error { return &pgconn.PgError{Code: code} }
	for _, c := range []struct {
		name        string
		ctx         context.Context
		err         error
		unavailable bool
	}{
		{"bad data", t.Context(), state("22021"), false},
		{"broken constraint", t.Context(), state("23505"), false},
		{"missing table", t.Context(), state("42P01"), false},
		{"too many connections", t.Context(), state("53300"), true},
		{"shutdown", t.Context(), state("57P01"), true},
		{"starting up", t.Context(), state("57P03"), true},
		{"statement timeout", t.Context(), state("57014"), true},
		{"connection failure", t.Context(), state("08006"), true},
		{"standby", t.Context(), state("25006"), true},
		{"still not serializable", t.Context(), state("40001"), true},
		{"disk full", t.Context(), state("53100"), true},
		{"password changed", t.Context(), state("28P01"), true},
		{"no SQLSTATE", t.Context(), state(""), true},
		{"end of stream", t.Context(), io.ErrUnexpectedEOF, true},
		{"deadline", t.Context(), context.DeadlineExceeded, true},
		{"cancelled by the caller", cancelled, state("57014"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := explain(c.ctx, "test", c.err)
			if isUnavailable(err) != c.unavailable {
				t.Errorf("explained as %v, unavailable: want %t", err, c.unavailable)
			}
			if cancelled := c.ctx.Err() != nil; errors.Is(err, context.Canceled) != cancelled {
				t.Errorf("explained as %v, cancelled: want %t", err, cancelled)
			}
			if c.ctx.Err() == nil && !errors.Is(err, c.err) {
				t.Errorf("%v hides its cause", err)
			}
		})
	}
}

func TestAttempt(t *testing.T) {
	conflict := &pgconn.PgError{Code: "40001"}
	for _, c := range []struct {
		name  string
		errs  []error
		calls int
		want  error
	}{
		{"at once", []error{nil}, 1, nil},
		{"after a serialization failure and a deadlock", []error{conflict, &pgconn.PgError{Code: "40P01"}, nil}, 3, nil},
		{"never", slices.Repeat([]error{conflict}, maxAttempts+1), maxAttempts, conflict},
		{"a broken connection is not repeated", []error{io.ErrUnexpectedEOF, nil}, 1, io.ErrUnexpectedEOF},
		{"completion unknown is not repeated", []error{&pgconn.PgError{Code: "40003"}, nil}, 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			err := attempt(t.Context(), "test", func() error { calls++; return c.errs[calls-1] })
			if calls != c.calls || (c.want != nil && !errors.Is(err, c.want)) || (err == nil) != (c.errs[calls-1] == nil) {
				t.Errorf("%d calls, %v; want %d, %v", calls, err, c.calls, c.want)
			}
		})
	}
	t.Run("not past the caller's patience", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := attempt(ctx, "test", func() error { calls++; cancel(); return conflict })
		if calls != 1 || !errors.Is(err, context.Canceled) {
			t.Errorf("%d calls, %v; want 1, context.Canceled", calls, err)
		}
	})
}
