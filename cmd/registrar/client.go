package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func clientCommand(p *process) *cobra.Command {
	client := groupCommand("client", "Look after the clients")
	client.AddCommand(
		&cobra.Command{
			Use:   "suspend CLIENT_ID...",
			Short: "Suspend clients",
			Long: "Suspend clients. They get no more codes and tokens, and their codes, refresh tokens and, for whoever asks here,\n" +
				"access tokens end at once; servers that verify access tokens themselves take one until it expires, 10 minutes\n" +
				"at most. Servers need no restart.",
			Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, ids []string) error {
				return p.setStatus(c.Context(), ids, registration.StatusSuspended)
			},
		},
		&cobra.Command{
			Use:   "approve CLIENT_ID...",
			Short: "Let clients in that wait for approval, or are suspended",
			Long: "Let clients in that wait for approval (REGISTRAR_APPROVAL=required), or are suspended. What a suspension has ended\n" +
				"stays ended: users approve the client anew.",
			Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, ids []string) error {
				return p.setStatus(c.Context(), ids, registration.StatusActive)
			},
		},
		&cobra.Command{
			Use:   "reject CLIENT_ID...",
			Short: "Reject clients that wait for approval",
			Long: "Reject clients. They are gone, with all that was issued to them; one that is known by a metadata document is\n" +
				"suspended, so that it does not come back.",
			Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, ids []string) error { return p.reject(c.Context(), ids) },
		},
	)
	return client
}

func (p *process) reject(ctx context.Context, ids []string) error {
	_, db, err := p.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	registry := &registration.Service{Store: db, Now: time.Now}
	return p.each(ids, "rejected", func(id string) error {
		return registry.Reject(ctx, tenant.DefaultID, id, registration.ActorOperator)
	})
}

// setStatus gives each client the status, those too that come after one that is not known.
func (p *process) setStatus(ctx context.Context, ids []string, status registration.Status) error {
	_, db, err := p.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	registry := &registration.Service{Store: db, Now: time.Now}
	return p.each(ids, string(status), func(id string) error {
		return registry.SetStatus(ctx, tenant.DefaultID, id, status, registration.ActorOperator)
	})
}
