package registration

import (
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

func TestScopeRegistered(t *testing.T) {
	cases := []struct{ name, asked, want string }{
		{"omitted", "", "openid profile"},
		{"one", "email", "email"},
		{"order kept", "offline_access openid email", "offline_access openid email"},
		{"repeated", "email openid email email openid", "email openid"},
		{"unknown dropped", "email admin openid", "email openid"},
		{"unknown repeated", "admin email admin", "email"},
		{"nothing left", "admin root", "openid profile"},
		{"case counts", "Email openid", "openid"},
		{"odd but well formed", "email !#[]~^`{|}", "email"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			registered, _ := mustRegister(t, rulesPolicy(), minimal(func(m *Metadata) { m.Scope = c.asked }))
			if registered.Scope != c.want {
				t.Errorf("got %q, want %q", registered.Scope, c.want)
			}
		})
	}
}

func TestScopeMalformed(t *testing.T) {
	cases := []struct{ name, scope string }{
		{"blank", " "},
		{"leading blank", " openid"},
		{"trailing blank", "openid "},
		{"two blanks", "openid  email"},
		{"tab", "openid\temail"},
		{"line feed", "openid\nemail"},
		{"NUL", "openid\x00"},
		{"DEL", "openid\x7f"},
		{"quotation mark", `open"id`},
		{"backslash", `open\id`},
		{"not ASCII", "openid é"},
		{"no-break space", "openid\u00a0email"},
		{"not UTF-8", "openid \xff"},
		{"after an unknown one", `admin "`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := minimal(func(m *Metadata) { m.Scope = c.scope })
			mustRefuse(t, rulesPolicy(), asked, oauth.InvalidClientMetadata, "scope")
			mustRefuse(t, rulesPolicy(rejectScopes), asked, oauth.InvalidClientMetadata, "scope")
		})
	}
}

func TestScopeOverflowReject(t *testing.T) {
	asked := minimal(func(m *Metadata) { m.Scope = "email admin root" })
	said := mustRefuse(t, rulesPolicy(rejectScopes), asked, oauth.InvalidClientMetadata, "scope")
	if !strings.Contains(said, "admin") {
		t.Errorf("%q does not name the scope", said)
	}
	asked.Scope = "email openid email"
	if registered, _ := mustRegister(t, rulesPolicy(rejectScopes), asked); registered.Scope != "email openid" {
		t.Errorf("got %q", registered.Scope)
	}
}
