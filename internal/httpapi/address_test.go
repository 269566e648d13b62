package httpapi

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	cases := map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                     {"192.0.2.1:1234", nil, "192.0.2.1"},
		"a header from anyone":         {"192.0.2.1:1234", []string{"198.51.100.7"}, "192.0.2.1"},
		"a trusted proxy":              {"10.0.0.1:1234", []string{"198.51.100.7"}, "198.51.100.7"},
		"a trusted proxy says nothing": {"10.0.0.1:1234", nil, "10.0.0.1"},
		"a client that pretends":       {"10.0.0.1:1234", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"a chain of proxies":           {"10.0.0.1:1234", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		"a chain in several lines":     {"10.0.0.1:1234", []string{"203.0.113.9", "198.51.100.7", "10.0.0.2"}, "198.51.100.7"},
		"trusted all the way":          {"10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"with a port":                  {"10.0.0.1:1234", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"IPv6":                         {"[fd00::1]:1234", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets":             {"[fd00::1]:1234", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6 with a port":             {"[fd00::1]:1234", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv4 in IPv6":                 {"[::ffff:10.0.0.1]:1234", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"a zone":                       {"[fe80::1%eth0]:1234", nil, "fe80::1"},
		"nonsense":                     {"10.0.0.1:1234", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"an empty hop":                 {"10.0.0.1:1234", []string{""}, "10.0.0.1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
			if got := clientAddress(r, trusted); got.String() != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
