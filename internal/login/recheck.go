package login

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	if !u.OfflineAccess {
		return nil
	}
	now := storedTime(u.Now())
	if c.RefreshToken == "" {
		return u.Store.TouchUpstreamToken(ctx, tenantID, c.User.Subject, now)
	}
	sealed, err := u.Seal(purposeUpstream, ownerOf(tenantID, c.User.Subject), []byte(c.RefreshToken.Reveal()))
	if err != nil {
		return err
	}
	return u.Store.SaveUpstreamToken(ctx, tenantID, c.User.Subject, sealed, now)
}

func ownerOf(tenantID, subject string) string { return tenantID + "\n" + subject }

// Recheck asks the provider, by a refresh, whether the user is still there (RFC 6749 §6).
// It returns an error that is [ErrUserGone] if not, or if no refresh token is kept; an
// *oauth.Error of code temporarily_unavailable when the provider is down; and what the
// store returns. Concurrent calls for a user share one refresh, and those of
// several processes wait for one another: a provider takes two uses of a token for a theft.
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
	sealed, err := u.claim(ctx, tenantID, subject)
	if err != nil {
		return err
	}
	next, err := u.renew(ctx, ownerOf(tenantID, subject), sealed)
	if errors.Is(err, ErrUserGone) {
		return u.forget(ctx, tenantID, subject, sealed, err)
	}
	return errors.Join(err, u.Store.ReturnUpstreamToken(ctx, tenantID, subject, sealed, next, storedTime(u.Now())))
}

// While another process uses the token, it is asked for again after a pause, which grows.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// claim returns the user's token, for this process alone until it is given back.
func (u *Upstream) claim(ctx context.Context, tenantID, subject string) ([]byte, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		now := storedTime(u.Now())
		sealed, err := u.Store.TakeUpstreamToken(ctx, tenantID, subject, now, now.Add(recheckTime))
		switch {
		case errors.Is(err, ErrNotFound):
			return nil, fmt.Errorf("%w: it issued no refresh token", ErrUserGone)
		case !errors.Is(err, ErrTaken):
			return sealed, err
		}
		select {
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		case <-time.After(pause):
		}
	}
}

// renew uses the token and returns the one to use next, sealed: the same one if it failed.
func (u *Upstream) renew(ctx context.Context, owner string, sealed []byte) ([]byte, error) {
	text, err := u.Open(purposeUpstream, owner, sealed)
	if err != nil {
		return sealed, fmt.Errorf("the upstream refresh token: %w", err)
	}
	kept := credential.Secret(text)
	fresh, err := u.refresh(ctx, kept)
	if err != nil || fresh == kept {
		return sealed, err
	}
	return u.Seal(purposeUpstream, owner, []byte(fresh.Reveal()))
}

// forget removes the token of a user who is gone. If a login has replaced it meanwhile, the
// user was there a moment ago.
func (u *Upstream) forget(ctx context.Context, tenantID, subject string, sealed []byte, gone error) error {
	err := u.Store.DeleteUpstreamToken(ctx, tenantID, subject, sealed)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return gone
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
