package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// RedisServer is a private Redis server that keeps nothing on disk.
type RedisServer struct {
	URL string

	t      TB
	server *process
}

// Redis starts a private Redis server, which ends with the test.
func Redis(t TB) *RedisServer {
	t.Helper()
	r, dir, err := startRedis()
	if err != nil {
		t.Fatalf("Redis for this test: %v", err)
	}
	r.t = t
	t.Cleanup(func() {
		r.server.stop()
		_ = os.RemoveAll(dir)
	})
	return r
}

// Stop ends the server at once; what it held is lost.
func (r *RedisServer) Stop() { r.server.stop() }

// Start starts the stopped server again, empty, on the same port.
func (r *RedisServer) Start() {
	r.t.Helper()
	if err := r.server.start(); err != nil {
		r.t.Fatalf("restart Redis: %v", err)
	}
}

func startRedis() (*RedisServer, string, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, "", errors.New("no redis-server on PATH: apt-get install redis-server")
	}
	dir, err := os.MkdirTemp("", "registrar-redis-")
	if err != nil {
		return nil, "", err
	}
	// go-redis writes each dial that fails to the standard error: here, all until Redis is up.
	logging.Disable()
	r, password := &RedisServer{}, rand.Text()
	r.server, err = startOnFreePort(func(port int) *process {
		r.URL = redisURL(port, password)
		return &process{
			argv: []string{
				binary, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir,
				"--save", "", "--appendonly", "no", "--requirepass", password,
			},
			dir: dir, crash: syscall.SIGKILL, ping: pingRedis(r.URL),
		}
	})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, "", err
	}
	return r, dir, nil
}

func redisURL(port int, password string) string {
	u := url.URL{
		Scheme: "redis",
		User:   url.UserPassword("", password),
		Host:   net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path:   "/0",
	}
	return u.String()
}

func pingRedis(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		opts, err := redis.ParseURL(url)
		if err != nil {
			return err
		}
		opts.MaxRetries, opts.DialerRetries, opts.ReadTimeout = -1, 1, time.Second
		client := redis.NewClient(opts)
		defer client.Close()
		return client.Ping(ctx).Err()
	}
}
