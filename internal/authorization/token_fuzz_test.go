package authorization

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

// FuzzTokenRequest: tokens come for the one code and its verifier, or the one refresh
// token, from the right client, and for nothing else.
func FuzzTokenRequest(f *testing.F) {
	w := newWorld(f)
	w.register("c_basic", withMethod(oauth.AuthClientSecretBasic))
	code := w.code(f, "resource", mcp)
	refreshToken := w.tokens(f, "scope", "openid tools").RefreshToken.Reveal()
	f.Add("authorization_code", "c_public", "", code, redirect, verifier, "", "", mcp)
	f.Add("authorization_code", "c_public", "", code, "", verifier, "", "", "https://mcp.example")
	f.Add("refresh_token", "c_public", "", "", "", "", refreshToken, "openid x", "")
	f.Add("refresh_token", "c_basic", secret.Reveal(), "", "", "", "rgf_x", "", "")
	f.Add("password", "", "", "rgc_", "", "x", "", " ", "#")
	grants := w.store.grants
	f.Fuzz(func(t *testing.T, grant, id, pass, presented, uri, proof, refresh, scope, resource string) {
		fresh := map[string]*Grant{}
		for at, g := range grants {
			one := *g
			fresh[at] = &one
		}
		w.store.grants = fresh
		tokens, err := w.Token(ctx, w.tenant, TokenRequest{
			Credentials: Credentials{ClientID: id, ClientSecret: credential.Secret(pass)}, GrantType: grant, Code: presented,
			RedirectURI: uri, CodeVerifier: proof, RefreshToken: refresh, Scope: scope, Resource: resource,
		})
		if err != nil {
			var fault *oauth.Error
			if !errors.As(err, &fault) || tokens != nil {
				t.Fatalf("got %v, %v", tokens, err)
			}
			return
		}
		byCode := grant == oauth.GrantAuthorizationCode && presented == code && proof == verifier && (uri == "" || uri == redirect)
		byRefresh := grant == oauth.GrantRefreshToken && refresh == refreshToken && resource == ""
		if id != w.client.ID || pass != "" || !byCode && !byRefresh {
			t.Errorf("tokens for %q %q", grant, presented)
		}
		if strings.Contains(tokens.Scope, "email") && byRefresh {
			t.Errorf("scope %q", tokens.Scope)
		}
	})
}
