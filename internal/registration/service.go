package registration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/oklog/ulid/v2"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Service is the registry of clients.
type Service struct {
	Store Store
	// Admit is asked once a registration without an initial access token has passed the
	// rules and before anything is stored. Its error refuses the registration and is returned as it is. Readmit is told
	// of a registration that was admitted and could not be stored.
	Admit   func(ctx context.Context, from netip.Addr) error
	Readmit func(ctx context.Context, from netip.Addr)
	// Quota is asked before any registration is stored. Its error refuses it and is returned
	// as it is.
	Quota func(ctx context.Context) error
	// StatementKeys returns the keys at the jwks_uri of an issuer of software statements.
	// from is who is the cause of it. It returns an *oauth.Error of code
	// temporarily_unavailable where they cannot be had.
	StatementKeys func(ctx context.Context, issuer tenant.StatementIssuer, from netip.Addr) ([]jose.JSONWebKey, error)
	Now           func() time.Time
	Random        io.Reader
}

// Access is who asks: the credentials presented and the circumstances.
type Access struct {
	// Token is the bearer token; empty when none was presented.
	Token credential.Secret
	// From is the address of the client, as far as the proxies in between are trusted.
	From netip.Addr
	// Agent is the User-Agent.
	Agent string
	// TraceID is the request's.
	TraceID string
}

// Registered is a client and those of its credentials that can be told now.
type Registered struct {
	Client *Client
	// Secret is set only when this call issued it.
	Secret credential.Secret
	// AccessToken is the registration access token, as issued or as presented.
	AccessToken credential.Secret
}

// Register creates a client of the tenant (RFC 7591 §3), with what Permit returned. It
// returns an *oauth.Error of code invalid_redirect_uri or invalid_client_metadata for
// metadata that breaks a rule, of invalid_software_statement or
// unapproved_software_statement for a statement, ErrInitialTokenInvalid if the token ended meanwhile, what
// Admit returns, and what the store returns.
func (s *Service) Register(ctx context.Context, t *tenant.Tenant, access Access, permit *InitialAccessToken, asked Metadata) (*Registered, error) {
	asked, err := s.withStatement(ctx, t, access.From, asked)
	if err != nil {
		return nil, err
	}
	metadata, defaulted, err := boundedRules(t.Policy, permit.bounds(), asked)
	if err != nil {
		return nil, err
	}
	giveBack, err := s.admit(ctx, access, permit)
	if err != nil {
		return nil, err
	}
	registered, err := s.mint(t, access, metadata, defaulted)
	if err != nil {
		return nil, err
	}
	if err := s.create(ctx, registered.Client, permit); err != nil {
		giveBack()
		return nil, err
	}
	return registered, nil
}

// admit holds a registration to the limits: the token's are taken as it is stored. It returns
// what gives back the place that was taken, for one that is not stored after all.
func (s *Service) admit(ctx context.Context, access Access, permit *InitialAccessToken) (giveBack func(), err error) {
	giveBack = func() {}
	if permit == nil {
		if err := s.Admit(ctx, access.From); err != nil {
			return nil, err
		}
		giveBack = func() { s.Readmit(ctx, access.From) }
	}
	if err := s.Quota(ctx); err != nil {
		giveBack()
		return nil, err
	}
	return giveBack, nil
}

// mint makes the client, its identifier and its credentials.
func (s *Service) mint(t *tenant.Tenant, access Access, metadata Metadata, defaulted bool) (*Registered, error) {
	now := s.now()
	id, err := ulid.New(ulid.Timestamp(now), s.Random)
	if err != nil {
		return nil, fmt.Errorf("draw a client_id: %w", err)
	}
	client := &Client{
		Tenant: t.ID, ID: clientID(id), Origin: OriginDynamic, ScopePolicy: ScopeExplicit, Status: InitialStatus(t.Policy),
		Metadata: metadata, AuthMethodDefaulted: defaulted,
		CreatedAt: now, CreatedFrom: access.From, CreatedAgent: access.Agent, CreatedTrace: access.TraceID, UpdatedAt: now, Version: 1,
	}
	registered := &Registered{Client: client}
	if registered.AccessToken, err = credential.Mint(s.Random, credential.RegistrationAccessToken, tokenSubject(id)); err != nil {
		return nil, err
	}
	client.AccessTokenDigest = registered.AccessToken.Digest()
	registered.Secret, err = s.issueSecret(client)
	return registered, err
}

