package login

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

const (
	// AttemptLifetime is how long a login at the provider may take.
	AttemptLifetime = 10 * time.Minute
	// maxContinueBytes bounds what anybody can have the store keep.
	maxContinueBytes = 16 << 10
	maxHintBytes     = 256
)

// UpstreamConfig is how this server is known at the provider.
type UpstreamConfig struct {
	// Issuer is the provider's issuer identifier, byte for byte (OpenID Connect Discovery
	// 1.0 §3).
	Issuer   string
	ClientID string
	// ClientSecret is empty for a public client.
	ClientSecret credential.Secret
	// Scopes are asked for at every login; openid is, named or not.
	Scopes []string
	// RedirectURI is where the provider sends the browser back to.
	RedirectURI string
	// OfflineAccess asks for a refresh token, for [Upstream.Recheck].
	OfflineAccess bool
}

// Upstream logs users in at an OpenID Provider, with the authorization code flow (OpenID
// Connect Core 1.0 §3.1). The provider need not be up when this server starts.
type Upstream struct {
	UpstreamConfig
	Store Store
	// Client gives the connections. Of the rest, redirects and time-outs above all, the
	// requests have rules of their own.
	Client *http.Client
	Now    func() time.Time
	Random io.Reader
	// Seal and Open keep refresh tokens: for a purpose, in the context of their owner.
	// They are needed only with OfflineAccess.
	Seal, Open func(purpose, context string, text []byte) ([]byte, error)

	discovery discovery
	rechecks  singleflight.Group
}

// Hint is what is known of the user who is about to log in.
type Hint struct {
	// LoginHint says who they may be (OpenID Connect Core 1.0 §3.1.2.1). One that is too
	// long or not printable is left out.
	LoginHint string
	// Reauthenticate asks them to log in even if they are, at the provider.
	Reauthenticate bool
}

// Begin begins a login in the browser that holds the secret, of kind Browser, and returns
// the location at the provider to send it to. Afterwards the browser is to go on to
// continueTo, a path and query of this server. It returns an *oauth.Error of code
// invalid_request for another continueTo, of code temporarily_unavailable when the
// provider is down, and what the store returns.
func (u *Upstream) Begin(ctx context.Context, tenantID, continueTo string, browser credential.Secret, hint Hint) (string, error) {
	if !isBrowser(browser) {
		return "", errors.New("a login needs the secret of a browser")
	}
	if !isLocal(continueTo) {
		return "", &oauth.Error{Code: oauth.InvalidRequest, Description: "continue: must be a path of this server"}
	}
	p, err := u.provider(ctx)
	if err != nil {
		return "", err
	}
	state, err := u.attempt(ctx, tenantID, continueTo, browser, hint)
	if err != nil {
		return "", err
	}
	options := append(u.wishes(hint),
		oidc.Nonce(derived(browser, "nonce", state)),
		oauth2.S256ChallengeOption(derived(browser, "code verifier", state)))
	return u.config(p).AuthCodeURL(state.Reveal(), options...), nil
}

// attempt stores a new attempt and returns its state.
func (u *Upstream) attempt(ctx context.Context, tenantID, continueTo string, browser credential.Secret, hint Hint) (credential.Secret, error) {
	now := storedTime(u.Now())
	id, err := newID(now, u.Random)
	if err != nil {
		return "", err
	}
	state, err := credential.Mint(u.Random, credential.LoginState, stateSubject(id, hint.Reauthenticate))
	if err != nil {
		return "", err
	}
	return state, u.Store.CreateAttempt(ctx, &Attempt{
		Tenant: tenantID, ID: id, Digest: state.Digest(), Browser: browser.Digest(),
		Continue: continueTo, ExpiresAt: now.Add(AttemptLifetime),
	})
}

// stateAgain follows the id in the state of a user who was asked to log in again. Nobody
// can add it or take it away: the digest is of the whole state.
const stateAgain = "-again"

func stateSubject(id string, reauthenticate bool) string {
	if reauthenticate {
		return id + stateAgain
	}
	return id
}

// readState returns the id of the attempt that a well-formed state embeds, and whether the
// user was asked to log in again.
func readState(state credential.Secret) (id string, reauthenticate, ok bool) {
	subject, wellFormed := credential.Subject(credential.LoginState, state)
	id, reauthenticate = strings.CutSuffix(subject, stateAgain) // no id has a hyphen
	return id, reauthenticate, wellFormed && isID(id)
}

// derived makes a value of an attempt that need not be stored. It takes both secrets: the
// state alone passes through addresses, and would give away the verifier.
func derived(browser credential.Secret, label string, state credential.Secret) string {
	mac := hmac.New(sha256.New, []byte(browser.Reveal()))
	_, _ = io.WriteString(mac, label+"\n"+state.Reveal())
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// isBrowser keeps the empty secret, which every browser has, from binding anything.
func isBrowser(secret credential.Secret) bool {
	_, wellFormed := credential.Subject(credential.Browser, secret)
	return wellFormed
}

// isLocal reports whether the text is a path and query that no browser takes for another
// host.
func isLocal(path string) bool {
	return len(path) <= maxContinueBytes && strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") &&
		strings.IndexFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) < 0
}
