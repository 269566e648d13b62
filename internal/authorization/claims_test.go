package authorization

import (
	"crypto/sha256"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
)

func TestClaims(t *testing.T) {
	w := newWorld(t)
	tokens := w.tokens(t, "scope", "openid tools", "nonce", "n&\"é", "resource", "https://MCP.example")
	access := claims(t, tokens.AccessToken)
	jti, _ := access["jti"].(string)
	now := float64(began.Unix())
	if want := map[string]any{
		"iss": issuer, "sub": "u_alice", "aud": "https://MCP.example", "client_id": "c_public", "scope": "openid tools",
		"iat": now, "exp": now + 600, "auth_time": now - 60, "jti": jti,
	}; !reflect.DeepEqual(access, want) {
		t.Errorf("access token:\n got %v\nwant %v", access, want)
	}
	if id, unique, _ := strings.Cut(jti, "."); id != w.grant(t).ID || len(unique) != 26 {
		t.Errorf("jti %q", jti)
	}
	if h := header(t, tokens.AccessToken); h["typ"] != "at+jwt" || h["alg"] != "ES256" {
		t.Errorf("access token: header %v", h)
	}
	sum := sha256.Sum256([]byte(tokens.AccessToken.Reveal()))
	want := map[string]any{
		"iss": issuer, "sub": "u_alice", "aud": "c_public", "iat": now, "exp": now + 600, "auth_time": now - 60,
		"nonce": "n&\"é", "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	}
	if got := claims(t, tokens.IDToken); !reflect.DeepEqual(got, want) {
		t.Errorf("ID token:\n got %v\nwant %v", got, want)
	}
	if h := header(t, tokens.IDToken); h["typ"] != "JWT" || h["alg"] != "RS256" {
		t.Errorf("ID token: header %v", h)
	}
}

// TestClaimsRefreshed: OpenID Connect Core 1.0 §12.2.
func TestClaimsRefreshed(t *testing.T) {
	w := newWorld(t)
	first := w.tokens(t, "scope", "openid tools", "nonce", "n")
	w.clock = began.Add(RefreshIdle / 2)
	second := w.mustToken(t, w.refreshing(first.RefreshToken))
	id, now := claims(t, second.IDToken), float64(w.clock.Unix())
	if _, has := id["nonce"]; has || id["iat"] != now || id["auth_time"] != float64(began.Unix()-60) || id["sub"] != "u_alice" {
		t.Errorf("ID token: %v", id)
	}
	one, two := claims(t, first.AccessToken), claims(t, second.AccessToken)
	if one["jti"] == two["jti"] || two["exp"] != now+600 || two["aud"] != issuer {
		t.Errorf("access tokens: %v, %v", one, two)
	}
	third := w.mustToken(t, w.refreshing(second.RefreshToken, func(r *TokenRequest) { r.Scope = "tools" }))
	if third.IDToken != "" {
		t.Errorf("an ID token without the scope: %v", claims(t, third.IDToken))
	}
}

func TestClaimsWithoutNonce(t *testing.T) {
	w := newWorld(t)
	if id := claims(t, w.tokens(t).IDToken); id["nonce"] != nil {
		t.Errorf("ID token: %v", id)
	}
}
