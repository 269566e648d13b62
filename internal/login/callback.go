package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

const (
	// maxSubBytes is that of OpenID Connect Core 1.0 §2.
	maxSubBytes = 255
	// clockSkew is how far the provider's clock may be behind this server's.
	clockSkew = time.Minute
)

// errStartAgain is one answer for every attempt that cannot go on, so that nobody learns
// which attempts there are.
var errStartAgain error = &oauth.Error{
	Code:        oauth.InvalidRequest,
	Description: "the login took too long, was finished already, or was begun in another browser: start again",
}

// Callback is what the provider sends with the browser: the authorization response (RFC
// 6749 §4.1.2), each parameter empty if it is not there.
type Callback struct {
	Code, State, Error string
	// Issuer is the parameter iss (RFC 9207 §2).
	Issuer string
}

// Completion is how a login ended.
type Completion struct {
	User tenant.User
	// Continue is where the browser goes now, as given to Begin. It is set beside an error
	// too, once the attempt is known to be this browser's, so that a page can offer to
	// start again.
	Continue string
	// AuthenticatedAt is when the user logged in at the provider, as far as it tells, which
	// can be long ago; else now.
	AuthenticatedAt time.Time
	// RefreshToken is the provider's; empty if it issued none. [Upstream.Keep] keeps it.
	RefreshToken credential.Secret
}

// Complete ends the login that the callback is about, in the browser that holds the
// secret. It returns an *oauth.Error of code invalid_request for an attempt that is over
// or another browser's, of code access_denied if the user was not let in at the provider,
// of code temporarily_unavailable when the provider is down, what the store returns, and
// a fault for anything that the provider should not answer. Whatever it returns, the
// attempt is used up, unless the provider or the store was down from the beginning.
func (u *Upstream) Complete(ctx context.Context, tenantID string, c Callback, browser credential.Secret) (Completion, error) {
	state := credential.Secret(c.State)
	id, reauthenticate, wellFormed := readState(state)
	if !wellFormed || !isBrowser(browser) {
		return Completion{}, errStartAgain
	}
	p, err := u.provider(ctx)
	if err != nil {
		return Completion{}, err
	}
	attempt, err := u.take(ctx, tenantID, id, state, browser)
	if err != nil {
		return Completion{}, err
	}
	if err := p.answered(c); err != nil {
		return Completion{Continue: attempt.Continue}, err
	}
	ties := ties{nonce: derived(browser, "nonce", state), verifier: derived(browser, "code verifier", state)}
	if reauthenticate {
		ties.notBefore = attempt.ExpiresAt.Add(-AttemptLifetime - clockSkew)
	}
	done, err := u.redeem(ctx, p, c.Code, ties)
	done.Continue = attempt.Continue
	return done, err
}

// take uses up the attempt and returns it if it is the one of state and browser.
func (u *Upstream) take(ctx context.Context, tenantID, id string, state, browser credential.Secret) (*Attempt, error) {
	attempt, err := u.Store.TakeAttempt(ctx, tenantID, id)
	if errors.Is(err, ErrNotFound) {
		return nil, errStartAgain
	}
	if err != nil {
		return nil, err
	}
	if !attempt.Digest.Verifies(state) || !attempt.Browser.Verifies(browser) || !u.Now().Before(attempt.ExpiresAt) {
		return nil, errStartAgain
	}
	return attempt, nil
}

// denials are the errors of a provider that did not let the user in (RFC 6749 §4.1.2.1,
// OpenID Connect Core 1.0 §3.1.2.6).
var denials = map[string]bool{
	"access_denied": true, "account_selection_required": true, "consent_required": true,
	"interaction_required": true, "login_required": true,
}

// answered returns what is wrong with the response, nil if it brings a code.
func (p *provider) answered(c Callback) error {
	switch {
	case c.Issuer != "" && !p.isIssuer(c.Issuer), c.Issuer == "" && p.NamesItself:
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "this answer is not from the login provider of this server: start again"}
	case denials[c.Error]:
		return &oauth.Error{Code: oauth.AccessDenied, Description: "the login provider did not log you in", Cause: errors.New(c.Error)}
	case c.Error == string(oauth.TemporarilyUnavailable), c.Error == string(oauth.ServerError):
		return unavailable(fmt.Errorf("it answers %q", c.Error))
	case c.Error != "":
		return distrusted(fmt.Errorf("it answers %q", c.Error))
	case c.Code == "":
		return distrusted(errors.New("it answers without a code"))
	}
	return nil
}

// ties are what holds the provider's answer to the attempt.
type ties struct {
	nonce, verifier string
	// notBefore is when the user must have logged in, by the provider's clock, as far as
	// the provider tells; zero for any time.
	notBefore time.Time
}

