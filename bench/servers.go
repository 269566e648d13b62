package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-9c856424/registrar/internal/testenv"
)

const (
	module = "github.com/seed-9c856424/registrar"
	// secretKey is 32 bytes that nobody else has a use for.
	secretKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	// issuer is the same for both sides, so that their answers have the same length.
	issuer = "http://localhost:8080"
	starts = 10
)

// The sides by index.
const (
	bare = iota
	registrar
)

var names = [2]string{bare: "bare", registrar: "registrar"}

// side is a running server.
type side struct {
	name, url string
	process   *os.Process
}

// build makes both programs as they ship.
func (b *bench) build() {
	for _, pkg := range []string{"/cmd/registrar", "/bench/bare"} {
		cmd := exec.CommandContext(b.ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.dir, module+pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		b.output(cmd)
	}
}

func (b *bench) output(cmd *exec.Cmd) []byte {
	out, err := cmd.CombinedOutput()
	b.must(err, fmt.Sprintf("%s: %s", filepath.Base(cmd.Path), out))
	return out
}

// command is one of the programs. The bare handler is tuned as Registrar tunes itself, and
// Registrar is as it comes, with its rules and access log, save the limit.
func (b *bench) command(which int, addr, database string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, filepath.Join(b.dir, names[which]))
	switch which {
	case bare:
		cmd.Args = append(cmd.Args, "-addr", addr, "-issuer", issuer, "-database", database+"&pool_max_conns=32")
		cmd.Env = []string{"GOGC=400", "GOMEMLIMIT=40MiB"}
	case registrar:
		cmd.Args = append(cmd.Args, "serve")
		cmd.Env = []string{
			"REGISTRAR_ADDR=" + addr, "REGISTRAR_ISSUER=" + issuer,
			"REGISTRAR_DATABASE_URL=" + database, "REGISTRAR_REGISTRATION_RATE=off",
			"REGISTRAR_SECRET_KEY=" + secretKey,
		}
	}
	return cmd
}

// startSides starts both servers, each on a database of its own in one cluster.
func (b *bench) startSides() (sides [2]*side) {
	server := testenv.StartPostgres(b).URL
	for which := range sides {
		cmd, base := b.start(which, b.createDatabase(server, names[which]))
		b.awaitReady(base)
		sides[which] = &side{names[which], base, cmd.Process}
	}
	return sides
}

// createDatabase returns the URL of a new database that has Registrar's schema.
func (b *bench) createDatabase(server, name string) string {
	conn, err := pgx.Connect(b.ctx, server)
	b.must(err, "connect")
	defer conn.Close(b.ctx)
	_, err = conn.Exec(b.ctx, "CREATE DATABASE "+name)
	b.must(err, "create a database")
	u, err := url.Parse(server)
	b.must(err, "read the URL of the server")
	u.Path = "/" + name
	migrate := b.command(registrar, "", u.String())
	migrate.Args[1] = "migrate"
	b.output(migrate)
	return u.String()
}

// start starts a program that logs to a file and ends with the measurement at the latest.
func (b *bench) start(which int, database string) (cmd *exec.Cmd, base string) {
	addr := b.freeAddr()
	cmd = b.command(which, addr, database)
	log, err := os.Create(filepath.Join(b.dir, names[which]+".log"))
	b.must(err, "open the log")
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	b.must(cmd.Start(), "start "+names[which])
	b.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return cmd, "http://" + addr
}

func (b *bench) freeAddr() string {
	listener, err := new(net.ListenConfig).Listen(b.ctx, "tcp", "127.0.0.1:0")
	b.must(err, "find a free port")
	defer listener.Close()
	return listener.Addr().String()
}

// awaitReady returns when /readyz first answers 200.
func (b *bench) awaitReady(base string) {
	const patience = 30 * time.Second
	deadline := time.After(patience)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		_, err := b.call(http.MethodGet, base+"/readyz", "", "", http.StatusOK)
		if err == nil {
			return
		}
		select {
		case <-deadline:
			b.must(err, "wait for readiness")
		case <-again.C:
		}
	}
}

// bestStart returns the shortest time from exec to readiness, each on a new SQLite file.
func (b *bench) bestStart() time.Duration {
	best := time.Hour
	for n := range starts {
		file := filepath.Join(b.dir, fmt.Sprintf("%d.db", n))
		began := time.Now()
		cmd, base := b.start(registrar, "sqlite://"+file)
		b.awaitReady(base)
		best = min(best, time.Since(began))
		b.must(cmd.Process.Kill(), "stop")
	}
	return best
}

// peakMemory is the largest resident set of each process so far, in MiB.
func (b *bench) peakMemory(sides [2]*side) (peaks [2]float64) {
	for i, side := range sides {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", side.process.Pid))
		b.must(err, "read the memory of "+side.name)
		_, after, _ := strings.Cut(string(status), "VmHWM:")
		_, err = fmt.Sscan(after, &peaks[i])
		b.must(err, "read the memory of "+side.name)
		peaks[i] /= 1024
	}
	return peaks
}
