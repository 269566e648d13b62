package registration

import (
	"slices"
	"strings"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

// setScope registers what is asked for and allowed, and the tenant's default
// scopes where that is nothing.
func setScope(policy tenant.Policy, m *Metadata) error {
	allowed, err := allowedScopes(policy, m.Scope)
	if err != nil {
		return err
	}
	if len(allowed) == 0 {
		allowed = policy.DefaultScopes
	}
	m.Scope = strings.Join(allowed, " ")
	return nil
}

// allowedScopes returns the scopes of the list that the policy allows, each once,
// in order; or an error where the list is malformed or the policy refuses it.
func allowedScopes(policy tenant.Policy, list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	allowed := make([]string, 0, len(policy.Scopes))
	for token := range strings.SplitSeq(list, " ") {
		switch {
		case !isScopeToken(token):
			return nil, invalidMetadata("scope", "must be scope tokens of RFC 6749 separated by single spaces")
		case slices.Contains(policy.Scopes, token) && !slices.Contains(allowed, token):
			allowed = append(allowed, token)
		case policy.ScopeOverflow == tenant.ScopeReject && !slices.Contains(policy.Scopes, token):
			return nil, invalidMetadata("scope", token+" is not allowed")
		}
	}
	return allowed, nil
}

// isScopeToken holds to RFC 6749 §3.3: printable ASCII but for the blank, the
// quotation mark and the backslash.
func isScopeToken(token string) bool {
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return token != ""
}
