package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/httpapi"
	"github.com/seed-9c856424/registrar/internal/metrics"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
	"github.com/seed-9c856424/registrar/internal/testenv"
	"github.com/seed-9c856424/registrar/migrations"
)

func (p program) testReadyAtOnce(t *testing.T) {
	const limit, starts = 300 * time.Millisecond, 7
	var took []time.Duration
	for range starts {
		began := time.Now()
		r := p.start(t, nil)
		for !isReady(r.address) {
			if time.Since(began) > 20*time.Second {
				t.Fatalf("not ready within 20 s: %s", r.Log)
			}
			time.Sleep(time.Millisecond)
		}
		took = append(took, time.Since(began).Round(time.Millisecond))
		if err := r.end(t, syscall.SIGTERM); err != nil {
			t.Errorf("stopped by SIGTERM: %v", err)
		}
	}
	t.Logf("ready after %v", took)
	if best := slices.Min(took); best > limit {
		t.Errorf("ready after %v at best, want %v", best, limit)
	}
}

func isReady(address string) bool {
	response, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (p program) testCommands(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if got := p.run(t, nil, args...); got.code != 0 || !strings.Contains(got.out, "registrar") || !strings.Contains(got.out, "dev") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := p.run(t, nil, "--help"); got.code != 0 || !containsAll(got.out, "serve", "migrate", "healthcheck", "version") {
		t.Errorf("help: %+v", got)
	}
	p.run(t, nil, "frobnicate").wantFault(t, `"frobnicate"`)
	p.run(t, nil, "serve", "--frobnicate").wantFault(t, "--frobnicate")
	p.run(t, nil, "serve", "frobnicate").wantFault(t, "frobnicate")
	p.run(t, nil, "migrate", "--migrate").wantFault(t, "--migrate")
}

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// password must stand in nothing that people read.
const password = "p4ssw0rd"

func (p program) testFaultsAtStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	garbled := filepath.Join(t.TempDir(), "garbled.db")
	if err := os.WriteFile(garbled, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	const addr, database, cache = "REGISTRAR_ADDR", "REGISTRAR_DATABASE_URL", "REGISTRAR_REDIS_URL"
	tests := map[string]struct {
		variable, value string
		says            []string
	}{
		"address in use":         {addr, taken.Addr().String(), []string{taken.Addr().String(), "address already in use"}},
		"address of another":     {addr, "192.0.2.1:8080", []string{"192.0.2.1:8080"}},
		"nothing listens":        {database, "postgres://registrar:" + password + "@127.0.0.1:1/registrar", []string{"PostgreSQL, 127.0.0.1:1/registrar", "refused"}},
		"no such host":           {database, "postgres://registrar:" + password + "@db.invalid/registrar", []string{"db.invalid"}},
		"another server":         {database, "postgres://registrar:" + password + "@" + taken.Addr().String() + "/registrar?connect_timeout=1", []string{taken.Addr().String()}},
		"port not a number":      {database, "postgres://registrar:" + password + "@db:port/registrar", []string{"database URL"}},
		"password not encoded":   {database, "postgres://registrar:" + password + "/@db/registrar", []string{"percent-encode"}},
		"bad escape":             {database, "postgres://registrar:" + password + "%zz@db/registrar", []string{"database URL"}},
		"bad parameter":          {database, "postgres://registrar:" + password + "@127.0.0.1:1/registrar?sslmode=maybe", []string{"database URL"}},
		"unknown scheme":         {database, "mysql://registrar:" + password + "@db/registrar", []string{database, "sqlite://"}},
		"no file":                {database, "sqlite://", []string{"names no file"}},
		"no folder":              {database, "sqlite://" + t.TempDir() + "/missing/registrar.db", []string{"SQLite", "no such file"}},
		"a folder":               {database, "sqlite://" + t.TempDir(), []string{"SQLite", "not a regular file"}},
		"a file of another kind": {database, "sqlite://" + garbled, []string{"SQLite", "not a database"}},
		"Redis URL":              {cache, "redis://:" + password + "@cache:port/0", []string{cache}},
		"Redis database":         {cache, "redis://:" + password + "@cache/x", []string{cache}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := p.run(t, map[string]string{addr: "127.0.0.1:0", "REGISTRAR_SECRET_KEY": secretKey, test.variable: test.value}, "serve")
			got.wantFault(t, test.says...)
			if strings.Contains(got.errors, password) {
				t.Errorf("the password stands in %q", got.errors)
			}
		})
	}
	t.Run("several", func(t *testing.T) {
		got := p.run(t, map[string]string{addr: "nowhere", "REGISTRAR_ISSUER": "http://id.example/", database: password}, "serve")
		if got.code != 1 || !containsAll(got.errors, addr, "REGISTRAR_ISSUER", database) || strings.Contains(got.errors, password) {
			t.Errorf("got %+v", got)
		}
	})
}

