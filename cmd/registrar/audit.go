package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/audit"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// auditPage is how many entries are read at once.
const auditPage = 500

func auditCommand(p *process) *cobra.Command {
	c := groupCommand("audit", "Read the audit trail")
	c.AddCommand(auditTailCommand(p), auditExportCommand(p))
	return c
}

func auditTailCommand(p *process) *cobra.Command {
	q, output, follow := audit.Query{}, "table", false
	c := &cobra.Command{
		Use:   "tail",
		Short: "Show the latest entries",
		Long: "Show the latest entries of the audit trail, the newest last, in UTC. Refused registrations and fetches are counted:\n" +
			"all alike within a minute are one entry, written within seconds. With --follow, until interrupted, an entry is\n" +
			"shown again when its count has grown.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			show, known := formats[output]
			if !known {
				return fmt.Errorf("--output: %q is neither table nor json", output)
			}
			if q.Limit < 0 {
				return errors.New("--lines: it must not be negative")
			}
			return p.tailAudit(c.Context(), q, show(p.out), follow)
		},
	}
	c.Flags().IntVarP(&q.Limit, "lines", "n", 20, "how many entries")
	c.Flags().StringVarP(&output, "output", "o", output, "table or json, one object a line")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is done from now on")
	addAuditFilters(c, &q)
	return c
}

func auditExportCommand(p *process) *cobra.Command {
	q, since := audit.Query{Limit: auditPage}, ""
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the entries as JSON, one object a line",
		Long: "Write the entries of the audit trail to standard output as JSON, one object a line (NDJSON), the newest first.\n" +
			"Entries are in the order of their id, by which two exports can be joined.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if q.After, err = sinceID(since, time.Now()); err != nil {
				return err
			}
			return p.exportAudit(c.Context(), q)
		},
	}
	c.Flags().StringVar(&since, "since", "", "leave out what is older: an age such as 24h, or a time such as 2026-11-23T09:00:00Z")
	addAuditFilters(c, &q)
	return c
}

func addAuditFilters(c *cobra.Command, q *audit.Query) {
	c.Flags().StringVar(&q.ClientID, "client", "", "only what was done to this client")
	c.Flags().StringVar((*string)(&q.Action), "action", "", "only this action, such as client.deleted")
}

// sinceID is the cursor of an age or a time; "" for none.
func sinceID(since string, now time.Time) (string, error) {
	if since == "" {
		return "", nil
	}
	if age, err := time.ParseDuration(since); err == nil && age >= 0 {
		return audit.FirstID(now.Add(-age)), nil
	}
	at, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return "", fmt.Errorf("--since: %q is neither an age such as 24h nor a time such as 2026-11-23T09:00:00Z", since)
	}
	return audit.FirstID(at), nil
}

// auditReader reads the trail of a tenant.
type auditReader struct{ store audit.Store }

// each calls show for all entries of the query, the newest first, read in pages of its limit.
func (r auditReader) each(ctx context.Context, q audit.Query, show func(audit.Entry) error) error {
	for {
		entries, next, err := r.store.ListEntries(ctx, tenant.DefaultID, q)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := show(e); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		q.Before = next
	}
}

func (p *process) exportAudit(ctx context.Context, q audit.Query) error {
	_, db, err := p.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	return auditReader{db}.each(ctx, q, showJSON(p.out))
}

func (p *process) tailAudit(ctx context.Context, q audit.Query, show func(audit.Entry) error, follow bool) error {
	_, db, err := p.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	f := &follower{auditReader: auditReader{db}, query: q, show: show}
	// First, so that what is done between the two readings is shown by one of them.
	if _, err := f.poll(ctx, time.Now()); err != nil {
		return err
	}
	latest, _, err := db.ListEntries(ctx, tenant.DefaultID, q)
	if err != nil {
		return err
	}
	slices.Reverse(latest)
	if err := f.tell(latest); err != nil || !follow {
		return err
	}
	return f.follow(ctx)
}

const (
	// followEvery is how often a follower looks.
	followEvery = time.Second
	// followWindow is how far back it looks: an entry may come later than its id says, by the
	// minute within which it was counted, and the clocks and patience of several servers.
	followWindow = 2 * time.Minute
)

// follower tells what is new in the trail.
type follower struct {
	auditReader
	query audit.Query
	show  func(audit.Entry) error
	// seen are the counts of the entries within the window.
	seen map[string]int64
}

// poll returns what is within the window and was not seen, or not with this count, the oldest
// first.
func (f *follower) poll(ctx context.Context, now time.Time) (news []audit.Entry, err error) {
	q, seen := f.query, map[string]int64{}
	q.Limit, q.After = auditPage, audit.FirstID(now.Add(-followWindow))
	err = f.each(ctx, q, func(e audit.Entry) error {
		if seen[e.ID] = e.Count; f.seen[e.ID] != e.Count {
			news = append(news, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.seen = seen
	slices.Reverse(news)
	return news, nil
}

// tell shows the entries, and takes them for seen.
func (f *follower) tell(entries []audit.Entry) error {
	for _, e := range entries {
		f.seen[e.ID] = e.Count
		if err := f.show(e); err != nil {
			return err
		}
	}
	return nil
}

// follow tells what is new until ctx ends, which is no error.
func (f *follower) follow(ctx context.Context) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		news, err := f.poll(ctx, time.Now())
		if err == nil {
			err = f.tell(news)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}
