package authorization

import (
	"net/url"
	"slices"
	"strings"

	"github.com/seed-9c856424/registrar/internal/registration"
)

// LogoURI returns the logo of the client that may be shown: one of a host that it has users
// sent to, or of its metadata document. It returns "" for one of any other host, which could
// be a bank's.
func LogoURI(client *registration.Client) string {
	host := webHostname(client.Metadata.LogoURI)
	own := func(uri string) bool { return webHostname(uri) == host }
	if host == "" || !slices.ContainsFunc(append(client.Metadata.RedirectURIs, client.ID), own) {
		return ""
	}
	return client.Metadata.LogoURI
}

// webHostname returns the host of an https URI in lower case, without a port; "" for any
// other.
func webHostname(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
