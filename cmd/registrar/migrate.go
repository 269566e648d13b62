package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/store"
)

func migrateCommand(p *process) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema up to date",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return p.migrate(c.Context()) },
	}
}

func (p *process) migrate(ctx context.Context) error {
	settings, err := config.Load(p.environ)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, settings.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	pending, err := db.Pending(ctx)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s is up to date, %d migrations applied\n", db.Describe(), pending)
	return err
}
