package store

import (
	"errors"
	"sync"
	"testing"

	"github.com/seed-9c856424/registrar/internal/registration"
)

func TestMigrateMakesReady(t *testing.T) {
	for name, url := range databaseURLs {
		t.Run(name, func(t *testing.T) {
			s := open(t, url(t))
			wantPending(t, s, len(s.migrator.ListSources()))
			if err := s.Ready(t.Context()); !errors.Is(err, ErrPending) {
				t.Errorf("before: Ready returned %v, want ErrPending", err)
			}
			if err := s.Create(t.Context(), client("c_1")); err == nil || isUnavailable(err) {
				t.Errorf("before: Create returned %v, want a fault", err)
			}
			for range 2 {
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantPending(t, s, 0)
				if err := s.Ready(t.Context()); err != nil {
					t.Errorf("after: %v", err)
				}
			}
		})
	}
}

// A replica of the last release goes on while the next one has already migrated.
func TestNewerSchemaIsReady(t *testing.T) {
	for name, url := range databaseURLs {
		t.Run(name, func(t *testing.T) {
			s := openMigrated(t, url(t))
			mustExec(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)")
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("Ready: %v", err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Errorf("Migrate: %v", err)
			}
		})
	}
}

func TestMigrationsGoDownAndUp(t *testing.T) {
	for name, url := range databaseURLs {
		t.Run(name, func(t *testing.T) {
			s := openMigrated(t, url(t))
			if _, err := s.migrator.DownTo(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			wantPending(t, s, len(s.migrator.ListSources()))
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Create(t.Context(), client("c_1")); err != nil {
				t.Error(err)
			}
		})
	}
}

// firstRelease is how the first release created a client.
const firstRelease = `INSERT INTO clients (tenant, id, origin, scope_policy, metadata, auth_method_defaulted,
	created_at, created_agent, updated_at, version)
	VALUES ('one', 'c_1', 'dynamic', 'explicit', '{"redirect_uris":["https://client.example/cb"]}', false, ?, '', ?, 1)`

// A database of the first release holds its clients over the migrations that follow.
func TestMigrationsKeepClients(t *testing.T) {
	for name, url := range databaseURLs {
		t.Run(name, func(t *testing.T) {
			s := open(t, url(t))
			if _, err := s.migrator.UpTo(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			wantPending(t, s, len(s.migrator.ListSources())-1)
			if err := s.write.WithContext(t.Context()).Exec(firstRelease, now, now).Error; err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			c, err := s.Find(t.Context(), "one", "c_1")
			if err != nil || c.Status != registration.StatusActive {
				t.Errorf("found %+v, %v", c, err)
			}
			if err := s.CreateGrant(t.Context(), grant("g")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParallelMigrations(t *testing.T) {
	const starts = 8
	for name, url := range databaseURLs {
		t.Run(name, func(t *testing.T) {
			databaseURL := url(t)
			errs := make([]error, starts)
			begin := make(chan struct{})
			var replicas sync.WaitGroup
			for i := range starts {
				replicas.Go(func() {
					<-begin
					errs[i] = startReplica(t, databaseURL)
				})
			}
			close(begin)
			replicas.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			s := open(t, databaseURL)
			wantPending(t, s, 0)
			wantEachVersionOnce(t, s)
		})
	}
}

func startReplica(t *testing.T, databaseURL string) error {
	s, err := Open(t.Context(), databaseURL)
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(t.Context()), s.Ready(t.Context()), s.Close())
}

func wantEachVersionOnce(t *testing.T, s *Store) {
	t.Helper()
	var rows, versions int
	row := s.readers.QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT version_id) FROM goose_db_version")
	if err := row.Scan(&rows, &versions); err != nil {
		t.Fatal(err)
	}
	if want := len(s.migrator.ListSources()) + 1; rows != want || versions != want {
		t.Errorf("%d rows for %d versions, want %d for %d", rows, versions, want, want)
	}
}

// A migration that another process applied between our look and our turn is undone,
// whatever it does.
func TestSQLiteAppliesAMigrationOnce(t *testing.T) {
	s := openMigrated(t, sqliteURL(t))
	_, err := s.writers.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, TRUE)")
	if !isDuplicate(err) {
		t.Errorf("a second row for version 1: %v, want a duplicate", err)
	}
}

func wantPending(t *testing.T, s *Store, want int) {
	t.Helper()
	if got, err := s.Pending(t.Context()); err != nil || got != want {
		t.Errorf("Pending returned %d, %v, want %d", got, err, want)
	}
}
