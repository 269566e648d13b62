package authorization

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// assertionType is that of a JSON Web Token (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	// MaxAssertionBytes is the length of the longest assertion that is looked at.
	MaxAssertionBytes = 8 << 10
	// maxAssertionAge bounds how long its jti has to be remembered.
	maxAssertionAge = 10 * time.Minute
	// clockSkew is how far a client's clock may be ahead.
	clockSkew = time.Minute
)

// assertion is what a client signs to prove who it is (RFC 7523 §3).
type assertion struct {
	signed *jose.JSONWebSignature
	claims assertionClaims
}

// assertionClaims are numbers as they were sent: nothing is rounded in the client's favour.
type assertionClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	ID        string   `json:"jti"`
	Expiry    *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	IssuedAt  *float64 `json:"iat"`
}

// audience is aud, one value or an array of them (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON reads both forms.
func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if josejson.Unmarshal(raw, &one) == nil {
		*a = audience{one}
		return nil
	}
	return josejson.Unmarshal(raw, (*[]string)(a))
}

// authenticateByAssertion returns the client that signed the assertion. It is found by
// what the assertion claims, and nothing is believed before the signature verifies.
func (s *Service) authenticateByAssertion(ctx context.Context, t *tenant.Tenant, c Credentials) (*registration.Client, error) {
	if c.AssertionType != assertionType {
		return nil, invalidRequest("client_assertion_type", "must be "+assertionType)
	}
	a, ok := parseAssertion(c.Assertion)
	if !ok {
		return nil, invalidAssertion("is not a signed JWT of an algorithm that is supported")
	}
	if c.ClientID != "" && c.ClientID != a.claims.Subject {
		return nil, invalidRequest("client_id", "is not the one of the assertion")
	}
	client, err := s.claimant(ctx, t, a.claims.Subject, oauth.AuthPrivateKeyJWT, c.By)
	if err != nil {
		return nil, err
	}
	if err := s.verify(ctx, a, client, c.By.From); err != nil {
		return nil, err
	}
	if reason := a.claims.fault(t.Issuer, s.now()); reason != "" {
		return nil, invalidAssertion(reason)
	}
	if err := s.spend(ctx, client, a.claims); err != nil {
		return nil, err
	}
	return client, nil
}

func invalidAssertion(reason string) error {
	return invalidClient("client_assertion: " + reason)
}

// parseAssertion reads the claims with a parser that tells names by case and refuses
// repeated ones. Line breaks, which the decoder would pass over, are no part of a token
// (RFC 7515 §5.2).
func parseAssertion(text string) (*assertion, bool) {
	if len(text) > MaxAssertionBytes || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	signed, err := jose.ParseSignedCompact(text, registration.SignatureAlgorithms)
	if err != nil {
		return nil, false
	}
	if _, critical := signed.Signatures[0].Protected.ExtraHeaders["crit"]; critical {
		return nil, false // An extension that must be understood is not (RFC 7515 §4.1.11).
	}
	a := &assertion{signed: signed}
	err = josejson.Unmarshal(signed.UnsafePayloadWithoutVerification(), &a.claims)
	return a, err == nil
}

// verify judges the signature before anything else: what an assertion that the client did
// not sign claims is nobody's business. A key of a name that is not known can be newer than
// the copy of the keys at jwks_uri.
func (s *Service) verify(ctx context.Context, a *assertion, client *registration.Client, from netip.Addr) error {
	set, err := s.keys(ctx, client, from, false)
	if err == nil && client.Metadata.JWKSURI != "" && !a.namesOneOf(set) {
		set, err = s.keys(ctx, client, from, true)
	}
	switch {
	case err != nil:
		return err
	case !a.isSignedBy(set):
		return errUnauthenticated
	}
	return nil
}

// keys are those that the client registered or publishes; renew is for such as are newer
// than those known here.
func (s *Service) keys(ctx context.Context, client *registration.Client, from netip.Addr, renew bool) ([]jose.JSONWebKey, error) {
	if client.Metadata.JWKSURI == "" {
		keys, reason := registration.ReadKeys(client.Metadata.JWKS)
		if reason != "" {
			return nil, fmt.Errorf("the keys of client %s: %s", client.ID, reason)
		}
		return keys, nil
	}
	keys, err := s.Keys(ctx, client, from, renew)
	var fault *oauth.Error
	if errors.As(err, &fault) && fault.Code == oauth.InvalidClientMetadata {
		return nil, invalidClient(fault.Description)
	}
	return keys, err
}

// namesOneOf reports whether the assertion says which key it is signed with, and that is one
// of these.
func (a *assertion) namesOneOf(keys []jose.JSONWebKey) bool {
	name := a.signed.Signatures[0].Protected.KeyID
	return name != "" && slices.ContainsFunc(keys, func(key jose.JSONWebKey) bool { return key.KeyID == name })
}

// isSignedBy tries the keys that the assertion can mean.
func (a *assertion) isSignedBy(keys []jose.JSONWebKey) bool {
	header := a.signed.Signatures[0].Protected
	return slices.ContainsFunc(keys, func(key jose.JSONWebKey) bool {
		if !registration.IsMeant(key, header) {
			return false
		}
		_, err := a.signed.Verify(key.Key)
		return err == nil
	})
}

// fault returns why the claims do not authenticate their subject at this time, or ""
// (RFC 7523 §3). An audience of its own keeps an assertion from being used at another
// server; that of the token endpoint is what older clients send.
func (c *assertionClaims) fault(issuer string, now time.Time) string {
	at := float64(now.UnixMicro()) / 1e6
	skewed := at + clockSkew.Seconds()
	switch {
	case c.Issuer != c.Subject:
		return "iss and sub must both be the client_id"
	case len(c.Audience) != 1 || c.Audience[0] != issuer && c.Audience[0] != issuer+"/oauth/token":
		return "aud must be the issuer alone"
	case c.Expiry == nil:
		return "exp is required"
	case *c.Expiry <= at:
		return "it has expired"
	case *c.Expiry > at+maxAssertionAge.Seconds():
		return "exp must be at most 10 minutes ahead"
	case c.NotBefore != nil && *c.NotBefore > skewed:
		return "it is not valid yet"
	case c.IssuedAt != nil && *c.IssuedAt > skewed:
		return "iat is in the future"
	case c.ID == "":
		return "jti is required"
	}
	return ""
}

// spend takes the assertion's one use (RFC 7523 §3, jti).
func (s *Service) spend(ctx context.Context, client *registration.Client, claims assertionClaims) error {
	if client.Version == 0 {
		return nil // It is not stored: nothing was issued to it that a replay could be after.
	}
	digest := sha256.Sum256([]byte(claims.ID))
	expiry := time.Unix(int64(math.Ceil(*claims.Expiry)), 0).UTC()
	err := s.Store.SpendAssertion(ctx, client.Tenant, client.ID, digest[:], expiry)
	if errors.Is(err, ErrSpent) {
		return invalidAssertion("it was used already")
	}
	return err
}
