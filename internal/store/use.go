package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/registration"
)

const (
	countClients = "SELECT count(*) FROM (SELECT 1 FROM clients WHERE tenant = ? LIMIT ?) AS counted"
	// neverUsed are the clients that registered themselves and hold no grant; use is written
	// some seconds late.
	neverUsed = `SELECT c.id, c.created_from FROM clients c
	WHERE c.tenant = ? AND c.last_used_at IS NULL AND c.created_at < ? AND c.origin IN ('dynamic', 'document') AND c.status <> 'suspended'
	AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.tenant = c.tenant AND g.client_id = c.id)`
	// findUnused begins with the address that has most of them.
	findUnused = "WITH unused AS (" + neverUsed + `),
	most AS (SELECT created_from FROM unused GROUP BY created_from ORDER BY count(*) DESC, created_from LIMIT 1)
	SELECT unused.id FROM unused, most WHERE unused.created_from IS NOT DISTINCT FROM most.created_from ORDER BY unused.id LIMIT ?`
	// deleteUnused spares one that was used meanwhile.
	deleteUnused = `DELETE FROM clients WHERE tenant = ? AND id = ? AND last_used_at IS NULL
	AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.tenant = clients.tenant AND g.client_id = clients.id)` + deletedColumns
)

// CountClients implements [registration.QuotaStore].
func (s *Store) CountClients(ctx context.Context, tenant string, limit int) (count int, err error) {
	err = s.attempt(ctx, "count the clients", func() error {
		return s.read.WithContext(ctx).Raw(countClients, tenant, limit).Row().Scan(&count)
	})
	return count, err
}

// ReclaimClients implements [registration.QuotaStore].
func (s *Store) ReclaimClients(ctx context.Context, tenant string, before time.Time, limit int, act registration.Act) (gone int, err error) {
	scan := func(row scanner) (id string, err error) { return id, row.Scan(&id) }
	ids, err := queryAll(ctx, s, "find clients that were never used", scan, findUnused, tenant, moment(before), limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		deleted, err := s.deleteClient(ctx, deleteUnused, tenant, id, act)
		if err != nil {
			return gone, err
		}
		if deleted {
			gone++
		}
	}
	return gone, nil
}

// MarkUsed says when the clients were last used, unless it was later.
func (s *Store) MarkUsed(ctx context.Context, tenant string, ids []string, at time.Time) error {
	_, err := s.exec(ctx, "mark clients as used", func(db *gorm.DB) *gorm.DB {
		return db.Exec(`UPDATE clients SET last_used_at = ?
	WHERE tenant = ? AND id IN ? AND (last_used_at IS NULL OR last_used_at < ?)`, moment(at), tenant, ids, moment(at))
	})
	return err
}
