package authorization

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

// redemption is a sound token request for the code, with a few changes.
func (w *world) redemption(code string, changes ...func(*TokenRequest)) TokenRequest {
	r := TokenRequest{
		Credentials: Credentials{ClientID: w.client.ID},
		GrantType:   oauth.GrantAuthorizationCode, Code: code, CodeVerifier: verifier, RedirectURI: redirect,
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func (w *world) refreshing(token credential.Secret, changes ...func(*TokenRequest)) TokenRequest {
	r := TokenRequest{
		Credentials: Credentials{ClientID: w.client.ID},
		GrantType:   oauth.GrantRefreshToken, RefreshToken: token.Reveal(),
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

// tokens are what a code of the request gets.
func (w *world) tokens(tb testing.TB, changes ...string) *Tokens {
	tb.Helper()
	return w.mustToken(tb, w.redemption(w.code(tb, append(changes, "redirect_uri", redirect)...)))
}

func (w *world) mustToken(tb testing.TB, r TokenRequest) *Tokens {
	tb.Helper()
	tokens, err := w.Token(ctx, w.tenant, r)
	if err != nil {
		tb.Fatalf("no tokens: %v", err)
	}
	return tokens
}

// refuseToken checks that the request gets no tokens, with this code.
func (w *world) refuseToken(tb testing.TB, r TokenRequest, code oauth.Code) {
	tb.Helper()
	tokens, err := w.Token(ctx, w.tenant, r)
	if tokens != nil {
		tb.Fatalf("got tokens of scope %q", tokens.Scope)
	}
	wantCode(tb, err, code)
}

// claims reads a token without asking whether it is valid.
func claims(tb testing.TB, token credential.Secret) map[string]any {
	tb.Helper()
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		tb.Fatalf("%d parts", len(parts))
	}
	return decoded(tb, parts[1])
}

func header(tb testing.TB, token credential.Secret) map[string]any {
	tb.Helper()
	return decoded(tb, strings.Split(token.Reveal(), ".")[0])
}

func decoded(tb testing.TB, part string) map[string]any {
	tb.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		tb.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		tb.Fatal(err)
	}
	return members
}

// brokenSigner has lost its keys.
type brokenSigner struct{}

var errNoKeys = errors.New("no keys")

func (brokenSigner) Sign(context.Context, string, oauth.Algorithm, string, any) (string, error) {
	return "", errNoKeys
}

func (brokenSigner) Verify(context.Context, string, string, string) ([]byte, bool, error) {
	return nil, false, errNoKeys
}
