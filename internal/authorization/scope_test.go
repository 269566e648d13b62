package authorization

import (
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func clientOf(scope string) *registration.Client {
	return &registration.Client{Metadata: registration.Metadata{Scope: scope}}
}

func TestPermitted(t *testing.T) {
	allowed := []string{"openid", "profile", "email"}
	cases := []struct {
		name, registered, asked string
		narrow, reject          string // Empty is invalid_scope.
	}{
		{"all", "openid profile", "openid profile", "openid profile", "openid profile"},
		{"order asked", "openid profile", "profile openid", "profile openid", "profile openid"},
		{"repeated", "openid profile", "openid openid profile openid", "openid profile", "openid profile"},
		{"less", "openid profile", "profile", "profile", "profile"},
		{"not registered", "openid", "openid email", "openid", ""},
		{"no longer allowed", "openid admin", "openid admin", "openid", ""},
		{"unknown", "openid", "x openid", "openid", ""},
		{"nothing left", "openid", "email x", "", ""},
		{"nothing registered", "", "openid", "", ""},
		{"case counts", "openid", "OpenID", "", ""},
		{"two blanks", "openid profile", "openid  profile", "", ""},
		{"leading blank", "openid", " openid", "", ""},
		{"trailing blank", "openid", "openid ", "", ""},
		{"tab", "openid profile", "openid\tprofile", "", ""},
		{"quotation mark", "openid", `openid "`, "", ""},
		{"backslash", "openid", `openid \`, "", ""},
		{"not ASCII", "openid", "openid é", "", ""},
		{"not UTF-8", "openid", "openid \xff", "", ""},
		{"DEL", "openid", "openid \x7f", "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for overflow, want := range map[tenant.ScopeOverflow]string{tenant.ScopeNarrow: c.narrow, tenant.ScopeReject: c.reject} {
				got, err := permitted(tenant.Policy{Scopes: allowed, ScopeOverflow: overflow}, clientOf(c.registered), c.asked)
				wantScope(t, string(overflow), got, err, want)
			}
		})
	}
}

func wantScope(t *testing.T, name string, got []string, err error, want string) {
	t.Helper()
	if want == "" {
		wantCode(t, err, oauth.InvalidScope)
	} else if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

func TestGrantable(t *testing.T) {
	policy := tenant.Policy{ScopeRequirements: map[string]tenant.Requirement{
		"admin": {Groups: []string{"root"}}, "corp": {EmailDomains: []string{"corp.example"}},
	}}
	cases := []struct {
		name  string
		user  tenant.User
		scope string
		want  string
	}{
		{"no requirement", tenant.User{}, "openid email", "openid email"},
		{"met", tenant.User{Groups: []string{"root"}}, "admin openid", "admin openid"},
		{"not met", tenant.User{Groups: []string{"staff"}}, "admin openid", "openid"},
		{"one met of two", tenant.User{Email: "a@corp.example", EmailVerified: true}, "admin corp", "corp"},
		{"nothing left", tenant.User{Email: "a@corp.example"}, "admin corp", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := grantable(policy, strings.Fields(c.scope), c.user)
			wantScope(t, c.name, got, err, c.want)
		})
	}
}

func TestScopeNow(t *testing.T) {
	cases := []struct {
		name, registered, allowed, approved, asked string
		narrow, reject                             string
	}{
		{"as approved", "a b", "a b", "a b", "", "a b", "a b"},
		{"less asked", "a b", "a b", "a b", "b", "b", "b"},
		{"more asked than approved", "a b", "a b", "a", "a b", "", ""},
		{"other than approved", "a b", "a b", "a", "b", "", ""},
		{"registration narrowed", "a", "a b", "a b", "", "a", ""},
		{"registration narrowed, the rest asked", "a", "a b", "a b", "a", "a", "a"},
		{"allowlist narrowed", "a b", "b", "a b", "", "b", ""},
		{"unknown asked beside", "a b", "a b", "a b", "a x", "a", ""},
		{"never registered asked beside", "a", "a b", "a", "a b", "a", ""},
		{"registration widened", "a b", "a b", "a", "", "a", "a"},
		{"nothing left", "c", "a b c", "a b", "", "", ""},
		{"malformed", "a b", "a b", "a b", "a  b", "", ""},
		{"cut for the user", "a admin", "a admin", "a admin", "", "a", "a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for overflow, want := range map[tenant.ScopeOverflow]string{tenant.ScopeNarrow: c.narrow, tenant.ScopeReject: c.reject} {
				policy := tenant.Policy{
					Scopes: strings.Fields(c.allowed), ScopeOverflow: overflow,
					ScopeRequirements: map[string]tenant.Requirement{"admin": {Groups: []string{"root"}}},
				}
				got, err := scopeNow(policy, clientOf(c.registered), &Grant{Scope: c.approved}, c.asked)
				wantScope(t, string(overflow), got, err, want)
			}
		})
	}
}
