// Command registrar is the service through which OAuth clients register themselves.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "registrar:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: the process ends here, there is nothing to stop
	}
}

// run executes one command line. Logs go to errors, what people asked for to out.
func run(ctx context.Context, args, environ []string, out, errors io.Writer) error {
	return (&process{environ: environ, out: out, log: errors}).run(ctx, args)
}

// process is what a command runs in.
type process struct {
	environ  []string
	out, log io.Writer
	outside  network
}

func (p *process) run(ctx context.Context, args []string) error {
	root := &cobra.Command{
		Use:           "registrar",
		Short:         "OAuth clients register themselves (RFC 7591, RFC 7592)",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(serveCommand(p), migrateCommand(p), versionCommand(p), healthcheckCommand(p), configCommand(p), auditCommand(p), clientCommand(p), keysCommand(p), tokenCommand(p), userCommand(p))
	root.SetArgs(args)
	root.SetOut(p.out)
	root.SetErr(p.log)
	return root.ExecuteContext(ctx)
}

func versionCommand(p *process) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(p.out, "registrar", version)
			return err
		},
	}
}
