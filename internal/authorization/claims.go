package authorization

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// The types of the tokens that are signed (RFC 9068 §2.1, RFC 7519 §5.1).
const (
	typeAccessToken = "at+jwt"
	typeIDToken     = "JWT"
)

// accessClaims are what an access token says (RFC 9068 §2.2); times are in seconds.
type accessClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expiry   int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
	// ID begins with the id of the grant, by which the token is found to stand.
	ID       string `json:"jti"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	AuthTime int64  `json:"auth_time"`
}

// idClaims are what an ID token says (OpenID Connect Core 1.0 §2, §3.1.3.6).
type idClaims struct {
	Issuer          string `json:"iss"`
	Subject         string `json:"sub"`
	Audience        string `json:"aud"`
	Expiry          int64  `json:"exp"`
	IssuedAt        int64  `json:"iat"`
	AuthTime        int64  `json:"auth_time"`
	Nonce           string `json:"nonce,omitempty"`
	AccessTokenHash string `json:"at_hash"`
}

// issue signs what the grant has been found good for. The row is written before, so that
// of two requests with one code or refresh token only one ever has tokens signed. The
// price is that a signer that fails then has cost the client its code or refresh token:
// it presents it again, that counts as reuse, and the user has to approve anew. The keys
// are in memory, and an answer that is lost on the way costs the same; the grace of the
// policy covers a refresh in both cases.
func (s *Service) issue(ctx context.Context, t *tenant.Tenant, g *Grant, scope []string, nonce string, refreshToken credential.Secret) (*Tokens, error) {
	now := s.now()
	access, err := s.signAccessToken(ctx, t, g, scope, now)
	if err != nil {
		return nil, err
	}
	tokens := &Tokens{
		AccessToken: credential.Secret(access), RefreshToken: refreshToken,
		ExpiresIn: AccessTokenLifetime, Scope: strings.Join(scope, " "),
	}
	if !slices.Contains(scope, oauth.ScopeOpenID) {
		return tokens, nil
	}
	id, err := s.Signer.Sign(ctx, t.ID, t.Policy.IDTokenAlgorithm, typeIDToken, idClaims{
		Issuer: t.Issuer, Subject: g.User.Subject, Audience: g.ClientID,
		Expiry: now.Add(AccessTokenLifetime).Unix(), IssuedAt: now.Unix(), AuthTime: g.AuthenticatedAt.Unix(),
		Nonce: nonce, AccessTokenHash: accessTokenHash(access),
	})
	if err != nil {
		return nil, err
	}
	tokens.IDToken = credential.Secret(id)
	return tokens, nil
}

const tokenIDBytes = 16

func (s *Service) signAccessToken(ctx context.Context, t *tenant.Tenant, g *Grant, scope []string, now time.Time) (string, error) {
	unique, err := drawText(s.Random, tokenIDBytes)
	if err != nil {
		return "", err
	}
	return s.Signer.Sign(ctx, t.ID, t.Policy.AccessTokenAlgorithm, typeAccessToken, accessClaims{
		Issuer: t.Issuer, Subject: g.User.Subject, Audience: audienceOf(t, g),
		Expiry: now.Add(AccessTokenLifetime).Unix(), IssuedAt: now.Unix(),
		ID: g.ID + "." + unique, ClientID: g.ClientID, Scope: strings.Join(scope, " "), AuthTime: g.AuthenticatedAt.Unix(),
	})
}

// audienceOf is the resource as it was sent, or this server, whose userinfo takes the token.
func audienceOf(t *tenant.Tenant, g *Grant) string {
	if g.Resource != "" {
		return g.Resource
	}
	return t.Issuer
}

// accessTokenHash is the left half of the digest that goes with both algorithms that sign
// ID tokens (OpenID Connect Core 1.0 §3.1.3.6).
func accessTokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// readAccessToken returns what the token says if it is one of the tenant and has not
// expired, and nil otherwise. Whether its grant stands is another matter.
func (s *Service) readAccessToken(ctx context.Context, t *tenant.Tenant, token credential.Secret) (*accessClaims, error) {
	payload, ok, err := s.Signer.Verify(ctx, t.ID, typeAccessToken, token.Reveal())
	if err != nil || !ok {
		return nil, err
	}
	var claims accessClaims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, fmt.Errorf("read an access token that this server signed: %w", err)
	}
	if claims.Issuer != t.Issuer || !s.now().Before(time.Unix(claims.Expiry, 0)) {
		return nil, nil
	}
	return &claims, nil
}

// grantID is the id of the grant that the token was issued under.
func (c *accessClaims) grantID() string {
	id, _, _ := strings.Cut(c.ID, ".")
	return id
}
