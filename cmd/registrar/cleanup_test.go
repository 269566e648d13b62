package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/metrics"
	"github.com/seed-9c856424/registrar/internal/store"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// What has expired goes, more than one batch of it, and by one replica at a time.
func TestCleanup(t *testing.T) {
	for name, database := range stores {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), database(t))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			now := time.Now().UTC().Truncate(time.Second)
			for n := range cleanupBatch + 10 {
				mustSession(t, db, "old"+string(rune('a'+n%26))+time.Duration(n).String(), now.Add(-time.Second))
			}
			mustSession(t, db, "live", now.Add(time.Hour))
			one, two := cleaner(db, "one"), cleaner(db, "two")
			for _, c := range []*cleanup{one, two, one} {
				if err := c.once(t.Context(), now); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.FindSession(t.Context(), tenant.DefaultID, "live"); err != nil {
				t.Errorf("a session that lives is gone: %v", err)
			}
			if left, err := db.DeleteExpiredSessions(t.Context(), tenant.DefaultID, now, now.Add(-login.SessionIdle), 10*cleanupBatch); left != 0 || err != nil {
				t.Errorf("%d sessions were left, %v", left, err)
			}
			mustSession(t, db, "newly old", now.Add(-time.Second))
			if err := two.once(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			if _, err := db.FindSession(t.Context(), tenant.DefaultID, "newly old"); err != nil {
				t.Errorf("a replica without the lease cleaned up: %v", err)
			}
			if err := two.once(t.Context(), now.Add(cleanupLease+time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := db.FindSession(t.Context(), tenant.DefaultID, "newly old"); err == nil {
				t.Error("nobody took over after the lease")
			}
		})
	}
}

func cleaner(db *store.Store, holder string) *cleanup {
	return &cleanup{store: db, tenant: tenant.DefaultID, metrics: metrics.New("test"), log: slog.New(slog.DiscardHandler), holder: holder}
}

func mustSession(t *testing.T, db *store.Store, id string, expiresAt time.Time) {
	t.Helper()
	now := time.Now().UTC()
	err := db.CreateSession(t.Context(), &login.Session{
		Tenant: tenant.DefaultID, ID: id, Digest: []byte("digest"), User: tenant.User{Subject: "u"},
		AuthenticatedAt: now, SeenAt: now, ExpiresAt: expiresAt,
	})
	if err != nil {
		t.Fatal(err)
	}
}
