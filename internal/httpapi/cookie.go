package httpapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
)

// The cookies of a browser.
const (
	// sessionCookie holds the session.
	sessionCookie = "session"
	// browserCookie ties a login to the browser that began it.
	browserCookie = "login"
)

// cookieName keeps the cookies of tenants on one host apart. The prefix makes browsers
// hold https cookies to this very host (RFC 6265bis §4.1.3.2).
func (s *server) cookieName(kind string) string {
	name := "registrar-" + kind + "-" + s.Tenant.ID
	if s.secure() {
		return "__Host-" + name
	}
	return name
}

// secure reports whether the public sees this server over https.
func (s *server) secure() bool { return strings.HasPrefix(s.Tenant.Issuer, "https:") }

func (s *server) cookieValue(r *http.Request, kind string) credential.Secret {
	cookie, err := r.Cookie(s.cookieName(kind))
	if err != nil {
		return ""
	}
	return credential.Secret(cookie.Value)
}

// cookie is one to set; a life of 0 removes it. SameSite=Lax lets it come along when a
// client or the upstream provider sends the browser here, and on nothing else from there.
func (s *server) cookie(kind string, value credential.Secret, life time.Duration) *http.Cookie {
	maxAge := int(life.Seconds())
	if maxAge == 0 {
		maxAge = -1
	}
	return &http.Cookie{ //nolint:gosec // G124: over http, on a developer's machine, there is no Secure cookie
		Name: s.cookieName(kind), Value: value.Reveal(), Path: "/", MaxAge: maxAge,
		Secure: s.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