func (p program) testNotMigrated(t *testing.T) {
	server := testenv.StartPostgres(t)
	settings := map[string]string{"REGISTRAR_ADDR": "127.0.0.1:0", "REGISTRAR_DATABASE_URL": server.URL, "REGISTRAR_SECRET_KEY": secretKey}
	p.run(t, settings, "serve").wantFault(t, "registrar migrate", "serve --migrate")

	all, err := fs.Glob(migrations.FS, "postgres/*.sql")
	if err != nil || len(all) == 0 {
		t.Fatalf("migrations %v, %v", all, err)
	}
	for _, count := range []int{len(all), 0} {
		want := fmt.Sprintf("is up to date, %d migrations applied", count)
		if got := p.run(t, settings, "migrate"); got.code != 0 || !strings.Contains(got.out, want) || got.errors != "" {
			t.Errorf("migrate: %+v, want %q", got, want)
		}
	}
	p.serve(t, map[string]string{"REGISTRAR_DATABASE_URL": server.URL}).register(t, minimal())

	wrong, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword(wrong.User.Username(), password)
	settings["REGISTRAR_DATABASE_URL"] = wrong.String()
	for _, command := range []string{"serve", "migrate"} {
		got := p.run(t, settings, command)
		got.wantFault(t, "authentication failed")
		if strings.Contains(got.errors, password) {
			t.Errorf("the password stands in %q", got.errors)
		}
	}
	server.Stop()
	p.run(t, settings, "migrate").wantFault(t, "PostgreSQL, "+wrong.Host)
}

func (p program) testHealthcheck(t *testing.T) {
	server := testenv.StartPostgres(t)
	r := p.serve(t, map[string]string{"REGISTRAR_DATABASE_URL": server.URL}, "--migrate")
	check := func() outcome {
		return p.run(t, map[string]string{"REGISTRAR_ADDR": r.address}, "healthcheck")
	}
	if got := check(); got != (outcome{}) {
		t.Errorf("ready: %+v", got)
	}
	server.Stop()
	check().wantFault(t, "503")
	server.Start()
	eventually(t, 20*time.Second, "the health check succeeds again", func() bool { return check().code == 0 })
	_ = r.end(t, syscall.SIGTERM)
	check().wantFault(t, "refused")
	_, port, _ := net.SplitHostPort(r.address)
	p.run(t, map[string]string{"REGISTRAR_ADDR": ":" + port}, "healthcheck").wantFault(t, "refused")
}

func (p program) testStartOutput(t *testing.T) {
	server := testenv.StartPostgres(t)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := at.User.Password()
	settings := map[string]string{"REGISTRAR_ISSUER": "https://id.example/a", "REGISTRAR_DATABASE_URL": server.URL, "REGISTRAR_ISUER": "x"}
	r := p.start(t, settings, "--migrate")
	if err := awaitReady(r.address, r.ended); err != nil {
		t.Fatal(err)
	}
	want := "Registrar dev listens on " + r.address + "\n" +
		"  issuer    https://id.example/a\n" +
		"  register  https://id.example/a/oauth/register\n" +
		"  docs      https://id.example/a/docs\n" +
		"  database  PostgreSQL, " + at.Host + "/postgres\n" +
		"  login     none\n"
	eventually(t, 10*time.Second, "the start says\n"+want, func() bool { return r.out.String() == want })
	if strings.Contains(r.Log.String(), secret) || !containsAll(r.Log.String(), `"variable":"REGISTRAR_ISUER"`, `"variable":"REGISTRAR_REGISTRATION_RATE"`) {
		t.Errorf("log at start: %s", r.Log)
	}
	if err := r.end(t, syscall.SIGINT); err != nil {
		t.Errorf("stopped by SIGINT: %v", err)
	}
}

func (p program) testStartTogether(t *testing.T) {
	for name, database := range stores {
		t.Run(name, func(t *testing.T) {
			settings := map[string]string{"REGISTRAR_DATABASE_URL": database(t)}
			replicas := make([]*running, 4)
			for n := range replicas {
				replicas[n] = p.start(t, settings, "--migrate")
			}
			for n, r := range replicas {
				if err := r.await(t); err != nil {
					t.Fatalf("replica %d: %v\n%s", n, err, r.Log)
				}
			}
			for n, r := range replicas {
				registered, other := r.register(t, minimal()), replicas[(n+1)%len(replicas)]
				got := other.send(t, request{
					Method: "GET", Path: "/oauth/register/" + registered.str(t, "client_id"), Token: registered.str(t, "registration_access_token"),
				})
				if got.Status != http.StatusOK {
					t.Errorf("registered at replica %d, read at the next: %s", n, got)
				}
			}
		})
	}
}

