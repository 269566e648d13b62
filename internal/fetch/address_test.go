package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// specialPurpose are the ranges of the registries of special-purpose addresses of IANA,
// those of multicast, and those in which an address of IPv4 is embedded.
var specialPurpose = []string{
	"0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
	"::/128", "::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
	"2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32",
	"2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16",
	"2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
	"ff00::/8", "fec0::/10", "::/96", "::ffff:0:0:0/96", "200::/7", "4000::/3", "8000::/1",
}

func last(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < p.Addr().BitLen(); bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

func TestSpecialPurposeAddressesAreNotPublic(t *testing.T) {
	for _, text := range specialPurpose {
		p := netip.MustParsePrefix(text)
		for _, addr := range []netip.Addr{p.Addr(), last(p)} {
			if !p.Contains(addr) || isPublic(addr) {
				t.Errorf("%s of %s is public", addr, text)
			}
			if addr.Is4() && isPublic(netip.AddrFrom16(addr.As16())) {
				t.Errorf("%s of %s is public when it is mapped", addr, text)
			}
		}
	}
}

func TestWhichAddressesArePublic(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "93.184.215.14": true, "223.255.255.255": true, "9.255.255.255": true, "11.0.0.0": true,
		"100.63.255.255": true, "100.128.0.0": true, "126.255.255.255": true, "128.0.0.0": true, "169.253.255.255": true, "169.255.0.0": true,
		"172.15.255.255": true, "172.32.0.0": true, "192.0.1.0": true, "192.167.255.255": true, "192.169.0.0": true, "198.17.255.255": true, "198.20.0.0": true,
		"2001:4860:4860::8888": true, "2606:4700:4700::1111": true, "2001:200::": true, "2a00::1": true,

		"169.254.169.254": false, "100.100.100.200": false, "192.0.0.192": false, "168.63.129.16": false, "fd00:ec2::254": false, // where clouds keep secrets
		"::ffff:8.8.8.8": false, "::8.8.8.8": false, "::127.0.0.1": false, // mapped, compatible
		"64:ff9b::8.8.8.8": false, "64:ff9b::7f00:1": false, "64:ff9b:1::a00:1": false, // NAT64
		"2002:7f00:1::1": false, "2002:808:808::1": false, // 6to4
		"2001:0:4136:e378:8000:63bf:80ff:fffe": false, "2001:0:808:808::f5ff:fffe": false, // Teredo
		"fe80::1%eth0": false, "2606:4700:4700::1111%eth0": false,
	} {
		if got := isPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// Each range is refused as the answer of a resolver, alone and beside a public address,
// and as the URL itself; nothing is dialled.
func TestSpecialPurposeAddressesAreNotAsked(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		for _, text := range append(slices.Clone(specialPurpose), "::ffff:127.0.0.1/128", "168.63.129.16/32", "fe80::1/128") {
			bad := netip.MustParsePrefix(text).Addr()
			for _, names := range [][]string{{bad.String()}, {address, bad.String()}, {bad.String(), address}, {address, "2606:4700::1", address, bad.String()}} {
				w.names["client.example"] = names
				w.refuses(t, page, Forbidden, "its host resolves to an address that is not public")
			}
			url := "https://" + bad.String() + "/"
			if bad.Is6() {
				url = "https://[" + bad.String() + "]/"
			}
			lookups := len(w.lookups)
			w.refuses(t, url, Forbidden, notPublic)
			if len(w.lookups) != lookups {
				t.Errorf("%s is looked up", url)
			}
		}
		if w.dials != nil {
			t.Errorf("dialled %v", w.dials)
		}
	})
}

func TestPublicAddressAsHost(t *testing.T) {
	for host, dialled := range map[string]string{address: "tcp " + address + ":443", "[2606:4700::1]": "tcp [2606:4700::1]:443"} {
		within(t, nil, func(t *testing.T, w *world) {
			addr := netip.MustParseAddrPort(host + ":443").Addr()
			w.Dial = w.serve(t, trusted.issue(addr.String()), good())
			w.mustGet(t, "https://"+host+"/")
			if w.lookups != nil || len(w.dials) != 1 || w.dials[0] != dialled {
				t.Errorf("%s: looked up %v, dialled %v", host, w.lookups, w.dials)
			}
		})
	}
}

// A name may change its address between any two questions, so there is one.
func TestRebinding(t *testing.T) {
	within(t, good("Cache-Control", "no-store"), func(t *testing.T, w *world) {
		answers := []string{address, "127.0.0.1"}
		w.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			w.names[host] = answers[:1]
			answers = answers[1:]
			return w.lookup(ctx, host)
		}
		w.mustGet(t, page)
		if len(w.lookups) != 1 || len(w.dials) != 1 || w.dials[0] != "tcp "+address+":443" {
			t.Errorf("looked up %v, dialled %v", w.lookups, w.dials)
		}
		time.Sleep(minLifetime)
		w.refuses(t, page, Forbidden, "not public")
		if len(w.dials) != 1 {
			t.Errorf("dialled %v", w.dials)
		}
	})
}

func TestNamesThatDoNotResolve(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		w.refuses(t, "https://nowhere.example/", Unreachable, "the name of its host does not resolve")
		w.Lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, nil }
		w.refuses(t, page, Unreachable, "does not resolve")
		w.Lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
		w.refuses(t, page, TimedOut, "it did not answer within 5 seconds")
		if w.dials != nil {
			t.Errorf("dialled %v", w.dials)
		}
	})
}

func TestAddressesAreTriedInTurn(t *testing.T) {
	for _, test := range []struct {
		name  string
		names []string
		dial  string // what answers
		dials string
		err   string
		took  time.Duration
	}{
		{"the first", []string{"1.0.0.1", "1.0.0.2"}, "1.0.0.1:443", "[1.0.0.1:443]", "", 0},
		{"the second, after its share of the time", []string{"2606:4700::1", "1.0.0.2"}, "1.0.0.2:443", "[[2606:4700::1]:443 1.0.0.2:443]", "", 2500 * time.Millisecond},
		{"none", []string{"1.0.0.1", "1.0.0.2"}, "", "[1.0.0.1:443 1.0.0.2:443]", "it did not answer within 5 seconds", 5 * time.Second},
		{"not the fifth", []string{"1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5"}, "1.0.0.5:443", "[1.0.0.1:443 1.0.0.2:443 1.0.0.3:443 1.0.0.4:443]", "it did not answer within 5 seconds", 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, good(), func(t *testing.T, w *world) {
				w.names["client.example"] = test.names
				var dials []string
				answer := w.Dial
				w.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					dials = append(dials, address)
					if address == test.dial {
						return answer(ctx, network, address)
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}
				begin := time.Now()
				_, err := w.get(t, page)
				if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
					t.Errorf("got %v, want %q", err, test.err)
				}
				if took := time.Since(begin); took != test.took || fmt.Sprint(dials) != test.dials {
					t.Errorf("took %v to dial %v, want %v, %s", took, dials, test.took, test.dials)
				}
			})
		})
	}
}
