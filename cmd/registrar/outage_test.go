package main

import (
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/testenv"
)

// patience is the longest that any request may take, whatever the database does.
const patience = 12 * time.Second

func (s *server) wantStatus(t *testing.T, path string, status int) {
	t.Helper()
	if got := s.send(t, request{Method: "GET", Path: path}); got.Status != status {
		t.Errorf("%s: got %s, want %d", path, got, status)
	}
}

// wantUnavailable checks that everything that needs the database is refused in form, and
// in time, and that the process counts as alive.
func (s *server) wantUnavailable(t *testing.T, known acknowledged) {
	t.Helper()
	var askers sync.WaitGroup
	for _, r := range []request{
		{Method: "POST", Path: "/oauth/register", Body: minimal()},
		known.request("GET", nil),
		known.request("PUT", with(minimal(), object{"client_id": known.id})),
		known.request("DELETE", nil),
		{Method: "GET", Path: "/readyz"},
	} {
		askers.Go(func() {
			began := time.Now()
			got, err := s.try(r)
			if err != nil || got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
				t.Errorf("%s %s: %s with %v, %v; want 503 with Retry-After", r.Method, r.Path, got, got.Header, err)
			}
			if strings.HasPrefix(r.Path, "/oauth/") && got.Body["error"] != "temporarily_unavailable" {
				t.Errorf("%s %s: %s", r.Method, r.Path, got)
			}
			if took := time.Since(began); took > patience {
				t.Errorf("%s %s took %v", r.Method, r.Path, took)
			}
		})
	}
	s.wantStatus(t, "/healthz", http.StatusOK)
	askers.Wait()
	s.wantStatus(t, "/healthz", http.StatusOK)
}

func (s *server) recovers(t *testing.T) {
	t.Helper()
	eventually(t, 20*time.Second, "the service is ready again", func() bool {
		return s.send(t, request{Method: "GET", Path: "/readyz"}).Status == http.StatusOK
	})
}

func (s *server) acknowledge(t *testing.T) acknowledged {
	t.Helper()
	registered := s.register(t, minimal())
	return acknowledged{id: registered.str(t, "client_id"), token: registered.str(t, "registration_access_token")}
}

// wantNoFaults checks that the log holds no fault of the service.
func (s *server) wantNoFaults(t *testing.T) {
	t.Helper()
	if log := s.Log.String(); strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, `"status":500`) {
		at := strings.Index(log, `"level":"ERROR"`)
		t.Errorf("the log tells of a fault: %.2000s", log[max(0, at-100):])
	}
}

func TestPostgresStopsUnderLoad(t *testing.T) {
	t.Parallel()
	database := testenv.StartPostgres(t)
	s := startServer(t, map[string]string{"REGISTRAR_DATABASE_URL": database.URL})
	known := s.acknowledge(t)
	c := (&crowd{t: t, server: s, ledger: newLedger(), mayRefuse: true}).start()
	for range 2 {
		c.await(t, 40)
		database.Stop()
		refused := c.refused.Load()
		s.wantUnavailable(t, known)
		eventually(t, 20*time.Second, "the crowd is refused", func() bool { return c.refused.Load() > refused+crowdSize || t.Failed() })
		database.Start()
		s.recovers(t)
	}
	c.await(t, 40)
	c.stop()
	c.verify(t, s)
	if got := s.send(t, known.request("GET", nil)); got.Status != http.StatusOK {
		t.Errorf("a token that was presented during the outage: %s", got)
	}
	if slowest := time.Duration(c.slowest.Load()); slowest > patience {
		t.Errorf("a request took %v", slowest)
	}
	s.wantNoFaults(t)
}

func TestPostgresFallsSilent(t *testing.T) {
	t.Parallel()
	database, err := url.Parse(testenv.StartPostgres(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, database.Host)
	database.Host = w.Addr().String()
	s := startServer(t, map[string]string{"REGISTRAR_DATABASE_URL": database.String()})
	known := s.acknowledge(t)

	w.silence.Lock()
	s.wantUnavailable(t, known)
	w.silence.Unlock()

	s.recovers(t)
	if s.acknowledge(t).id == "" {
		t.Error("no registration after the silence")
	}
	s.wantNoFaults(t)
}

// wire leads to a server until it falls silent: then, as in a network that lost a route,
// nothing arrives and nothing is closed.
type wire struct {
	net.Listener
	target  string
	silence sync.RWMutex
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	w := &wire{Listener: listener, target: target}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go w.lead(near)
		}
	}()
	return w
}

func (w *wire) lead(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		_, _ = io.Copy(w.muted(near), far)
		_ = near.Close()
	}()
	_, _ = io.Copy(w.muted(far), near)
}

// muted writes while the wire is not silent.
func (w *wire) muted(to io.Writer) io.Writer { return mutedWriter{w, to} }

type mutedWriter struct {
	wire *wire
	to   io.Writer
}

func (m mutedWriter) Write(p []byte) (int, error) {
	m.wire.silence.RLock()
	defer m.wire.silence.RUnlock()
	return m.to.Write(p)
}

// testLockedFile writes to the file from another process, as a backup may, for longer
// than a request waits.
func (p program) testLockedFile(t *testing.T) {
	database := stores["sqlite"](t)
	s := p.serve(t, map[string]string{"REGISTRAR_DATABASE_URL": database}).server
	known := s.acknowledge(t)
	other, err := sql.Open("sqlite", strings.TrimPrefix(database, "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	got := s.send(t, request{Method: "POST", Path: "/oauth/register", Body: minimal()})
	got.wantError(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	if took := time.Since(began); took > patience || got.Header.Get("Retry-After") == "" {
		t.Errorf("after %v: %s with %v", took, got, got.Header)
	}
	if got := s.send(t, known.request("GET", nil)); got.Status != http.StatusOK {
		t.Errorf("a read beside the other writer: %s", got)
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	s.acknowledge(t)
	s.wantNoFaults(t)
}

// testFullDisk bounds the size of the files that the server may write, for its disk to
// be full, and then lifts the bound.
func (p program) testFullDisk(t *testing.T) {
	database := stores["sqlite"](t)
	r := p.serve(t, map[string]string{"REGISTRAR_DATABASE_URL": database})
	c := &crowd{t: t, server: r.server, ledger: newLedger(), mayRefuse: true}
	c.start()
	c.await(t, 20)
	lift := limitFileSize(t, r.cmd.Process.Pid, "262144")
	eventually(t, 30*time.Second, "the disk is full", func() bool { return c.refused.Load() > crowdSize || t.Failed() })
	r.wantStatus(t, "/healthz", http.StatusOK)
	lift()
	c.await(t, 20)
	c.stop()
	c.verify(t, r.server)
	r.wantNoFaults(t)
	_ = r.end(t, syscall.SIGKILL)
	c.verify(t, p.serve(t, map[string]string{"REGISTRAR_DATABASE_URL": database}).server)
}

// limitFileSize bounds the files that the process may write, and returns what lifts the bound.
func limitFileSize(t *testing.T, pid int, bytes string) (lift func()) {
	t.Helper()
	set := func(limit string) {
		t.Helper()
		if out, err := exec.Command("prlimit", "--pid", strconv.Itoa(pid), "--fsize="+limit+":").CombinedOutput(); err != nil {
			t.Fatalf("prlimit: %v: %s", err, out)
		}
	}
	set(bytes)
	return func() { set("unlimited") }
}
