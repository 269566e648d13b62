package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestProgram tries what is shipped: the binary, in processes of its own.
func TestProgram(t *testing.T) {
	p := buildProgram(t)
	// Alone, for it is the one test of a time.
	t.Run("ready within 300 ms", p.testReadyAtOnce)
	for name, test := range map[string]func(*testing.T){
		"commands":                     p.testCommands,
		"faults at start":              p.testFaultsAtStart,
		"PostgreSQL not migrated":      p.testNotMigrated,
		"secret key file":              p.testSecretKeyFile,
		"keys rotate":                  p.testRotateKeys,
		"sessions are shared":          p.testSharedSessions,
		"healthcheck":                  p.testHealthcheck,
		"start output":                 p.testStartOutput,
		"several start at once":        p.testStartTogether,
		"SIGTERM finishes":             p.testGracefulStop,
		"clients that dawdle":          p.testDawdlers,
		"kill on SQLite":               func(t *testing.T) { p.testKill(t, "sqlite") },
		"kill on PostgreSQL":           func(t *testing.T) { p.testKill(t, "postgres") },
		"SQLite on a disk that fills":  p.testFullDisk,
		"SQLite beside another writer": p.testLockedFile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// program is a built registrar.
type program struct{ path string }

func buildProgram(t *testing.T) program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registrar")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program{path}
}

// outcome is what a command that ended left behind.
type outcome struct {
	code        int
	out, errors string
}

// run runs a command to its end, with no other environment than the settings.
func (p program) run(t *testing.T, settings map[string]string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(assignments(settings), "LANG=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("registrar %v: %v", args, errors.Join(err, ctx.Err()))
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// wantFault checks that the command failed with one line for people.
func (o outcome) wantFault(t *testing.T, parts ...string) {
	t.Helper()
	if o.code != 1 || o.out != "" || !strings.HasPrefix(o.errors, "registrar: ") || strings.Count(o.errors, "\n") != 1 {
		t.Errorf("status %d, output %q, errors %q; want status 1 and one line", o.code, o.out, o.errors)
	}
	for _, part := range parts {
		if !strings.Contains(o.errors, part) {
			t.Errorf("%q does not say %q", o.errors, part)
		}
	}
}

// running is a server in a process of its own.
type running struct {
	*server
	address string
	cmd     *exec.Cmd
	out     logBuffer
	// ended holds how the process ended, once it did.
	ended chan error
}

// start starts registrar serve and returns at once. The process ends with the test.
func (p program) start(t *testing.T, settings map[string]string, args ...string) *running {
	t.Helper()
	r := &running{address: freeAddress(t), ended: make(chan error, 1)}
	r.server = &server{URL: "http://" + r.address, Log: &logBuffer{}}
	r.cmd = exec.Command(p.path, append([]string{"serve"}, args...)...)
	r.cmd.Env = assignments(environment(t, r.address, settings))
	r.cmd.Stdout, r.cmd.Stderr = &r.out, r.Log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- r.cmd.Wait() }()
	t.Cleanup(func() {
		_ = r.end(t, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("log of the server at %s, its last 4 kB:\n%s", r.address, r.Log.String()[max(0, len(r.Log.String())-4096):])
		}
	})
	return r
}

// await waits until the server listens, and equips it with a client.
func (r *running) await(t *testing.T) error {
	t.Helper()
	if err := awaitReady(r.address, r.ended); err != nil {
		return err
	}
	r.Client = &http.Client{Transport: newContractTransport(t, r.URL), Timeout: 30 * time.Second}
	return nil
}

// serve starts a server and waits until it listens.
func (p program) serve(t *testing.T, settings map[string]string, args ...string) *running {
	t.Helper()
	for range 5 {
		r := p.start(t, settings, args...)
		err := r.await(t)
		if err == nil {
			return r
		}
		r.ended <- err
		if !strings.Contains(r.Log.String(), "address already in use") {
			t.Fatalf("start: %v\n%s", err, r.Log)
		}
	}
	t.Fatal("start: no free port")
	return nil
}

// end signals the process and returns how it ended.
func (r *running) end(t *testing.T, signal os.Signal) error {
	t.Helper()
	_ = r.cmd.Process.Signal(signal)
	select {
	case err := <-r.ended:
		r.ended <- err
		return err
	case <-time.After(40 * time.Second):
		t.Fatalf("the server did not end within 40 s of %v", signal)
		return nil
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, within time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// headers returns the headers with one more.
func headers(h map[string]string, name, value string) map[string]string {
	more := maps.Clone(h)
	if more == nil {
		more = map[string]string{}
	}
	more[name] = value
	return more
}
