package authorization

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Request is an authorization request that is sound.
type Request struct {
	Client *registration.Client
	// By is whose browser brings it.
	By registration.Access
	// RedirectURI is where the answer goes, Registered the registered URI that it matched.
	RedirectURI, Registered string
	// State goes back with the answer, whatever bytes it has.
	State string
	// Nonce goes into the ID token (OpenID Connect Core 1.0 §3.1.2.1).
	Nonce string
	// Resource is as it was sent; empty for none.
	Resource string
	// Challenge is the S256 code challenge.
	Challenge string
	LoginHint string
	// Scope is what was asked for and the client can obtain at present, in the order
	// asked; what the user can grant of it is in the Verdict.
	Scope []string

	// prompt is what the client wants the user to be asked, or not.
	prompt prompt
	// maxAge is how old the login may be; nil for any age.
	maxAge *time.Duration
}

// DemandsLogin reports whether the client wants the user to have logged in just now, or not
// long ago: a login that someone remembers elsewhere will not do.
func (r *Request) DemandsLogin() bool { return r.prompt.login || r.maxAge != nil }

// prompt is the parameter of that name (OpenID Connect Core 1.0 §3.1.2.1).
type prompt struct{ none, login, consent bool }

// requestParameters are those that mean something here, or would elsewhere: none of them
// may be repeated (RFC 6749 §3.1). All others are ignored.
var requestParameters = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "resource", "prompt", "max_age", "login_hint",
	"request", "request_uri", "registration",
	"acr_values", "claims", "claims_locales", "display", "id_token_hint", "ui_locales",
}

// requestRules are applied in this order once it is known whom to answer; each fills in
// what it has judged.
var requestRules = []func(tenant.Policy, url.Values, *Request) error{
	refuseRepeated,
	checkResponseType,
	refuseUnsupported,
	checkGrantType,
	setChallenge,
	setNonce,
	setPrompt,
	setMaxAge,
	setResource,
	setScope,
}

// Request judges an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2).
// A parameter without a value counts as omitted.
//
// An *oauth.Error that is no Refusal means that the user must not be sent anywhere: the
// client is not known (invalid_client), or its redirect URI does not match
// (invalid_request). A *Refusal can be told to the client. What the store returns is
// returned as it is.
func (s *Service) Request(ctx context.Context, t *tenant.Tenant, params url.Values, by registration.Access) (*Request, error) {
	r, err := s.addressee(ctx, t, params, by)
	if err != nil {
		return nil, err
	}
	for _, apply := range requestRules {
		if err := apply(t.Policy, params, r); err != nil {
			return nil, r.refusal(err)
		}
	}
	return r, nil
}

// addressee finds out who asks, and where the answer goes. A state that is repeated is
// not sent back, as the client could take either for its own.
func (s *Service) addressee(ctx context.Context, t *tenant.Tenant, params url.Values, by registration.Access) (*Request, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(params[name]) > 1 {
			return nil, invalidRequest(name, repeated)
		}
	}
	if params.Get("client_id") == "" {
		return nil, invalidRequest("client_id", "is required")
	}
	client, err := s.Client(ctx, t, params.Get("client_id"), by)
	if err != nil {
		return nil, err
	}
	r := &Request{Client: client, By: by, LoginHint: params.Get("login_hint")}
	if len(params["state"]) == 1 {
		r.State = params.Get("state")
	}
	r.RedirectURI, r.Registered, err = redirection(client.Metadata.RedirectURIs, params.Get("redirect_uri"))
	if err != nil {
		return nil, err
	}
	return r, checkRedirectHost(t.Policy, r.RedirectURI)
}

// checkRedirectHost holds a registration, which can be older, to the hosts that the tenant
// admits at present.
func checkRedirectHost(policy tenant.Policy, redirectURI string) error {
	if host := webHostname(redirectURI); host != "" && !policy.RedirectHosts.Admit(host) {
		return invalidRequest("redirect_uri", "leads to a host that is not admitted here")
	}
	return nil
}

// errNoClient is a client that never was or is no more, errClientSuspended one that an
// administrator has suspended.
var (
	errNoClient        error = &oauth.Error{Code: oauth.InvalidClient, Description: "client_id: no such client is registered here"}
	errClientPending   error = &oauth.Error{Code: oauth.InvalidClient, Description: "client_id: this client waits for the approval of an administrator"}
	errClientSuspended error = &oauth.Error{Code: oauth.InvalidClient, Description: "client_id: this client is suspended"}
)

const repeated = "must not be repeated"

func refuseRepeated(_ tenant.Policy, params url.Values, _ *Request) error {
	for _, name := range requestParameters {
		if len(params[name]) > 1 {
			return invalidRequest(name, repeated)
		}
	}
	return nil
}

func checkResponseType(_ tenant.Policy, params url.Values, _ *Request) error {
	switch params.Get("response_type") {
	case oauth.ResponseTypeCode:
		return nil
	case "":
		return invalidRequest("response_type", "is required")
	}
	return invalid(oauth.UnsupportedResponseType, "response_type", "must be code")
}