// conversation is a connection that a test writes to by hand.
type conversation struct {
	net.Conn
	answers *bufio.Reader
}

func converse(t *testing.T, address, opening string) conversation {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(40 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c := conversation{connection, bufio.NewReader(connection)}
	c.say(t, opening)
	return c
}

func (c conversation) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func (c conversation) hear(t *testing.T) reply {
	t.Helper()
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := reply{Status: response.StatusCode, Header: response.Header, Text: string(text)}
	_ = json.Unmarshal(text, &answer.Body)
	return answer
}

// opening is a registration up to its body.
func opening(length int, more string) string {
	return fmt.Sprintf("POST /oauth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n", length, more)
}

func (p program) testGracefulStop(t *testing.T) {
	database := stores["sqlite"](t)
	r := p.serve(t, map[string]string{"REGISTRAR_DATABASE_URL": database})
	const body = `{"redirect_uris":["https://c.example/cb"]}`
	slow := converse(t, r.address, opening(len(body), "Expect: 100-continue\r\n"))
	if got := slow.hear(t); got.Status != http.StatusContinue {
		t.Fatalf("the body is not asked for: %s", got)
	}
	slow.say(t, body[:10])

	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "new connections are refused", func() bool {
		connection, err := net.Dial("tcp", r.address)
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	})
	slow.say(t, body[10:])
	registered := slow.hear(t)
	if registered.Status != http.StatusCreated {
		t.Fatalf("the accepted registration: %s", registered)
	}
	if err := r.end(t, syscall.Signal(0)); err != nil {
		t.Errorf("stopped by SIGTERM: %v", err)
	}
	again := p.serve(t, map[string]string{"REGISTRAR_DATABASE_URL": database})
	got := again.send(t, request{
		Method: "GET", Path: "/oauth/register/" + registered.str(t, "client_id"), Token: registered.str(t, "registration_access_token"),
	})
	if got.Status != http.StatusOK {
		t.Errorf("after the stop: %s", got)
	}
}

// testDawdlers keeps many slow connections open. Each is dropped in its time, whether it
// is silent or says a byte now and then, and meanwhile the others are served.
func (p program) testDawdlers(t *testing.T) {
	r := p.serve(t, nil)
	const head = "POST /oauth/register HTTP/1.1\r\nHost: x\r\n"
	tests := map[string]struct {
		opening, drop string
		within        time.Duration
	}{
		"silent":               {"", "", headerTime},
		"stops in the headers": {head, "", headerTime},
		"drips headers":        {head + "X-A: ", "a", headerTime},
		"stops in the body":    {opening(1000, "") + "{", "", readTime},
		"drips a body":         {opening(1000, "") + "{", " ", readTime},
	}
	var dawdlers sync.WaitGroup
	for name, test := range tests {
		for range 10 {
			c := converse(t, r.address, test.opening)
			dawdlers.Go(func() {
				began, answer := time.Now(), dropped(c, test.drop)
				took := time.Since(began)
				if took < test.within/2 || took > test.within+5*time.Second {
					t.Errorf("%s: dropped after %v, want %v", name, took, test.within)
				}
				if strings.HasPrefix(answer, "HTTP/1.1 5") {
					t.Errorf("%s: it is told that the server is at fault: %s", name, answer)
				}
			})
		}
	}
	served := r.register(t, minimal())
	if served.Status != http.StatusCreated {
		t.Error(served)
	}
	dawdlers.Wait()
	r.wantNoFaults(t)
}

// dropped says the text every 100 ms until the server closes the connection, and returns
// what the server said.
func dropped(c conversation, drop string) string {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_, _ = io.WriteString(c, drop)
			}
		}
	}()
	answer, _ := io.ReadAll(c.answers)
	close(done)
	return string(answer)
}

