package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/metrics"
)

func configCommand(p *process) *cobra.Command {
	c := groupCommand("config", "Look at the configuration")
	c.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Check the configuration without starting",
		Long: "Read the configuration as serve does, without opening the database. What is wrong goes to standard error, one fault a\n" +
			"line, with exit status 1; otherwise a summary and the warnings go to standard output.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.checkConfig() },
	})
	return c
}

// groupCommand is one that has others below it. Without a rule of its own, one of them
// that is misspelt would succeed.
func groupCommand(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
}

func (p *process) checkConfig() error {
	settings, err := config.Load(p.environ)
	if err != nil {
		return err
	}
	// It reads the URL of Redis and connects when it is first used.
	limits, err := newGates(settings, metrics.New(version), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = limits.close() }()
	summarise(p.out, settings)
	return nil
}

// summarise says what the configuration comes to, without a secret.
func summarise(out io.Writer, settings *config.Config) {
	for _, line := range [][2]string{
		{"issuer", settings.Issuer},
		{"listens on", settings.Addr},
		{"metrics", cmp.Or(settings.MetricsAddr, "off")},
		{"database", describeDatabase(settings)},
		{"login", describeLogin(settings)},
		{"limits", describeLimits(settings)},
		{"registration", string(settings.RegistrationMode)},
		{"documents", string(settings.MetadataDocuments)},
		{"scopes", strconv.Itoa(len(settings.Scopes))},
		{"resource servers", strconv.Itoa(len(settings.File.ResourceServers))},
	} {
		fmt.Fprintf(out, "%-16s  %s\n", line[0], line[1])
	}
	for _, warning := range settings.Warnings() {
		fmt.Fprintf(out, "warning: %s\n", warning)
	}
}

// describeDatabase leaves out where a PostgreSQL is: its URL can hold a password that only
// the driver can tell from the rest.
func describeDatabase(settings *config.Config) string {
	if path, isFile := strings.CutPrefix(settings.DatabaseURL, "sqlite://"); isFile {
		return "SQLite, " + path
	}
	return "PostgreSQL"
}

func describeLogin(settings *config.Config) string {
	return map[config.LoginKind]string{
		config.LoginUpstream:    "at " + settings.UpstreamIssuer,
		config.LoginUsers:       "users file, " + settings.UsersFile,
		config.LoginDevelopment: "development: any name is believed, from this machine alone",
		config.LoginNone:        "none",
	}[settings.Login()]
}

func describeLimits(settings *config.Config) string {
	switch {
	case settings.RegistrationRate.Off:
		return "off"
	case settings.RedisURL != "":
		return settings.RegistrationRate.Limit.String() + " registrations per address, shared through Redis"
	}
	return settings.RegistrationRate.Limit.String() + " registrations per address, in each process"
}
