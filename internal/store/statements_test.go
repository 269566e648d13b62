package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/signing"
)

// recorder stands between GORM and its pool and notes every statement, preparation and
// transaction by its first word.
type recorder struct {
	*sql.DB
	mu   sync.Mutex
	seen []string
}

func record(db *gorm.DB, pool *sql.DB) *recorder {
	r := &recorder{DB: pool}
	db.ConnPool, db.Statement.ConnPool = r, r
	return r
}

func (r *recorder) note(statement string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, strings.Fields(statement)[0])
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

func (r *recorder) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	r.note("PREPARE")
	return r.DB.PrepareContext(ctx, query)
}

func (r *recorder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.note(query)
	return r.DB.ExecContext(ctx, query, args...)
}

func (r *recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.note(query)
	return r.DB.QueryContext(ctx, query, args...)
}

func (r *recorder) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.note(query)
	return r.DB.QueryRowContext(ctx, query, args...)
}

func (r *recorder) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	r.note("BEGIN")
	return r.DB.BeginTx(ctx, opts)
}

// step is a call and the statements that it is to be.
type step struct {
	name string
	call func() error
	want []string
}

func TestEveryCallIsOneStatement(t *testing.T) {
	for name, url := range databaseURLs {
		t.Run(name, func(t *testing.T) {
			s := openMigrated(t, url(t))
			recorders := []*recorder{record(s.write, s.writers), record(s.read, s.readers)}
			for _, c := range steps(t.Context(), s) {
				if err := c.call(); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				if got := slices.Concat(recorders[0].take(), recorders[1].take()); !slices.Equal(got, c.want) {
					t.Errorf("%s ran %v, want %v", c.name, got, c.want)
				}
			}
		})
	}
}

// now is the time of the calls.
var now = time.Date(2026, 11, 23, 9, 8, 7, 0, time.UTC)

var (
	insert    = []string{"INSERT"}
	selects   = []string{"SELECT"}
	updates   = []string{"UPDATE"}
	deletes   = []string{"DELETE"}
	begins    = []string{"BEGIN"} // what follows is within the transaction
	threeWith = []string{"WITH", "WITH", "WITH"}
)

// changesOne is a change and its entry in the trail: one statement, or a transaction.
func changesOne(s *Store) []string {
	if s.nestsWrites {
		return []string{"WITH"}
	}
	return begins
}

// act is what the calls tell the trail.
var act = registration.Act{At: now, Actor: registration.ActorOperator}

// steps are all calls, in an order in which each succeeds.
func steps(ctx context.Context, s *Store) []step {
	return slices.Concat(clientSteps(ctx, s), grantSteps(ctx, s), sessionSteps(ctx, s), keySteps(ctx, s), lastSteps(ctx, s))
}

func clientSteps(ctx context.Context, s *Store) []step {
	c := client("c_1")
	return []step{
		{"Create", func() error { return s.Create(ctx, c) }, insert},
		{"Find", func() error { _, err := s.Find(ctx, "one", "c_1"); return err }, selects},
		{"Update", func() error { return s.Update(ctx, c, act) }, changesOne(s)},
		{"CreateInitialToken", func() error {
			return s.CreateInitialToken(ctx, &registration.InitialAccessToken{Tenant: "one", ID: "i", Digest: []byte("d")}, act)
		}, begins},
		{"FindInitialToken", func() error { _, err := s.FindInitialToken(ctx, "one", "i"); return err }, selects},
		{"InitialTokens", func() error { _, err := s.InitialTokens(ctx, "one"); return err }, selects},
		{"CreateWithToken", func() error {
			c := client("c_2")
			c.InitialToken = "i"
			return s.CreateWithToken(ctx, c, now)
		}, begins},
		{"RevokeInitialToken", func() error { return s.RevokeInitialToken(ctx, "one", "i", act) }, changesOne(s)},
		{"SaveDocument", func() error { return s.SaveDocument(ctx, client("https://c.example/client"), act) }, begins},
		{"SetStatus", func() error { return s.SetStatus(ctx, "one", "c_1", registration.StatusActive, act) }, begins},
		{"Revoke", func() error { return s.RevokeAccessToken(ctx, "one", "c_1", c.AccessTokenDigest, act) }, changesOne(s)},
	}
}

