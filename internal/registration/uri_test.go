package registration

import "testing"

func TestKindsOfURI(t *testing.T) {
	cases := []struct {
		name, uri     string
		web, loopback bool
	}{
		{"https", "https://c.example/a?b", true, false},
		{"https, loopback host", "https://127.0.0.1/", true, false},
		{"https, user information", "https://u@c.example/", false, false},
		{"https, no host", "https:///a", false, false},
		{"https, bad port", "https://c.example:0/", false, false},
		{"https, blank", "https://c.example/ ", false, false},
		{"loopback name", "http://localhost/cb", false, true},
		{"loopback IPv4 with port", "http://127.1.2.3:65535", false, true},
		{"loopback IPv6", "http://[::1]:1/cb?x", false, true},
		{"another spelling of IPv4", "http://127.1/cb", false, false},
		{"another spelling of IPv6", "http://[0::1]/cb", false, false},
		{"name that begins like loopback", "http://localhost.evil.example/", false, false},
		{"address that begins like loopback", "http://127.0.0.1.evil.example/", false, false},
		{"loopback as user", "http://localhost@evil.example/", false, false},
		{"user on loopback", "http://u@localhost/", false, false},
		{"loopback, bad port", "http://localhost:65536/", false, false},
		{"loopback, line feed", "http://localhost/\n", false, false},
		{"http", "http://c.example/", false, false},
		{"private-use", "com.example.app:/cb", false, false},
		{"private-use, loopback host", "cursor://localhost/cb", false, false},
		{"relative", "//localhost/cb", false, false},
		{"empty", "", false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := IsWebURI(c.uri); got != c.web {
				t.Errorf("IsWebURI = %v", got)
			}
			if got := IsLoopbackURI(c.uri); got != c.loopback {
				t.Errorf("IsLoopbackURI = %v", got)
			}
		})
	}
}
