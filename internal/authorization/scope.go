package authorization

import (
	"slices"
	"strings"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func invalidScope(reason string) error { return invalid(oauth.InvalidScope, "scope", reason) }

const noScopeLeft = "nothing of it can be granted"

// obtainable are the scopes that the client registered and that the tenant allows at
// present: a registration can be older than the allowlist.
func obtainable(policy tenant.Policy, client *registration.Client) []string {
	notAllowed := func(scope string) bool { return !slices.Contains(policy.Scopes, scope) }
	return slices.DeleteFunc(strings.Fields(client.Metadata.Scope), notAllowed)
}

// permitted returns the scopes of the list that the client can obtain, each once, in
// order. The error is an *oauth.Error of code invalid_scope, for a malformed list, for
// one that has nothing that can be obtained, and, where the policy refuses instead of
// narrowing, for any scope too many.
func permitted(policy tenant.Policy, client *registration.Client, list string) ([]string, error) {
	allowed := obtainable(policy, client)
	kept := make([]string, 0, len(allowed))
	for token := range strings.SplitSeq(list, " ") {
		switch {
		case !isScopeToken(token):
			return nil, invalidScope("must be scope tokens of RFC 6749 separated by single spaces")
		case slices.Contains(allowed, token) && !slices.Contains(kept, token):
			kept = append(kept, token)
		case policy.ScopeOverflow == tenant.ScopeReject && !slices.Contains(allowed, token):
			return nil, invalidScope("the client cannot have all of it")
		}
	}
	if len(kept) == 0 {
		return nil, invalidScope(noScopeLeft)
	}
	return kept, nil
}

// isScopeToken holds to RFC 6749 §3.3: printable ASCII but for the blank, the quotation
// mark and the backslash.
func isScopeToken(token string) bool {
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return token != ""
}

// grantable cuts the scopes to those that the user may grant.
func grantable(policy tenant.Policy, scope []string, user tenant.User) ([]string, error) {
	kept := make([]string, 0, len(scope))
	for _, token := range scope {
		if policy.ScopeRequirements[token].Admits(user) {
			kept = append(kept, token)
		}
	}
	if len(kept) == 0 {
		return nil, invalidScope(noScopeLeft)
	}
	return kept, nil
}

// scopeNow is what the tokens of the grant may have at present. The registration, the
// policy and what it requires of the user can all have changed since the approval. A
// refresh can ask for less than was approved, never for more (RFC 6749 §6).
func scopeNow(policy tenant.Policy, client *registration.Client, g *Grant, asked string) ([]string, error) {
	approved := strings.Fields(g.Scope)
	if asked == "" {
		asked = g.Scope
	}
	scope, err := permitted(policy, client, asked)
	if err != nil {
		return nil, err
	}
	if !containsAll(approved, scope) {
		return nil, invalidScope("is more than what was approved")
	}
	return grantable(policy, scope, g.User)
}

func containsAll(scope, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(token string) bool { return !slices.Contains(scope, token) })
}
