package authorization

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// FuzzRequest: every request is accepted, refused towards a registered redirect URI, or
// refused here; and every answer has one iss and the state as it was sent.
func FuzzRequest(f *testing.F) {
	w := newWorld(f)
	for _, seed := range []url.Values{
		w.params(), w.params("redirect_uri", "http://127.0.0.1:5/cb", "scope", "openid x", "resource", "https://mcp.example"),
		w.params("state", "\x00&iss=x\xff", "prompt", "none", "max_age", "1"), w.params("redirect_uri", app, "nonce", "é"),
		w.params("code_challenge_method", "plain"), w.params("request", "x"), w.params("client_id", "\x00"),
	} {
		f.Add(seed.Encode())
	}
	f.Add(w.params().Encode() + "&state=again&scope=a%20%20b;c")
	f.Fuzz(func(t *testing.T, raw string) {
		params, _ := url.ParseQuery(raw)
		r, err := w.Request(ctx, w.tenant, params, visitor)
		var refusal *Refusal
		switch {
		case err == nil:
			checkAccepted(t, w, params, r)
		case errors.As(err, &refusal):
			checkAnswer(t, refusal.Location(issuer), params)
		default:
			var fault *oauth.Error
			if !errors.As(err, &fault) {
				t.Fatal(err)
			}
		}
	})
}

func checkAccepted(t *testing.T, w *world, params url.Values, r *Request) {
	t.Helper()
	if !isChallenge(r.Challenge) || params.Get("code_challenge_method") != "S256" || params.Get("response_type") != "code" {
		t.Errorf("accepted without PKCE: %v", params)
	}
	if len(r.Scope) == 0 || !containsAll(w.tenant.Policy.Scopes, r.Scope) || !containsAll(strings.Fields(w.client.Metadata.Scope), r.Scope) {
		t.Errorf("scope %q", r.Scope)
	}
	if r.Resource != "" && !registration.IsWebURI(NormalResource(r.Resource)) && !registration.IsLoopbackURI(NormalResource(r.Resource)) {
		t.Errorf("resource %q", r.Resource)
	}
	location, err := w.Approve(ctx, w.tenant, r, w.user, r.Scope)
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, location, params)
}

func checkAnswer(t *testing.T, location string, params url.Values) {
	t.Helper()
	answered := query(t, location)
	if len(answered["iss"]) != 1 || answered.Get("iss") != issuer || len(answered["code"])+len(answered["error"]) != 1 {
		t.Errorf("sent to %s", location)
	}
	if len(params["state"]) == 1 && answered.Get("state") != params.Get("state") || len(answered["state"]) > 1 {
		t.Errorf("state %q came back in %s", params["state"], location)
	}
	before := strings.HasPrefix(location, redirect+"&") || strings.HasPrefix(location, app+"?") ||
		strings.HasPrefix(location, "http://127.0.0.1:") || strings.HasPrefix(location, loopback+"?")
	if !before {
		t.Errorf("sent to %s", location)
	}
}
