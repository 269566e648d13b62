package tenant

import (
	"slices"
	"strings"
)

// User is a person as the tenant's login source knows them.
type User struct {
	// Subject identifies the user at this issuer, for good (OpenID Connect Core 1.0 §2).
	Subject string `json:"subject"`
	// Login is what the login source calls the user: the upstream provider's sub, or
	// the name in the users file.
	Login         string `json:"login"`
	Name          string `json:"name,omitempty"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	// HostedDomain is the organisation that the upstream provider vouches for (hd).
	HostedDomain string   `json:"hosted_domain,omitempty"`
	Groups       []string `json:"groups,omitempty"`
}

// Requirement is what a user must meet. Each list that is not empty must hold the
// user's value; the zero Requirement admits everybody.
type Requirement struct {
	// EmailDomains are compared with the part behind the @ of a verified e-mail address.
	EmailDomains  []string
	HostedDomains []string
	// Groups admits members of any of them.
	Groups []string
	// Subjects are compared with [User.Login].
	Subjects []string
}

// IsZero reports whether the requirement admits everybody.
func (r Requirement) IsZero() bool {
	return len(r.EmailDomains)+len(r.HostedDomains)+len(r.Groups)+len(r.Subjects) == 0
}

// Admits reports whether the user meets the requirement.
func (r Requirement) Admits(u User) bool {
	isMember := func(group string) bool { return slices.Contains(u.Groups, group) }
	return (len(r.EmailDomains) == 0 || containsDomain(r.EmailDomains, u.verifiedDomain())) &&
		(len(r.HostedDomains) == 0 || containsDomain(r.HostedDomains, u.HostedDomain)) &&
		(len(r.Groups) == 0 || slices.ContainsFunc(r.Groups, isMember)) &&
		(len(r.Subjects) == 0 || slices.Contains(r.Subjects, u.Login))
}

// verifiedDomain is the domain of the user's e-mail address, empty while nobody
// vouches for the address.
func (u User) verifiedDomain() string {
	if !u.EmailVerified {
		return ""
	}
	return u.Email[strings.LastIndexByte(u.Email, '@')+1:]
}

func containsDomain(domains []string, domain string) bool {
	same := func(d string) bool { return strings.EqualFold(d, domain) }
	return domain != "" && slices.ContainsFunc(domains, same)
}
