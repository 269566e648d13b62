package login

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

const (
	// discoveryLifetime is how long what a provider says of itself is relied on.
	discoveryLifetime = 24 * time.Hour
	// respite is how long a provider that failed is not asked again.
	respite = 5 * time.Second
)

// signatures are the algorithms that an ID token may be signed with, if the provider says
// that it uses them: those with a public key.
var signatures = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

// document is what is read of a provider's metadata (OpenID Connect Discovery 1.0 §3).
type document struct {
	Issuer      string   `json:"issuer"`
	AuthorizeAt string   `json:"authorization_endpoint"`
	TokenAt     string   `json:"token_endpoint"`
	UserInfoAt  string   `json:"userinfo_endpoint"`
	KeysAt      string   `json:"jwks_uri"`
	Signatures  []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	// NamesItself says that every response carries iss (RFC 9207 §3).
	NamesItself bool `json:"authorization_response_iss_parameter_supported"`
}

// provider is an upstream provider as it was discovered.
type provider struct {
	document
	discovered *oidc.Provider
	keys       oidc.KeySet
}

// discovery keeps the provider. The zero discovery knows none.
type discovery struct {
	flight singleflight.Group

	mu       sync.Mutex
	known    *provider
	asked    time.Time
	failure  error
	failedAt time.Time
}

// provider returns the provider, asking it when it is not known or not any longer. All who
// wait share one request. Without an answer it returns an *oauth.Error of code
// temporarily_unavailable.
func (u *Upstream) provider(ctx context.Context) (*provider, error) {
	if known, err := u.discovery.recall(u.Now()); known != nil || err != nil {
		return known, err
	}
	// The request does not end with the browser that happened to come first.
	found := u.discovery.flight.DoChan("", func() (any, error) {
		p, err := u.discover(context.WithoutCancel(ctx))
		return u.discovery.remember(u.Now(), p, err)
	})
	select {
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	case result := <-found:
		p, _ := result.Val.(*provider)
		return p, result.Err
	}
}

// recall returns what is known: the provider, or why it is not asked. It returns neither
// when it is to be asked.
func (d *discovery) recall(now time.Time) (*provider, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.known != nil && now.Before(d.asked.Add(discoveryLifetime)):
		return d.known, nil
	case d.failure == nil || !now.Before(d.failedAt.Add(respite)):
		return nil, nil
	case d.known != nil:
		return d.known, nil
	}
	return nil, d.failure
}

// remember keeps the outcome of a request, and returns what stands: a provider that was
// known outlives an outage.
func (d *discovery) remember(now time.Time, p *provider, err error) (*provider, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.known, d.asked, d.failure = p, now, nil
		return p, nil
	}
	d.failure, d.failedAt = unavailable(err), now
	if d.known != nil {
		return d.known, nil
	}
	return nil, d.failure
}

// discover asks the provider what it offers (OpenID Connect Discovery 1.0 §4).
func (u *Upstream) discover(ctx context.Context) (*provider, error) {
	ctx = oidc.ClientContext(ctx, u.client())
	if entraHost(u.Issuer) != "" {
		// The document names an issuer with a variable; fault checks it.
		ctx = oidc.InsecureIssuerURLContext(ctx, u.Issuer)
	}
	discovered, err := oidc.NewProvider(ctx, u.Issuer)
	if err != nil {
		return nil, err
	}
	var d document
	if err := discovered.Claims(&d); err != nil {
		return nil, err
	}
	if reason := d.fault(u.Issuer); reason != "" {
		return nil, errors.New("its metadata: " + reason)
	}
	d.Signatures = slices.DeleteFunc(d.Signatures, func(algorithm string) bool { return !slices.Contains(signatures, algorithm) })
	// The keys are fetched as they are needed, whoever's login that is.
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), u.client()), d.KeysAt)
	return &provider{document: d, discovered: discovered, keys: keys}, nil
}

// fault returns why the document cannot be used, or "".
func (d *document) fault(issuer string) string {
	if entraHost(issuer) != "" && !isEntraPublished(issuer, d.Issuer) {
		return fmt.Sprintf("issuer: %.100q is not that of Microsoft Entra ID, version 2.0", d.Issuer)
	}
	for _, endpoint := range []struct {
		name, uri string
		optional  bool
	}{
		{"authorization_endpoint", d.AuthorizeAt, false},
		{"token_endpoint", d.TokenAt, false},
		{"jwks_uri", d.KeysAt, false},
		{"userinfo_endpoint", d.UserInfoAt, true},
	} {
		if endpoint.uri == "" && endpoint.optional {
			continue
		}
		if !isEndpoint(endpoint.uri, issuer) {
			return endpoint.name + ": must be an https URL"
		}
	}
	return ""
}

// isEndpoint reports whether the URI is absolute and as safe as the issuer's own.
func isEndpoint(uri, issuer string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(issuer, "http://"))
}

// config is the client that this server is to the provider.
func (u *Upstream) config(p *provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: u.ClientID, ClientSecret: u.ClientSecret.Reveal(), RedirectURL: u.RedirectURI, Scopes: u.scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: p.AuthorizeAt, TokenURL: p.TokenAt, AuthStyle: u.authStyle(p)},
	}
}

// authStyle is basic authentication, unless the provider wants none of it (OpenID Connect
// Discovery 1.0 §3). It is never tried out: that would send a code twice.
func (u *Upstream) authStyle(p *provider) oauth2.AuthStyle {
	takesBasic := len(p.AuthMethods) == 0 || slices.Contains(p.AuthMethods, string(oauth.AuthClientSecretBasic))
	if u.ClientSecret != "" && takesBasic {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}
