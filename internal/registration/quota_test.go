package registration

import (
	"context"
	"errors"
	"testing"
	"time"
)

// counted is a QuotaStore of numbers.
type counted struct {
	clients, unused, counts, reclaims int
	err                               error
}

func (c *counted) CountClients(context.Context, string, int) (int, error) {
	c.counts++
	return c.clients, c.err
}

func (c *counted) ReclaimClients(_ context.Context, _ string, _ time.Time, limit int, _ Act) (int, error) {
	c.reclaims++
	gone := min(limit, c.unused)
	c.unused, c.clients = c.unused-gone, c.clients-gone
	return gone, c.err
}

func TestQuota(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	newQuota := func(s *counted) *Quota {
		return &Quota{Store: s, Tenant: "one", Max: 10, Now: func() time.Time { return now }}
	}
	take := func(t *testing.T, q *Quota, s *counted, want error) {
		t.Helper()
		if err := q.Take(t.Context()); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		} else if err == nil {
			s.clients++
		}
	}
	t.Run("room, counted now and then", func(t *testing.T) {
		s := &counted{clients: 7}
		q := newQuota(s)
		for range 3 {
			take(t, q, s, nil)
		}
		take(t, q, s, ErrQuota)
		if s.counts != 1 || s.reclaims != 1 {
			t.Errorf("counted %d times, reclaimed %d times", s.counts, s.reclaims)
		}
		take(t, q, s, ErrQuota)
		if s.reclaims != 1 {
			t.Error("it is looked for again at once")
		}
		now = now.Add(reclaimPause)
		s.unused = 2
		take(t, q, s, nil)
		take(t, q, s, nil)
		take(t, q, s, ErrQuota)
	})
	t.Run("others made room", func(t *testing.T) {
		s := &counted{clients: 10}
		q := newQuota(s)
		take(t, q, s, ErrQuota)
		s.clients = 3
		now = now.Add(countValid)
		take(t, q, s, nil)
	})
	t.Run("the store is down", func(t *testing.T) {
		s := &counted{err: context.DeadlineExceeded}
		take(t, newQuota(s), s, context.DeadlineExceeded)
	})
	t.Run("none", func(t *testing.T) {
		s := &counted{clients: 1 << 30}
		q := newQuota(s)
		q.Max = 0
		take(t, q, s, nil)
	})
}
