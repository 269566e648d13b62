package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// entryRow is a row of the table audit_entries.
type entryRow struct {
	Tenant   string `gorm:"primaryKey"`
	ID       string `gorm:"primaryKey"`
	Action   string
	At       time.Time
	ClientID sql.Null[string]
	Actor    string
	Address  sql.Null[string]
	Agent    sql.Null[string]
	Reason   sql.Null[string]
	TraceID  sql.Null[string]
	Count    int64
}

// TableName is the name of the table.
func (entryRow) TableName() string { return "audit_entries" }

// newEntryRow takes any text, so that nothing that was done goes without its entry.
func newEntryRow(e audit.Entry) *entryRow {
	text := func(s string) sql.Null[string] { return nullable(asText(s)) }
	return &entryRow{
		Tenant: e.Tenant, ID: e.ID, Action: asText(string(e.Action)), At: moment(e.At), ClientID: text(e.ClientID),
		Actor: asText(e.Actor), Address: text(e.Address), Agent: text(e.Agent), Reason: text(e.Reason),
		TraceID: text(e.TraceID), Count: e.Count,
	}
}

// newEntry is that of an act upon a client, or of one that concerns none.
func newEntry(tenant string, action audit.Action, clientID string, act registration.Act) *entryRow {
	e := audit.Entry{
		Tenant: tenant, ID: audit.NewID(act.At), Action: action, At: act.At, ClientID: clientID,
		Actor: act.Actor, Agent: act.Agent, Reason: act.Reason, TraceID: act.TraceID, Count: 1,
	}
	if act.From.IsValid() {
		e.Address = act.From.String()
	}
	return newEntryRow(e)
}

// statement is SQL with what its placeholders stand for.
type statement struct {
	sql  string
	args []any
}

const insertEntry = `INSERT INTO audit_entries (tenant, id, action, at, client_id, actor, address, agent, reason, trace_id, count)
	SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`

func (r *entryRow) values() []any {
	return []any{r.Tenant, r.ID, r.Action, r.At, r.ClientID, r.Actor, r.Address, r.Agent, r.Reason, r.TraceID, r.Count}
}

// changeOne makes the change of one row and, if it finds that row, inserts the entry, in one
// transaction; it reports whether it did. Where a statement can write within another, the two
// are one.
func (s *Store) changeOne(ctx context.Context, what string, change statement, entry *entryRow) (changed bool, err error) {
	if s.nestsWrites {
		both := "WITH changed AS (" + change.sql + " RETURNING 1) " + insertEntry + " FROM changed"
		inserted, err := s.exec(ctx, what, func(db *gorm.DB) *gorm.DB {
			return db.Exec(both, append(change.args, entry.values()...)...)
		})
		return inserted > 0, err
	}
	err = s.transact(ctx, what, func(tx *gorm.DB) error {
		done := tx.Exec(change.sql, change.args...)
		if changed = done.RowsAffected > 0; done.Error != nil || !changed {
			return done.Error
		}
		return tx.Exec(insertEntry, entry.values()...).Error
	})
	return changed, err
}

// ListEntries implements [audit.Store]. It is one statement, so that a registration whose
// client is being deleted is found in one of the two places.
func (s *Store) ListEntries(ctx context.Context, tenant string, q audit.Query) (entries []audit.Entry, next string, err error) {
	if !storable(tenant, q.ClientID, string(q.Action), q.Before, q.After) || q.Limit < 1 {
		return nil, "", nil
	}
	list := listing(tenant, q)
	scan := func(row scanner) (audit.Entry, error) {
		e := audit.Entry{Tenant: tenant}
		err := row.Scan(&e.ID, &e.Action, &e.At, &e.ClientID, &e.Actor, &e.Address, &e.Agent, &e.Reason, &e.TraceID, &e.Count)
		e.At = e.At.UTC()
		return e, err
	}
	entries, err = queryAll(ctx, s, "list the audit trail", scan, list.sql, list.args...)
	if len(entries) > q.Limit {
		entries, next = entries[:q.Limit], entries[q.Limit-1].ID
	}
	return entries, next, err
}

