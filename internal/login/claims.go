package login

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"time"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

// claims are what a provider says of a user (OpenID Connect Core 1.0 §5.1), by their exact
// names. A claim of another type than expected is one that was not made.
type claims map[string]json.RawMessage

func (c claims) text(name string) string {
	var text string
	if json.Unmarshal(c[name], &text) != nil {
		return ""
	}
	return text
}

// isTrue takes the text "true" too, which some providers send.
func (c claims) isTrue(name string) bool {
	return string(c[name]) == "true" || c.text(name) == "true"
}

// texts takes a single text for a list of one.
func (c claims) texts(name string) []string {
	var list []json.RawMessage
	if json.Unmarshal(c[name], &list) != nil {
		list = []json.RawMessage{c[name]}
	}
	var texts []string
	for _, item := range list {
		var text string
		if json.Unmarshal(item, &text) == nil && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// time returns the claim of a time in seconds since 1970; zero if there is none.
func (c claims) time(name string) time.Time {
	var seconds float64
	if json.Unmarshal(c[name], &seconds) != nil || math.Abs(seconds) > math.MaxInt32*1000 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// isComplete reports whether the claims say all that a policy can ask for, save hd, which
// only one provider has and puts into its ID tokens.
func (c claims) isComplete() bool {
	for _, name := range []string{"email", "email_verified", "name", "groups"} {
		if len(c[name]) == 0 {
			return false
		}
	}
	return true
}

// filled adds what other sources say to what the ID token says. Whether an address is
// verified goes with the address.
func (c claims) filled(other claims) claims {
	filled := maps.Clone(c)
	if c.text("email") == "" || len(c["email_verified"]) == 0 && c.text("email") == other.text("email") {
		filled["email"], filled["email_verified"] = other["email"], other["email_verified"]
	}
	for _, name := range []string{"name", "preferred_username", "hd", "groups"} {
		if len(filled[name]) == 0 {
			filled[name] = other[name]
		}
	}
	return filled
}

// user is the user of the claims, whose sub is known to be sound. What cannot be kept is
// left out: a mended address or group would be another one.
func (c claims) user(issuer string) tenant.User {
	sub := c.text("sub")
	u := tenant.User{
		Subject: subjectOf(issuer, sub), Login: sub,
		Name: cmp.Or(displayText(c.text("name")), displayText(c.text("preferred_username"))),
	}
	if email := c.text("email"); isEmail(email) {
		u.Email, u.EmailVerified = email, c.isTrue("email_verified")
	}
	if domain := c.text("hd"); len(domain) <= maxDomainBytes && isPrintable(domain) {
		u.HostedDomain = domain
	}
	for _, group := range c.texts("groups") {
		if len(u.Groups) < maxGroups && len(group) <= maxGroupBytes && isPrintable(group) {
			u.Groups = append(u.Groups, group)
		}
	}
	return u
}
