package registration

import (
	"context"
	"sync"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

const (
	// neverUsedAge is how old a client is at least that gives way to others because nobody
	// ever used it.
	neverUsedAge = 24 * time.Hour
	// countValid is how long a count of clients is believed, and reclaimPause how long after
	// nothing was found to give way it is not looked for again.
	countValid   = 5 * time.Second
	reclaimPause = 10 * time.Second
	// reclaimBatch is how many clients give way at a time.
	reclaimBatch = 100
)

// ErrQuota is a tenant that has as many clients as it may have.
var ErrQuota error = &oauth.Error{Code: oauth.RateLimitExceeded, Description: "the number of clients that can register here is reached, try again later"}

// QuotaStore keeps the clients that a quota counts.
type QuotaStore interface {
	// CountClients returns how many clients the tenant has; it need not count beyond limit.
	CountClients(ctx context.Context, tenant string, limit int) (int, error)
	// ReclaimClients deletes at most limit clients that registered themselves before the
	// given time and were never used: the oldest of the address that has most of them. It
	// returns how many it deleted.
	ReclaimClients(ctx context.Context, tenant string, before time.Time, limit int, act Act) (int, error)
}

// Quota bounds the clients of a tenant. It counts now and then, so that the bound is
// overstepped by what replicas register in a few seconds, at most.
type Quota struct {
	Store  QuotaStore
	Tenant string
	// Max is how many clients the tenant may have; 0 is any number.
	Max int
	Now func() time.Time

	mu        sync.Mutex
	clients   int
	countedAt time.Time
	// fullUntil is until when nothing is expected to give way.
	fullUntil time.Time
}

// Take makes room for one client. It returns ErrQuota if there is none, or what the store
// returns.
func (q *Quota) Take(ctx context.Context) error {
	if q.Max == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.Now()
	if now.Sub(q.countedAt) >= countValid {
		count, err := q.Store.CountClients(ctx, q.Tenant, q.Max)
		if err != nil {
			return err
		}
		q.clients, q.countedAt = count, now
	}
	if q.clients >= q.Max {
		if err := q.reclaim(ctx, now); err != nil {
			return err
		}
	}
	q.clients++
	return nil
}

func (q *Quota) reclaim(ctx context.Context, now time.Time) error {
	if now.Before(q.fullUntil) {
		return ErrQuota
	}
	act := Act{At: now.UTC().Truncate(time.Microsecond), Actor: ActorServer, Reason: "never used, and the quota is reached"}
	gone, err := q.Store.ReclaimClients(ctx, q.Tenant, now.Add(-neverUsedAge), reclaimBatch, act)
	if err != nil {
		return err
	}
	if gone == 0 {
		q.fullUntil = now.Add(reclaimPause)
		return ErrQuota
	}
	q.clients -= gone
	return nil
}
