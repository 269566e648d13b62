package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

func TestSQLitePaths(t *testing.T) {
	for _, name := range []string{
		"registrar.db", "with space.db", "100%41.db", "a#b.db", "a&b=c;d.db", "a:b.db", "ünï☕.db", "-x", "file:x.db", `q"'q.db`, `back\slash`,
	} {
		t.Run(name, func(t *testing.T) {
			for kind, dir := range map[string]string{"relative": ".", "absolute": t.TempDir()} {
				if kind == "relative" {
					t.Chdir(t.TempDir())
				}
				path := filepath.Join(dir, name)
				s := openMigrated(t, "sqlite://"+path)
				if want := "SQLite, " + path; s.Describe() != want {
					t.Errorf("Describe returned %q, want %q", s.Describe(), want)
				}
				wantFiles(t, dir, name)
			}
		})
	}
}

// wantFiles checks that the folder holds a database of this name and nothing else, and
// that nobody but the owner can read it.
func wantFiles(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]fs.FileMode{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = info.Mode()
	}
	for _, file := range []string{name, name + "-wal", name + "-shm"} {
		if mode, exists := found[file]; !exists || mode != 0o600 {
			t.Errorf("%s: exists %t, mode %v, want 0600", file, exists, mode)
		}
	}
	if len(found) != 3 {
		t.Errorf("the folder holds %v", found)
	}
}

func TestSQLiteIsDurableAndStrict(t *testing.T) {
	s := open(t, sqliteURL(t))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "1", "query_only": "0",
	} {
		var got string
		if err := s.writers.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("writer: %s = %q, %v, want %q", pragma, got, err, want)
		}
	}
	if _, err := s.readers.ExecContext(t.Context(), "CREATE TABLE x (y)"); err == nil {
		t.Error("a reader can write")
	}
}

// Two processes can have the file open, and the mode of a file that exists is the
// operator's choice.
func TestSQLiteFileIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registrar.db")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	one, other := openMigrated(t, "sqlite://"+path), open(t, "sqlite://"+path)
	for i, s := range []*Store{one, other} {
		c := client("c_" + string(rune('a'+i)))
		if err := s.Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for _, reader := range []*Store{one, other} {
			if _, err := reader.Find(t.Context(), c.Tenant, c.ID); err != nil {
				t.Errorf("Find %s: %v", c.ID, err)
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v, want 0640 as before", info.Mode(), err)
	}
}

func TestSQLiteLockedByAnotherProcess(t *testing.T) {
	databaseURL := sqliteURL(t)
	s, other := openMigrated(t, databaseURL), open(t, databaseURL)
	mustExec(t, s, "PRAGMA busy_timeout = 10")
	tx, err := other.writers.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), client("c_1")); !isUnavailable(err) {
		t.Errorf("Create in a locked database returned %v, want temporarily_unavailable", err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("reads wait for a writer: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), client("c_1")); err != nil {
		t.Errorf("Create after the lock is gone: %v", err)
	}
}

func TestWaitForAConnectionIsBounded(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"SQLite":     sqliteURL,
		"PostgreSQL": func(t *testing.T) string { return with(postgresURL(t), "pool_max_conns=1") },
	} {
		t.Run(name, func(t *testing.T) {
			s := openMigrated(t, url(t))
			conn, err := s.writers.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := s.Create(ctx, client("c_1")); !isUnavailable(err) {
				t.Errorf("Create without a free connection returned %v, want temporarily_unavailable", err)
			}
		})
	}
}

func TestSQLiteRefusals(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, want string }{
		{"no path", "sqlite://", "names no file"},
		{"in memory", "sqlite://:memory:", "does not survive"},
		{"in memory, hidden", "sqlite://./:memory:", "does not survive"},
		{"in memory, as SQLite spells it", "sqlite://file::memory:", "does not survive"},
		{"parameters", "sqlite://registrar.db?mode=memory", "no parameters"},
		{"NUL", "sqlite://a\x00b", "control character"},
		{"line break", "sqlite://a\nb", "control character"},
		{"folder", "sqlite://" + dir, "not a regular file"},
		{"missing folder", "sqlite://" + dir + "/none/x.db", "no such file or directory"},
		{"not a database", "sqlite://" + garbage, "not a database"},
		{"name too long", "sqlite://" + dir + "/" + strings.Repeat("x", 300), "file name too long"},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefused(t, c.url, c.want) })
	}
}

func wantRefused(t *testing.T, databaseURL, want string) {
	t.Helper()
	s, err := Open(t.Context(), databaseURL)
	if err == nil {
		_ = s.Close()
		t.Fatal("Open succeeded")
	}
	if text := err.Error(); !strings.Contains(text, want) || strings.ContainsAny(text, "\n\t") {
		t.Errorf("Open: %q, want one line with %q", text, want)
	}
}

// TestSQLiteFileGone: what a removed file still took would be lost at the next start.
func TestSQLiteFileGone(t *testing.T) {
	cases := map[string]func(path string) error{
		"removed":  os.Remove,
		"replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
	}
	for name, breakIt := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "registrar.db")
			s, err := Open(t.Context(), "sqlite://"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := errors.Join(s.Migrate(t.Context()), s.Ready(t.Context()), breakIt(path)); err != nil {
				t.Fatal(err)
			}
			calls := map[string]error{
				"Ready":  s.Ready(t.Context()),
				"Create": s.Create(t.Context(), &registration.Client{Tenant: "t", ID: "c_1"}),
				"Delete": s.Delete(t.Context(), "t", "c_1", registration.Act{}),
			}
			for call, err := range calls {
				var unavailable *oauth.Error
				if !errors.As(err, &unavailable) || unavailable.Code != oauth.TemporarilyUnavailable {
					t.Errorf("%s: %v", call, err)
				}
			}
		})
	}
}
