package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Options are what the edge needs of the other rooms.
type Options struct {
	Tenant        *tenant.Tenant
	Registry      *registration.Service
	Authorization *authorization.Service
	// Login is how users log in.
	Login Login
	// Logo returns the picture at the address, as PNG, small and harmless; any error means
	// that there is none to show. from is who is the cause of it.
	Logo func(ctx context.Context, address string, from netip.Addr) ([]byte, error)
	// Keys returns the public signing keys as JSON Web Keys.
	Keys func(ctx context.Context) ([]map[string]any, error)
	// Refused is told of every refused registration; its error, if any, is the answer
	// instead of the refusal.
	Refused func(ctx context.Context, from netip.Addr) error
	// CountRefusal is told of every refused registration as well, and why, once its answer
	// stands; the reason holds nothing that the client sent.
	CountRefusal func(by registration.Access, reason string)
	// Observe is told of every request that was answered: the operation of the contract, ""
	// for none, the status, and the error code, "" for success.
	Observe func(operation string, status int, code oauth.Code, took time.Duration)
	// Ready returns an error while the store cannot serve.
	Ready func(ctx context.Context) error
	// TrustedProxies are the peers whose X-Forwarded-For counts.
	TrustedProxies []netip.Prefix
	// MaxBody is the largest request body in bytes.
	MaxBody int64
	// RequestTime bounds the handling of one request.
	RequestTime time.Duration
	// Enveloped makes the envelope the default form of a registration.
	Enveloped bool
	Log       *slog.Logger
	Now       func() time.Time
}

// server implements the operations of the contract.
type server struct {
	Options
	contract *contract
	metadata *metadata
	// base is the path of the issuer, empty for most.
	base string
	// crossOrigin recognises forms that another site sent.
	crossOrigin *http.CrossOriginProtection
}

var _ api.StrictServerInterface = (*server)(nil)

// New returns the handler of the whole public API. It fails only if the contract or the
// issuer is not what the build and the configuration have checked.
func New(o Options) (http.Handler, error) {
	issuer, err := url.Parse(o.Tenant.Issuer)
	if err != nil {
		return nil, err
	}
	s := &server{Options: o, base: issuer.Path, metadata: newMetadata(o.Tenant), crossOrigin: http.NewCrossOriginProtection()}
	// A proxy may change the Host header that the origin is compared with otherwise.
	if err := s.crossOrigin.AddTrustedOrigin(issuer.Scheme + "://" + issuer.Host); err != nil {
		return nil, err
	}
	if s.contract, err = loadContract(o.Tenant.Issuer, o.Enveloped); err != nil {
		return nil, err
	}
	e := echo.New()
	e.HTTPErrorHandler = s.renderError
	e.Use(s.trace, s.guard, s.headers, s.cors(), s.findExact, s.limitRefusals, s.limitBody, s.validate)
	s.route(e)
	return e, nil
}

// route serves every operation below the issuer's path, the metadata also with the path
// inserted (RFC 8414 §3.1), and health at the root too, where probes look for it.
func (s *server) route(e *echo.Echo) {
	handlers := api.NewStrictHandler(s, nil)
	router := headRouter{e, s.base}
	api.RegisterHandlersWithBaseURL(router, handlers, s.base)
	if s.base != "" {
		router.GET("/.well-known/oauth-authorization-server"+s.base, handlers.GetAuthorizationServerMetadata)
		router.GET("/.well-known/openid-configuration"+s.base, handlers.GetOpenIDConfiguration)
		router.GET("/healthz", handlers.GetHealth)
		router.GET("/readyz", handlers.GetReadiness)
	}
}

// headRouter answers HEAD wherever GET is answered (RFC 9110 §9.3.2); net/http drops the
// body. Not where a GET is a step of a person's way, which takes a code, a row or an attempt.
type headRouter struct {
	*echo.Echo
	base string
}

var steps = []string{"/oauth/authorize", "/login", "/login/callback"}

// GET routes both methods.
func (r headRouter) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	if !slices.Contains(steps, strings.TrimPrefix(path, r.base)) {
		r.HEAD(path, h, m...)
	}
	return r.Echo.GET(path, h, m...)
}

// operationPath is the path of the contract that a path of the router serves.
func (s *server) operationPath(routed string) string {
	path := strings.TrimPrefix(routed, s.base)
	if s.base != "" && strings.HasPrefix(routed, "/.well-known/") {
		path = strings.TrimSuffix(routed, s.base)
	}
	return path
}
