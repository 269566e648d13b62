package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func tokenCommand(p *process) *cobra.Command {
	token := groupCommand("token", "Look after initial access tokens")
	token.AddCommand(tokenCreateCommand(p), tokenListCommand(p), tokenRevokeCommand(p))
	return token
}

// wantedToken is what the flags of token create say.
type wantedToken struct {
	name                          string
	uses                          int64
	expires                       time.Duration
	scopes, grants, redirectHosts []string
}

func tokenCreateCommand(p *process) *cobra.Command {
	var wanted wantedToken
	var output outputForm
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an initial access token",
		Long: "Make an initial access token, with which whoever has it can register clients (RFC 7591 §3). It is shown once.\n" +
			"What it may be used for narrows what its clients can register and change, for good.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.createToken(c.Context(), wanted, output) },
	}
	flags := c.Flags()
	flags.StringVar(&wanted.name, "name", "", "what the token is for, for you")
	flags.Int64Var(&wanted.uses, "uses", 1, "how many clients it can register; 0 is any number")
	flags.DurationVar(&wanted.expires, "expires", 7*24*time.Hour, "how long it is valid; 0 is for ever")
	flags.StringSliceVar(&wanted.scopes, "scope", nil, "a scope that its clients can have, as often as needed; all unless given")
	flags.StringSliceVar(&wanted.grants, "grant", nil, "a grant type that its clients can have, as often as needed; all unless given")
	flags.StringSliceVar(&wanted.redirectHosts, "redirect-host", nil, "a host that its clients can redirect to, *.app.example for all below; any unless given")
	output.flag(flags)
	_ = c.MarkFlagRequired("name")
	return c
}

func (p *process) createToken(ctx context.Context, wanted wantedToken, output outputForm) error {
	settings, db, err := p.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	token, err := wanted.token(settings)
	if err != nil {
		return err
	}
	registry := &registration.Service{Store: db, Now: time.Now, Random: rand.Reader}
	secret, err := registry.IssueInitialToken(ctx, token, registration.ActorOperator)
	if err != nil {
		return err
	}
	view := viewToken(token)
	view.Token = secret.Reveal()
	return output.write(p.out, view, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n\nIt is %s, %s, %s. Keep it, it is not shown again.\n",
			view.Token, view.ID, view.left(), view.ends())
		return err
	})
}

// token is what is wanted, if its clients could register anything at all.
func (wanted wantedToken) token(settings *config.Config) (*registration.InitialAccessToken, error) {
	token := &registration.InitialAccessToken{
		Tenant: tenant.DefaultID, Name: wanted.name,
		Bounds: registration.Bounds{Scopes: wanted.scopes, GrantTypes: wanted.grants, RedirectHosts: wanted.redirectHosts},
	}
	if wanted.uses < 0 || wanted.expires < 0 {
		return nil, errors.New("--uses and --expires must not be negative")
	}
	if wanted.uses > 0 {
		token.UsesLeft = &wanted.uses
	}
	if wanted.expires > 0 {
		token.ExpiresAt = time.Now().UTC().Add(wanted.expires).Truncate(time.Second)
	}
	return token, token.Bounds.Check(settings.Tenant().Policy)
}

func tokenListCommand(p *process) *cobra.Command {
	var output outputForm
	c := &cobra.Command{
		Use:   "list",
		Short: "List the initial access tokens",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return p.listTokens(c.Context(), output) },
	}
	output.flag(c.Flags())
	return c
}

func (p *process) listTokens(ctx context.Context, output outputForm) error {
	_, db, err := p.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	tokens, err := db.InitialTokens(ctx, tenant.DefaultID)
	if err != nil {
		return err
	}
	views := make([]tokenView, len(tokens))
	for i, token := range tokens {
		views[i] = viewToken(token)
	}
	return output.write(p.out, map[string]any{"tokens": views}, func(w io.Writer) error { return tabulateTokens(w, views) })
}

func tabulateTokens(w io.Writer, views []tokenView) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tSTATE\tUSES\tENDS\tNARROWED TO")
	for _, v := range views {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Name, v.State, v.left(), v.ends(), v.narrowed())
	}
	return table.Flush()
}

func tokenRevokeCommand(p *process) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID...",
		Short: "Revoke initial access tokens",
		Long:  "Revoke initial access tokens. The clients that were registered with them stay.",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(c *cobra.Command, ids []string) error { return p.revokeTokens(c.Context(), ids) },
	}
}

func (p *process) revokeTokens(ctx context.Context, ids []string) error {
	_, db, err := p.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	registry := &registration.Service{Store: db, Now: time.Now}
	return p.each(ids, "revoked", func(id string) error {
		err := registry.RevokeInitialToken(ctx, tenant.DefaultID, id, registration.ActorOperator)
		if errors.Is(err, registration.ErrNotFound) {
			return errors.New("no such token, or it was revoked before")
		}
		return err
	})
}

// tokenView is an initial access token as it is shown.
type tokenView struct {
	ID    string                  `json:"id"`
	Name  string                  `json:"name"`
	Token string                  `json:"token,omitempty"`
	State registration.TokenState `json:"state"`
	// UsesLeft is null for any number.
	UsesLeft      *int64            `json:"uses_left"`
	CreatedAt     time.Time         `json:"created_at"`
	ExpiresAt     *time.Time        `json:"expires_at"`
	Scopes        []string          `json:"scopes,omitempty"`
	GrantTypes    []oauth.GrantType `json:"grant_types,omitempty"`
	RedirectHosts []string          `json:"redirect_hosts,omitempty"`
}

func viewToken(token *registration.InitialAccessToken) tokenView {
	v := tokenView{
		ID: token.ID, Name: token.Name, State: token.State(time.Now()), UsesLeft: token.UsesLeft, CreatedAt: token.CreatedAt,
		Scopes: token.Bounds.Scopes, GrantTypes: token.Bounds.GrantTypes, RedirectHosts: token.Bounds.RedirectHosts,
	}
	if !token.ExpiresAt.IsZero() {
		v.ExpiresAt = &token.ExpiresAt
	}
	return v
}

func (v tokenView) left() string {
	if v.UsesLeft == nil {
		return "any number of uses"
	}
	return fmt.Sprintf("%d uses left", *v.UsesLeft)
}

func (v tokenView) ends() string {
	if v.ExpiresAt == nil {
		return "for ever"
	}
	return "until " + v.ExpiresAt.Format(time.RFC3339)
}

func (v tokenView) narrowed() string {
	all := append(append(append([]string(nil), v.Scopes...), v.GrantTypes...), v.RedirectHosts...)
	return strings.Join(all, " ")
}
