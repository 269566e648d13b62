package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// exchange is what the middleware learns of a request and the handlers need: the
// generated interface hands them the parameters and a context only.
type exchange struct {
	traceID string
	accept  string
	access  registration.Access
	// local says that the request comes from this machine, with no proxy in between.
	local bool
	// basic is what an Authorization header of that scheme holds; nil without one.
	basic *authorization.Basic
	// query and form are as they were sent, still encoded.
	query, form string
	// localized are the members of a registration that carry a language tag.
	localized map[string]string
	// session and browser are the cookies of those names.
	session, browser credential.Secret
	// permit is the initial access token that a registration came with; nil without one.
	permit *registration.InitialAccessToken
	// code is that of the error that was answered, if one was.
	code oauth.Code
	// client is who the registration access token belongs to, on operations that need one.
	client *registration.Client
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	return ctx.Value(exchangeKey{}).(*exchange)
}

// trace opens the exchange, bounds its time, and writes its line to the access log. The
// line holds the route and not the path, into which a client may have put a token.
func (s *server) trace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		x := s.newExchange(c.Request())
		ctx, cancel := context.WithTimeout(context.WithValue(c.Request().Context(), exchangeKey{}, x), s.RequestTime)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		c.Response().Header().Set(echo.HeaderXRequestID, x.traceID)
		if err := next(c); err != nil {
			c.Error(err)
		}
		took := time.Since(began)
		s.logAccess(c, x, took)
		s.Observe(s.operationID(c), c.Response().Status, x.code, took)
		return nil
	}
}

// operationID names the operation that was asked for, "" for none.
func (s *server) operationID(c echo.Context) string {
	op := s.operation(c)
	if op == nil {
		return ""
	}
	return op.id
}

func (s *server) newExchange(r *http.Request) *exchange {
	traceID := newTraceID()
	return &exchange{
		traceID: traceID,
		accept:  fieldValue(r.Header, echo.HeaderAccept),
		access: registration.Access{
			Token:   bearerToken(fieldValue(r.Header, echo.HeaderAuthorization)),
			From:    clientAddress(r, s.TrustedProxies),
			Agent:   printable(r.UserAgent()),
			TraceID: traceID,
		},
		local:   s.isLocal(r),
		basic:   basicCredentials(fieldValue(r.Header, echo.HeaderAuthorization)),
		query:   r.URL.RawQuery,
		session: s.cookieValue(r, sessionCookie),
		browser: s.cookieValue(r, browserCookie),
	}
}

// newTraceID returns 128 random bits in the form of a W3C trace id.
func newTraceID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// bearerToken returns the token of an Authorization header, or "" where it holds none.
// The scheme is matched without case (RFC 9110 §11.1). A repeated header is joined and so
// holds no valid one.
func bearerToken(authorization string) credential.Secret {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return credential.Secret(strings.TrimSpace(token))
}

const maxPrintable = 256

// printable keeps of a text what is fit to store and to show: at most 256 characters of ASCII.
func printable(header string) string {
	visible := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, header)
	return visible[:min(len(visible), maxPrintable)]
}

func (s *server) logAccess(c echo.Context, x *exchange, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("method", c.Request().Method),
		slog.String("route", c.Path()),
		slog.Int("status", c.Response().Status),
		slog.Int64("bytes", c.Response().Size),
		slog.Int64("micros", took.Microseconds()),
		slog.String("address", x.access.From.String()),
		slog.String("trace_id", x.traceID),
	}
	if x.client != nil {
		attrs = append(attrs, slog.String("client_id", x.client.ID))
	}
	s.Log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request", attrs...)
}

// guard turns a panic into an error, which is answered and logged like any other fault.
func (s *server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if cause := recover(); cause != nil {
				err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
			}
		}()
		return next(c)
	}
}