func grantSteps(ctx context.Context, s *Store) []step {
	g := grant("g")
	c := &authorization.Consent{Tenant: "one", Subject: "u", ClientID: "c_1", Target: []byte("t"), ClientDigest: []byte("d")}
	return []step{
		{"CreateGrant", func() error { return s.CreateGrant(ctx, g) }, insert},
		{"FindGrant", func() error { _, err := s.FindGrant(ctx, "one", "g"); return err }, selects},
		{"RedeemCode", func() error { return s.RedeemCode(ctx, g) }, updates},
		{"RotateRefresh", func() error { return s.RotateRefresh(ctx, g, g.RefreshDigest) }, updates},
		{"GrantsOf", func() error { _, err := s.GrantsOf(ctx, "one", "u", now); return err }, selects},
		{"RevokeReused", func() error { return s.RevokeReused(ctx, g, act) }, changesOne(s)},
		{"RevokeGrant", func() error { return s.RevokeGrant(ctx, "one", "g", now) }, updates},
		{"SaveConsent", func() error { return s.SaveConsent(ctx, c) }, insert},
		{"SaveConsent again", func() error { return s.SaveConsent(ctx, c) }, insert},
		{"FindConsent", func() error { _, err := s.FindConsent(ctx, "one", "u", "c_1", c.Target); return err }, selects},
		{"SpendAssertion", func() error { return s.SpendAssertion(ctx, "one", "c_1", []byte("jti"), now) }, insert},
		{"Disconnect", func() error { return s.Disconnect(ctx, "one", "u", "c_1", act) }, begins},
	}
}

func sessionSteps(ctx context.Context, s *Store) []step {
	n := &login.Session{Tenant: "one", ID: "n", Digest: []byte("d")}
	a := &login.Attempt{Tenant: "one", ID: "a", Digest: []byte("d"), Browser: []byte("b")}
	return []step{
		{"CreateSession", func() error { return s.CreateSession(ctx, n) }, insert},
		{"FindSession", func() error { _, err := s.FindSession(ctx, "one", "n"); return err }, selects},
		{"TouchSession", func() error { return s.TouchSession(ctx, "one", "n", now) }, updates},
		{"DeleteSession", func() error { return s.DeleteSession(ctx, "one", "n") }, deletes},
		{"CreateAttempt", func() error { return s.CreateAttempt(ctx, a) }, insert},
		{"TakeAttempt", func() error { _, err := s.TakeAttempt(ctx, "one", "a"); return err }, deletes},
		{"SaveUpstreamToken", func() error { return s.SaveUpstreamToken(ctx, "one", "u", []byte("old"), now) }, insert},
		{"TouchUpstreamToken", func() error { return s.TouchUpstreamToken(ctx, "one", "u", now) }, updates},
		{"TakeUpstreamToken", func() error { _, err := s.TakeUpstreamToken(ctx, "one", "u", now, now); return err }, updates},
		{"ReturnUpstreamToken", func() error { return s.ReturnUpstreamToken(ctx, "one", "u", []byte("old"), []byte("new"), now) }, updates},
		{"DeleteUpstreamToken", func() error { return s.DeleteUpstreamToken(ctx, "one", "u", []byte("new")) }, deletes},
	}
}

func keySteps(ctx context.Context, s *Store) []step {
	k := &signing.SealedKey{Tenant: "one", Algorithm: oauth.ES256, Generation: 1, Sealed: []byte("sealed")}
	next := &signing.SealedKey{Tenant: "one", Algorithm: oauth.ES256, Generation: 2, Sealed: []byte("sealed")}
	return []step{
		{"CreateKey", func() error { return s.CreateKey(ctx, k, "") }, insert},
		{"CreateKey, ordered", func() error { return s.CreateKey(ctx, next, "operator") }, begins},
		{"Keys", func() error { _, err := s.Keys(ctx, "one"); return err }, selects},
		{"DeleteKey", func() error { return s.DeleteKey(ctx, "one", oauth.ES256, 1) }, deletes},
		{"TakeLease", func() error { _, err := s.TakeLease(ctx, "chore", "a", now, now); return err }, insert},
	}
}