// issueSecret gives the client a new secret, or none where its method uses none.
func (s *Service) issueSecret(client *Client) (credential.Secret, error) {
	if !client.Metadata.TokenEndpointAuthMethod.UsesSecret() {
		client.SecretDigest = nil
		return "", nil
	}
	secret, err := credential.Mint(s.Random, credential.ClientSecret, "")
	client.SecretDigest = secret.Digest()
	return secret, err
}

// Authenticate returns the client that access.Token belongs to, if it is the one with this id (RFC 7592 §2). It returns oauth.ErrTokenMissing,
// oauth.ErrTokenInvalid, or what the store returns. A valid token that is presented on
// another client is revoked, if the tenant's policy says so: whoever does that is confused
// or a thief. One that is presented where no client is was mistyped, and stays.
func (s *Service) Authenticate(ctx context.Context, t *tenant.Tenant, id string, access Access) (*Client, error) {
	token := access.Token
	if token == "" {
		return nil, oauth.ErrTokenMissing
	}
	ownerID, wellFormed := tokenOwner(token)
	if !wellFormed {
		return nil, oauth.ErrTokenInvalid
	}
	owner, err := s.Store.Find(ctx, t.ID, ownerID)
	if errors.Is(err, ErrNotFound) {
		return nil, oauth.ErrTokenInvalid
	}
	if err != nil {
		return nil, err
	}
	if !owner.AccessTokenDigest.Verifies(token) {
		return nil, oauth.ErrTokenInvalid
	}
	if owner.ID != id {
		return nil, s.punishMisuse(ctx, t, owner, access, id)
	}
	return owner, nil
}

// punishMisuse revokes a token that was presented on another client, where the policy says so.
func (s *Service) punishMisuse(ctx context.Context, t *tenant.Tenant, owner *Client, access Access, other string) error {
	if !t.Policy.RevokeMisusedToken {
		return oauth.ErrTokenInvalid
	}
	_, err := s.Store.Find(ctx, t.ID, other)
	if err == nil {
		act := access.Act(s.now(), ActorClient, "presented on "+other)
		err = s.Store.RevokeAccessToken(ctx, t.ID, owner.ID, owner.AccessTokenDigest, act)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return oauth.ErrTokenInvalid
}

// Replacement is the body of an update (RFC 7592 §2.2).
type Replacement struct {
	ClientID string
	// ClientSecret is the present secret; empty when it was not sent.
	ClientSecret credential.Secret
	Metadata     Metadata
}

// An update that another one overtook starts over, so often at most, after a pause that
// parts the rivals.
const (
	maxUpdateAttempts = 50
	updatePause       = 5 * time.Millisecond
)

// Update replaces what the client registered (RFC 7592 §2.2); the client is one that
// Authenticate returned. It returns an *oauth.Error of code invalid_request for a
// client_id or client_secret that is not the client's, the errors of Register for
// metadata, oauth.ErrTokenInvalid if the token ended meanwhile, and what the store
// returns. An error means that nothing changed.
func (s *Service) Update(ctx context.Context, t *tenant.Tenant, client *Client, access Access, r Replacement) (*Registered, error) {
	id := client.ID
	for attempt := range maxUpdateAttempts {
		updated, err := s.replace(ctx, t, client, access, r)
		if !errors.Is(err, ErrConflict) {
			return updated, err
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
		if client, err = s.Authenticate(ctx, t, id, access); err != nil {
			return nil, err
		}
	}
	return nil, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the client is being updated by others, try again shortly"}
}

// pause waits for a random time that grows with the attempts, or until ctx ends.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(rand.N(updatePause * time.Duration(attempt+1))) //nolint:gosec // rivals need to part, not to be unpredictable
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) replace(ctx context.Context, t *tenant.Tenant, current *Client, access Access, r Replacement) (*Registered, error) {
	if err := checkIdentity(current, r); err != nil {
		return nil, err
	}
	asked, err := s.withStatement(ctx, t, access.From, r.Metadata)
	if err != nil {
		return nil, err
	}
	metadata, defaulted, err := boundedRules(t.Policy, current.Bounds, asked)
	if err != nil {
		return nil, err
	}
	if err := checkSameSoftware(current.Metadata, metadata); err != nil {
		return nil, err
	}
	updated := *current
	updated.Metadata, updated.UpdatedAt = metadata, s.now()
	sameMethod := metadata.TokenEndpointAuthMethod == current.Metadata.TokenEndpointAuthMethod
	updated.AuthMethodDefaulted = defaulted || (sameMethod && current.AuthMethodDefaulted)
	registered := &Registered{Client: &updated, AccessToken: access.Token}
	if !sameMethod {
		if registered.Secret, err = s.issueSecret(&updated); err != nil {
			return nil, err
		}
	}
	act := access.Act(updated.UpdatedAt, ActorClient, whatChanged(current, registered))
	if err := s.Store.Update(ctx, &updated, act); err != nil {
		return nil, err
	}
	return registered, nil
}

// ErrAnotherClient is an update whose client_id is not the one of the registration (RFC
// 7592 §2.2).
var ErrAnotherClient error = &oauth.Error{Code: oauth.InvalidRequest, Description: "client_id: it must be the one of the registration"}

// checkIdentity holds the update to the client that it is about (RFC 7592 §2.2).
func checkIdentity(current *Client, r Replacement) error {
	if r.ClientID != current.ID {
		return ErrAnotherClient
	}
	if r.ClientSecret != "" && !current.SecretDigest.Verifies(r.ClientSecret) {
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "client_secret: it must be the present secret, a client cannot choose one"}
	}
	return nil
}

