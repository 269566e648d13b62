package signing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// MaxTokenBytes is the length of the longest token that is looked at.
const MaxTokenBytes = 8 << 10

// Sign returns the claims as a signed JSON Web Token of the type (RFC 7515 §4.1.9), such
// as at+jwt. It fails where the tenant has no key of the algorithm, its keys were never
// read, or the claims have no JSON form.
func (k *Keys) Sign(ctx context.Context, tenant string, algorithm oauth.Algorithm, typ string, claims any) (string, error) {
	set, err := k.current(ctx, tenant)
	if err != nil {
		return "", err
	}
	by := set.signing(algorithm, k.Now())
	if by == nil {
		return "", fmt.Errorf("tenant %q has no %s key", tenant, algorithm)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	return by.sign(typ, payload)
}

func (k *key) sign(typ string, payload []byte) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.stored.Algorithm), Key: k.private},
		new(jose.SignerOptions).WithType(jose.ContentType(typ)),
	)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", k.stored.Algorithm, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", k.stored.Algorithm, err)
	}
	return signed.CompactSerialize()
}

// Verify returns the payload of a token of the type that a published key of the tenant
// signed, and whether it is one. It does not judge the claims. It fails only where the
// keys of the tenant were never read.
func (k *Keys) Verify(ctx context.Context, tenant, typ, token string) (payload []byte, ok bool, err error) {
	parsed := parse(token)
	if parsed == nil {
		return nil, false, nil
	}
	set, err := k.current(ctx, tenant)
	if err != nil {
		return nil, false, err
	}
	header := parsed.Signatures[0].Protected
	by := set.published(k.Now()).find(header.KeyID)
	if by == nil || header.Algorithm != string(by.stored.Algorithm) || !hasType(header, typ) {
		return nil, false, nil
	}
	payload, err = parsed.Verify(by.public)
	return payload, err == nil, nil
}

// parse returns nil for what is no token of ours, whoever signed it. Line breaks, which
// the decoder would pass over, are no part of a token (RFC 7515 §5.2); extensions that
// must be understood are not (RFC 7515 §4.1.11).
func parse(token string) *jose.JSONWebSignature {
	if len(token) > MaxTokenBytes || strings.ContainsAny(token, "\r\n") {
		return nil
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return nil
	}
	if _, critical := parsed.Signatures[0].Protected.ExtraHeaders["crit"]; critical {
		return nil
	}
	return parsed
}

// hasType holds the token to its purpose (RFC 8725 §3.11).
func hasType(header jose.Header, want string) bool {
	typ, ok := header.ExtraHeaders[jose.HeaderType].(string)
	return ok && mediaType(typ) == mediaType(want)
}

// mediaType leaves out what may be left out (RFC 7515 §4.1.9).
func mediaType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}