func lastSteps(ctx context.Context, s *Store) []step {
	counted := []audit.Entry{{Tenant: "one", ID: "1"}, {Tenant: "one", ID: "2"}}
	return []step{
		{"ListEntries", func() error { _, _, err := s.ListEntries(ctx, "one", audit.Query{Limit: 9}); return err }, selects},
		{"CountEntries", func() error { return s.CountEntries(ctx, counted) }, insert},
		{"CountEntries again", func() error { return s.CountEntries(ctx, counted) }, insert},
		{"DeleteEntries", func() error { _, err := s.DeleteEntries(ctx, "one", now, 100); return err }, []string{"WITH"}},
		{"DeleteExpiredGrants", func() error { _, err := s.DeleteExpiredGrants(ctx, "one", now, 100); return err }, threeWith},
		{"DeleteExpiredGrants, limit reached", func() error {
			if err := s.CreateGrant(ctx, grant("g_2")); err != nil {
				return err
			}
			_, err := s.DeleteExpiredGrants(ctx, "one", now, 1)
			return err
		}, []string{"INSERT", "WITH"}},
		{"DeleteExpiredSessions", func() error {
			_, err := s.DeleteExpiredSessions(ctx, "one", now, now, 100)
			return err
		}, threeWith},
		{"DeleteUnusedUpstreamTokens", func() error {
			_, err := s.DeleteUnusedUpstreamTokens(ctx, "one", now, 100)
			return err
		}, []string{"WITH"}},
		{"Delete", func() error { return s.Delete(ctx, "one", "c_1", act) }, begins},
	}
}

// What is not there is NULL: an empty digest or a time in the year 1 would be a value.
func TestWhatIsMissingIsNull(t *testing.T) {
	for name, url := range databaseURLs {
		t.Run(name, func(t *testing.T) {
			s := openMigrated(t, url(t))
			g := grant("g")
			g.RefreshDigest = nil
			if err := errors.Join(s.Create(t.Context(), client("c_1")), s.CreateGrant(t.Context(), g)); err != nil {
				t.Fatal(err)
			}
			for _, column := range []string{
				"resource", "nonce", "redeemed_at", "family_digest", "refresh_digest", "previous_digest", "refreshed_at", "revoked_at",
			} {
				var nulls int
				row := s.readers.QueryRowContext(t.Context(), "SELECT count(*) FROM grants WHERE "+column+" IS NULL")
				if err := row.Scan(&nulls); err != nil || nulls != 1 {
					t.Errorf("%s: %d rows with NULL, %v, want 1", column, nulls, err)
				}
			}
		})
	}
}

