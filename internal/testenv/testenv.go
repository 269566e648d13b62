// Package testenv gives tests the real servers that they need: PostgreSQL and
// Redis, started from installed binaries on loopback ports, with passwords of
// their own, gone when the test process is gone. It is imported by tests and
// benchmarks only.
package testenv

import (
	"os"
	"sync/atomic"
	"testing"
)

// TB is the part of [testing.TB] that this package uses, so that a program that
// is not a test can ask for a server too.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var underMain atomic.Bool

// Main runs the tests, stops what they share and exits. TestMain of a package
// that calls [Postgres] calls it.
func Main(m *testing.M) {
	underMain.Store(true)
	code := m.Run()
	stopShared()
	os.Exit(code)
}
