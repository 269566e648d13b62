package audit

import (
	"context"
	"time"
)

// Query is which entries to list: those that meet each part of it that is set.
type Query struct {
	ClientID string
	Action   Action
	// Before and After are ids of entries, or of [FirstID]: only what is older, or newer.
	Before, After string
	// Limit is how many at most; less than 1 is none.
	Limit int
}

// Store keeps the trail. A database that cannot serve at present is an *oauth.Error of code
// temporarily_unavailable; anything else is a fault.
type Store interface {
	// ListEntries returns the entries of the tenant, the newest first, and the id to go on
	// from as Before, or "" where no more follow. The registrations of the clients that stand
	// are among them. Whoever goes on sees each entry that was there when they began once,
	// whatever is deleted, and clients too, meanwhile.
	ListEntries(ctx context.Context, tenant string, q Query) (entries []Entry, next string, err error)
	// CountEntries inserts the entries, each with an id that [Tally] has given it, in one
	// statement; where one with that id is stored, its count grows instead.
	CountEntries(ctx context.Context, entries []Entry) error
	// DeleteEntries removes at most limit entries that were made before the time, the oldest
	// first, and returns how many it removed. What stands in the row of a client stays.
	DeleteEntries(ctx context.Context, tenant string, before time.Time, limit int) (int64, error)
}
