package main

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/fetch"
	"github.com/seed-9c856424/registrar/internal/logo"
	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/ratelimit"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// network is the world outside, which tests replace; the zero value is the real one.
type network struct {
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	roots  *x509.CertPool
	// patience bounds a fetch, and now is the time for what is kept of it.
	patience time.Duration
	now      func() time.Time
}

// maxKeySet is the size of the largest set of keys, in bytes.
const maxKeySet = 64 << 10

// outbound gets what clients have elsewhere.
type outbound struct {
	guard                     *fetch.Guard
	documents, keySets, logos *fetch.Kind
	// renewal limits how often a client's keys are fetched before they are due.
	renewal func(ctx context.Context, client string) error
	now     func() time.Time
}

func newOutbound(settings *config.Config, limits *gates, observe func(context.Context, fetch.Event), outside network) *outbound {
	if outside.now == nil {
		outside.now = time.Now
	}
	policy := settings.Tenant().Policy
	return &outbound{
		renewal: limits.renewal, now: outside.now,
		guard: &fetch.Guard{
			Lookup: outside.lookup, Dial: outside.dial, Roots: outside.roots, Timeout: outside.patience, Now: outside.now,
			Insecure:    settings.DevelopmentFetch,
			LimitCaller: limits.fetchCaller, LimitHost: limits.fetchHost,
			Observe: observe,
		},
		documents: &fetch.Kind{
			Name: "document", MaxBytes: registration.MaxDocumentBytes, Media: fetch.JSON,
			Check: func(url string, body []byte) error {
				_, err := registration.ReadDocument(policy, url, body)
				return err
			},
		},
		keySets: &fetch.Kind{
			Name: "keys", MaxBytes: maxKeySet, Media: fetch.JSON,
			Check: func(_ string, body []byte) error {
				_, err := readKeys(body)
				return err
			},
		},
		logos: &fetch.Kind{Name: "logo", MaxBytes: logo.MaxBytes, Media: fetch.Image},
	}
}

// document is what [authorization.Service] asks for.
func (o *outbound) document(ctx context.Context, t *tenant.Tenant, url string, from netip.Addr) (*authorization.Document, error) {
	fetched, err := o.guard.Get(ctx, fetch.Request{URL: url, From: from, Kind: o.documents})
	if err != nil {
		return nil, judged(err, oauth.InvalidClientMetadata)
	}
	metadata, err := registration.ReadDocument(t.Policy, url, fetched.Body)
	return &authorization.Document{Metadata: metadata, FetchedAt: fetched.FetchedAt}, err
}

// renewAfter is how old keys must be for newer ones to be fetched.
const renewAfter = time.Minute

// keys is what [authorization.Service] asks for.
func (o *outbound) keys(ctx context.Context, client *registration.Client, from netip.Addr, renew bool) ([]jose.JSONWebKey, error) {
	request := fetch.Request{URL: client.Metadata.JWKSURI, From: from, Kind: o.keySets}
	fetched, err := o.guard.Get(ctx, request)
	if err == nil && renew && o.mayRenew(ctx, client, fetched.FetchedAt) {
		request.NotBefore = o.now()
		fetched, err = o.guard.Get(ctx, request)
	}
	if err != nil {
		return nil, judged(err, oauth.TemporarilyUnavailable)
	}
	return readKeys(fetched.Body)
}

// mayRenew takes the client's one renewal of a minute, if its keys are old enough to need it.
func (o *outbound) mayRenew(ctx context.Context, client *registration.Client, fetchedAt time.Time) bool {
	return o.now().Sub(fetchedAt) >= renewAfter && o.renewal(ctx, client.Tenant+" "+client.ID) == nil
}

// statementKeys is what [registration.Service] asks for.
func (o *outbound) statementKeys(ctx context.Context, issuer tenant.StatementIssuer, from netip.Addr) ([]jose.JSONWebKey, error) {
	fetched, err := o.guard.Get(ctx, fetch.Request{URL: issuer.JWKSURI, From: from, Kind: o.keySets})
	if err != nil {
		return nil, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "software_statement: the keys of its issuer cannot be had at present", Cause: err}
	}
	return readKeys(fetched.Body)
}

func readKeys(body []byte) ([]jose.JSONWebKey, error) {
	keys, reason := registration.ReadKeys(body)
	if reason != "" {
		return nil, &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "jwks_uri: " + reason}
	}
	return keys, nil
}

// logo is what [httpapi.Options] asks for.
func (o *outbound) logo(ctx context.Context, address string, from netip.Addr) ([]byte, error) {
	fetched, err := o.guard.Get(ctx, fetch.Request{URL: address, From: from, Kind: o.logos})
	if err != nil {
		return nil, err
	}
	return logo.Render(ctx, fetched.Body)
}

// judged puts a fetch that failed in the words of the authorization room. A body that was
// judged, and a limit, stay what they are; what else is against the rules has the code.
func judged(err error, against oauth.Code) error {
	var (
		fault    *oauth.Error
		exceeded *ratelimit.Exceeded
		failed   *fetch.Error
	)
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &exceeded):
		return exceeded
	case !errors.As(err, &failed):
		return err
	case failed.Reason == fetch.Forbidden, failed.Reason == fetch.Unacceptable:
		return &oauth.Error{Code: against, Description: failed.Detail, Cause: err}
	}
	return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: failed.Detail, Cause: err}
}
