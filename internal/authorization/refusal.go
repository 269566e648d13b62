package authorization

import (
	"errors"
	"slices"
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Refusal is an authorization request that fails although its client and its redirect
// URI are sound, so that the client can be told (RFC 6749 §4.1.2.1). It is an error and
// wraps an *oauth.Error.
type Refusal struct {
	Code        oauth.Code
	Description string
	Client      *registration.Client
	RedirectURI string
	State       string
}

func (r *Refusal) Error() string { return r.Unwrap().Error() }

// Unwrap returns the refusal as an *oauth.Error.
func (r *Refusal) Unwrap() error {
	return &oauth.Error{Code: r.Code, Description: r.Description}
}

// Location is where the user goes with the error.
func (r *Refusal) Location(issuer string) string {
	return answer(r.RedirectURI,
		parameter{"error", string(r.Code)},
		parameter{"error_description", r.Description},
		parameter{"error_uri", issuer + "/docs/errors/" + string(r.Code)},
		parameter{"state", r.State},
		parameter{"iss", issuer})
}

// AtOnce reports whether the user may be sent there without being asked. Anyone can
// register a redirect URI and would have this server send its users to it (RFC 9700
// §4.11.2). An app that a scheme opens is never trusted by its name.
func (r *Refusal) AtOnce(policy tenant.Policy, hasSession bool) bool {
	return hasSession ||
		r.Client.IsVouchedFor() ||
		registration.IsLoopbackURI(r.RedirectURI) ||
		isTrusted(policy, webHost(r.RedirectURI))
}

func isTrusted(policy tenant.Policy, host string) bool {
	same := func(trusted string) bool { return strings.EqualFold(trusted, host) }
	return host != "" && slices.ContainsFunc(policy.TrustedRedirectHosts, same)
}

// Refuse answers the request with an error, such as access_denied.
func (r *Request) Refuse(code oauth.Code, description string) *Refusal {
	return &Refusal{Code: code, Description: description, Client: r.Client, RedirectURI: r.RedirectURI, State: r.State}
}

// refusal makes what the client did wrong a Refusal; any other error stays what it is.
func (r *Request) refusal(err error) error {
	var fault *oauth.Error
	if errors.As(err, &fault) {
		return r.Refuse(fault.Code, fault.Description)
	}
	return err
}
