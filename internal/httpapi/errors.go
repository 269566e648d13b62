package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/ratelimit"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// statuses are the HTTP statuses of the error codes.
var statuses = map[oauth.Code]int{
	oauth.InvalidRequest:              http.StatusBadRequest,
	oauth.InvalidRedirectURI:          http.StatusBadRequest,
	oauth.InvalidClientMetadata:       http.StatusBadRequest,
	oauth.InvalidSoftwareStatement:    http.StatusBadRequest,
	oauth.UnapprovedSoftwareStatement: http.StatusBadRequest,
	oauth.InvalidClient:               http.StatusUnauthorized,
	oauth.InvalidGrant:                http.StatusBadRequest,
	oauth.InvalidScope:                http.StatusBadRequest,
	oauth.InvalidTarget:               http.StatusBadRequest,
	oauth.InvalidToken:                http.StatusUnauthorized,
	oauth.InsufficientScope:           http.StatusForbidden,
	oauth.UnauthorizedClient:          http.StatusBadRequest,
	oauth.UnsupportedGrantType:        http.StatusBadRequest,
	oauth.UnsupportedResponseType:     http.StatusBadRequest,
	oauth.AccessDenied:                http.StatusForbidden,
	oauth.LoginRequired:               http.StatusBadRequest,
	oauth.ConsentRequired:             http.StatusBadRequest,
	oauth.RequestNotSupported:         http.StatusBadRequest,
	oauth.RequestURINotSupported:      http.StatusBadRequest,
	oauth.RegistrationNotSupported:    http.StatusBadRequest,
	oauth.RateLimitExceeded:           http.StatusTooManyRequests,
	oauth.ServerError:                 http.StatusInternalServerError,
	oauth.TemporarilyUnavailable:      http.StatusServiceUnavailable,
}

// retrySeconds is the advice that goes with an outage, and retryAfter with what an error
// without a time of its own is answered.
const retrySeconds = 5

var retryAfter = map[int]int{http.StatusServiceUnavailable: retrySeconds, http.StatusTooManyRequests: 60}

// refusals are the words for the statuses that the router and the body reader answer.
var refusals = map[int]string{
	http.StatusNotFound:              "there is nothing at this address",
	http.StatusMethodNotAllowed:      "this address does not know the method; the Allow header names those that it knows",
	http.StatusRequestEntityTooLarge: "the body is too large",
}

// answer is an error as it is sent.
type answer struct {
	status      int
	code        oauth.Code
	description string
	// retry is the value of Retry-After in seconds; 0 for none.
	retry int
}

// answerTo decides what an error becomes on the wire. Whatever is not known to be the
// client's doing is a fault of the server, of which the client learns nothing.
func answerTo(err error) answer {
	var (
		oauthError *oauth.Error
		exceeded   *ratelimit.Exceeded
		tooLarge   *http.MaxBytesError
		routed     *echo.HTTPError
		mediaType  wrongType
	)
	switch {
	case errors.As(err, &exceeded):
		return answer{http.StatusTooManyRequests, oauth.RateLimitExceeded, exceeded.Error(), exceeded.RetrySeconds()}
	case errors.As(err, &oauthError):
		a := answer{status: statuses[oauthError.Code], code: oauthError.Code, description: oauthError.Description}
		a.retry = retryAfter[a.status]
		return a
	case errors.As(err, &tooLarge):
		return refusal(http.StatusRequestEntityTooLarge)
	case errors.As(err, &mediaType):
		return answer{status: http.StatusUnsupportedMediaType, code: oauth.InvalidRequest, description: mediaType.Error()}
	case errors.As(err, &routed) && refusals[routed.Code] != "":
		return refusal(routed.Code)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return answer{http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, "the request took too long", retrySeconds}
	}
	return answer{status: http.StatusInternalServerError, code: oauth.ServerError, description: "the server could not complete the request"}
}

func refusal(status int) answer {
	return answer{status: status, code: oauth.InvalidRequest, description: refusals[status]}
}

// renderError is the one place where an error becomes a response.
func (s *server) renderError(err error, c echo.Context) {
	a := answerTo(err)
	exchangeOf(c.Request().Context()).code = a.code
	s.logError(c, a, err)
	if c.Response().Committed {
		return
	}
	uncached(c.Response().Header())
	s.describe(c.Response().Header(), a, err)
	if sendErr := s.send(c, a); sendErr != nil {
		s.Log.DebugContext(c.Request().Context(), "the answer was not delivered", "error", sendErr)
	}
}

