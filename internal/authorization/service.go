package authorization

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// How long things last.
const (
	// CodeLifetime is that of an authorization code (RFC 6749 §4.1.2).
	CodeLifetime = time.Minute
	// AccessTokenLifetime is that of access tokens and ID tokens.
	AccessTokenLifetime = 10 * time.Minute
	// RefreshIdle is how long a refresh token waits for its use, RefreshAbsolute how long
	// after the approval the last one ends.
	RefreshIdle     = 30 * 24 * time.Hour
	RefreshAbsolute = 365 * 24 * time.Hour
	// ConsentLifetime is how long an approval is remembered.
	ConsentLifetime = 180 * 24 * time.Hour
	// LoginValidity is how long a request that demanded a login takes it for a fresh one:
	// the time that a person may spend on the consent page.
	LoginValidity = 10 * time.Minute
)

// ErrUserGone is a user whom the upstream provider no longer knows or lets in.
var ErrUserGone = errors.New("the upstream provider no longer vouches for the user")

// Service issues codes and tokens, and tells what they are worth.
type Service struct {
	Store  Store
	Signer Signer
	// Recheck asks the upstream provider for the user again, where the tenant's policy
	// has RecheckUpstream. It returns ErrUserGone if the user is gone; any other error is
	// returned as it is, and nothing has changed.
	Recheck func(ctx context.Context, t *tenant.Tenant, subject string) error
	// Admit is asked before a client that is known by its document is stored to wait for
	// approval, as for a registration, and Quota before any such client is stored. Their
	// errors are returned as they are.
	Admit func(ctx context.Context, from netip.Addr) error
	Quota func(ctx context.Context) error
	// Used is told of each client that a user approved or that got a token.
	Used func(tenant, clientID string)
	// Document returns the metadata document at the URL. It returns an *oauth.Error of code
	// invalid_client_metadata or invalid_redirect_uri for one that breaks a rule, of
	// temporarily_unavailable for one that cannot be had; any other error is returned as it
	// is. from is who is the cause of it.
	Document func(ctx context.Context, t *tenant.Tenant, url string, from netip.Addr) (*Document, error)
	// Keys returns the keys at the client's jwks_uri, with renew such as are newer than
	// those that it returned before, where that is due. It returns an *oauth.Error of code
	// invalid_client_metadata for what are no keys, of temporarily_unavailable for what
	// cannot be had; any other error is returned as it is.
	Keys   func(ctx context.Context, client *registration.Client, from netip.Addr, renew bool) ([]jose.JSONWebKey, error)
	Now    func() time.Time
	Random io.Reader
}

// Signer signs JSON Web Tokens under the keys of a tenant.
type Signer interface {
	// Sign returns the claims as a token of the type (RFC 7515 §4.1.9).
	Sign(ctx context.Context, tenant string, algorithm oauth.Algorithm, typ string, claims any) (string, error)
	// Verify returns the payload of the token, and whether one of the tenant's keys
	// signed it with this type. It does not judge the claims.
	Verify(ctx context.Context, tenant, typ, token string) (payload []byte, ok bool, err error)
}

// now is the time that a row can hold: both stores keep microseconds.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// MaxClientIDBytes is the length of the longest client_id that the store is asked for.
const MaxClientIDBytes = 2048

// errSuspended is a client that is not to be served. Whoever need not tell it from one that
// is not known takes it for that.
var errSuspended = fmt.Errorf("the client is suspended: %w", registration.ErrNotFound)

// errPending is a client that nobody has let in yet.
var errPending = fmt.Errorf("the client waits for approval: %w", registration.ErrNotFound)

// find returns the client, registration.ErrNotFound, errSuspended or errPending. The store is not asked
// for what no client_id can be (RFC 6749 appendix A.1), nor every database for a NUL.
func (s *Service) find(ctx context.Context, t *tenant.Tenant, id string) (*registration.Client, error) {
	if !isClientID(id) {
		return nil, registration.ErrNotFound
	}
	client, err := s.Store.Find(ctx, t.ID, id)
	if err != nil {
		return nil, err
	}
	return client, checkStatus(client)
}

func checkStatus(client *registration.Client) error {
	switch client.Status {
	case registration.StatusActive:
		return nil
	case registration.StatusPending:
		return errPending
	}
	return errSuspended
}

func isClientID(id string) bool {
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= MaxClientIDBytes
}

func invalid(code oauth.Code, parameter, reason string) error {
	return &oauth.Error{Code: code, Description: parameter + ": " + reason}
}

func invalidRequest(parameter, reason string) error {
	return invalid(oauth.InvalidRequest, parameter, reason)
}
