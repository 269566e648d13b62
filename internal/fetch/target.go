package fetch

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// maxURLBytes bounds what is held, logged and sent of a URL.
const maxURLBytes = 2048

// target is a URL that may be asked, as far as its text tells.
type target struct {
	url *url.URL
	// host is lower case.
	host, port string
}

var ports = map[string]string{"https": "443", "http": "80"}

func (g *Guard) target(raw string) (*target, error) {
	if len(raw) > maxURLBytes {
		return nil, forbidden("its URL is longer than " + sized(maxURLBytes))
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || ports[u.Scheme] == "" {
		return nil, forbidden("its URL is not an absolute https URL")
	}
	if u.User != nil {
		return nil, forbidden("its URL holds a user or password")
	}
	t := &target{url: u, host: strings.ToLower(u.Hostname()), port: u.Port()}
	if t.port == "" {
		t.port = ports[u.Scheme]
	}
	if g.Insecure {
		return t, nil
	}
	return t, t.fault()
}

func (t *target) fault() error {
	switch {
	case t.url.Scheme != "https":
		return forbidden("its URL is not an absolute https URL")
	case t.port != "443":
		return forbidden("its port is not 443")
	}
	if rule := hostFault(t.host); rule != "" {
		return forbidden(rule)
	}
	return nil
}

const notPublic = "its host is an address that is not public"

// hostFault returns the rule that a host breaks, or "". It finds every spelling of an
// address that a resolver may read as one: where it returns "", the host is a name or a
// public address as [netip.ParseAddr] spells it.
func hostFault(host string) string {
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && isPublic(addr):
		return ""
	case err == nil:
		return notPublic
	case !isName(host):
		return "its host is not a domain name in full, in ASCII"
	case endsInNumber(host):
		return "its host is an address that is not written as four decimal numbers"
	case isLocal(host):
		return "its host is a name that is not public"
	}
	return ""
}

// isName reports whether the host is a domain name of two labels or more (RFC 1123 §2.1,
// with the underscore that is in use). The root's empty label is none: with it a host would
// have two names, and two limits.
func isName(host string) bool {
	labels := strings.Split(host, ".")
	return len(host) <= 253 && len(labels) > 1 && !slices.ContainsFunc(labels, func(label string) bool {
		return label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != ""
	})
}

// endsInNumber reports whether the host is meant as an IPv4 address (WHATWG URL §3.5, ends
// in a number): decimal, octal or hexadecimal, in one to four parts.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, found := strings.CutPrefix(last, "0x"); found {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// localDomains hold names that a machine or a network gives out by itself. Their addresses
// would be refused as well; their names need not even be asked for.
var localDomains = []string{
	"localhost", // RFC 6761 §6.3
	"local",     // RFC 6762 §3
	"home.arpa", // RFC 8375
	"onion",     // RFC 7686 §2
	"internal",  // reserved by ICANN for private use, 2024
}

func isLocal(host string) bool {
	return slices.ContainsFunc(localDomains, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}
