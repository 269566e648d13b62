package login

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// dialect is how a provider wants to be asked for what OpenID Connect leaves open, or what
// the provider does otherwise.
type dialect struct {
	// again is the prompt that makes a user who is logged in show who they are.
	again string
	// offlineScope, offlineAccess and offlinePrompt are what makes the provider issue a
	// refresh token.
	offlineScope  string
	offlineAccess []oauth2.AuthCodeOption
	offlinePrompt string
}

const promptConsent = "consent"

var (
	// standard is the dialect of OpenID Connect Core 1.0: §11 demands the consent.
	standard = dialect{again: "login", offlineScope: "offline_access", offlinePrompt: promptConsent}
	// google knows neither the prompt login nor the scope.
	google = dialect{again: "select_account", offlineAccess: []oauth2.AuthCodeOption{oauth2.AccessTypeOffline}, offlinePrompt: promptConsent}
	// entra needs no consent of the user, and refuses users who may not give it.
	entra = dialect{again: "login", offlineScope: "offline_access"}
)

func dialectOf(issuer string) dialect {
	u, err := url.Parse(issuer)
	switch {
	case err == nil && u.Host == "accounts.google.com":
		return google
	case err == nil && slices.Contains(entraHosts, u.Host):
		return entra
	}
	return standard
}

// scopes are those to ask for: openid makes it a login at all (OpenID Connect Core 1.0
// §3.1.2.1).
func (u *Upstream) scopes() []string {
	scopes := slices.Clone(u.Scopes)
	if !slices.Contains(scopes, "openid") {
		scopes = append([]string{"openid"}, scopes...)
	}
	offline := dialectOf(u.Issuer).offlineScope
	if u.OfflineAccess && offline != "" && !slices.Contains(scopes, offline) {
		scopes = append(scopes, offline)
	}
	return scopes
}

// wishes are the parameters of the authentication request that depend on the provider and
// on what was asked for (OpenID Connect Core 1.0 §3.1.2.1).
func (u *Upstream) wishes(hint Hint) []oauth2.AuthCodeOption {
	var options []oauth2.AuthCodeOption
	var prompts []string
	d := dialectOf(u.Issuer)
	if hint.Reauthenticate {
		prompts = append(prompts, d.again)
		options = append(options, oauth2.SetAuthURLParam("max_age", "0"))
	}
	if u.OfflineAccess && d.offlinePrompt != "" {
		prompts = append(prompts, d.offlinePrompt)
	}
	if u.OfflineAccess {
		options = append(options, d.offlineAccess...)
	}
	if len(prompts) > 0 {
		options = append(options, oauth2.SetAuthURLParam("prompt", strings.Join(prompts, " ")))
	}
	if hint.LoginHint != "" && len(hint.LoginHint) <= maxHintBytes && isPrintable(hint.LoginHint) {
		options = append(options, oauth2.SetAuthURLParam("login_hint", hint.LoginHint))
	}
	return options
}
