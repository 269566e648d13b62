package store

import (
	"context"
	"time"

	"gorm.io/gorm"
)

const takeLease = `INSERT INTO leases (name, holder, expires_at) VALUES (?, ?, ?)
	ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
	WHERE leases.holder = excluded.holder OR leases.expires_at <= ?`

// TakeLease makes holder the holder of the named lease until the given time, and reports
// whether it is: the holder renews its own, another gets it once it has expired. Of any
// number of concurrent calls for a free lease one succeeds. The time is the caller's, so
// that replicas whose clocks differ need leases that are much longer than the difference.
func (s *Store) TakeLease(ctx context.Context, name, holder string, now, until time.Time) (bool, error) {
	taken, err := s.exec(ctx, "take a lease", func(db *gorm.DB) *gorm.DB {
		return db.Exec(takeLease, name, holder, moment(until), moment(now))
	})
	return taken > 0, err
}
