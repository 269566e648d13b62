package authorization

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

func TestUserInfo(t *testing.T) {
	cases := []struct {
		name, scope, resource string
		want                  UserInfo
	}{
		{"openid", "openid", "", UserInfo{Subject: "u_alice"}},
		{"profile", "openid profile", "", UserInfo{Subject: "u_alice", Name: "Alice"}},
		{"email", "openid email", "", UserInfo{Subject: "u_alice", Email: "alice@corp.example", EmailVerified: true}},
		{"all", "openid email profile tools", "", UserInfo{Subject: "u_alice", Name: "Alice", Email: "alice@corp.example", EmailVerified: true}},
		{"issuer as the resource", "openid", issuer, UserInfo{Subject: "u_alice"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			token := w.tokens(t, "scope", c.scope, "resource", c.resource).AccessToken
			w.user.User.Name = "Changed since"
			got, err := w.UserInfo(ctx, w.tenant, token)
			if err != nil || !reflect.DeepEqual(got, &c.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestUserInfoRefused(t *testing.T) {
	cases := []struct {
		name    string
		changes []string
		end     func(*world)
		token   func(*Tokens) credential.Secret
		code    oauth.Code
	}{
		{"no token", nil, nil, func(*Tokens) credential.Secret { return "" }, oauth.InvalidToken},
		{"unknown", nil, nil, func(*Tokens) credential.Secret { return "x" }, oauth.InvalidToken},
		{"refresh token", nil, nil, func(got *Tokens) credential.Secret { return got.RefreshToken }, oauth.InvalidToken},
		{"ID token", nil, nil, func(got *Tokens) credential.Secret { return got.IDToken }, oauth.InvalidToken},
		{"for another server", []string{"resource", mcp}, nil, nil, oauth.InvalidToken},
		{"without openid", []string{"scope", "email"}, nil, nil, oauth.InsufficientScope},
		{"expired", nil, func(w *world) { w.clock = began.Truncate(time.Second).Add(AccessTokenLifetime) }, nil, oauth.InvalidToken},
		{"revoked", nil, func(w *world) { _ = w.Disconnect(ctx, w.tenant, "u_alice", "c_public", registration.Access{}) }, nil, oauth.InvalidToken},
		{"D-05 client deleted", nil, func(w *world) { w.store.deleteClient("c_public") }, nil, oauth.InvalidToken},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			tokens := w.tokens(t, c.changes...)
			token := tokens.AccessToken
			if c.token != nil {
				token = c.token(tokens)
			}
			if c.end != nil {
				c.end(w)
			}
			got, err := w.UserInfo(ctx, w.tenant, token)
			wantCode(t, err, c.code)
			if got != nil || errors.Is(err, ErrAccessTokenMissing) != (token == "") {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestUserInfoFails(t *testing.T) {
	w := newWorld(t)
	token := w.tokens(t).AccessToken
	w.store.breakDown("")
	if got, err := w.UserInfo(ctx, w.tenant, token); !errors.Is(err, errNoDatabase) || got != nil {
		t.Errorf("without a database: %+v, %v", got, err)
	}
	w.Signer = brokenSigner{}
	if got, err := w.UserInfo(ctx, w.tenant, token); !errors.Is(err, errNoKeys) || got != nil {
		t.Errorf("without keys: %+v, %v", got, err)
	}
}
