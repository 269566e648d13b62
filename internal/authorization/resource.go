package authorization

import (
	"slices"
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// MaxResourceBytes is how long a resource may be: every access token carries it.
const MaxResourceBytes = 2048

// resourceFault returns why tokens cannot be issued for the resource, or "" (RFC 8707
// §2). Without a list, any server can be one that the tenant's users have.
func resourceFault(policy tenant.Policy, resource string) string {
	normal := NormalResource(resource)
	switch {
	case len(resource) > MaxResourceBytes:
		return "is too long"
	case strings.Contains(resource, "#"):
		return "must not have a fragment"
	case len(policy.Resources) > 0 && !containsResource(policy.Resources, resource):
		return "is not one that tokens are issued for"
	case len(policy.Resources) == 0 && !registration.IsWebURI(normal) && !registration.IsLoopbackURI(normal):
		return "must be an absolute https URI, or an http URI of a loopback host"
	}
	return ""
}

// sameResource reports whether two spellings name one resource.
func sameResource(one, other string) bool {
	return one == other || NormalResource(one) == NormalResource(other)
}

func containsResource(resources []string, resource string) bool {
	return slices.ContainsFunc(resources, func(r string) bool { return sameResource(r, resource) })
}

// NormalResource returns the form in which resources are compared: scheme and host in
// lower case, and a slash for an empty path (RFC 3986 §6.2.2.1, §6.2.3). Of a URI
// without a host it is the URI itself.
func NormalResource(resource string) string {
	scheme, rest, hierarchical := strings.Cut(resource, "://")
	if !hierarchical || strings.ContainsAny(scheme, "/?#") {
		return resource
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, after := rest[:end], rest[end:]
	if !strings.HasPrefix(after, "/") {
		after = "/" + after
	}
	host := strings.LastIndexByte(authority, '@') + 1
	return strings.ToLower(scheme) + "://" + authority[:host] + strings.ToLower(authority[host:]) + after
}

// checkResource holds a token request to the resource that was approved; without one it
// is for that. A resource that only the token request names was never shown to the user.
func checkResource(g *Grant, asked string) error {
	if asked == "" || sameResource(asked, g.Resource) {
		return nil
	}
	return invalid(oauth.InvalidTarget, "resource", "is not the one that was approved")
}
