package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/audit"
)

// sweep is what can go from one table: the rows whose column due holds a time up to until.
type sweep struct {
	table, key, due string
	until           time.Time
}

func expiredGrants(at time.Time) []sweep {
	return []sweep{
		{"grants", "id", "expires_at", at},
		{"consents", "client_id, subject, target", "expires_at", at},
		{"assertions", "client_id, digest", "expires_at", at},
	}
}

func expiredSessions(at, idle time.Time) []sweep {
	return []sweep{
		{"sessions", "id", "expires_at", at},
		{"sessions", "id", "seen_at", idle},
		{"login_attempts", "id", "expires_at", at},
	}
}

func unusedUpstream(since time.Time) []sweep {
	return []sweep{{"upstream_tokens", "subject", "kept_at", since}}
}

// DeleteUnusedUpstreamTokens implements [login.Store].
func (s *Store) DeleteUnusedUpstreamTokens(ctx context.Context, tenant string, since time.Time, limit int) (int64, error) {
	return s.deleteExpired(ctx, tenant, limit, unusedUpstream(since))
}

// DeleteExpiredGrants implements [authorization.Store].
func (s *Store) DeleteExpiredGrants(ctx context.Context, tenant string, at time.Time, limit int) (int64, error) {
	return s.deleteExpired(ctx, tenant, limit, expiredGrants(at))
}

// DeleteExpiredSessions implements [login.Store].
func (s *Store) DeleteExpiredSessions(ctx context.Context, tenant string, at, idle time.Time, limit int) (int64, error) {
	return s.deleteExpired(ctx, tenant, limit, expiredSessions(at, idle))
}

// deleteExpired makes the sweeps, each in one statement, until they have removed limit
// rows together, and returns how many they removed, also beside an error.
func (s *Store) deleteExpired(ctx context.Context, tenant string, limit int, sweeps []sweep) (removed int64, err error) {
	if !storable(tenant) {
		return 0, nil
	}
	for _, w := range sweeps {
		left := int64(limit) - removed
		if left <= 0 {
			break
		}
		swept, err := s.exec(ctx, "delete expired "+w.table, func(db *gorm.DB) *gorm.DB {
			return db.Exec(w.statement(s.skipLocked), tenant, w.bound(), left, tenant)
		})
		removed += swept
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// bound is the time as the column due has it: an id that is due is a ULID.
func (w sweep) bound() any {
	if w.due == "id" {
		return audit.FirstID(w.until)
	}
	return moment(w.until)
}

// statement selects first, in a place of its own: PostgreSQL may run a sub-select with a
// limit again for each row that it is compared with, and then deletes more than the limit.
func (w sweep) statement(skipLocked string) string {
	return "WITH doomed AS (SELECT " + w.key + " FROM " + w.table +
		" WHERE tenant = ? AND " + w.due + " <= ? ORDER BY " + w.due + " LIMIT ? " + skipLocked + ")" +
		" DELETE FROM " + w.table + " WHERE tenant = ? AND (" + w.key + ") IN (SELECT " + w.key + " FROM doomed)"
}