// describe sets the headers that go with the error.
func (s *server) describe(h http.Header, a answer, err error) {
	if a.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retry))
	}
	var exceeded *ratelimit.Exceeded
	if errors.As(err, &exceeded) {
		h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%.0f", exceeded.Policy, exceeded.Limit.Count, exceeded.Limit.Per.Seconds()))
		h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", exceeded.Policy, exceeded.Remaining, a.retry))
	}
	if challenge := s.challenge(a.code, err); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
}

// missingTokens are requests without a bearer token that need one.
var missingTokens = []error{oauth.ErrTokenMissing, registration.ErrInitialTokenMissing, authorization.ErrAccessTokenMissing}

// challenge says how to authenticate: a client at the token endpoint (RFC 6749 §5.2), or
// whoever needs a bearer token, who learns what was wrong with the one presented and, having
// presented none, only where it stands (RFC 6750 §3.1).
func (s *server) challenge(code oauth.Code, err error) string {
	switch {
	case code == oauth.InvalidClient:
		return fmt.Sprintf("Basic realm=%q", s.Tenant.Issuer)
	case slices.ContainsFunc(missingTokens, func(missing error) bool { return errors.Is(err, missing) }):
		return fmt.Sprintf("Bearer realm=%q", s.Tenant.Issuer)
	case code == oauth.InvalidToken, code == oauth.InsufficientScope:
		return fmt.Sprintf("Bearer realm=%q, error=%q", s.Tenant.Issuer, code)
	}
	return ""
}

// send writes a page for people, what the client can mend as an OAuth error (RFC 7591
// §3.2.2, RFC 6749 §5.2), and all else as a problem document (RFC 9457).
func (s *server) send(c echo.Context, a answer) error {
	if op := s.operation(c); op != nil && op.page {
		return s.sendPage(c, a)
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return writeJSON(c, a.status, "application/json", api.OAuthError{
			Error: api.ErrorCode(a.code), ErrorDescription: a.description, ErrorURI: pointer(s.errorPage(a.code)),
		})
	default:
		return writeJSON(c, a.status, "application/problem+json", s.problem(c, a))
	}
}

// errorView is what an error page shows.
type errorView struct {
	Title, Description string
	Code               oauth.Code
	TraceID            string
}

// sendPage shows an error to the user and to the client's developer. At a page, a client
// that is not known is a bad request: there is nothing to authenticate with.
func (s *server) sendPage(c echo.Context, a answer) error {
	if a.status == http.StatusUnauthorized {
		a.status = http.StatusBadRequest
		c.Response().Header().Del("WWW-Authenticate")
	}
	show, err := s.page(a.status, "error", errorView{
		Title: http.StatusText(a.status), Description: a.description, Code: a.code,
		TraceID: exchangeOf(c.Request().Context()).traceID,
	})
	if err != nil {
		return err
	}
	return show(c.Response())
}

func (s *server) problem(c echo.Context, a answer) api.Problem {
	p := api.Problem{
		Type: s.problemType(a), Title: statusText(a.status), Status: a.status, Detail: a.description,
		TraceID: exchangeOf(c.Request().Context()).traceID, Metadata: map[string]any{},
	}
	if a.retry > 0 {
		p.Metadata["retry_after"] = a.retry
	}
	if strings.HasPrefix(s.operationPath(c.Request().URL.Path), "/oauth/") {
		p.Error, p.ErrorDescription = pointer(api.ErrorCode(a.code)), pointer(a.description)
	}
	return p
}

// statusText is the phrase of RFC 9110 §15, which net/http has in an older wording for 413.
func statusText(status int) string {
	if status == http.StatusRequestEntityTooLarge {
		return "Content Too Large"
	}
	return http.StatusText(status)
}

// problemType is "about:blank" where the status says it all (RFC 9457 §4.2.1).
func (s *server) problemType(a answer) string {
	if a.code == oauth.InvalidRequest {
		return "about:blank"
	}
	return s.errorPage(a.code)
}

func (s *server) errorPage(code oauth.Code) string {
	return s.Tenant.Issuer + "/docs/errors/" + string(code)
}

// logError keeps what the client is not told. A client that went away is no fault.
func (s *server) logError(c echo.Context, a answer, err error) {
	level := slog.LevelDebug
	switch {
	case errors.Is(err, context.Canceled):
	case a.status == http.StatusInternalServerError:
		level = slog.LevelError
	case a.status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	}
	ctx := c.Request().Context()
	s.Log.LogAttrs(ctx, level, "refused", slog.String("code", string(cmp.Or(a.code, oauth.ServerError))),
		slog.String("error", err.Error()), slog.String("trace_id", exchangeOf(ctx).traceID))
}

func writeJSON(c echo.Context, status int, contentType string, body any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.Blob(status, contentType, append(encoded, '\n'))
}
