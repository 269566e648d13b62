package ratelimit

import (
	"context"
	"net/netip"
)

// Limiter counts the events of each key.
type Limiter interface {
	// Allow takes one event from the allowance of the key, if there is one left.
	// A key always comes with the same limit.
	Allow(ctx context.Context, key string, l Limit) Decision
	// Return gives back one event that was allowed and did not come about.
	Return(ctx context.Context, key string, l Limit)
}

// Policy is what a client address may do of one kind of event.
type Policy struct {
	// Name stands in the RateLimit headers and leads every key.
	Name    string
	Default Limit
	// Ranges are known egress addresses that many clients share, each with a limit
	// of its own for all of it. Of ranges that overlap, the longest prefix counts.
	Ranges []Range
}

// Range is a block of addresses that is limited as one.
type Range struct {
	Prefix netip.Prefix
	Limit  Limit
}

// Gate holds client addresses to a policy.
type Gate struct {
	Limiter Limiter
	Policy  Policy
}

// Take counts one event of the address. It returns an [*Exceeded] if that is one
// too many.
func (g Gate) Take(ctx context.Context, from netip.Addr) error {
	key, limit := g.Policy.bucket(from)
	return g.take(ctx, key, limit)
}

// TakeName counts one event of a name, a user's for one, as Take does.
func (g Gate) TakeName(ctx context.Context, name string) error {
	return g.take(ctx, g.Policy.Name+":"+name, g.Policy.Default)
}

func (g Gate) take(ctx context.Context, key string, limit Limit) error {
	if limit == (Limit{}) {
		return nil
	}
	decision := g.Limiter.Allow(ctx, key, limit)
	if decision.Allowed {
		return nil
	}
	return &Exceeded{Policy: g.Policy.Name, Decision: decision}
}

// Return gives back what Take counted, for an event that did not come about.
func (g Gate) Return(ctx context.Context, from netip.Addr) {
	if key, limit := g.Policy.bucket(from); limit != (Limit{}) {
		g.Limiter.Return(ctx, key, limit)
	}
}

// ownIPv6 is the part of an IPv6 address that its holder cannot choose: a host has
// a /64 to itself (RFC 6177 §2).
const ownIPv6 = 64

// bucket returns the key that the address counts under, and its limit. Addresses
// that are not known (the zero Addr) share one.
func (p Policy) bucket(from netip.Addr) (string, Limit) {
	from = from.Unmap().WithZone("")
	if r, found := p.rangeOf(from); found {
		return p.Name + ":" + r.Prefix.Masked().String(), r.Limit
	}
	if from.Is6() {
		return p.Name + ":" + netip.PrefixFrom(from, ownIPv6).Masked().String(), p.Default
	}
	return p.Name + ":" + from.String(), p.Default
}

func (p Policy) rangeOf(from netip.Addr) (longest Range, found bool) {
	for _, r := range p.Ranges {
		if r.Prefix.Contains(from) && (!found || r.Prefix.Bits() > longest.Prefix.Bits()) {
			longest, found = r, true
		}
	}
	return longest, found
}
