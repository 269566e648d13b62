//go:build unix

package login

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAddUserKeepsTheOwner: root adds users to a file that a service reads.
func TestAddUserKeepsTheOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	writeFile(t, path, listing("bob"), 0o600)
	if os.Geteuid() == 0 { // nobody else can give a file away
		if err := os.Chown(path, 12345, 23456); err != nil {
			t.Fatal(err)
		}
	}
	owner := func() [2]uint32 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		return [2]uint32{stat.Uid, stat.Gid}
	}
	before := owner()
	if err := AddUser(path, FileUser{Name: "alice"}, cheapHash("x")); err != nil {
		t.Fatal(err)
	}
	if after := owner(); after != before {
		t.Errorf("the file belongs to %v, it belonged to %v", after, before)
	}
}
