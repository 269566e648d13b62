package httpapi

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// consentView is what the page shows that asks the user. Nothing that a client chose is
// more than text in it.
type consentView struct {
	Client string
	// Host is that of the client's metadata document, which is who the client is; empty for
	// a client that is registered.
	Host string
	// Logo is the address of the client's logo here; empty for none.
	Logo string
	// Unverified clients gave themselves their name.
	Unverified bool
	User       string
	// Destination is where the user goes on approval.
	Destination destination
	// Resource is the host that the tokens are for; empty for this server itself.
	Resource string
	Scopes   []scopeView
	// Links are what the client says of itself elsewhere.
	Links []linkView
	// Query and Seen come back with the decision.
	Query, Seen string
}

type scopeView struct{ Scope, Text string }

type linkView struct{ Text, Address, Host string }

func (s *server) askConsent(query string, r *authorization.Request, who *authorization.Identity, v authorization.Verdict) (response, error) {
	m := r.Client.Metadata
	return s.page(http.StatusOK, "consent", consentView{
		Client:      displayName(r.Client),
		Host:        documentHost(r.Client),
		Logo:        s.logoAddress(r.Client),
		Unverified:  isUnverified(r.Client),
		User:        userName(who.User),
		Destination: destinationOf(r.RedirectURI),
		Resource:    hostOf(r.Resource),
		Scopes:      scopeViews(s.Tenant.Policy, v.Scope),
		Links: links(
			linkView{Text: "Home page", Address: m.ClientURI},
			linkView{Text: "Terms of service", Address: m.TosURI},
			linkView{Text: "Privacy policy", Address: m.PolicyURI},
		),
		Query: query,
		Seen:  v.Seen,
	})
}

// displayName is the client's name or, where it gave none, its identifier.
func displayName(c *registration.Client) string {
	if c.Metadata.ClientName == "" {
		return c.ID
	}
	return c.Metadata.ClientName
}

// documentHost is the host of the client's metadata document; empty where it has none.
func documentHost(c *registration.Client) string {
	if c.Origin != registration.OriginDocument {
		return ""
	}
	return hostOf(c.ID)
}

// isUnverified reports whether nobody but the client itself vouches for its name.
func isUnverified(c *registration.Client) bool { return !c.IsVouchedFor() }

// userName is what the user knows themselves by.
func userName(u tenant.User) string {
	for _, name := range []string{u.Email, u.Name, u.Login} {
		if name != "" {
			return name
		}
	}
	return u.Subject
}

func scopeViews(policy tenant.Policy, scopes []string) []scopeView {
	views := make([]scopeView, len(scopes))
	for i, scope := range scopes {
		views[i] = scopeView{Scope: scope, Text: policy.ScopeTexts[scope]}
	}
	return views
}

// links leaves out what the client did not say, and adds where each leads.
func links(all ...linkView) []linkView {
	var given []linkView
	for _, link := range all {
		if link.Address != "" {
			link.Host = hostOf(link.Address)
			given = append(given, link)
		}
	}
	return given
}

// destination is where a redirect URI leads, in the words that a user needs.
type destination struct {
	// Host is the host of an https URI.
	Host string
	// Loopback is a program on the user's own computer, Scheme whatever application there
	// opens links of that scheme.
	Loopback bool
	Scheme   string
}

func destinationOf(redirectURI string) destination {
	scheme, _, _ := strings.Cut(redirectURI, ":")
	switch scheme {
	case "https":
		return destination{Host: hostOf(redirectURI)}
	case "http":
		return destination{Host: hostOf(redirectURI), Loopback: true}
	}
	return destination{Scheme: scheme}
}

// hostOf returns the host of a URI, with its port, for people; empty where it has none.
// Hosts are ASCII: one in another script is in punycode.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Host
}

// refusalView is the page of an error that the client is not told at once.
type refusalView struct {
	Code        oauth.Code
	Description string
	// Destination is where Link leads.
	Destination destination
	// Link is a registered redirect URI, whose scheme registration has judged.
	Link template.URL
}
