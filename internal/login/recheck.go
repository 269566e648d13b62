package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/seed-9c856424/registrar/internal/credential"
)

const (
	// purposeUpstream is what refresh tokens of the provider are sealed for.
	purposeUpstream = "upstream refresh token"
	// recheckTime is enough for a discovery, a refresh and what the store takes.
	recheckTime = 3 * patience
)

// ErrUserGone is a user whom the provider no longer vouches for.
var ErrUserGone = errors.New("the login provider no longer knows the user")

// Keep keeps the refresh token of a login, sealed, in place of the user's last one. It is
// for a user who was let in. If the provider issued none, the last one stays. It returns
// what the store returns.
func (u *Upstream) Keep(ctx context.Context, tenantID string, c Completion) error {
	if !u.OfflineAccess || c.RefreshToken == "" {
		return nil
	}
	sealed, err := u.Seal(purposeUpstream, ownerOf(tenantID, c.User.Subject), []byte(c.RefreshToken.Reveal()))
	if err != nil {
		return err
	}
	return u.Store.SaveUpstreamToken(ctx, tenantID, c.User.Subject, sealed)
}

func ownerOf(tenantID, subject string) string { return tenantID + "\n" + subject }

// Recheck asks the provider, by a refresh, whether the user is still there (RFC 6749 §6).
// It returns an error that is [ErrUserGone] if not, or if no refresh token is kept; an
// *oauth.Error of code temporarily_unavailable when the provider is down; and what the
// store returns. Concurrent calls for a user share one refresh: a provider takes two for
// a theft.
func (u *Upstream) Recheck(ctx context.Context, tenantID, subject string) error {
	// The refresh does not end with the request: the new token would be lost.
	outcome := u.rechecks.DoChan(ownerOf(tenantID, subject), func() (any, error) {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), recheckTime)
		defer cancel()
		return nil, u.recheck(own, tenantID, subject)
	})
	select {
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case result := <-outcome:
		return result.Err
	}
}

func (u *Upstream) recheck(ctx context.Context, tenantID, subject string) error {
	sealed, err := u.Store.FindUpstreamToken(ctx, tenantID, subject)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: it issued no refresh token", ErrUserGone)
	}
	if err != nil {
		return err
	}
	text, err := u.Open(purposeUpstream, ownerOf(tenantID, subject), sealed)
	if err != nil {
		return fmt.Errorf("the upstream refresh token: %w", err)
	}
	kept := credential.Secret(text)
	fresh, err := u.refresh(ctx, kept)
	if errors.Is(err, ErrUserGone) && u.wasReplaced(ctx, tenantID, subject, sealed) {
		return nil
	}
	if err != nil || fresh == kept {
		return err
	}
	return u.replace(ctx, tenantID, subject, sealed, fresh)
}

// refresh uses the refresh token and returns the one to use next.
func (u *Upstream) refresh(ctx context.Context, kept credential.Secret) (credential.Secret, error) {
	p, err := u.provider(ctx)
	if err != nil {
		return "", err
	}
	ctx = oidc.ClientContext(ctx, u.client())
	token, err := u.config(p).TokenSource(ctx, &oauth2.Token{RefreshToken: kept.Reveal()}).Token()
	switch {
	case isInvalidGrant(err):
		return "", fmt.Errorf("%w: %w", ErrUserGone, clipped(err))
	case err != nil:
		return "", judged(err)
	}
	return credential.Secret(token.RefreshToken), nil
}

// wasReplaced reports whether another process refreshed in between: then the user was
// there a moment ago.
func (u *Upstream) wasReplaced(ctx context.Context, tenantID, subject string, sealed []byte) bool {
	present, err := u.Store.FindUpstreamToken(ctx, tenantID, subject)
	return err == nil && string(present) != string(sealed)
}

// replace keeps the new token. If another process or a login was faster, theirs stays.
func (u *Upstream) replace(ctx context.Context, tenantID, subject string, old []byte, fresh credential.Secret) error {
	sealed, err := u.Seal(purposeUpstream, ownerOf(tenantID, subject), []byte(fresh.Reveal()))
	if err != nil {
		return err
	}
	err = u.Store.ReplaceUpstreamToken(ctx, tenantID, subject, old, sealed)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
