package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/config"
)

const healthcheckTime = 3 * time.Second

func healthcheckCommand(p *process) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the server on this machine whether it can serve",
		Long:  "Ask the server that listens on REGISTRAR_ADDR on this machine for /readyz: exit status 0 if it can serve, 1 if not. For container health checks.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return p.healthcheck(c.Context()) },
	}
}

func (p *process) healthcheck(ctx context.Context) error {
	settings, err := config.Load(p.environ)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+dialAddress(settings.Addr)+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: status %d", response.StatusCode)
	}
	return nil
}

// dialAddress is where to reach a server that listens on addr: one that listens on every
// address is reached through loopback.
func dialAddress(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
