package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress is the address of the client: the peer's or, where the peer is a trusted
// proxy, the last one in X-Forwarded-For that is not. What stands to the left of it was
// written by the client itself, or by proxies that nobody vouches for.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	from := parseHop(r.RemoteAddr)
	hops := strings.Split(fieldValue(r.Header, "X-Forwarded-For"), ",")
	for _, hop := range slices.Backward(hops) {
		if !isTrusted(from, trusted) {
			break
		}
		before := parseHop(strings.TrimSpace(hop))
		if !before.IsValid() {
			break
		}
		from = before
	}
	return from
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// parseHop reads an address; some proxies write the port as well. It returns the zero
// address for anything else.
func parseHop(hop string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	addr, _ := netip.ParseAddr(strings.Trim(hop, "[]"))
	return addr.Unmap().WithZone("")
}

// proxyHeaders are those with which proxies tell of the request that they pass on.
var proxyHeaders = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip"}

// isLocal reports whether a request comes from this machine, through no proxy that says so,
// to the issuer's own address: a page of another name that resolves to this machine is none
// of ours.
func (s *server) isLocal(r *http.Request) bool {
	passedOn := slices.ContainsFunc(proxyHeaders, func(name string) bool { return r.Header.Get(name) != "" })
	return parseHop(r.RemoteAddr).IsLoopback() && !passedOn && "http://"+r.Host == strings.TrimSuffix(s.Tenant.Issuer, s.base)
}
