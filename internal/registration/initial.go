package registration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// InitialAccessToken lets whoever presents it register clients (RFC 7591 §3).
type InitialAccessToken struct {
	Tenant string
	ID     string
	// Name is what its operator calls it.
	Name   string
	Digest credential.Digest
	// Bounds are inherited by the clients that are registered with it.
	Bounds Bounds
	// UsesLeft is how many registrations it is good for; nil for any number.
	UsesLeft  *int64
	CreatedAt time.Time
	// ExpiresAt is zero for a token that does not expire, RevokedAt for one that stands.
	ExpiresAt, RevokedAt time.Time
}

// bounds are those of no token, too.
func (i *InitialAccessToken) bounds() Bounds {
	if i == nil {
		return Bounds{}
	}
	return i.Bounds
}

// stands reports whether the token is good for a registration at this time.
func (i *InitialAccessToken) stands(at time.Time) bool {
	return i.State(at) == TokenActive
}

// Bounds narrow a tenant's policy for some of its clients, for good. An empty list is no
// bound.
type Bounds struct {
	Scopes     []string          `json:"scopes,omitempty"`
	GrantTypes []oauth.GrantType `json:"grant_types,omitempty"`
	// RedirectHosts are the hosts of all redirect URIs; those on a user's own machine are
	// not among them unless they are listed.
	RedirectHosts tenant.Hosts `json:"redirect_hosts,omitempty"`
}

// IsZero reports whether nothing is bounded.
func (b Bounds) IsZero() bool {
	return len(b.Scopes)+len(b.GrantTypes)+len(b.RedirectHosts) == 0
}

// TokenState is what a token is good for.
type TokenState string

// The states of a token; all but the first are for good.
const (
	TokenActive  TokenState = "active"
	TokenUsedUp  TokenState = "used up"
	TokenExpired TokenState = "expired"
	TokenRevoked TokenState = "revoked"
)

// State is what the token is good for at this time.
func (i *InitialAccessToken) State(at time.Time) TokenState {
	switch {
	case !i.RevokedAt.IsZero():
		return TokenRevoked
	case !i.ExpiresAt.IsZero() && !at.Before(i.ExpiresAt):
		return TokenExpired
	case i.UsesLeft != nil && *i.UsesLeft <= 0:
		return TokenUsedUp
	}
	return TokenActive
}

// Check returns what of the bounds no client could register under the policy.
func (b Bounds) Check(policy tenant.Policy) error {
	for _, scope := range b.Scopes {
		if !slices.Contains(policy.Scopes, scope) {
			return fmt.Errorf("scope %s: it is not one of this server's", scope)
		}
	}
	for _, grant := range b.GrantTypes {
		if !slices.Contains(defaultGrantTypes, grant) {
			return fmt.Errorf("grant %s: it must be one of %s", grant, strings.Join(defaultGrantTypes, ", "))
		}
	}
	if len(b.GrantTypes) > 0 && !slices.Contains(b.GrantTypes, oauth.GrantAuthorizationCode) {
		return fmt.Errorf("grant %s: every client needs it", oauth.GrantAuthorizationCode)
	}
	return nil
}

// What a registration can be refused with beside its metadata.
var (
	// ErrClosed is a tenant at which nobody can register.
	ErrClosed = errors.New("registration is closed")
	// ErrInitialTokenMissing is a registration that needs an initial access token.
	ErrInitialTokenMissing error = &oauth.Error{Code: oauth.InvalidToken, Description: "an initial access token is required"}
	// ErrInitialTokenInvalid is one answer for a token that is unknown, used up, expired or
	// revoked.
	ErrInitialTokenInvalid error = &oauth.Error{Code: oauth.InvalidToken, Description: "the initial access token is not valid"}
)

// Permit says whether a registration with this token, or with none, may go on, before
// anything else of it is looked at. It returns the initial access token, nil where none was
// presented; ErrInitialTokenMissing, ErrInitialTokenInvalid or ErrClosed; or what the store
// returns.
func (s *Service) Permit(ctx context.Context, t *tenant.Tenant, token credential.Secret) (*InitialAccessToken, error) {
	mode := t.Policy.RegistrationMode
	if token == "" {
		switch mode {
		case tenant.RegistrationToken:
			return nil, ErrInitialTokenMissing
		case tenant.RegistrationClosed:
			return nil, ErrClosed
		}
		return nil, nil
	}
	permit, err := s.initialToken(ctx, t, token)
	if err == nil && mode == tenant.RegistrationClosed {
		return nil, ErrClosed
	}
	return permit, err
}

