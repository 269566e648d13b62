package authorization

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Identity is the user of a session.
type Identity struct {
	User            tenant.User
	AuthenticatedAt time.Time
}

// Step is what comes next on the way to a code.
type Step int

// The steps.
const (
	// StepLogin is to have the user log in, again if they have a session.
	StepLogin Step = iota + 1
	// StepConsent is to ask the user.
	StepConsent
	// StepApproved is to issue the code.
	StepApproved
)

// Verdict is what must happen before a code can be issued.
type Verdict struct {
	Step Step
	// Scope is what this user can grant; nil before the login.
	Scope []string
	// Seen is the digest of what the consent page shows and for whom. What the user
	// approves is what they saw if it is still the same then.
	Seen string
}

// Judge says what must happen before a code can be issued. who is nil without a session.
// It returns a *Refusal where prompt=none rules out what would have to happen, for a user
// whom the tenant no longer lets in, and for a scope of which nothing is left to this
// user; and what the store returns.
func (s *Service) Judge(ctx context.Context, t *tenant.Tenant, r *Request, who *Identity) (Verdict, error) {
	if who == nil || r.prompt.login || s.isStale(r, who) {
		if r.prompt.none {
			return Verdict{}, r.Refuse(oauth.LoginRequired, "the user would have to log in")
		}
		return Verdict{Step: StepLogin}, nil
	}
	scope, err := grantedBy(t, r, who)
	if err != nil {
		return Verdict{}, err
	}
	verdict := Verdict{Step: StepApproved, Scope: scope}
	if verdict.Seen, err = seen(r, who, scope); err != nil {
		return Verdict{}, err
	}
	asks, err := s.mustAsk(ctx, t, r, who, scope)
	switch {
	case err != nil:
		return Verdict{}, err
	case asks && r.prompt.none:
		return Verdict{}, r.Refuse(oauth.ConsentRequired, "the user would have to be asked")
	case asks:
		verdict.Step = StepConsent
	}
	return verdict, nil
}

func (s *Service) isStale(r *Request, who *Identity) bool {
	return r.maxAge != nil && s.now().Sub(who.AuthenticatedAt) > *r.maxAge
}

// grantedBy is what of the request this user can grant. A session can be older than the
// tenant's present demands on its users.
func grantedBy(t *tenant.Tenant, r *Request, who *Identity) ([]string, error) {
	if !t.Policy.LoginRequirement.Admits(who.User) {
		return nil, r.Refuse(oauth.AccessDenied, "the user is not let in here")
	}
	scope, err := grantable(t.Policy, r.Scope, who.User)
	if err != nil {
		return nil, r.refusal(err)
	}
	return scope, nil
}

// mustAsk reports whether the user has to be asked. Only the answer for an https redirect
// URI is remembered: anything on the user's machine can take the place of an app that
// listens on loopback or to a scheme (RFC 8252 §8.6).
func (s *Service) mustAsk(ctx context.Context, t *tenant.Tenant, r *Request, who *Identity, scope []string) (bool, error) {
	if r.prompt.consent || !isWeb(r.Registered) {
		return true, nil
	}
	consent, err := s.Store.FindConsent(ctx, t.ID, who.User.Subject, r.Client.ID, target(r))
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	registered, err := clientDigest(r.Client)
	return !s.covers(consent, scope, registered), err
}

func (s *Service) covers(c *Consent, scope []string, registered []byte) bool {
	return s.now().Before(c.ExpiresAt) && slices.Equal(c.ClientDigest, registered) && containsAll(strings.Fields(c.Scope), scope)
}

// target is the digest of where an approval sends the user and what for. Neither URI can
// have a line feed.
func target(r *Request) []byte {
	sum := sha256.Sum256([]byte(r.Registered + "\n" + NormalResource(r.Resource)))
	return sum[:]
}

// clientDigest changes with what the client registered.
func clientDigest(client *registration.Client) ([]byte, error) {
	return digestOf(client.Metadata)
}

func seen(r *Request, who *Identity, scope []string) (string, error) {
	sum, err := digestOf(struct {
		ClientID    string
		Registered  registration.Metadata
		RedirectURI string
		Resource    string
		Scope       []string
		Subject     string
	}{r.Client.ID, r.Client.Metadata, r.RedirectURI, r.Resource, scope, who.User.Subject})
	return base64.RawURLEncoding.EncodeToString(sum), err
}

func digestOf(value any) ([]byte, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode what the user sees: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return sum[:], nil
}
