package store

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pressly/goose/v3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite" // the driver "sqlite", in pure Go
)

// sqliteReaders is how many reads run beside one another and beside the one writer.
const sqliteReaders = 4

// What every connection to a SQLite file asks for. Writers wait for another process for
// at most 5 seconds. mode=rw: no connection creates the file, see createPrivate.
const (
	sqliteOptions = "?mode=rw&_error_rc=1&_time_format=sqlite&_txlock=immediate" +
		"&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	// With synchronous(FULL) a commit in WAL mode survives a power cut.
	sqliteWriter = sqliteOptions + "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	sqliteReader = sqliteOptions + "&_pragma=query_only(1)"
)

func sqliteDatabase(databaseURL string) (database, error) {
	path, err := sqlitePath(databaseURL)
	if err != nil {
		return database{}, err
	}
	opened, err := createPrivate(path)
	if err != nil {
		return database{}, fmt.Errorf("cannot open SQLite, %s: %w", path, err)
	}
	d := database{
		description: "SQLite, " + path,
		embedded:    true,
		present:     sameFile(path, opened),
		dialector: func(pool *sql.DB) gorm.Dialector {
			return sqlite.Dialector{DriverName: "sqlite", Conn: pool}
		},
		folder:      "sqlite",
		dialect:     goose.DialectSQLite3,
		hasVersions: "SELECT count(*) > 0 FROM sqlite_master WHERE name = 'goose_db_version'",
	}
	file := "file:" + (&url.URL{Path: path}).EscapedPath()
	if d.writers, err = sql.Open("sqlite", file+sqliteWriter); err != nil {
		return database{}, err
	}
	d.writers.SetMaxOpenConns(1)
	if d.readers, err = sql.Open("sqlite", file+sqliteReader); err != nil {
		return database{}, err
	}
	d.readers.SetMaxOpenConns(sqliteReaders)
	d.readers.SetMaxIdleConns(sqliteReaders)
	return d, nil
}

func sqlitePath(databaseURL string) (string, error) {
	path := strings.TrimPrefix(databaseURL, "sqlite://")
	switch {
	case path == "":
		return "", errors.New("the database URL names no file: sqlite://PATH")
	case strings.Contains(path, ":memory:"):
		return "", errors.New("the database must be a file: what is in memory alone does not survive a restart")
	case strings.Contains(path, "?"):
		return "", errors.New("a sqlite:// URL takes no parameters, and its path no question mark")
	case strings.ContainsAny(path, "\x00\r\n"):
		return "", errors.New("the path in the database URL holds a control character")
	}
	return filepath.Clean(path), nil
}

// creating guards createPrivate: closing any descriptor of a file drops the locks that
// the process holds on it (POSIX), so none may be closed once SQLite has the file open.
var creating sync.Mutex

// createPrivate makes the file, if there is none, readable and writable by its owner
// alone. SQLite gives its -wal and -shm files the same mode.
func createPrivate(path string) (fs.FileInfo, error) {
	creating.Lock()
	defer creating.Unlock()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err == nil {
		err = file.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, pathReason(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, pathReason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return info, nil
}

// sameFile reports, when it is asked, whether the file still is where it was opened.
func sameFile(path string, opened fs.FileInfo) func() error {
	return func() error {
		found, err := os.Stat(path)
		if err != nil {
			return err
		}
		if !os.SameFile(found, opened) {
			return errors.New("the database file was replaced while it was in use: restart the process")
		}
		return nil
	}
}

// pathReason leaves out the operation and the path, which the caller names.
func pathReason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
