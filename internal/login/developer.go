package login

import (
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Developer returns the user of that name, whoever types it: it is for a server that only
// its own machine reaches. It returns an *oauth.Error of code invalid_request for what
// cannot be a name.
func Developer(name string) (tenant.User, error) {
	name = normal(strings.TrimSpace(name))
	if !isLogin(name) {
		return tenant.User{}, &oauth.Error{Code: oauth.InvalidRequest, Description: badLogin}
	}
	u := tenant.User{Subject: subjectOf(sourceDevelopment, folded(name)), Login: name, Name: name}
	if email := name + "@localhost"; isEmail(email) {
		// Nobody else has a mailbox there, and what needs a verified address can be tried.
		u.Email, u.EmailVerified = email, true
	}
	return u, nil
}