func (s *Service) initialToken(ctx context.Context, t *tenant.Tenant, token credential.Secret) (*InitialAccessToken, error) {
	id, ok := credential.Subject(credential.InitialAccessToken, token)
	if _, err := ulid.ParseStrict(id); !ok || err != nil {
		return nil, ErrInitialTokenInvalid
	}
	known, err := s.Store.FindInitialToken(ctx, t.ID, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, ErrInitialTokenInvalid
	case err != nil:
		return nil, err
	case !known.Digest.Verifies(token), !known.stands(s.now()):
		return nil, ErrInitialTokenInvalid
	}
	return known, nil
}

// IssueInitialToken makes an initial access token of the tenant, of which ID, Digest and
// CreatedAt are filled in, and returns it in the clear. It returns what the store returns.
// The audit trail has the actor.
func (s *Service) IssueInitialToken(ctx context.Context, token *InitialAccessToken, actor string) (credential.Secret, error) {
	now := s.now()
	id, err := ulid.New(ulid.Timestamp(now), s.Random)
	if err != nil {
		return "", fmt.Errorf("draw the id of an initial access token: %w", err)
	}
	token.ID, token.CreatedAt = strings.ToLower(id.String()), now
	secret, err := credential.Mint(s.Random, credential.InitialAccessToken, token.ID)
	if err != nil {
		return "", err
	}
	token.Digest = secret.Digest()
	return secret, s.Store.CreateInitialToken(ctx, token, Act{At: now, Actor: actor, Reason: token.ID})
}

// RevokeInitialToken ends an initial access token; the clients that it registered stay. It
// returns ErrNotFound for one that is not there or was revoked before, and what the store
// returns.
func (s *Service) RevokeInitialToken(ctx context.Context, tenantID, id, actor string) error {
	return s.Store.RevokeInitialToken(ctx, tenantID, id, Act{At: s.now(), Actor: actor, Reason: id})
}

// create stores the client, with the token's use if it has one.
func (s *Service) create(ctx context.Context, client *Client, permit *InitialAccessToken) error {
	if permit == nil {
		return s.Store.Create(ctx, client)
	}
	client.InitialToken, client.Bounds = permit.ID, permit.Bounds
	err := s.Store.CreateWithToken(ctx, client, s.now())
	if errors.Is(err, ErrSpent) {
		return ErrInitialTokenInvalid
	}
	return err
}

// boundedRules are applyRules within bounds: what goes beyond them is refused, and what is
// defaulted stays within.
func boundedRules(policy tenant.Policy, bounds Bounds, asked Metadata) (registered Metadata, methodDefaulted bool, err error) {
	if bounds.IsZero() {
		return applyRules(policy, asked)
	}
	registered, methodDefaulted, err = applyRules(bounds.narrow(policy), bounds.defaults(asked))
	if err != nil {
		return Metadata{}, false, err
	}
	// What the policy drops in silence was not to be had anyway; what the bounds rule out
	// was asked for in vain, and that is said.
	if err := bounds.check(policy, asked, registered); err != nil {
		return Metadata{}, false, err
	}
	return registered, methodDefaulted, nil
}

func (b Bounds) narrow(policy tenant.Policy) tenant.Policy {
	if len(b.Scopes) == 0 {
		return policy
	}
	beyond := func(scope string) bool { return !slices.Contains(b.Scopes, scope) }
	policy.Scopes = slices.DeleteFunc(slices.Clone(policy.Scopes), beyond)
	policy.DefaultScopes = slices.DeleteFunc(slices.Clone(policy.DefaultScopes), beyond)
	if len(policy.DefaultScopes) == 0 {
		policy.DefaultScopes = policy.Scopes
	}
	return policy
}

func (b Bounds) defaults(asked Metadata) Metadata {
	if asked.GrantTypes == nil && len(b.GrantTypes) > 0 {
		asked.GrantTypes = b.GrantTypes
	}
	return asked
}

func (b Bounds) check(policy tenant.Policy, asked, registered Metadata) error {
	for token := range strings.SplitSeq(asked.Scope, " ") {
		if len(b.Scopes) > 0 && slices.Contains(policy.Scopes, token) && !slices.Contains(b.Scopes, token) {
			return invalidMetadata("scope", token+" is beyond what the initial access token allows")
		}
	}
	for i, grant := range registered.GrantTypes {
		if len(b.GrantTypes) > 0 && !slices.Contains(b.GrantTypes, grant) {
			return invalidMetadata(element("grant_types", i), grant+" is beyond what the initial access token allows")
		}
	}
	for i, text := range registered.RedirectURIs {
		if len(b.RedirectHosts) > 0 && !b.RedirectHosts.Contain(cutURI(text).host) {
			return invalidRedirectURI(element("redirect_uris", i), "the host is beyond what the initial access token allows")
		}
	}
	return nil
}
