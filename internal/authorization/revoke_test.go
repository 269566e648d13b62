package authorization

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

func TestRevoke(t *testing.T) {
	cases := []struct {
		name  string
		after time.Duration
		token func(w *world, first, second *Tokens) credential.Secret
		as    string
		code  oauth.Code // Empty is success.
		ends  bool
	}{
		{"refresh token", 0, func(_ *world, _, second *Tokens) credential.Secret { return second.RefreshToken }, "c_public", "", true},
		{"refresh token, used", 0, func(_ *world, first, _ *Tokens) credential.Secret { return first.RefreshToken }, "c_public", "", true},
		{"access token", 0, func(_ *world, _, second *Tokens) credential.Secret { return second.AccessToken }, "c_public", "", true},
		{"access token, expired", AccessTokenLifetime, func(_ *world, _, second *Tokens) credential.Secret { return second.AccessToken }, "c_public", "", false},
		{"ID token", 0, func(_ *world, _, second *Tokens) credential.Secret { return second.IDToken }, "c_public", "", false},
		{"unknown", 0, func(*world, *Tokens, *Tokens) credential.Secret { return "x" }, "c_public", "", false},
		{"made up for the grant", 0, func(w *world, _, _ *Tokens) credential.Secret {
			family, _ := drawFamily(zeros{})
			forged, _ := mintRefreshToken(zeros{}, w.grant(t).ID, family)
			return forged
		}, "c_public", "", false},
		{"none", 0, func(*world, *Tokens, *Tokens) credential.Secret { return "" }, "c_public", oauth.InvalidRequest, false},
		{"another client's refresh token", 0, func(_ *world, _, second *Tokens) credential.Secret { return second.RefreshToken }, "c_other", oauth.InvalidGrant, false},
		{"another client's access token", 0, func(_ *world, _, second *Tokens) credential.Secret { return second.AccessToken }, "c_other", oauth.InvalidGrant, false},
		{"unknown client", 0, func(_ *world, _, second *Tokens) credential.Secret { return second.RefreshToken }, "c_unknown", oauth.InvalidClient, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.register("c_other")
			first := w.tokens(t)
			second := w.mustToken(t, w.refreshing(first.RefreshToken))
			w.clock = began.Add(c.after)
			err := w.Revoke(ctx, w.tenant, Credentials{ClientID: c.as}, c.token(w, first, second))
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil {
				t.Fatal(err)
			}
			if c.ends {
				w.refuseToken(t, w.refreshing(second.RefreshToken), oauth.InvalidGrant)
			} else {
				w.mustToken(t, w.refreshing(second.RefreshToken))
			}
		})
	}
}

func TestRevokeTwice(t *testing.T) {
	w := newWorld(t)
	token := w.tokens(t).RefreshToken
	for range 2 {
		if err := w.Revoke(ctx, w.tenant, Credentials{ClientID: "c_public"}, token); err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(time.Second)
	}
	if at := w.grant(t).RevokedAt; !at.Equal(began) {
		t.Errorf("revoked at %v", at)
	}
}

// TestRevokeFails: what could not be revoked is not said to be.
func TestRevokeFails(t *testing.T) {
	w := newWorld(t)
	tokens := w.tokens(t)
	w.Signer = brokenSigner{}
	if err := w.Revoke(ctx, w.tenant, Credentials{ClientID: "c_public"}, tokens.AccessToken); !errors.Is(err, errNoKeys) {
		t.Errorf("without keys: %v", err)
	}
	w.store.breakDown("")
	if err := w.Revoke(ctx, w.tenant, Credentials{ClientID: "c_public"}, tokens.RefreshToken); !errors.Is(err, errNoDatabase) {
		t.Errorf("without a database: %v", err)
	}
}
