package authorization

import (
	"strings"
	"testing"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

func TestResourceFault(t *testing.T) {
	listed := tenant.Policy{Resources: []string{"https://mcp.example/", "https://mcp.example/a", "urn:example:api"}}
	cases := []struct {
		name     string
		policy   tenant.Policy
		resource string
		sound    bool
	}{
		{"https", tenant.Policy{}, "https://mcp.example/mcp", true},
		{"https, no path", tenant.Policy{}, "https://mcp.example", true},
		{"https, port and query", tenant.Policy{}, "https://mcp.example:8443/a?b=c", true},
		{"https, capitals", tenant.Policy{}, "HTTPS://MCP.Example/A", true},
		{"loopback", tenant.Policy{}, "http://localhost:3000/mcp", true},
		{"loopback IPv4", tenant.Policy{}, "http://127.0.0.1:3000", true},
		{"loopback IPv6", tenant.Policy{}, "HTTP://[::1]:3000/", true},
		{"longest", tenant.Policy{}, "https://m.example/" + strings.Repeat("a", MaxResourceBytes-len("https://m.example/")), true},
		{"too long", tenant.Policy{}, "https://m.example/" + strings.Repeat("a", MaxResourceBytes+1-len("https://m.example/")), false},
		{"http", tenant.Policy{}, "http://mcp.example/", false},
		{"loopback in name only", tenant.Policy{}, "http://localhost.evil.example/", false},
		{"fragment", tenant.Policy{}, "https://mcp.example/#a", false},
		{"empty fragment", tenant.Policy{}, "https://mcp.example/#", false},
		{"relative", tenant.Policy{}, "/mcp", false},
		{"protocol-relative", tenant.Policy{}, "//mcp.example/", false},
		{"no scheme", tenant.Policy{}, "mcp.example/mcp", false},
		{"no host", tenant.Policy{}, "https:///mcp", false},
		{"opaque", tenant.Policy{}, "https:mcp", false},
		{"urn", tenant.Policy{}, "urn:example:api", false},
		{"user information", tenant.Policy{}, "https://u:p@mcp.example/", false},
		{"blank", tenant.Policy{}, "https://mcp.example/a b", false},
		{"NUL", tenant.Policy{}, "https://mcp.example/\x00", false},
		{"not ASCII", tenant.Policy{}, "https://mcp.example/é", false},
		{"bad port", tenant.Policy{}, "https://mcp.example:99999/", false},

		{"listed", listed, "https://mcp.example/", true},
		{"listed, no path", listed, "https://mcp.example", true},
		{"listed, capital host", listed, "https://MCP.example/a", true},
		{"listed, other scheme", listed, "urn:example:api", true},
		{"not listed, capital path", listed, "https://mcp.example/A", false},
		{"not listed, slash", listed, "https://mcp.example/a/", false},
		{"not listed, default port", listed, "https://mcp.example:443/", false},
		{"not listed, host", listed, "https://other.example/", false},
		{"not listed, loopback", listed, "http://localhost/", false},
		{"listed but for the fragment", listed, "https://mcp.example/#", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := resourceFault(c.policy, c.resource); (got == "") != c.sound {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestNormalResource(t *testing.T) {
	cases := []struct{ name, resource, want string }{
		{"normal", "https://a.example/b?c", "https://a.example/b?c"},
		{"capitals", "HTTPS://A.Example:80/B?C", "https://a.example:80/B?C"},
		{"no path", "https://a.example", "https://a.example/"},
		{"no path before a query", "https://a.example?b", "https://a.example/?b"},
		{"user keeps its letters", "https://U@A/", "https://U@a/"},
		{"IPv6", "HTTP://[::AB]:1", "http://[::ab]:1/"},
		{"no host", "urn:Example:API", "urn:Example:API"},
		{"a URI within", "urn:X?https://A", "urn:X?https://A"},
		{"empty", "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := NormalResource(c.resource)
			if got != c.want || NormalResource(got) != got {
				t.Errorf("got %q, and of that %q", got, NormalResource(got))
			}
		})
	}
}
