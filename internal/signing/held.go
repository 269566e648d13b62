package signing

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// fresh is how long keys are used before they are read again.
	fresh = time.Minute
	// respite is how long a store that failed is not asked again.
	respite = 5 * time.Second
	// overdue is how long after that time everybody waits for the keys to be read: in a
	// process that was idle they can be as old as can be.
	overdue = 2 * time.Minute
	// patience is what a store that does not answer costs a call.
	patience = 5 * time.Second
)

// held is what is held in memory of a tenant.
type held struct {
	// reading is locked by the one who reads the store.
	reading sync.Mutex
	last    atomic.Pointer[reading]
}

// reading is how the store was last read.
type reading struct {
	// keys are those that the last reading that went well found; nil before it.
	keys keySet
	// err is of the last reading.
	err error
	// due is when the next one is.
	due time.Time
}

func (r *reading) answer() (keySet, error) {
	if r.keys == nil {
		return nil, r.err
	}
	return r.keys, nil
}

// enter reports whether the caller is to read the store.
func (h *held) enter(wait bool) bool {
	if wait {
		h.reading.Lock()
		return true
	}
	return h.reading.TryLock()
}

func (k *Keys) held(tenant string) *held {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.tenants[tenant]
	if h == nil {
		h = new(held)
		h.last.Store(new(reading))
		if k.tenants == nil {
			k.tenants = map[string]*held{}
		}
		k.tenants[tenant] = h
	}
	return h
}

// current returns the keys of the tenant, at most a minute old, or, as long as they
// cannot be read, the last ones. It fails only where none were ever read.
func (k *Keys) current(ctx context.Context, tenant string) (keySet, error) {
	h, now := k.held(tenant), k.Now()
	last := h.last.Load()
	if now.Before(last.due) || !h.enter(now.Sub(last.due) > overdue) {
		return last.answer()
	}
	defer h.reading.Unlock()
	if last = h.last.Load(); now.Before(last.due) {
		return last.answer()
	}
	// A caller that hangs up would look like an outage.
	return k.read(context.WithoutCancel(ctx), tenant, h).answer()
}

// load reads the keys of the tenant, whatever is held, and fails where that fails.
func (k *Keys) load(ctx context.Context, tenant string) (keySet, error) {
	h := k.held(tenant)
	h.reading.Lock()
	defer h.reading.Unlock()
	r := k.read(ctx, tenant, h)
	return r.keys, r.err
}

// read reads the keys and holds them. The caller has locked h.reading.
func (k *Keys) read(ctx context.Context, tenant string, h *held) *reading {
	last, now := h.last.Load(), k.Now()
	next := &reading{due: now.Add(fresh)}
	if next.keys, next.err = k.fetch(ctx, tenant, last.keys); next.err != nil {
		next.keys, next.due = last.keys, now.Add(respite)
	}
	h.last.Store(next)
	k.report(ctx, tenant, last, next)
	return next
}

func (k *Keys) fetch(ctx context.Context, tenant string, known keySet) (keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stored, err := k.Store.Keys(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return openAll(k.Sealer, stored, known)
}

// report logs the beginning and the end of an outage, which nobody notices otherwise
// until a key takes over that is not known here.
func (k *Keys) report(ctx context.Context, tenant string, last, next *reading) {
	switch {
	case last.keys == nil || (last.err == nil) == (next.err == nil):
	case next.err != nil:
		k.Log.WarnContext(ctx, "the signing keys cannot be read: those known so far stay in use", "tenant", tenant, "error", next.err)
	default:
		k.Log.InfoContext(ctx, "the signing keys can be read again", "tenant", tenant)
	}
}
