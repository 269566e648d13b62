package testenv

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// doomed is set in the process that TestServersDieWithTheirProcess kills.
const doomed = "TESTENV_DOOMED"

func TestMain(m *testing.M) {
	if os.Getenv(doomed) != "" {
		startAndWait()
	}
	Main(m)
}

type program struct{}

func (program) Helper()                      {}
func (program) Cleanup(func())               {}
func (program) Errorf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }
func (program) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

func startAndWait() {
	cluster, cache := StartPostgres(program{}), Redis(program{})
	fmt.Println(cluster.URL)
	fmt.Println(cache.URL)
	fmt.Println(cluster.dir)
	fmt.Println(cache.server.dir)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func mustExec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresDatabasesAreFreshAndDropped(t *testing.T) {
	var first string
	t.Run("first", func(t *testing.T) {
		first = Postgres(t)
		mustExec(t, connect(t, first), "CREATE TABLE mark (x int)")
	})
	t.Run("second", func(t *testing.T) {
		var tables int
		row := connect(t, Postgres(t)).QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
		if err := row.Scan(&tables); err != nil || tables != 0 {
			t.Errorf("a fresh database has %d tables, %v", tables, err)
		}
	})
	if conn, err := pgx.Connect(t.Context(), first); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the first database outlived its test")
	}
}

func TestClusterKeepsCommittedRowsOverACrash(t *testing.T) {
	c := StartPostgres(t)
	conn := connect(t, c.URL)
	mustExec(t, conn, "CREATE TABLE mark (x int)")
	mustExec(t, conn, "INSERT INTO mark VALUES (7)")

	c.Stop()
	c.Stop()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a stopped cluster answers")
	}
	c.Start()

	var x int
	if err := connect(t, c.URL).QueryRow(t.Context(), "SELECT x FROM mark").Scan(&x); err != nil || x != 7 {
		t.Errorf("after the crash: %d, %v", x, err)
	}
}

func TestClusterIsDurableAndRefusesOtherPasswords(t *testing.T) {
	c := StartPostgres(t)
	var fsync string
	if err := connect(t, c.URL).QueryRow(t.Context(), "SHOW fsync").Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync = %q, %v", fsync, err)
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(superuser, "guess")
	if conn, err := pgx.Connect(t.Context(), u.String()); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a wrong password is accepted")
	}
}

func TestRedisStopsAndStarts(t *testing.T) {
	r := Redis(t)
	opts, err := redis.ParseURL(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries, opts.DialerRetries = -1, 1
	client := redis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })

	if err := client.Set(t.Context(), "mark", 7, 0).Err(); err != nil {
		t.Fatal(err)
	}
	r.Stop()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a stopped server answers")
	}
	r.Start()
	if n, err := client.Exists(t.Context(), "mark").Result(); err != nil || n != 0 {
		t.Errorf("after the restart: %d keys, %v; want an empty server", n, err)
	}
}

func TestServersDieWithTheirProcess(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), doomed+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := readLines(t, stdout, 4)
	servers, dirs := lines[:2], lines[2:]
	for _, s := range servers {
		if !listening(t, s) {
			t.Fatalf("%s does not listen", s)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, s := range servers {
		awaitSilence(t, s)
	}
	for _, d := range dirs {
		if err := os.RemoveAll(d); err != nil {
			t.Error(err)
		}
	}
}

func readLines(t *testing.T, r io.Reader, n int) []string {
	t.Helper()
	var lines []string
	for s := bufio.NewScanner(r); len(lines) < n && s.Scan(); {
		lines = append(lines, s.Text())
	}
	if len(lines) != n {
		t.Fatalf("the process printed %d lines, want %d", len(lines), n)
	}
	return lines
}

func listening(t *testing.T, server string) bool {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func awaitSilence(t *testing.T, server string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for listening(t, server) {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("%s outlived its process", server)
		}
	}
}

func TestGivenServerIsUsed(t *testing.T) {
	c := StartPostgres(t)
	t.Setenv("TEST_DATABASE_URL", c.URL)
	given, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	got, err := url.Parse(Postgres(t))
	if err != nil || got.Host != given.Host || got.Path == given.Path {
		t.Errorf("database %v, %v; want a new one on %s", got, err, given.Host)
	}
	mustExec(t, connect(t, got.String()), "SELECT 1")
}

func TestMissingServersAreOneLineThatSaysHowToGetThem(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, _, redisErr := startRedis()
	_, postgresErr := postgresBin(t.TempDir() + "/*/bin/postgres")
	for remedy, err := range map[string]error{
		"apt-get install redis-server": redisErr,
		"apt-get install postgresql":   postgresErr,
	} {
		if err == nil || !strings.Contains(err.Error(), remedy) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, remedy)
		}
	}
}

func TestNewestPostgresOffPath(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	root := t.TempDir()
	for _, version := range []string{"9.6", "9", "15", "17"} {
		dir := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "postgres"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := filepath.Join(root, "17", "bin")
	if got, err := postgresBin(root + "/*/bin/postgres"); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestPortInUseIsTriedAnew(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	cache := Redis(t)
	attempts := 0
	p, err := startOnFreePort(func(port int) *process {
		attempts++
		if attempts == 1 {
			port = taken
		}
		argv := append([]string(nil), cache.server.argv...)
		argv[4] = fmt.Sprint(port)
		return &process{argv: argv, dir: t.TempDir(), crash: cache.server.crash, ping: pingRedis(redisURL(port, argv[len(argv)-1]))}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.stop()
	if attempts != 2 {
		t.Errorf("started at attempt %d, want 2", attempts)
	}
}