func TestBodiesThatBreakOff(t *testing.T) {
	s := startServer(t, nil)
	const head = "POST /oauth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	address := strings.TrimPrefix(s.URL, "http://")
	tests := map[string]string{
		"chunk without a length":   head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"chunk longer than said":   head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n",
		"chunk that never ends":    head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
		"chunk, trailing nonsense": head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\nzz\r\n",
		"length not a number":      head + "Content-Length: x\r\n\r\n{}",
		"two lengths":              head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"negative length":          head + "Content-Length: -1\r\n\r\n{}",
		"unknown coding":           head + "Transfer-Encoding: gzip\r\n\r\n{}",
		"headers too large":        head + "X-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
		"no host":                  "GET /healthz HTTP/1.1\r\n\r\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			got := converse(t, address, text).hear(t)
			if got.Status < 400 || got.Status >= 500 && got.Status != http.StatusNotImplemented {
				t.Errorf("got %s", got)
			}
		})
	}
	s.wantNoFaults(t)
}

func TestClientThatHangsUpIsNoFault(t *testing.T) {
	s := startServer(t, nil)
	before := len(accessLines(t, s))
	c := converse(t, strings.TrimPrefix(s.URL, "http://"), opening(1000, "Expect: 100-continue\r\n"))
	c.hear(t)
	_ = c.Close()
	eventually(t, 10*time.Second, "the request is logged", func() bool { return len(accessLines(t, s)) > before })
	s.wantNoFaults(t)
}

// accessLines are the lines of the access log.
func accessLines(t *testing.T, s *server) []object {
	t.Helper()
	var lines []object
	for text := range strings.Lines(s.Log.String()) {
		var line object
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("the log line %q: %v", text, err)
		}
		if line["msg"] == "request" {
			lines = append(lines, line)
		}
	}
	return lines
}

