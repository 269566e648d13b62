package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/signing"
	"github.com/seed-9c856424/registrar/internal/store"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func keysCommand(p *process) *cobra.Command {
	keys := groupCommand("keys", "Look after the signing keys")
	keys.AddCommand(&cobra.Command{
		Use:   "rotate",
		Short: "Make the next signing keys",
		Long: "Make the next signing keys. They sign once every verifier had time to see them, and the present ones stay\n" +
			"published until nothing that they signed is valid any longer. Servers need no restart.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.rotateKeys(c.Context()) },
	})
	return keys
}

func (p *process) rotateKeys(ctx context.Context) error {
	settings, db, err := p.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	keys, err := newKeys(settings, db, slog.New(slog.NewJSONHandler(p.log, nil)))
	if err != nil {
		return err
	}
	takeovers, err := keys.Rotate(ctx, tenant.DefaultID, registration.ActorOperator)
	if err != nil {
		return err
	}
	for _, t := range takeovers {
		said := "signs from"
		if !t.Made {
			said = "was made before, signs from"
		}
		if _, err := fmt.Fprintf(p.out, "%s  %s  %s %s\n", t.Algorithm, t.KeyID, said, t.SignsFrom.Format(time.RFC3339)); err != nil {
			return err
		}
	}
	return nil
}

// openDatabase opens the database of the settings, beside the servers that use it.
func (p *process) openDatabase(ctx context.Context) (*config.Config, *store.Store, error) {
	settings, err := config.Load(p.environ)
	if err != nil {
		return nil, nil, err
	}
	db, err := store.Open(ctx, settings.DatabaseURL)
	if err != nil {
		return nil, nil, err
	}
	if err := requireMigrated(ctx, db); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return settings, db, nil
}

func newKeys(settings *config.Config, db *store.Store, log *slog.Logger) (*signing.Keys, error) {
	sealer, err := newSealer(settings)
	if err != nil {
		return nil, err
	}
	return &signing.Keys{Store: db, Sealer: sealer, Now: time.Now, Log: log}, nil
}
