package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const superuser = "registrar"

// Cluster is a private PostgreSQL server.
type Cluster struct {
	// URL is that of an empty database, as a superuser.
	URL string

	t      TB
	server *process
	dir    string
}

// StartPostgres starts a private server, which ends with the test. Writes are
// durable (fsync is on), so that what it acknowledged must survive [Cluster.Stop].
func StartPostgres(t TB) *Cluster {
	t.Helper()
	c, err := startCluster()
	if err != nil {
		t.Fatalf("PostgreSQL for this test: %v", err)
	}
	c.t = t
	t.Cleanup(c.remove)
	return c
}

// Stop ends the server at once, like a crash: no checkpoint, connections cut.
func (c *Cluster) Stop() { c.server.stop() }

// Start starts the stopped server again, on the same port, and waits until it
// has recovered.
func (c *Cluster) Start() {
	c.t.Helper()
	if err := c.server.start(); err != nil {
		c.t.Fatalf("restart PostgreSQL: %v", err)
	}
}

func (c *Cluster) remove() {
	c.server.stop()
	_ = os.RemoveAll(c.dir)
}

// Postgres returns the URL of a fresh, empty database, which is dropped when the
// test ends. It is in the server of TEST_DATABASE_URL (a postgres:// URL of a role
// that may create databases) or, without that, in one that the tests of this
// process share.
func Postgres(t TB) string {
	t.Helper()
	server, err := sharedServer()
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	name := "registrar_test_" + strings.ToLower(rand.Text())
	if err := execOn(server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		t.Fatalf("create a database for this test: %v", err)
	}
	t.Cleanup(func() {
		if err := execOn(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database of this test: %v", err)
		}
	})
	u := *server
	u.Path = "/" + name
	return u.String()
}

func sharedServer() (*url.URL, error) {
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		u, err := url.Parse(given)
		if err != nil {
			return nil, errors.New("TEST_DATABASE_URL is not a URL")
		}
		return u, nil
	}
	if !underMain.Load() {
		return nil, errors.New("TestMain of this package must call testenv.Main, which stops the server")
	}
	c, err := shared()
	if err != nil {
		return nil, err
	}
	return url.Parse(c.URL)
}

var (
	sharedCluster *Cluster
	shared        = sync.OnceValues(func() (c *Cluster, err error) {
		sharedCluster, err = startCluster()
		return sharedCluster, err
	})
)

func stopShared() {
	if sharedCluster != nil {
		sharedCluster.remove()
	}
}

func execOn(server *url.URL, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func startCluster() (*Cluster, error) {
	bin, err := postgresBin(debianPostgres)
	if err != nil {
		return nil, err
	}
	runAs, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "registrar-postgres-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir}
	if err := c.create(bin, runAs); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return c, nil
}

func (c *Cluster) create(bin string, runAs *syscall.Credential) error {
	password := rand.Text()
	data, err := initdb(bin, c.dir, password, runAs)
	if err != nil {
		return err
	}
	c.server, err = startOnFreePort(func(port int) *process {
		c.URL = clusterURL(port, password)
		return &process{
			argv: []string{
				filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port),
				"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
				"-c", "max_connections=200", "-c", "fsync=on",
			},
			dir: c.dir, runAs: runAs, crash: syscall.SIGQUIT, ping: pingPostgres(c.URL),
		}
	})
	return err
}

// initdb creates a cluster that asks for the password, so that a test never talks
// to another cluster that took its port, and returns its data directory.
func initdb(bin, dir, password string, runAs *syscall.Credential) (string, error) {
	data, passwordFile := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		return "", err
	}
	if err := giveTo(runAs, dir, passwordFile); err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", superuser, "-A", "scram-sha-256",
		"--pwfile", passwordFile, "-E", "UTF8", "--locale=C", "--no-sync")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: runAs}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	return data, nil
}

func giveTo(user *syscall.Credential, paths ...string) error {
	if user == nil {
		return nil
	}
	for _, p := range paths {
		if err := os.Chown(p, int(user.Uid), int(user.Gid)); err != nil {
			return err
		}
	}
	return nil
}

func clusterURL(port int, password string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func pingPostgres(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	}
}

// debianPostgres is where Debian and Ubuntu keep what is not on PATH.
const debianPostgres = "/usr/lib/postgresql/*/bin/postgres"

// postgresBin returns the folder of initdb and postgres: the one on PATH or the
// newest that matches the pattern.
func postgresBin(pattern string) (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil && isFile(filepath.Join(filepath.Dir(initdb), "postgres")) {
		return filepath.Dir(initdb), nil
	}
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return "", errors.New("no initdb and postgres on PATH or in /usr/lib/postgresql: apt-get install postgresql, or set TEST_DATABASE_URL")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return majorVersion(a) - majorVersion(b) })
	return filepath.Dir(newest), nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// majorVersion is 17 of /usr/lib/postgresql/17/bin/postgres; 0 if there is none.
func majorVersion(binary string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(binary))))
	if err != nil {
		return 0
	}
	return n
}

// unprivileged is the account that PostgreSQL, which refuses root, runs as; nil
// for a caller who is not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("no account to run PostgreSQL as: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