// redeem gets the tokens for the code and returns the user that they are about (OpenID
// Connect Core 1.0 §3.1.3), and the refresh token.
func (u *Upstream) redeem(ctx context.Context, p *provider, code string, ties ties) (Completion, error) {
	ctx = oidc.ClientContext(ctx, u.client())
	token, err := u.config(p).Exchange(ctx, code, oauth2.VerifierOption(ties.verifier))
	if err != nil {
		return Completion{}, exchangeFault(err)
	}
	said, issuer, err := u.verified(ctx, p, token, ties)
	if err != nil {
		return Completion{}, err
	}
	if said, err = p.completed(ctx, said, token); err != nil {
		return Completion{}, err
	}
	return Completion{
		User: said.user(issuer), AuthenticatedAt: loggedInAt(said, storedTime(u.Now())), RefreshToken: credential.Secret(token.RefreshToken),
	}, nil
}

// loggedInAt is when the user logged in: never after now, whatever the provider's clock says.
func loggedInAt(said claims, now time.Time) time.Time {
	at := said.time("auth_time")
	if at.IsZero() || at.After(now) {
		return now
	}
	return at
}

// exchangeFault is the error of a code that got no tokens.
func exchangeFault(err error) error {
	if isInvalidGrant(err) {
		return &oauth.Error{
			Code: oauth.InvalidRequest, Description: "the login provider does not know this login any longer: start again", Cause: clipped(err),
		}
	}
	return judged(err)
}

func isInvalidGrant(err error) bool {
	var refused *oauth2.RetrieveError
	return errors.As(err, &refused) && refused.ErrorCode == string(oauth.InvalidGrant)
}

// observedKeys remembers why a signature was not verified, which the verifier does not tell.
type observedKeys struct {
	oidc.KeySet
	err error
}

// VerifySignature implements [oidc.KeySet].
func (k *observedKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, token)
	k.err = err
	return payload, err
}

// verified returns the claims of the ID token and their issuer, if it is one for this
// attempt (OpenID Connect Core 1.0 §3.1.3.7).
func (u *Upstream) verified(ctx context.Context, p *provider, token *oauth2.Token, ties ties) (claims, string, error) {
	text, _ := token.Extra("id_token").(string)
	keys := &observedKeys{KeySet: p.keys}
	verifier := oidc.NewVerifier(p.Issuer, keys, &oidc.Config{
		ClientID: u.ClientID, SupportedSigningAlgs: p.Signatures, Now: u.Now,
		SkipIssuerCheck: p.isShared(), // it is checked below
	})
	idToken, err := verifier.Verify(ctx, text)
	if isUnreachable(keys.err) {
		return nil, "", unavailable(keys.err)
	}
	if err != nil {
		return nil, "", distrusted(err)
	}
	var said claims
	if err := idToken.Claims(&said); err != nil {
		return nil, "", distrusted(err)
	}
	issuer := p.issuerOf(said.text("tid"))
	if p.isShared() && (issuer == "" || issuer != idToken.Issuer) {
		return nil, "", distrusted(errors.New("its ID token: iss is not that of the tenant in tid"))
	}
	if reason := u.fault(idToken, token, said, ties); reason != "" {
		return nil, "", distrusted(errors.New("its ID token: " + reason))
	}
	if at := said.time("auth_time"); !at.IsZero() && at.Before(ties.notBefore) {
		return nil, "", errNotAskedAgain
	}
	return said, issuer, nil
}

// errNotAskedAgain is a login for a client that demands a fresh one, which the provider
// remembers from before.
var errNotAskedAgain error = &oauth.Error{
	Code:        oauth.AccessDenied,
	Description: "the application wants you to log in again, and the login provider did not ask you to: log out there, then start again",
}

// fault returns what is wrong with an ID token that the library has verified, or "".
func (u *Upstream) fault(idToken *oidc.IDToken, token *oauth2.Token, said claims, ties ties) string {
	switch {
	case subtle.ConstantTimeCompare([]byte(idToken.Nonce), []byte(ties.nonce)) != 1:
		return "nonce is not that of this login"
	case said.text("azp") != "" && said.text("azp") != u.ClientID:
		return "azp is another client"
	case said.text("azp") == "" && len(idToken.Audience) > 1:
		return "aud names others too, and azp does not say whom it was issued to"
	case idToken.AccessTokenHash != "" && idToken.VerifyAccessToken(token.AccessToken) != nil:
		return "at_hash is not that of the access token"
	case idToken.Subject == "" || len(idToken.Subject) > maxSubBytes || !isPrintable(idToken.Subject):
		return fmt.Sprintf("sub must have 1 to %d bytes, all of them printable", maxSubBytes)
	case idToken.Subject != said.text("sub"):
		return "sub is there in two spellings"
	}
	return ""
}

// completed asks the UserInfo endpoint, if there is one, for what the ID token does not
// say (OpenID Connect Core 1.0 §5.3).
func (p *provider) completed(ctx context.Context, said claims, token *oauth2.Token) (claims, error) {
	if p.UserInfoAt == "" || said.isComplete() {
		return said, nil
	}
	info, err := p.discovered.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, judged(err)
	}
	var more claims
	if err := info.Claims(&more); err != nil {
		return nil, distrusted(err)
	}
	if sub := more.text("sub"); sub != said.text("sub") || sub != info.Subject {
		return nil, distrusted(errors.New("its UserInfo is about another user"))
	}
	return said.filled(more), nil
}