// unsupported are parameters that say more than this service would heed, so that to
// ignore them would be to answer another request (OpenID Connect Core 1.0 §6, §7.2.1).
var unsupported = []struct {
	name string
	code oauth.Code
}{
	{"request", oauth.RequestNotSupported},
	{"request_uri", oauth.RequestURINotSupported},
	{"registration", oauth.RegistrationNotSupported},
}

func refuseUnsupported(_ tenant.Policy, params url.Values, _ *Request) error {
	for _, parameter := range unsupported {
		if params.Get(parameter.name) != "" {
			return invalid(parameter.code, parameter.name, "is not supported")
		}
	}
	if mode := params.Get("response_mode"); mode != "" && mode != "query" {
		return invalidRequest("response_mode", "must be query")
	}
	return nil
}

func checkGrantType(_ tenant.Policy, _ url.Values, r *Request) error {
	if slices.Contains(r.Client.Metadata.GrantTypes, oauth.GrantAuthorizationCode) {
		return nil
	}
	return errGrantNotRegistered
}

var errGrantNotRegistered error = &oauth.Error{Code: oauth.UnauthorizedClient, Description: "the client did not register this grant type"}

// setChallenge requires PKCE of every client. A challenge without a method would be a
// plain one (RFC 7636 §4.3).
func setChallenge(_ tenant.Policy, params url.Values, r *Request) error {
	r.Challenge = params.Get("code_challenge")
	switch {
	case r.Challenge == "":
		return invalidRequest("code_challenge", "is required")
	case params.Get("code_challenge_method") != "S256":
		return invalidRequest("code_challenge_method", "must be S256")
	case !isChallenge(r.Challenge):
		return invalidRequest("code_challenge", "must be a SHA-256 digest in base64url, 43 characters")
	}
	return nil
}

// MaxNonceBytes is how long a nonce may be, as it is stored until the code is redeemed.
const MaxNonceBytes = 1024

func setNonce(_ tenant.Policy, params url.Values, r *Request) error {
	r.Nonce = params.Get("nonce")
	if len(r.Nonce) > MaxNonceBytes || !utf8.ValidString(r.Nonce) || strings.ContainsFunc(r.Nonce, unicode.IsControl) {
		return invalidRequest("nonce", "must be UTF-8 without control characters, at most "+strconv.Itoa(MaxNonceBytes)+" bytes")
	}
	return nil
}

func setPrompt(_ tenant.Policy, params url.Values, r *Request) error {
	if params.Get("prompt") == "" {
		return nil
	}
	for value := range strings.SplitSeq(params.Get("prompt"), " ") {
		switch {
		case value == "none":
			r.prompt.none = true
		case isLoginPrompt(value):
			r.prompt.login = true
		case value == "consent":
			r.prompt.consent = true
		default:
			return invalidRequest("prompt", "must be of none, login, consent and select_account")
		}
	}
	if r.prompt.none && (r.prompt.login || r.prompt.consent) {
		return invalidRequest("prompt", "none must stand alone")
	}
	return nil
}

// isLoginPrompt takes the choice of an account for a login: a browser has one session.
func isLoginPrompt(value string) bool { return value == "login" || value == "select_account" }

// setMaxAge takes an age of 0 for a demand to log in, as no login is younger.
func setMaxAge(_ tenant.Policy, params url.Values, r *Request) error {
	text := params.Get("max_age")
	if text == "" {
		return nil
	}
	const bits = 31 // 68 years, and no overflow as a time.Duration.
	seconds, err := strconv.ParseUint(text, 10, bits)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return invalidRequest("max_age", "must be a number of seconds")
	}
	age := time.Duration(seconds) * time.Second
	r.maxAge, r.prompt.login = &age, r.prompt.login || age == 0
	return nil
}

func setResource(policy tenant.Policy, params url.Values, r *Request) error {
	r.Resource = params.Get("resource")
	if r.Resource == "" {
		return nil
	}
	if reason := resourceFault(policy, r.Resource); reason != "" {
		return invalid(oauth.InvalidTarget, "resource", reason)
	}
	return nil
}

// setScope takes no scope for all that the client can obtain (RFC 6749 §3.3).
func setScope(policy tenant.Policy, params url.Values, r *Request) (err error) {
	if params.Get("scope") != "" {
		r.Scope, err = permitted(policy, r.Client, params.Get("scope"))
		return err
	}
	if r.Scope = obtainable(policy, r.Client); len(r.Scope) == 0 {
		return invalidScope(noScopeLeft)
	}
	return nil
}

// AfterLogin returns the parameters with which a sound request goes on once the user has
// logged in for it. The login has met prompt=login and a max_age that is shorter than
// the user may take to answer the consent page; left in, they would demand another.
func AfterLogin(params url.Values) url.Values {
	after := maps.Clone(params)
	prompts := strings.Fields(params.Get("prompt"))
	rest := slices.DeleteFunc(slices.Clone(prompts), isLoginPrompt)
	if params.Get("max_age") == "" && len(rest) == len(prompts) {
		return after
	}
	if after.Del("prompt"); len(rest) > 0 {
		after.Set("prompt", strings.Join(rest, " "))
	}
	age, _ := strconv.ParseUint(params.Get("max_age"), 10, 31)
	after.Set("max_age", strconv.FormatUint(max(age, uint64(LoginValidity/time.Second)), 10))
	return after
}
