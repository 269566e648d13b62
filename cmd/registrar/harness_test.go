package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// server is a running registrar and a client of it that holds every answer to the contract
// that the server itself publishes.
type server struct {
	// URL is where the server listens, and its issuer up to the issuer's path.
	URL    string
	Client *http.Client
	// Database is the URL of its database, and Log what it logged so far.
	Database string
	Log      *logBuffer
}

// stores are the databases that every behaviour is tried on.
var stores = map[string]func(t *testing.T) string{
	"sqlite":   func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "registrar.db") },
	"postgres": func(t *testing.T) string { return testenv.Postgres(t) },
}

// eachStore runs the test against a fresh server on each store. Limits are off.
func eachStore(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	eachStoreWith(t, nil, test)
}

// eachStoreWith is eachStore with settings of its own.
func eachStoreWith(t *testing.T, settings map[string]string, test func(t *testing.T, s *server)) {
	t.Helper()
	for name, database := range stores {
		t.Run(name, func(t *testing.T) {
			merged := map[string]string{"REGISTRAR_DATABASE_URL": database(t)}
			for key, value := range settings {
				merged[key] = value
			}
			test(t, startServer(t, merged))
		})
	}
}

// startServer starts a server with these settings and stops it after the test. Unless they
// say otherwise it is on SQLite, without limits, and its issuer is its own address.
func startServer(t *testing.T, settings map[string]string) *server {
	t.Helper()
	return startServerIn(t, network{}, settings)
}

// startServerIn is startServer with a world outside of its own.
func startServerIn(t *testing.T, outside network, settings map[string]string) *server {
	t.Helper()
	for range 5 {
		s, err := tryServer(t, outside, settings)
		if err == nil {
			return s
		}
		if !isAddressInUse(err) {
			t.Fatalf("start: %v", err)
		}
	}
	t.Fatal("start: no free port")
	return nil
}

func tryServer(t *testing.T, outside network, settings map[string]string) (*server, error) {
	t.Helper()
	address := freeAddress(t)
	merged := environment(t, address, settings)
	ctx, stop := context.WithCancel(context.Background())
	log := &logBuffer{}
	ended := make(chan error, 1)
	go func() {
		p := &process{environ: assignments(merged), out: io.Discard, log: log, outside: outside}
		ended <- p.run(ctx, []string{"serve", "--migrate"})
	}()
	if err := awaitReady(address, ended); err != nil {
		stop()
		return nil, err
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("end of the server's log:\n%s", log.tail(30))
		}
	})
	s := &server{URL: "http://" + address, Database: merged["REGISTRAR_DATABASE_URL"], Log: log}
	s.Client = &http.Client{Transport: newContractTransport(t, s.URL), Timeout: 30 * time.Second}
	return s, nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// secretKey is a REGISTRAR_SECRET_KEY, which PostgreSQL needs.
const secretKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// environment is the variables of a server that listens on the address; {address} in a
// setting stands for it.
func environment(t *testing.T, address string, settings map[string]string) map[string]string {
	t.Helper()
	merged := map[string]string{
		"REGISTRAR_ADDR":              address,
		"REGISTRAR_ISSUER":            "http://" + address,
		"REGISTRAR_DATABASE_URL":      stores["sqlite"](t),
		"REGISTRAR_REGISTRATION_RATE": "off",
		"REGISTRAR_SECRET_KEY":        secretKey,
	}
	for name, value := range settings {
		merged[name] = strings.ReplaceAll(value, "{address}", address)
	}
	return merged
}

// assignments spells variables as os.Environ does.
func assignments(variables map[string]string) []string {
	var environ []string
	for name, value := range variables {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// awaitReady waits until the server serves, or until it ended.
func awaitReady(address string, ended <-chan error) error {
	deadline := time.After(20 * time.Second)
	for {
		if connection, err := net.Dial("tcp", address); err == nil {
			return connection.Close()
		}
		select {
		case err := <-ended:
			return errors.Join(errors.New("the server ended"), err)
		case <-deadline:
			return errors.New("the server did not listen within 20 s")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// logBuffer collects the log of a server, which writes from many goroutines.
type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// tail returns the last lines.
func (l *logBuffer) tail(lines int) string {
	all := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// reply is an answer that was read to its end.
type reply struct {
	Status int
	Header http.Header
	Text   string
	// Body is the JSON object in it, if that is what it is.
	Body map[string]any
}

// request is what a test sends.
type request struct {
	Method string
	// Path is below the server's URL; an absolute URL is taken as it is.
	Path string
	// Body is sent as it is if it is a string, and as JSON otherwise; nil is no body.
	Body   any
	Token  string
	Header map[string]string
}

func (s *server) send(t *testing.T, r request) reply {
	t.Helper()
	answer, err := s.try(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Path, err)
	}
	return answer
}

func (s *server) try(r request) (reply, error) {
	sent, err := s.build(r)
	if err != nil {
		return reply{}, err
	}
	return s.do(sent)
}

// do sends a request that a test has built or changed itself.
func (s *server) do(sent *http.Request) (reply, error) {
	response, err := s.Client.Do(sent)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	answer := reply{Status: response.StatusCode, Header: response.Header, Text: string(text)}
	_ = json.Unmarshal(text, &answer.Body)
	return answer, nil
}

func (s *server) build(r request) (*http.Request, error) {
	url := r.Path
	if r.Path == "" || r.Path[0] == '/' {
		url = s.URL + r.Path
	}
	var body io.Reader
	switch b := r.Body.(type) {
	case nil:
	case string:
		body = bytes.NewReader([]byte(b))
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	sent, err := http.NewRequest(r.Method, url, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		sent.Header.Set("Content-Type", "application/json")
	}
	if r.Token != "" {
		sent.Header.Set("Authorization", "Bearer "+r.Token)
	}
	for name, value := range r.Header {
		sent.Header.Set(name, value)
	}
	return sent, nil
}

// object is a JSON object as tests write it.
type object = map[string]any

// minimal is the smallest registration.
func minimal() object { return object{"redirect_uris": []any{"https://c.example/cb"}} }

// with returns the object with members set; a nil value removes the member.
func with(o object, members object) object {
	merged := object{}
	for name, value := range o {
		merged[name] = value
	}
	for name, value := range members {
		merged[name] = value
		if value == nil {
			delete(merged, name)
		}
	}
	return merged
}

// register registers and expects success.
func (s *server) register(t *testing.T, body any) reply {
	t.Helper()
	answer := s.send(t, request{Method: "POST", Path: "/oauth/register", Body: body})
	if answer.Status != http.StatusCreated {
		t.Fatalf("register: %d %s", answer.Status, answer.Text)
	}
	return answer
}

// str returns a member that must be a non-empty string.
func (r reply) str(t *testing.T, member string) string {
	t.Helper()
	value, _ := r.Body[member].(string)
	if value == "" {
		t.Fatalf("%s: no string in %s", member, r.Text)
	}
	return value
}

// wantError checks status and OAuth error code.
func (r reply) wantError(t *testing.T, status int, code string) {
	t.Helper()
	if r.Status != status || r.Body["error"] != code {
		t.Errorf("got %d %s, want %d %s", r.Status, r.Text, status, code)
	}
}

func isAddressInUse(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "listen"
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.Status, r.Text) }