// The two places of entries, in the same columns.
const (
	selectEntries = `SELECT id, action, at, coalesce(client_id, '') AS client_id, actor, coalesce(address, '') AS address,
	coalesce(agent, '') AS agent, coalesce(reason, '') AS reason, coalesce(trace_id, '') AS trace_id, count
	FROM audit_entries WHERE tenant = ?`
	selectRegistrations = `SELECT substr(id, 3) AS id, '` + string(audit.ClientRegistered) + `' AS action, created_at, id AS client_id,
	CASE WHEN initial_token IS NULL THEN '` + audit.Anonymous + `' ELSE '` + audit.InitialToken + `' || initial_token END,
	coalesce(created_from, ''), created_agent, '', coalesce(created_trace, ''), 1
	FROM clients WHERE tenant = ? AND id > ?`
)

// lastID is greater than the id of every entry, and with the prefix of a client_id, than every
// such: the ids of other clients are not ordered by time, and their entries stand in the table.
var lastID = strings.Repeat("z", ulid.EncodedSize)

// listing takes of either place what a page can hold and one entry more, and of both together
// the newest. What is not after the cursor is left out last: as the newest come first, that is
// the end of the page. Within, it would have SQLite prefer the key to an index that fits better.
func listing(tenant string, q audit.Query) statement {
	before, limit := cmp.Or(q.Before, lastID), q.Limit+1
	entries := page(statement{selectEntries, []any{tenant}}, "audit_entries.id", before, limit,
		condition{"client_id", q.ClientID}, condition{"action", string(q.Action)})
	list := statement{"SELECT * FROM (" + entries.sql + ") AS entries WHERE id > ?", append(entries.args, q.After)}
	if q.Action == "" || q.Action == audit.ClientRegistered {
		const prefix = registration.ClientIDPrefix
		clients := page(statement{selectRegistrations, []any{tenant, prefix}}, "clients.id", prefix+before, limit, condition{"clients.id", q.ClientID})
		list.sql += " UNION ALL SELECT * FROM (" + clients.sql + ") AS registrations WHERE id > ?"
		list.args = slices.Concat(list.args, clients.args, []any{q.After})
	}
	return statement{list.sql + " ORDER BY id DESC LIMIT ?", append(list.args, limit)}
}

// condition holds a column to a value, if there is one.
type condition struct{ column, value string }

// page selects in the order of the column id, by whatever index the conditions have.
func page(from statement, id, before string, limit int, conditions ...condition) statement {
	p := statement{from.sql + " AND " + id + " < ?", append(from.args, before)}
	for _, c := range conditions {
		if c.value != "" {
			p.sql += " AND " + c.column + " = ?"
			p.args = append(p.args, c.value)
		}
	}
	return statement{p.sql + " ORDER BY " + id + " DESC LIMIT ?", append(p.args, limit)}
}

// CountEntries implements [audit.Store].
func (s *Store) CountEntries(ctx context.Context, entries []audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]*entryRow, len(entries))
	for i, e := range entries {
		rows[i] = newEntryRow(e)
	}
	_, err := s.exec(ctx, "count in the audit trail", func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "tenant"}, {Name: "id"}},
			DoUpdates: clause.Assignments(map[string]any{"count": gorm.Expr("audit_entries.count + excluded.count")}),
		}).Create(rows)
	})
	return err
}

// DeleteEntries implements [audit.Store]. The id holds the time, and the key is in its order.
func (s *Store) DeleteEntries(ctx context.Context, tenant string, before time.Time, limit int) (int64, error) {
	return s.deleteExpired(ctx, tenant, limit, agedEntries(before))
}

func agedEntries(before time.Time) []sweep {
	return []sweep{{"audit_entries", "id", "id", before}}
}
