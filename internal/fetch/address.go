package fetch

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"code.dny.dev/ssrf"
)

// public judges addresses by the registries of special-purpose addresses (RFC 6890), and
// takes of IPv6 only what is global unicast: addresses that embed one of IPv4 (mapped,
// NAT64, 6to4, Teredo) all fall outside. A machine that reaches IPv4 through DNS64 alone
// can therefore fetch nothing from there.
var public = ssrf.New(ssrf.WithDeniedV4Prefixes(
	netip.MustParsePrefix("168.63.129.16/32"), // reaches the host of a virtual machine in Azure, and nobody else
))

func isPublic(addr netip.Addr) bool {
	return addr.IsValid() && addr.Zone() == "" && public.SafeAddr(addr) == nil
}

// resolve returns the addresses of the host. One that is not public refuses them all: who
// mixes them hopes for the wrong one.
func (g *Guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil // its target was checked
	}
	addrs, err := g.lookup(ctx, host)
	switch {
	case ctx.Err() != nil:
		return nil, g.timedOut()
	case err != nil || len(addrs) == 0:
		return nil, unreachable("the name of its host does not resolve")
	case !g.Insecure && !every(addrs, isPublic):
		return nil, forbidden("its host resolves to an address that is not public")
	}
	return addrs, nil
}

func every(addrs []netip.Addr, good func(netip.Addr) bool) bool {
	return !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return !good(addr) })
}

// system is Go's own resolver: the C library's cannot be stopped when time is up.
var system = net.Resolver{PreferGo: true}

func (g *Guard) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if g.Lookup != nil {
		return g.Lookup(ctx, host)
	}
	if !g.Insecure {
		host += "." // the name as it is, without the search list of this machine
	}
	addrs, err := system.LookupNetIP(ctx, "ip", host)
	for i, addr := range addrs {
		addrs[i] = addr.Unmap() // as which it returns those of IPv4
	}
	return addrs, err
}

// maxDials is how many addresses of a host are tried.
const maxDials = 4

// connect connects to the first of the addresses that answers. Each has its share of the
// time that is left, so that a network without IPv6 does not use up all of it.
func (g *Guard) connect(ctx context.Context, addrs []netip.Addr, port string) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	addrs = addrs[:min(len(addrs), maxDials)]
	for i, addr := range addrs {
		share := time.Until(deadline) / time.Duration(len(addrs)-i)
		conn, err := g.dial(ctx, share, net.JoinHostPort(addr.String(), port))
		if err == nil {
			// The handshake must end in time, too; the transport does not stop it.
			return conn, conn.SetDeadline(deadline)
		}
	}
	if time.Until(deadline) <= 0 { // the context may be late to know
		return nil, g.timedOut()
	}
	return nil, unreachable("its host takes no connection")
}

func (g *Guard) dial(ctx context.Context, share time.Duration, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	if g.Dial != nil {
		return g.Dial(ctx, "tcp", address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}
