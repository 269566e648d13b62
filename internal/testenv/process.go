package testenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// readyWithin bounds a start, crash recovery included.
const readyWithin = 60 * time.Second

// process is a server that this process starts, and can stop and start again.
type process struct {
	argv []string
	dir  string
	// runAs is nil to run as the caller.
	runAs *syscall.Credential
	// crash ends the process at once, and is also what it gets when its parent dies.
	crash syscall.Signal
	ping  func(context.Context) error

	cmd    *exec.Cmd
	exited chan struct{}
}

// start returns when the process answers a ping.
func (p *process) start() error {
	if err := p.spawn(); err != nil {
		return fmt.Errorf("start %s: %w", p.argv[0], err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	if err := p.awaitReady(ctx); err != nil {
		p.stop()
		return fmt.Errorf("%s: %w: %s", p.argv[0], err, p.logTail())
	}
	return nil
}

func (p *process) spawn() error {
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.SysProcAttr = dieWithParent(p.crash)
	cmd.SysProcAttr.Credential = p.runAs
	if err := onSpawnThread(cmd.Start); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

func (p *process) awaitReady(ctx context.Context) error {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := p.ping(ctx)
		select {
		case <-p.exited:
			return errors.New("exited before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", readyWithin, err)
		default:
		}
		if err == nil {
			return nil
		}
		<-retry.C
	}
}

// stop ends the process like a crash and waits until it is gone. A process that
// does not run is left as it is.
func (p *process) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(p.crash)
	<-p.exited
	p.cmd = nil
}

func (p *process) logFile() string { return filepath.Join(p.dir, "log") }

func (p *process) logTail() []byte {
	log, err := os.ReadFile(p.logFile())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(log[max(0, len(log)-2000):])
}

// spawnThread runs functions on one thread that lives as long as this process:
// the kernel sends a parent's death signal when the thread that forked ends.
var spawnThread = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})

func onSpawnThread(start func() error) error {
	result := make(chan error)
	spawnThread() <- func() { result <- start() }
	return <-result
}

// portAttempts is how often a start is tried when another process takes the port
// between the choice and the use.
const portAttempts = 5

// startOnFreePort starts what newProcess makes for a port that was free a moment ago.
func startOnFreePort(newProcess func(port int) *process) (*process, error) {
	var failures []error
	for range portAttempts {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		p := newProcess(port)
		if err = p.start(); err == nil {
			return p, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// freePort returns a loopback port below the range from which the kernel serves
// outgoing connections: in that range, a client that dials a stopped server can
// take its port, or even be connected to itself.
func freePort() (int, error) {
	const lowest, count = 15000, 17000
	for range 100 {
		n, err := rand.Int(rand.Reader, big.NewInt(count))
		if err != nil {
			return 0, fmt.Errorf("choose a port: %w", err)
		}
		port := lowest + int(n.Int64())
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port on 127.0.0.1")
}
