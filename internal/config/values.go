package config

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/seed-9c856424/registrar/internal/ratelimit"
)

// Words is a list separated by spaces or commas.
type Words []string

// UnmarshalText splits the list; duplicates are kept once.
func (w *Words) UnmarshalText(text []byte) error {
	seen := map[string]bool{}
	*w = Words{}
	for _, word := range fields(text) {
		if !seen[word] {
			*w = append(*w, word)
		}
		seen[word] = true
	}
	return nil
}

// isBlank reports whether the list was given and names nothing. Where no list means no
// restriction, that must not.
func isBlank(w Words) bool { return w != nil && len(w) == 0 }

// SecretKey is what the secrets in the database are sealed under. It prints as "[redacted]".
type SecretKey []byte

// secretKeyBytes is how long a SecretKey is.
const secretKeyBytes = 32

// UnmarshalText reads base64 in either alphabet, padded or not (RFC 4648 §4, §5).
func (k *SecretKey) UnmarshalText(text []byte) error {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		key, err := encoding.DecodeString(string(text))
		if err == nil && len(key) == secretKeyBytes {
			*k = key
			return nil
		}
	}
	return fmt.Errorf("it must be the base64 of %d bytes; %s", secretKeyBytes, makeSecretKey)
}

const redacted = "[redacted]"

// Format writes "[redacted]" whatever the verb.
func (SecretKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText writes "[redacted]": whoever encodes a Config does not mean its secrets.
func (SecretKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Rate is a limit such as 10/1h, or off.
type Rate struct {
	Limit ratelimit.Limit
	Off   bool
}

// UnmarshalText reads a limit or "off".
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*r = Rate{Off: true}
		return nil
	}
	r.Off = false
	return r.Limit.UnmarshalText(text)
}

// BodySize is the largest body that is accepted, in bytes.
type BodySize int64

// The bounds of a BodySize: less holds no registration, more is an invitation to abuse.
const (
	minBody = 1 << 10
	maxBody = 1 << 20
)

// UnmarshalText reads a number of bytes.
func (b *BodySize) UnmarshalText(text []byte) error {
	size, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || size < minBody || size > maxBody {
		return fmt.Errorf("it must be a number of bytes from %d to %d", minBody, maxBody)
	}
	*b = BodySize(size)
	return nil
}

// Proxies are networks, each written as a prefix or as one address.
type Proxies []netip.Prefix

// UnmarshalText reads the list.
func (p *Proxies) UnmarshalText(text []byte) error {
	*p = nil
	for _, word := range fields(text) {
		prefix, err := parsePrefix(word)
		if err != nil {
			return err
		}
		*p = append(*p, prefix)
	}
	return nil
}

// Egress are known shared address ranges with a limit of their own, each written as
// prefix=limit: 203.0.113.0/24=600/1h.
type Egress []ratelimit.Range

// UnmarshalText reads the list.
func (e *Egress) UnmarshalText(text []byte) error {
	*e = nil
	for _, word := range fields(text) {
		network, limit, _ := strings.Cut(word, "=")
		prefix, err := parsePrefix(network)
		if err != nil {
			return err
		}
		r := ratelimit.Range{Prefix: prefix}
		if err := r.Limit.UnmarshalText([]byte(limit)); err != nil {
			return fmt.Errorf("%s: %w", network, err)
		}
		*e = append(*e, r)
	}
	return nil
}

func parsePrefix(word string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(word); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(word)
	if err != nil || prefix.Addr().Is4In6() {
		return prefix, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", word)
	}
	return prefix.Masked(), nil
}

func fields(text []byte) []string {
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' })
}