// Delete ends the client (RFC 7592 §2.3); it is one that Authenticate returned. It
// returns oauth.ErrTokenInvalid if the client is already gone, and what the store returns.
func (s *Service) Delete(ctx context.Context, client *Client, access Access) error {
	err := s.Store.Delete(ctx, client.Tenant, client.ID, access.Act(s.now(), ActorClient, ""))
	if errors.Is(err, ErrNotFound) {
		return oauth.ErrTokenInvalid
	}
	return err
}

// InitialStatus is that of a client that nobody has looked at.
func InitialStatus(policy tenant.Policy) Status {
	if policy.ApprovalRequired {
		return StatusPending
	}
	return StatusActive
}

// Reject ends a client that an administrator does not let in. One that is known by a
// metadata document, which would come back, is suspended. It returns ErrNotFound for a
// registered client that does not exist, and what the store returns.
func (s *Service) Reject(ctx context.Context, tenantID, id, actor string) error {
	if IsDocumentURL(id) {
		return s.SetStatus(ctx, tenantID, id, StatusSuspended, actor)
	}
	return s.Store.Delete(ctx, tenantID, id, Act{At: s.now(), Actor: actor, Reason: "rejected"})
}

// SetStatus suspends a client, or lets it in again, in the name of the actor. One that is
// known by a metadata document can be suspended before anybody uses it. It returns
// ErrNotFound for a client that does not exist, and what the store returns.
func (s *Service) SetStatus(ctx context.Context, tenantID, id string, status Status, actor string) error {
	now := s.now()
	act := Act{At: now, Actor: actor}
	err := s.Store.SetStatus(ctx, tenantID, id, status, act)
	if !errors.Is(err, ErrNotFound) || status == StatusActive || !IsDocumentURL(id) || DocumentURLFault(id) != "" {
		return err
	}
	return s.Store.SaveDocument(ctx, &Client{
		Tenant: tenantID, ID: id, Origin: OriginDocument, ScopePolicy: ScopeExplicit, Status: status,
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}, act)
}

// now is the time that a row can hold: both stores keep microseconds.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }
