package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/login"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Login is how users log in: at Upstream, by Users, or in Development. With none of the
// three nobody can.
type Login struct {
	Sessions *login.Sessions
	Upstream *login.Upstream
	// Admit is asked before a login begins at Upstream.
	Admit func(ctx context.Context, from netip.Addr) error
	Users *login.Users
	// Development believes any name, from this machine alone.
	Development bool
}

// identify returns who the browser's session belongs to, nil without one. A user who is gone
// or whom the policy no longer admits has none.
func (s *server) identify(ctx context.Context) (*authorization.Identity, error) {
	session, err := s.Login.Sessions.Find(ctx, s.Tenant.ID, exchangeOf(ctx).session)
	switch {
	case errors.Is(err, login.ErrNotFound):
		return nil, nil //nolint:nilnil // nobody is logged in, which is no fault
	case err != nil:
		return nil, err
	}
	user, standing := s.present(ctx, session.User)
	if !standing || !s.Tenant.Policy.LoginRequirement.Admits(user) {
		return nil, nil //nolint:nilnil // as above
	}
	return &authorization.Identity{User: user, AuthenticatedAt: session.AuthenticatedAt}, nil
}

// present is the user as the file of users has them now, if there is one, and whether they
// still are a user at all.
func (s *server) present(ctx context.Context, u tenant.User) (tenant.User, bool) {
	if s.Login.Users == nil {
		return u, true
	}
	return s.Login.Users.Present(ctx, u.Subject)
}

// loginAddress is where a user logs in, again if need be, and then goes on to a path of
// this server.
func (s *server) loginAddress(path string, again bool) string {
	params := url.Values{"continue": {path}}
	if again {
		params.Set("prompt", "login")
	}
	return s.Tenant.Issuer + "/login?" + params.Encode()
}

const accountPath = "/account"

// continuation returns the path to go on to after a login: nothing but an authorization
// request or the account page, so that nobody is led elsewhere by a link to the login.
func continuation(asked string) string {
	if strings.HasPrefix(asked, authorizePath) {
		return asked
	}
	return accountPath
}

// ShowLogin shows the form, or sends the user to the upstream provider.
func (s *server) ShowLogin(ctx context.Context, request api.ShowLoginRequestObject) (api.ShowLoginResponseObject, error) {
	path := continuation(value(request.Params.Continue))
	switch {
	case s.Login.Upstream != nil:
		hint := login.Hint{LoginHint: hintOf(path), Reauthenticate: value(request.Params.Prompt) == "login"}
		return s.loginUpstream(ctx, path, hint)
	case s.Login.Users == nil && !s.Login.Development:
		return nil, errNoLogin
	case s.Login.Development:
		if !exchangeOf(ctx).local {
			return nil, errNotLocal
		}
	}
	return s.page(http.StatusOK, "login", s.loginView(path, hintOf(path), ""))
}

var errNoLogin error = &oauth.Error{
	Code:        oauth.TemporarilyUnavailable,
	Description: "nobody can log in here: the operator of this server has configured no login",
}

// errNotLocal keeps the development login to the machine that the server runs on.
var errNotLocal error = &oauth.Error{
	Code:        oauth.AccessDenied,
	Description: "the development login is for this machine alone, at the issuer's own address",
}

// loginView is what the login page shows.
type loginView struct {
	// Development asks for a name and no password.
	Development bool
	Continue    string
	Name        string
	// Fault says why the last try failed.
	Fault string
}

func (s *server) loginView(path, name, fault string) loginView {
	return loginView{Development: s.Login.Development, Continue: path, Name: name, Fault: fault}
}

// hintOf takes from an authorization request who is to log in.
func hintOf(path string) string {
	_, query, _ := strings.Cut(path, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return params.Get("login_hint")
}

// LogIn logs in by the form.
func (s *server) LogIn(ctx context.Context, request api.LogInRequestObject) (api.LogInResponseObject, error) {
	form, path := request.Body, continuation(value(request.Body.Continue))
	user, err := s.verifyUser(ctx, form.Username, value(form.Password))
	if errors.Is(err, login.ErrWrongPassword) {
		return s.page(http.StatusForbidden, "login", s.loginView(path, form.Username, "Name or password is wrong."))
	}
	if err != nil {
		return nil, err
	}
	if err := s.admit(user); err != nil {
		return nil, err
	}
	session, err := s.startSession(ctx, user, s.Now())
	return seeOther(s.Tenant.Issuer+path, session), err
}

func (s *server) verifyUser(ctx context.Context, name, password string) (tenant.User, error) {
	x := exchangeOf(ctx)
	switch {
	case s.Login.Users != nil:
		return s.Login.Users.Verify(ctx, name, password, x.access.From)
	case !s.Login.Development:
		return tenant.User{}, errNoLogin
	case !x.local:
		return tenant.User{}, errNotLocal
	}
	return login.Developer(name)
}

// startSession begins a session of a user whom the policy lets in.
func (s *server) startSession(ctx context.Context, user tenant.User, at time.Time) (*http.Cookie, error) {
	secret, _, err := s.Login.Sessions.Start(ctx, s.Tenant.ID, user, at, exchangeOf(ctx).session)
	if err != nil {
		return nil, err
	}
	return s.cookie(sessionCookie, secret, login.SessionLifetime), nil
}

func (s *server) admit(user tenant.User) error {
	if s.Tenant.Policy.LoginRequirement.Admits(user) {
		return nil
	}
	return login.ErrNotAdmitted
}

// loginUpstream begins a login at the upstream provider. The browser keeps one secret for
// all logins that it has begun, so that two tabs do not disturb each other.
func (s *server) loginUpstream(ctx context.Context, path string, hint login.Hint) (response, error) {
	if err := s.Login.Admit(ctx, exchangeOf(ctx).access.From); err != nil {
		return nil, err
	}
	browser := exchangeOf(ctx).browser
	if _, wellFormed := credential.Subject(credential.Browser, browser); !wellFormed {
		var err error
		if browser, err = credential.Mint(rand.Reader, credential.Browser, ""); err != nil {
			return nil, err
		}
	}
	location, err := s.Login.Upstream.Begin(ctx, s.Tenant.ID, path, browser, hint)
	if err != nil {
		return nil, err
	}
	return found(location, s.cookie(browserCookie, browser, login.AttemptLifetime)), nil
}

// CompleteLogin is where the upstream provider sends the user back to.
func (s *server) CompleteLogin(ctx context.Context, request api.CompleteLoginRequestObject) (api.CompleteLoginResponseObject, error) {
	if s.Login.Upstream == nil {
		return nil, errNoLogin
	}
	p := request.Params
	callback := login.Callback{State: value(p.State), Code: value(p.Code), Error: value(p.Error), Issuer: value(p.Iss)}
	done, err := s.Login.Upstream.Complete(ctx, s.Tenant.ID, callback, exchangeOf(ctx).browser)
	if err != nil {
		return nil, err
	}
	if err := s.admit(done.User); err != nil {
		return nil, err
	}
	if err := s.Login.Upstream.Keep(ctx, s.Tenant.ID, done); err != nil {
		return nil, err
	}
	session, err := s.startSession(ctx, done.User, done.AuthenticatedAt)
	return found(s.Tenant.Issuer+continuation(done.Continue), session), err
}
