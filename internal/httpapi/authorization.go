package httpapi

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

// authorizePath leads an authorization request.
const authorizePath = "/oauth/authorize?"

// Authorize is where a client sends its user (RFC 6749 §4.1.1). It takes the query as it
// was sent, since repeated parameters are to be judged too.
func (s *server) Authorize(ctx context.Context, _ api.AuthorizeRequestObject) (api.AuthorizeResponseObject, error) {
	query := exchangeOf(ctx).query
	return s.proceed(ctx, query, func(r *authorization.Request, who *authorization.Identity, v authorization.Verdict) (response, error) {
		switch v.Step {
		case authorization.StepLogin:
			return found(s.loginAddress(authorizePath+afterLogin(query), who != nil || r.DemandsLogin())), nil
		case authorization.StepConsent:
			return s.askConsent(query, r, who, v)
		default:
			location, err := s.Authorization.Approve(ctx, s.Tenant, r, who, v.Scope)
			return found(location), err
		}
	})
}

// DecideConsent carries out what the user decided on the page. What the page showed must
// be what is approved now; otherwise the question is asked again.
func (s *server) DecideConsent(ctx context.Context, request api.DecideConsentRequestObject) (api.DecideConsentResponseObject, error) {
	query := request.Body.Request
	return s.proceed(ctx, query, func(r *authorization.Request, who *authorization.Identity, v authorization.Verdict) (response, error) {
		switch {
		case v.Step == authorization.StepLogin || v.Seen != request.Body.Seen:
			return seeOther(s.Tenant.Issuer + authorizePath + query), nil
		case request.Body.Decision == api.Deny:
			return seeOther(r.Refuse(oauth.AccessDenied, "the user said no").Location(s.Tenant.Issuer)), nil
		default:
			location, err := s.Authorization.Approve(ctx, s.Tenant, r, who, v.Scope)
			return seeOther(location), err
		}
	})
}

// proceed judges an authorization request for whoever is logged in, and goes on with the
// verdict. A refusal goes where it may.
func (s *server) proceed(ctx context.Context, query string,
	goOn func(*authorization.Request, *authorization.Identity, authorization.Verdict) (response, error),
) (response, error) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "the authorization request is not well formed", Cause: err}
	}
	who, err := s.identify(ctx)
	if err != nil {
		return nil, err
	}
	request, err := s.Authorization.Request(ctx, s.Tenant, params, exchangeOf(ctx).access)
	if err != nil {
		return s.refuse(err, who)
	}
	verdict, err := s.Authorization.Judge(ctx, s.Tenant, request, who)
	if err != nil {
		return s.refuse(err, who)
	}
	answer, err := goOn(request, who, verdict)
	if err != nil {
		return s.refuse(err, who)
	}
	return answer, nil
}

// refuse tells the client what is wrong with its request, through the browser at once where
// that is safe, and else through a page that the user can follow or leave (RFC 9700
// §4.11.2). Any other error is returned as it is.
func (s *server) refuse(err error, who *authorization.Identity) (response, error) {
	var refusal *authorization.Refusal
	if !errors.As(err, &refusal) {
		return nil, err
	}
	location := refusal.Location(s.Tenant.Issuer)
	if refusal.AtOnce(s.Tenant.Policy, who != nil) {
		return found(location), nil
	}
	return s.page(http.StatusBadRequest, "refusal", refusalView{
		Code: refusal.Code, Description: refusal.Description,
		Destination: destinationOf(refusal.RedirectURI), Link: template.URL(location), //nolint:gosec // G203: a registered URI
	})
}

// AuthorizeByForm sends a request that came as a form on to the same address by GET, so
// that cookies come along and the browser can go back to it.
func (s *server) AuthorizeByForm(ctx context.Context, _ api.AuthorizeByFormRequestObject) (api.AuthorizeByFormResponseObject, error) {
	form := exchangeOf(ctx).form
	if len(form) > maxQuery {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "the authorization request is too long"}
	}
	params, err := url.ParseQuery(form)
	return seeOther(s.Tenant.Issuer + authorizePath + params.Encode()), err
}

// maxQuery is how long an authorization request may be for it to stand in an address, in bytes.
const maxQuery = 8 << 10

// afterLogin is the query that the user comes back with, once they have logged in.
func afterLogin(query string) string {
	params, err := url.ParseQuery(query)
	if err != nil {
		return query
	}
	return authorization.AfterLogin(params).Encode()
}
