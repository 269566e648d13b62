package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// tallyPeriod is within what like acts are one entry, and maxTallied how many different ones
// are held, and written at once: what is over that is counted without address and reason.
const (
	tallyPeriod = time.Minute
	maxTallied  = 500
)

// OtherReasons is the reason of all that is over the bound of a [Tally].
const OtherReasons = "others"

// Tally counts what is refused and fetched, so that abuse never costs more than use: in
// memory, by tenant, action, reason, address and minute. [Tally.Flush] writes it, and
// replicas add to one another's entries. Whatever was not yet written is lost in a crash,
// the acts of a few seconds; of refusals and fetches alone, never of a change. The zero Tally
// is ready, and safe for concurrent use.
type Tally struct {
	mu     sync.Mutex
	counts map[like]*Entry
}

// like is what entries have in common that are one.
type like struct {
	tenant  string
	action  Action
	reason  string
	address string
	minute  time.Time
}

// Act is one act to count.
type Act struct {
	Tenant  string
	Action  Action
	At      time.Time
	From    netip.Addr
	Agent   string
	Reason  string
	TraceID string
}

// Add counts the act. It keeps agent and trace id of the first of those that are alike.
func (t *Tally) Add(a Act) {
	t.add(Entry{
		Tenant: a.Tenant, Action: a.Action, At: a.At.UTC().Truncate(tallyPeriod), Actor: Anonymous,
		Address: network(a.From), Agent: a.Agent, Reason: a.Reason, TraceID: a.TraceID, Count: 1,
	})
}

// network is the address or, as whoever has one IPv6 address has 2^64, its /64.
func network(from netip.Addr) string {
	if !from.IsValid() {
		return ""
	}
	if from = from.Unmap(); from.Is4() {
		return from.String()
	}
	return netip.PrefixFrom(from.WithZone(""), 64).Masked().String()
}

func (t *Tally) add(e Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := like{e.Tenant, e.Action, e.Reason, e.Address, e.At}
	if t.counts[key] == nil && len(t.counts) >= maxTallied {
		// Without the minute: even where nothing can be written for long, there is one of each action.
		key = like{tenant: e.Tenant, action: e.Action, reason: OtherReasons}
		e.Reason, e.Address, e.Agent, e.TraceID = OtherReasons, "", "", ""
	}
	if counted := t.counts[key]; counted != nil {
		counted.Count += e.Count
		return
	}
	if t.counts == nil {
		t.counts = map[like]*Entry{}
	}
	t.counts[key] = &e
}

// Flush has save write what was counted since the last time. It returns the error of save;
// the counts are then kept for the next time.
func (t *Tally) Flush(ctx context.Context, save func(context.Context, []Entry) error) error {
	entries := t.take()
	if len(entries) == 0 {
		return nil
	}
	err := save(ctx, entries)
	if err != nil {
		for _, e := range entries {
			t.add(e)
		}
	}
	return err
}

// take returns the entries in the order of their ids, in which no two replicas lock each
// other out.
func (t *Tally) take() []Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries := make([]Entry, 0, len(t.counts))
	for _, e := range t.counts {
		e.ID = countedID(e)
		entries = append(entries, *e)
	}
	t.counts = nil
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Tenant, b.Tenant)) })
	return entries
}

// countedID is the same for all entries of a tenant that are alike, whoever counts them: in
// the place of chance it has a digest of what they share.
func countedID(e *Entry) string {
	digest := sha256.Sum256([]byte(strings.Join([]string{string(e.Action), e.Reason, e.Address}, "\x00")))
	var id ulid.ULID
	setTime(&id, e.At)
	copy(id[timeBytes:], digest[:])
	return spell(id)
}
