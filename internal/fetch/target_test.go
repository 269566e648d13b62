package fetch

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestURLsThatAreNotAsked(t *testing.T) {
	const (
		notHTTPS   = "its URL is not an absolute https URL"
		notPort    = "its port is not 443"
		notName    = "its host is not a domain name in full, in ASCII"
		notDecimal = "its host is an address that is not written as four decimal numbers"
		local      = "its host is a name that is not public"
	)
	within(t, good(), func(t *testing.T, w *world) {
		for _, test := range []struct{ url, text string }{
			{"", notHTTPS},
			{"/metadata.json", notHTTPS},
			{"//client.example/", notHTTPS},
			{"https:client.example/", notHTTPS},
			{"https:///metadata.json", notHTTPS},
			{"http://client.example/", notHTTPS},
			{"http://client.example:443/", notHTTPS},
			{"ftp://client.example/", notHTTPS},
			{"file:///etc/passwd", notHTTPS},
			{"gopher://client.example/", notHTTPS},
			{"data:application/json,{}", notHTTPS},
			{" https://client.example/", notHTTPS},
			{"https://client.example/\r\nX: y", notHTTPS},
			{"https://client.example\\@10.0.0.1/", notHTTPS},
			{"https://%31%30.0.0.1/", notHTTPS},
			{"https://client.example:x/", notHTTPS},
			{"https://user@client.example/", "its URL holds a user or password"},
			{"https://client.example:password@10.0.0.1/", "its URL holds a user or password"},
			{"https://@client.example/", "its URL holds a user or password"},
			{"https://client.example/" + strings.Repeat("x", maxURLBytes), "its URL is longer than 2 KiB"},

			{"https://client.example:80/", notPort},
			{"https://client.example:8443/", notPort},
			{"https://client.example:0443/", notPort},
			{"https://client.example:65979/", notPort}, // 443 in 16 bits

			{"https://2130706433/", notName},
			{"https://0x7f000001/", notName},
			{"https://017700000001/", notName},
			{"https://0/", notName},
			{"https://127.1/", notDecimal},
			{"https://127.0.1/", notDecimal},
			{"https://0177.0.0.1/", notDecimal},
			{"https://0177.0000.0000.0001/", notDecimal},
			{"https://127.0.0.01/", notDecimal},
			{"https://0x7f.1/", notDecimal},
			{"https://0x7f.0.0.0x1/", notDecimal},
			{"https://0X7F.0X1/", notDecimal},
			{"https://127.0.0.0x/", notDecimal},
			{"https://8.8.8.010/", notDecimal},
			{"https://8.8.8.8.8/", notDecimal},
			{"https://256.256.256.256/", notDecimal},
			{"https://client.example.1/", notDecimal},
			{"https://127.0.0.1./", notName},
			{"https://①②⑦.⓪.⓪.①/", notName},
			{"https://127。0。0。1/", notName},
			{"https://[fe80::1%25eth0]/", notPublic},
			{"https://[::]/", notPublic},
			{"https://[::ffff:8.8.8.8]/", notPublic},
			{"https://[0:0:0:0:0:ffff:7f00:1]/", notPublic},
			{"https://[v1.x]/", notHTTPS},

			{"https://localhost/", notName},
			{"https://LOCALHOST/", notName},
			{"https://localhost./", notName},
			{"https://client/", notName},
			{"https://client.example./", notName},
			{"https://client..example/", notName},
			{"https://.client.example/", notName},
			{"https://clïent.example/", notName},
			{"https://client.example!/", notName},
			{"https://client .example/", notHTTPS},
			{"https://" + strings.Repeat("x", 64) + ".example/", notName},
			{"https://" + strings.Repeat("x.", 124) + "example/", notName},
			{"https://a.localhost/", local},
			{"https://A.LocalHost/", local},
			{"https://printer.local/", local},
			{"https://metadata.google.internal/", local},
			{"https://router.home.arpa/", local},
			{"https://home.arpa/", local},
			{"https://expyuzz4wqqyqhjn.onion/", local},
		} {
			w.refuses(t, test.url, Forbidden, test.text)
		}
		if w.lookups != nil || w.dials != nil {
			t.Errorf("looked up %v, dialled %v", w.lookups, w.dials)
		}
	})
}

