package store

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/signing"
	"github.com/seed-9c856424/registrar/internal/store/storetest"
	"github.com/seed-9c856424/registrar/internal/tenant"
	"github.com/seed-9c856424/registrar/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func sqliteURL(t *testing.T) string {
	return "sqlite://" + filepath.Join(t.TempDir(), "registrar.db")
}

func postgresURL(t *testing.T) string { return testenv.Postgres(t) }

// databaseURLs name a fresh database of each kind.
var databaseURLs = map[string]func(t *testing.T) string{"SQLite": sqliteURL, "PostgreSQL": postgresURL}

// with adds a parameter to the URL of a PostgreSQL database.
func with(databaseURL, parameter string) string {
	if strings.Contains(databaseURL, "?") {
		return databaseURL + "&" + parameter
	}
	return databaseURL + "?" + parameter
}

func open(t *testing.T, databaseURL string) *Store {
	t.Helper()
	s, err := Open(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openMigrated(t *testing.T, databaseURL string) *Store {
	t.Helper()
	s := open(t, databaseURL)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustExec(t *testing.T, s *Store, sql string) {
	t.Helper()
	if _, err := s.writers.ExecContext(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func client(id string) *registration.Client {
	return &registration.Client{Tenant: "one", ID: id, AccessTokenDigest: []byte("digest"), Version: 1}
}

// grant is one of the client c_1.
func grant(id string) *authorization.Grant {
	return &authorization.Grant{
		Tenant: "one", ID: id, ClientID: "c_1", User: tenant.User{Subject: "u"}, CodeDigest: []byte("code"), RefreshDigest: []byte("refresh"),
	}
}

func TestConformance(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"SQLite":     sqliteURL,
		"PostgreSQL": postgresURL,
		// As through a PgBouncer that pools transactions.
		"PostgreSQL without prepared statements": func(t *testing.T) string {
			return with(postgresURL(t), "default_query_exec_mode=exec")
		},
		"PostgreSQL by the simple protocol": func(t *testing.T) string {
			return with(postgresURL(t), "default_query_exec_mode=simple_protocol")
		},
		// Parallel calls then meet SQLSTATE 40001, as on a distributed engine.
		"PostgreSQL, serializable": func(t *testing.T) string {
			return with(postgresURL(t), "default_transaction_isolation=serializable")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openMigrated(t, url(t))
			t.Run("registration", func(t *testing.T) {
				storetest.Run(t, func(t *testing.T) registration.Store { return emptied(t, s) })
			})
			t.Run("authorization", func(t *testing.T) {
				storetest.RunAuthorization(t, func(t *testing.T) storetest.AuthorizationStore { return emptied(t, s) })
			})
			t.Run("login", func(t *testing.T) {
				storetest.RunLogin(t, func(t *testing.T) login.Store { return emptied(t, s) })
			})
			t.Run("signing", func(t *testing.T) {
				storetest.RunSigning(t, func(t *testing.T) signing.Store { return emptied(t, s) })
			})
			t.Run("audit", func(t *testing.T) {
				storetest.RunAudit(t, func(t *testing.T) storetest.AuditStore { return emptied(t, s) })
			})
			t.Run("lease", func(t *testing.T) {
				storetest.RunLease(t, func(t *testing.T) storetest.Leases { return emptied(t, s) })
			})
		})
	}
}

// tables are all that hold something of their own: the others empty with the clients.
var tables = []string{"clients", "sessions", "login_attempts", "upstream_tokens", "signing_keys", "leases", "audit_entries"}

func emptied(t *testing.T, s *Store) *Store {
	t.Helper()
	for _, table := range tables {
		mustExec(t, s, "DELETE FROM "+table)
	}
	return s
}
