package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/seed-9c856424/registrar/migrations"
)

// ErrPending is a database whose schema is older than this program.
var ErrPending = errors.New("migrations are pending")

func (d database) newMigrator() (*goose.Provider, error) {
	files, err := fs.Sub(migrations.FS, d.folder)
	if err != nil {
		return nil, err
	}
	options := append([]goose.ProviderOption{
		goose.WithLogger(goose.NopLogger()),
		goose.WithDisableGlobalRegistry(true),
	}, d.locking...)
	return goose.NewProvider(d.dialect, d.writers, files, options...)
}

// Migrate applies the migrations that the database lacks. Any number of processes may
// do so at once: on PostgreSQL they take turns; on SQLite, where no lock outlives a
// transaction, the one that comes second fails, looks again and goes on from there.
func (s *Store) Migrate(ctx context.Context) error {
	return repeat(ctx, func(error) bool { return s.embedded }, func() error {
		pending, err := s.Pending(ctx)
		if err != nil || pending == 0 {
			return err
		}
		if _, err := s.migrator.Up(ctx); err != nil {
			return fmt.Errorf("migrate %s: %w", s.description, err)
		}
		return nil
	})
}

// Pending returns how many migrations the database lacks.
func (s *Store) Pending(ctx context.Context) (int, error) {
	applied, err := s.version(ctx)
	if err != nil {
		return 0, err
	}
	pending := 0
	for _, m := range s.migrator.ListSources() {
		if m.Version > applied {
			pending++
		}
	}
	return pending, nil
}

// version returns the newest migration of the database, which may be newer than this
// program; 0 if there is none.
func (s *Store) version(ctx context.Context) (version int64, err error) {
	err = s.attempt(ctx, "read the schema version", func() error {
		var migrated bool
		db := s.read.WithContext(ctx)
		if err := db.Raw(s.hasVersions).Row().Scan(&migrated); err != nil || !migrated {
			return err
		}
		return db.Raw("SELECT coalesce(max(version_id), 0) FROM goose_db_version").Row().Scan(&version)
	})
	return version, err
}

// Ready returns nil if the database answers and has the schema of this program or a
// newer one, ErrPending if its schema is older, and else an *oauth.Error of code
// temporarily_unavailable.
func (s *Store) Ready(ctx context.Context) error {
	pending, err := s.Pending(ctx)
	if err != nil {
		return err
	}
	if pending > 0 {
		return ErrPending
	}
	return nil
}
