package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/signing"
)

// keyRow is a row of the table signing_keys.
type keyRow struct {
	Tenant     string `gorm:"primaryKey"`
	Algorithm  string `gorm:"primaryKey"`
	Generation int64  `gorm:"primaryKey"`
	KeyID      string
	Sealed     []byte
	CreatedAt  time.Time `gorm:"autoCreateTime:false"`
	SignsFrom  time.Time
}

// TableName is the name of the table.
func (keyRow) TableName() string { return "signing_keys" }

// CreateKey implements [signing.Store].
func (s *Store) CreateKey(ctx context.Context, k *signing.SealedKey, by string) error {
	if !storable(k.Tenant, string(k.Algorithm), k.KeyID) {
		return errNotText
	}
	row := &keyRow{
		Tenant: k.Tenant, Algorithm: string(k.Algorithm), Generation: k.Generation, KeyID: k.KeyID,
		Sealed: k.Sealed, CreatedAt: moment(k.CreatedAt), SignsFrom: moment(k.SignsFrom),
	}
	err := s.insertKey(ctx, row, by)
	if isDuplicate(err) {
		return signing.ErrExists
	}
	return err
}

func (s *Store) insertKey(ctx context.Context, row *keyRow, by string) error {
	const what = "create a signing key"
	if by == "" {
		_, err := s.exec(ctx, what, func(db *gorm.DB) *gorm.DB { return db.Create(row) })
		return err
	}
	entry := newEntry(row.Tenant, audit.KeysRotated, "", registration.Act{
		At: row.CreatedAt, Actor: by, Reason: fmt.Sprintf("%s, generation %d, key %s", row.Algorithm, row.Generation, row.KeyID),
	})
	return s.transact(ctx, what, func(tx *gorm.DB) error {
		if err := tx.Create(row).Error; err != nil {
			return err
		}
		return tx.Create(entry).Error
	})
}

const findKeys = `SELECT algorithm, generation, key_id, sealed, created_at, signs_from
	FROM signing_keys WHERE tenant = ? ORDER BY algorithm, generation`

// Keys implements [signing.Store].
func (s *Store) Keys(ctx context.Context, tenant string) ([]*signing.SealedKey, error) {
	if !storable(tenant) {
		return nil, nil
	}
	scan := func(row scanner) (*signing.SealedKey, error) {
		k := &signing.SealedKey{Tenant: tenant}
		err := row.Scan(&k.Algorithm, &k.Generation, &k.KeyID, &k.Sealed, &k.CreatedAt, &k.SignsFrom)
		k.CreatedAt, k.SignsFrom = k.CreatedAt.UTC(), k.SignsFrom.UTC()
		return k, err
	}
	return queryAll(ctx, s, "read the signing keys", scan, findKeys, tenant)
}

const deleteKey = "DELETE FROM signing_keys WHERE tenant = ? AND algorithm = ? AND generation = ?"

// DeleteKey implements [signing.Store].
func (s *Store) DeleteKey(ctx context.Context, tenant string, algorithm oauth.Algorithm, generation int64) error {
	if !storable(tenant, string(algorithm)) {
		return nil
	}
	_, err := s.exec(ctx, "delete a signing key", func(db *gorm.DB) *gorm.DB {
		return db.Exec(deleteKey, tenant, string(algorithm), generation)
	})
	return err
}
