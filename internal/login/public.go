package login

import (
	"net/url"
	"slices"
	"strings"
)

// publicHosts are the issuers at which anybody can open an account, by host.
var publicHosts = []string{
	"access.line.me",
	"account.apple.com",
	"accounts.google.com",
	"accounts.spotify.com",
	"api.login.yahoo.com",
	"appleid.apple.com",
	"auth.atlassian.com",
	"auth.login.yahoo.co.jp",
	"cilogon.org",
	"discord.com",
	"gitlab.com",
	"huggingface.co",
	"id.twitch.tv",
	"kauth.kakao.com",
	"limited.facebook.com",
	"login.salesforce.com",
	"nid.naver.com",
	"orcid.org",
	"slack.com",
	"www.amazon.com",
	"www.dropbox.com",
	"www.facebook.com",
	"www.linkedin.com",
	"www.paypal.com",
	"zoom.us",
}

// OpenToAnyone reports whether the issuer is known as one at which anybody can open an
// account, so that a login there says nothing about who may use this server. An issuer
// that is not known may be one all the same.
func OpenToAnyone(issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil {
		return false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if slices.Contains(entraHosts, host) {
		name := entraTenant(u)
		return name == entraPersonal || slices.Contains(entraShared, name)
	}
	return slices.Contains(publicHosts, host)
}
