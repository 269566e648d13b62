package config

import (
	"net/url"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

// LoginKind is where the users are known.
type LoginKind string

// The sources of users.
const (
	// LoginUpstream is an upstream OpenID Provider.
	LoginUpstream LoginKind = "upstream"
	// LoginUsers is a file of users.
	LoginUsers LoginKind = "users"
	// LoginDevelopment believes whatever name is typed, on this machine alone.
	LoginDevelopment LoginKind = "development"
	// LoginNone lets nobody log in.
	LoginNone LoginKind = "none"
)

// Login returns where the users are known. Without a source it is the development login,
// but only as long as the issuer can be reached from this machine alone.
func (c *Config) Login() LoginKind {
	issuer, err := url.Parse(c.Issuer)
	switch {
	case c.UpstreamIssuer != "":
		return LoginUpstream
	case c.UsersFile != "":
		return LoginUsers
	case err == nil && isLoopback(issuer.Hostname()):
		return LoginDevelopment
	}
	return LoginNone
}

func (c *Config) loginRequirement() tenant.Requirement {
	return tenant.Requirement{
		EmailDomains:  c.LoginEmailDomains,
		HostedDomains: c.LoginHostedDomains,
		Groups:        c.LoginGroups,
		Subjects:      c.LoginSubjects,
	}
}

const anyoneCanJoin = "anybody can have an account there: set " + Prefix + "LOGIN_EMAIL_DOMAINS, " + Prefix + "LOGIN_HOSTED_DOMAINS, " +
	Prefix + "LOGIN_GROUPS or " + Prefix + "LOGIN_SUBJECTS, or " + Prefix + "ALLOW_ANY_USER=true"