var traceID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// everyAnswer is one request for each kind of answer.
func everyAnswer(t *testing.T, s *server) map[string]request {
	t.Helper()
	registered := s.register(t, minimal())
	path, token := "/oauth/register/"+registered.str(t, "client_id"), registered.str(t, "registration_access_token")
	return map[string]request{
		"201":             {Method: "POST", Path: "/oauth/register", Body: minimal()},
		"200":             {Method: "GET", Path: path, Token: token},
		"200 update":      {Method: "PUT", Path: path, Token: token, Body: with(minimal(), object{"client_id": registered.Body["client_id"]})},
		"204 preflight":   {Method: "OPTIONS", Path: "/oauth/register", Header: map[string]string{"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}},
		"400":             {Method: "POST", Path: "/oauth/register", Body: "[]"},
		"401":             {Method: "GET", Path: path},
		"401 wrong token": {Method: "GET", Path: path, Token: "x" + token},
		"404":             {Method: "GET", Path: "/" + token},
		"405":             {Method: "DELETE", Path: "/oauth/register"},
		"413":             {Method: "POST", Path: "/oauth/register", Body: strings.Repeat(" ", 65537)},
		"415":             {Method: "POST", Path: "/oauth/register", Body: "{}", Header: map[string]string{"Content-Type": "text/plain"}},
		"400 page":        {Method: "GET", Path: "/oauth/authorize"},
		"400 token":       {Method: "POST", Path: "/oauth/token", Body: "x=y", Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		"401 client":      {Method: "POST", Path: "/oauth/token", Body: "grant_type=refresh_token", Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		"401 user info":   {Method: "GET", Path: "/oauth/userinfo"},
		"200 login":       {Method: "GET", Path: "/login"},
		"200 metadata":    {Method: "GET", Path: "/.well-known/oauth-authorization-server"},
		"200 openid":      {Method: "GET", Path: "/.well-known/openid-configuration"},
		"200 keys":        {Method: "GET", Path: "/oauth/jwks"},
		"200 contract":    {Method: "GET", Path: "/openapi.json"},
		"200 yaml":        {Method: "GET", Path: "/openapi.yaml"},
		"200 docs":        {Method: "GET", Path: "/docs"},
		"200 error docs":  {Method: "GET", Path: "/docs/errors/invalid_token"},
		"200 health":      {Method: "GET", Path: "/healthz"},
		"200 readiness":   {Method: "GET", Path: "/readyz"},
		"200 head":        {Method: "HEAD", Path: "/docs"},
	}
}

func TestEveryAnswerHasItsHeadersAndItsLogLine(t *testing.T) {
	s := startServer(t, nil)
	requests := everyAnswer(t, s)
	before := len(accessLines(t, s))
	traces := map[string]int{}
	for name, r := range requests {
		t.Run(name, func(t *testing.T) {
			got := s.send(t, r)
			if want := name[:3]; fmt.Sprint(got.Status) != want {
				t.Fatalf("got %s, want %s", got, want)
			}
			wantSecurityHeaders(t, got.Header)
			if got.Header.Get("Strict-Transport-Security") != "" {
				t.Error("HSTS over http")
			}
			id := got.Header.Get("X-Request-Id")
			if !traceID.MatchString(id) || got.Body["trace_id"] != nil && got.Body["trace_id"] != id {
				t.Errorf("X-Request-Id is %q, the body says %v", id, got.Body["trace_id"])
			}
			traces[id] = got.Status
		})
	}
	eventually(t, 10*time.Second, "every request is logged", func() bool { return len(accessLines(t, s)) >= before+len(requests) })
	lines := accessLines(t, s)[before:]
	if len(traces) != len(requests) || len(lines) != len(requests) {
		t.Fatalf("%d requests, %d trace ids, %d lines", len(requests), len(traces), len(lines))
	}
	for _, line := range lines {
		id, _ := line["trace_id"].(string)
		if status, sent := traces[id]; !sent || line["status"] != float64(status) || line["address"] != "127.0.0.1" {
			t.Errorf("no request of status %d has the line %v", status, line)
		}
		delete(traces, id)
	}
	for _, secret := range []string{"rgr_", "rgs_", "Bearer", "https://c.example"} {
		if strings.Contains(s.Log.String(), secret) {
			t.Errorf("%q stands in the log", secret)
		}
	}
	if token := requests["200"].Token; strings.Contains(s.Log.String(), token) {
		t.Error("a token stands in the log")
	}
}

func wantSecurityHeaders(t *testing.T, h http.Header) {
	t.Helper()
	referrer := "no-referrer"
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		referrer = "same-origin"
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": referrer} {
		if got := h.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if policy := h.Get("Content-Security-Policy"); !containsAll(policy, "default-src 'none'", "frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
	if h.Get("Cache-Control") == "" || h.Get("Server") != "" || h.Get("X-Powered-By") != "" {
		t.Errorf("headers: %v", h)
	}
}

func TestStrictTransportSecurityWithHTTPSIssuer(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_ISSUER": "https://id.example"})
	// The contract of this server is about another address than the one of the test.
	s.Client = http.DefaultClient
	for name, r := range everyAnswer(t, s) {
		t.Run(name, func(t *testing.T) {
			got := s.send(t, r)
			if hsts := got.Header.Get("Strict-Transport-Security"); hsts != "max-age=31536000" {
				t.Errorf("%d: Strict-Transport-Security is %q", got.Status, hsts)
			}
			wantSecurityHeaders(t, got.Header)
		})
	}
}

// panicking is a store with a fault of the kind that nobody foresaw.
type panicking struct{ registration.Store }

func TestPanicIsAnsweredWithoutDetails(t *testing.T) {
	settings, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	log, limits := &logBuffer{}, &gates{}
	limits.unlimit()
	handler, err := httpapi.New(httpapi.Options{
		Tenant: settings.Tenant(),
		Registry: &registration.Service{
			Store: panicking{}, Admit: limits.admit, Readmit: limits.readmit, Quota: new(registration.Quota).Take, Now: time.Now, Random: rand.Reader,
		},
		Observe:     observe(metrics.New(version), tenant.DefaultID),
		Refused:     limits.refused,
		MaxBody:     int64(settings.MaxBody),
		RequestTime: requestTime,
		Log:         slog.New(slog.NewJSONHandler(log, nil)),
		Now:         time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(handler)
	defer listening.Close()
	s := &server{URL: listening.URL, Client: listening.Client(), Log: log}

	got := s.send(t, request{Method: "POST", Path: "/oauth/register", Body: minimal()})
	got.wantError(t, http.StatusInternalServerError, "server_error")
	wantSecurityHeaders(t, got.Header)
	if got.Header.Get("Content-Type") != "application/problem+json" || got.Body["trace_id"] != got.Header.Get("X-Request-Id") {
		t.Errorf("got %s with %v", got, got.Header)
	}
	for _, detail := range []string{"panic", "nil pointer", ".go", "goroutine"} {
		if strings.Contains(got.Text, detail) {
			t.Errorf("%q is told: %s", detail, got)
		}
	}
	if !containsAll(log.String(), "nil pointer", "registration.(*Service).Register", got.Header.Get("X-Request-Id"), `"level":"ERROR"`) {
		t.Errorf("the log does not tell: %s", log)
	}
	if lines := accessLines(t, s); len(lines) != 1 || lines[0]["status"] != float64(http.StatusInternalServerError) {
		t.Errorf("access log: %v", lines)
	}
	if got := s.send(t, request{Method: "GET", Path: "/healthz"}); got.Status != http.StatusOK {
		t.Errorf("after the panic: %s", got)
	}
}
