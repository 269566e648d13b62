package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

const (
	noStore = "no-store"
	noCache = "no-cache"
)

// securityHeaders stand on every answer. Whatever may be cached says so itself.
var securityHeaders = map[string]string{
	"Cache-Control":           noStore,
	"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	"Referrer-Policy":         "no-referrer",
	"X-Content-Type-Options":  "nosniff",
	"X-Frame-Options":         "DENY",
}

func (s *server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	secure := s.secure()
	return func(c echo.Context) error {
		h := c.Response().Header()
		for name, value := range securityHeaders {
			h.Set(name, value)
		}
		if strings.HasPrefix(s.operationPath(c.Request().URL.Path), "/oauth/register") {
			uncached(h)
		}
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		return next(c)
	}
}

// uncached says so to HTTP/1.0 caches too (RFC 7591 §3.2.1).
func uncached(h http.Header) {
	h.Set("Cache-Control", noStore)
	h.Set("Pragma", noCache)
}

// cacheable marks an answer that is the same for everyone.
const cacheable = "public, max-age=300"

// sharedPaths are what a browser application of another origin may use.
var sharedPaths = []string{"/oauth/register", "/oauth/token", "/oauth/revoke", "/oauth/jwks", "/.well-known/"}

// exposedHeaders are the response headers that such an application may read.
var exposedHeaders = []string{"WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy", "Location", "X-Request-Id"}

// cors lets the allowed origins in, without credentials. It stands before everything
// that can refuse a request, so that a browser application can read the refusal.
func (s *server) cors() echo.MiddlewareFunc {
	origins := s.Tenant.Policy.AllowedOrigins
	return middleware.CORSWithConfig(middleware.CORSConfig{
		Skipper: func(c echo.Context) bool {
			// Without origins the library would let every one in.
			return len(origins) == 0 || !s.shared(c.Request().URL.Path)
		},
		AllowOrigins:  origins,
		AllowMethods:  []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete},
		ExposeHeaders: exposedHeaders,
		MaxAge:        600,
	})
}

func (s *server) shared(path string) bool {
	path = s.operationPath(path)
	return slices.ContainsFunc(sharedPaths, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}