// SQLite, which keeps no statistics, says how it would run a statement whatever the tables
// hold. The last three are what it does for the deletion of a client.
func TestStatementsUseIndexes(t *testing.T) {
	s := openMigrated(t, sqliteURL(t))
	uses := map[string]string{
		findGrant: "(tenant=? AND id=?)", redeemCode: "(tenant=? AND id=?)", rotateRefresh: "(tenant=? AND id=?)",
		revokeGrant:     "(tenant=? AND id=?)",
		grantsOf:        "grants_by_subject (tenant=? AND subject=? AND expires_at>?)",
		revokeGrantsFor: "grants_by_client (tenant=? AND client_id=? AND subject=?)",
		forgetConsents:  "(tenant=? AND client_id=? AND subject=?)",
		findConsent:     "(tenant=? AND client_id=? AND subject=? AND target=?)",
		findSession:     "(tenant=? AND id=?)", touchSession: "(tenant=? AND id=?)", takeAttempt: "(tenant=? AND id=?)",
		touchUpstream: "(tenant=? AND subject=?)", takeUpstream: "(tenant=? AND subject=?)", countUpstream: "(tenant=? AND subject=?)",
		returnUpstream: "(tenant=? AND subject=?)", deleteUpstream: "(tenant=? AND subject=?)",
		endGrants: "grants_by_client (tenant=? AND client_id=?)",
		findKeys:  "(tenant=?)", deleteKey: "(tenant=? AND algorithm=? AND generation=?)",
		"DELETE FROM grants WHERE tenant = ? AND client_id = ?":     "grants_by_client (tenant=? AND client_id=?)",
		"DELETE FROM consents WHERE tenant = ? AND client_id = ?":   "(tenant=? AND client_id=?)",
		"DELETE FROM assertions WHERE tenant = ? AND client_id = ?": "(tenant=? AND client_id=?)",
	}
	for _, w := range slices.Concat(expiredGrants(now), expiredSessions(now, now), unusedUpstream(now), agedEntries(now)) {
		uses[w.statement(s.skipLocked)] = "(tenant=? AND " + w.due + "<?)"
	}
	for statement, want := range uses {
		if plan := planOf(t, s, statement); !strings.Contains(plan, want) || strings.Contains(plan, "SCAN") {
			t.Errorf("%s\nruns as\n%s, want %s", statement, plan, want)
		}
	}
}

// What a listing reads of either place is in the order of an index: nothing is sorted but a
// page.
func TestListingsUseIndexes(t *testing.T) {
	s := openMigrated(t, sqliteURL(t))
	const entries, clients = "SEARCH audit_entries USING INDEX ", "SEARCH clients USING INDEX sqlite_autoindex_clients_1 "
	for name, c := range map[string]struct {
		query audit.Query
		want  []string
	}{
		"all":         {audit.Query{}, []string{entries + "sqlite_autoindex_audit_entries_1 (tenant=? AND id<?)", clients + "(tenant=? AND id>? AND id<?)"}},
		"of a client": {audit.Query{ClientID: "c_1"}, []string{entries + "audit_entries_by_client (tenant=? AND client_id=? AND id<?)", clients + "(tenant=? AND id=?)"}},
		"of a kind":   {audit.Query{Action: audit.ClientDeleted}, []string{entries + "audit_entries_by_action (tenant=? AND action=? AND id<?)"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.query.Limit = 10
			plan := planOf(t, s, listing("one", c.query).sql)
			for _, want := range c.want {
				if !strings.Contains(plan, want) {
					t.Errorf("it runs as\n%s, want %s", plan, want)
				}
			}
			for _, arm := range strings.Split(plan, "CO-ROUTINE")[1:] {
				if inner, _, _ := strings.Cut(arm, "SCAN"); strings.Contains(inner, "TEMP B-TREE") {
					t.Errorf("it sorts more than a page in\n%s", plan)
				}
			}
		})
	}
}

func planOf(t *testing.T, s *Store, statement string) (plan string) {
	t.Helper()
	arguments := make([]any, strings.Count(statement, "?"))
	rows, err := s.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan += detail + "\n"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

// A replica that cleans up does not wait for rows that another one is changing.
func TestCleanUpPassesOverLockedRows(t *testing.T) {
	s := openMigrated(t, postgresURL(t))
	err := errors.Join(s.Create(t.Context(), client("c_1")), s.CreateGrant(t.Context(), grant("locked")), s.CreateGrant(t.Context(), grant("free")))
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.writers.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(t.Context(), "UPDATE grants SET revoked_at = now() WHERE id = 'locked'"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	removed, err := s.DeleteExpiredGrants(ctx, "one", now, 100)
	if err != nil || removed != 1 {
		t.Errorf("beside a locked row: %d removed, %v, want 1", removed, err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	removed, err = s.DeleteExpiredGrants(ctx, "one", now, 100)
	if err != nil || removed != 1 {
		t.Errorf("afterwards: %d removed, %v, want 1", removed, err)
	}
}
