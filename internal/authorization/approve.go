package authorization

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Approve issues a code for the scope, or for what of it the user can grant, and returns
// where to send the user (RFC 6749 §4.1.2). The caller has asked the user wherever Judge
// said so; the answer to a question that would be asked again is remembered.
//
// It returns a *Refusal as Judge does, an *oauth.Error of code invalid_client if the client
// is gone, and what the store returns.
func (s *Service) Approve(ctx context.Context, t *tenant.Tenant, r *Request, who *Identity, scope []string) (location string, err error) {
	granted, err := grantedBy(t, r, who)
	if err != nil {
		return "", err
	}
	granted = slices.DeleteFunc(granted, func(token string) bool { return !slices.Contains(scope, token) })
	if len(granted) == 0 {
		return "", r.refusal(invalidScope(noScopeLeft))
	}
	if err := s.admit(ctx, r, who); err != nil {
		return "", err
	}
	// The consent goes first: should the grant fail, the user did approve all the same.
	if err := s.remember(ctx, t, r, who, granted); err != nil {
		return "", err
	}
	code, err := s.grant(ctx, t, r, who, granted)
	if err != nil {
		return "", err
	}
	s.Used(t.ID, r.Client.ID)
	return answer(r.RedirectURI,
		parameter{"code", code.Reveal()},
		parameter{"state", r.State},
		parameter{"iss", t.Issuer}), nil
}

// admit stores the client of a metadata document when a user first approves it, and not
// before: anyone can bring any URL here.
func (s *Service) admit(ctx context.Context, r *Request, who *Identity) error {
	if r.Client.Origin != registration.OriginDocument || r.Client.Version > 0 {
		return nil
	}
	if err := s.Quota(ctx); err != nil {
		return err
	}
	return s.Store.SaveDocument(ctx, firstSeen(r.Client, r.By), r.By.Act(s.now(), registration.ActorUser(who.User.Subject), ""))
}

// remember saves what the user was asked, where the answer can be remembered at all. An
// approval that was remembered already keeps its age.
func (s *Service) remember(ctx context.Context, t *tenant.Tenant, r *Request, who *Identity, scope []string) error {
	if !isWeb(r.Registered) {
		return nil
	}
	asked, err := s.mustAsk(ctx, t, r, who, scope)
	if err != nil || !asked {
		return err
	}
	registered, err := clientDigest(r.Client)
	if err != nil {
		return err
	}
	now := s.now()
	return s.Store.SaveConsent(ctx, &Consent{
		Tenant: t.ID, Subject: who.User.Subject, ClientID: r.Client.ID, Target: target(r),
		Scope: strings.Join(scope, " "), ClientDigest: registered,
		GrantedAt: now, ExpiresAt: now.Add(ConsentLifetime),
	})
}

// grant inserts the grant and returns its code.
func (s *Service) grant(ctx context.Context, t *tenant.Tenant, r *Request, who *Identity, scope []string) (credential.Secret, error) {
	now := s.now()
	id, err := s.grantID(now)
	if err != nil {
		return "", err
	}
	code, err := credential.Mint(s.Random, credential.AuthorizationCode, id)
	if err != nil {
		return "", err
	}
	err = s.Store.CreateGrant(ctx, &Grant{
		Tenant: t.ID, ID: id, ClientID: r.Client.ID,
		User: who.User, AuthenticatedAt: who.AuthenticatedAt,
		Scope: strings.Join(scope, " "), Resource: r.Resource, RedirectURI: r.RedirectURI,
		Challenge: r.Challenge, Nonce: r.Nonce,
		CodeDigest: code.Digest(), CodeExpiresAt: now.Add(CodeLifetime),
		CreatedAt: now, ExpiresAt: now.Add(CodeLifetime),
	})
	if errors.Is(err, ErrSpent) {
		return "", errNoClient
	}
	return code, err
}

// grantID draws an id that is ordered by time, so that new rows stand together in the index.
func (s *Service) grantID(now time.Time) (string, error) {
	id, err := ulid.New(ulid.Timestamp(now), s.Random)
	if err != nil {
		return "", fmt.Errorf("draw the id of a grant: %w", err)
	}
	return strings.ToLower(id.String()), nil
}
