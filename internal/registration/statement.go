package registration

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// MaxStatementBytes is the length of the longest software statement that is looked at.
const MaxStatementBytes = 16 << 10

// SignatureAlgorithms are those of what clients and the issuers of their statements sign.
var SignatureAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

func invalidStatement(reason string) error {
	return &oauth.Error{Code: oauth.InvalidSoftwareStatement, Description: "software_statement: " + reason}
}

func unapprovedStatement(reason string) error {
	return &oauth.Error{Code: oauth.UnapprovedSoftwareStatement, Description: "software_statement: " + reason}
}

// withStatement puts what the software statement claims in the place of what the client
// says itself (RFC 7591 §2.3). It returns an *oauth.Error of code
// invalid_software_statement, unapproved_software_statement or, for a claim of another type,
// as applyRules does; or what StatementKeys returns.
func (s *Service) withStatement(ctx context.Context, t *tenant.Tenant, from netip.Addr, asked Metadata) (Metadata, error) {
	if asked.SoftwareStatement == "" {
		if t.Policy.SoftwareStatements.Required {
			return Metadata{}, invalidStatement("is required here")
		}
		return asked, nil
	}
	claims, err := s.claimsOf(ctx, t.Policy.SoftwareStatements, from, asked.SoftwareStatement)
	if err != nil {
		return Metadata{}, err
	}
	return overlay(asked, claims)
}

// overlay lets the claims win, of which one source of keys rules out the other.
func overlay(asked Metadata, claims map[string]any) (Metadata, error) {
	if claims["jwks"] != nil {
		asked.JWKSURI = ""
	}
	if claims["jwks_uri"] != nil {
		asked.JWKS = nil
	}
	asked.Localized = maps.Clone(asked.Localized)
	err := asked.readAll(claims)
	return asked, err
}

// claimsOf returns the claims of a statement that an approved issuer signed.
func (s *Service) claimsOf(ctx context.Context, policy tenant.SoftwareStatements, from netip.Addr, text string) (map[string]any, error) {
	signed, claims := parseStatement(text)
	if signed == nil {
		return nil, invalidStatement("is not a signed JWT of an algorithm that is supported")
	}
	name, _ := claims["iss"].(string)
	if name == "" {
		return nil, invalidStatement("iss is required")
	}
	issuer, approved := policy.Issuers[name]
	if !approved {
		return nil, unapprovedStatement("its issuer is not approved here")
	}
	if err := s.verifyStatement(ctx, issuer, from, signed); err != nil {
		return nil, err
	}
	if reason := validity(claims, s.now()); reason != "" {
		return nil, invalidStatement(reason)
	}
	if id, _ := claims["software_id"].(string); slices.Contains(policy.RevokedSoftwareIDs, id) {
		return nil, unapprovedStatement("its software is not approved here any longer")
	}
	return claims, nil
}

// parseStatement returns nil for what is no signed JWT. Its claims are read by a parser that
// tells names by case and refuses repeated ones, and are not to be believed yet.
func parseStatement(text string) (*jose.JSONWebSignature, map[string]any) {
	if len(text) > MaxStatementBytes || strings.ContainsAny(text, "\r\n") {
		return nil, nil
	}
	signed, err := jose.ParseSignedCompact(text, SignatureAlgorithms)
	if err != nil {
		return nil, nil
	}
	if _, critical := signed.Signatures[0].Protected.ExtraHeaders["crit"]; critical {
		return nil, nil // An extension that must be understood is not (RFC 7515 §4.1.11).
	}
	var claims map[string]any
	if josejson.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claims) != nil || claims == nil {
		return nil, nil
	}
	return signed, claims
}

func (s *Service) verifyStatement(ctx context.Context, issuer tenant.StatementIssuer, from netip.Addr, signed *jose.JSONWebSignature) error {
	keys, reason := ReadKeys(issuer.JWKS)
	if issuer.JWKSURI != "" {
		var err error
		if keys, err = s.StatementKeys(ctx, issuer, from); err != nil {
			return err
		}
	} else if reason != "" {
		return unapprovedStatement("the keys of its issuer are not known")
	}
	header := signed.Signatures[0].Protected
	verifies := func(key jose.JSONWebKey) bool {
		if !IsMeant(key, header) {
			return false
		}
		_, err := signed.Verify(key.Key)
		return err == nil
	}
	if !slices.ContainsFunc(keys, verifies) {
		return invalidStatement("its signature does not verify")
	}
	return nil
}

// IsMeant holds a key to its use and algorithm (RFC 7517 §4.2, §4.4), and to its name where
// both sides give one.
func IsMeant(key jose.JSONWebKey, header jose.Header) bool {
	return (key.KeyID == "" || header.KeyID == "" || key.KeyID == header.KeyID) &&
		(key.Use == "" || key.Use == "sig") &&
		(key.Algorithm == "" || key.Algorithm == header.Algorithm)
}

// statementSkew is how far the issuer's clock may be ahead.
const statementSkew = time.Minute

// validity returns why the claims do not hold at this time, or "" (RFC 7519 §4.1.4, §4.1.5).
func validity(claims map[string]any, now time.Time) string {
	at := float64(now.UnixMicro()) / 1e6
	for name, holds := range map[string]func(float64) bool{
		"exp": func(expiry float64) bool { return at < expiry },
		"nbf": func(begin float64) bool { return begin <= at+statementSkew.Seconds() },
	} {
		claim, given := claims[name]
		number, isNumber := claim.(float64)
		switch {
		case given && !isNumber:
			return name + " must be a number"
		case given && !holds(number):
			return name + ": it is not valid at this time"
		}
	}
	return ""
}

// checkSameSoftware keeps an update to the software that was stated before.
func checkSameSoftware(before, after Metadata) error {
	if before.SoftwareStatement != "" && after.SoftwareStatement != "" && before.SoftwareID != after.SoftwareID {
		return invalidStatement("is of another software_id")
	}
	return nil
}