func TestURLsThatAreAsked(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		for _, url := range []string{
			page, "HTTPS://Client.Example/", "https://client.example", "https://client.example:443/a", "https://client.example:/a",
			"https://client.example/?a=http://127.0.0.1/", "https://client.example/a#b", "https://client.example/%2e%2E/a",
		} {
			w.mustGet(t, url)
			if event := w.events[len(w.events)-1]; event.Host != "client.example" {
				t.Errorf("%s: told of %s", url, event.Host)
			}
		}
		for _, host := range w.lookups {
			if host != "client.example" {
				t.Errorf("looked up %s", host)
			}
		}
	})
	for _, host := range []string{"xn--bcher-kva.example", "a_b.example", "0x.example", "0xg.0xg", "1.example", "local.example", "notlocal.notonion", "1e1.e1"} {
		if rule := hostFault(host); rule != "" {
			t.Errorf("%s: %s", host, rule)
		}
	}
}

// A developer's own machine may be asked, as everything else is: bounded, and without
// following redirects.
func TestInsecure(t *testing.T) {
	server := httptest.NewServer(good())
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	g := &Guard{Insecure: true}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		response, err := g.Get(t.Context(), Request{URL: "http://" + host + ":" + port + "/", Kind: document})
		if err != nil || string(response.Body) != body {
			t.Errorf("%s: got %v", host, err)
		}
	}
	for url, text := range map[string]string{
		"http://127.0.0.1:" + port: "",
		"http://127.0.0.1:1/":      "its host takes no connection",
		"ftp://127.0.0.1/":         "its URL is not an absolute https URL",
		"http://user@127.0.0.1/":   "its URL holds a user or password",
	} {
		_, err := g.Get(t.Context(), Request{URL: url, Kind: document})
		if (err == nil) != (text == "") || err != nil && err.Error() != text {
			t.Errorf("%s: got %v, want %q", url, err, text)
		}
	}
	// A certificate is verified nonetheless, by the system's authorities.
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	if _, err := g.Get(t.Context(), Request{URL: tls.URL, Kind: document}); err == nil || err.Error() != "its certificate does not verify" {
		t.Errorf("got %v", err)
	}
}

// The system's own resolver knows localhost without a network.
func TestSystemResolver(t *testing.T) {
	addrs, err := (&Guard{Insecure: true}).lookup(t.Context(), "localhost")
	if err != nil || len(addrs) == 0 {
		t.Errorf("got %v, %v", addrs, err)
	}
	for _, addr := range addrs {
		if !addr.IsLoopback() || addr.Is4In6() || isPublic(addr) {
			t.Errorf("localhost is %v", addr)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(Guard).lookup(ended, "client.invalid"); err == nil {
		t.Error("resolved client.invalid")
	}
}

// FuzzHost checks that a host which is let through is not an address that anybody's
// parser takes for one that is not public.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"client.example", "127.0.0.1", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1%eth0",
		"8.8.8.8", "2606:4700::1", "1.2.3.4.", "0x.0x", "a.0x7f", "localhost", "LOCALHOST.", "①.②", "127.0.0.1%00.example", "[::1]", "::1]:443@x.example",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		judge(t, host, hostFault(strings.ToLower(host)))
		if u, err := url.Parse("https://" + host + "/"); err == nil && u.Host != "" && u.User == nil {
			judge(t, u.Hostname(), hostFault(strings.ToLower(u.Hostname())))
		}
	})
}

func judge(t *testing.T, host, rule string) {
	if rule != "" {
		return
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if !isPublic(addr) || addr.Is4In6() || addr.Zone() != "" {
			t.Errorf("%q passes", host)
		}
		return
	}
	if addr, ok := inetAton(strings.TrimSuffix(host, ".")); ok {
		t.Errorf("%q passes, and is %v to inet_aton", host, addr)
	}
	if !strings.Contains(host, ".") || strings.HasSuffix(strings.ToLower(host), "localhost") && len(host) == len("localhost") {
		t.Errorf("%q passes", host)
	}
}

// inetAton reads an address as inet_aton(3) does: in one to four parts, each decimal, octal
// or hexadecimal, the last filling what is left.
func inetAton(text string) (addr netip.Addr, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return addr, false
	}
	var value uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		n, err := strconv.ParseUint(part, 0, bits)
		if err != nil || strings.ContainsAny(part, "_+-oObB") {
			return addr, false
		}
		value = value<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}
