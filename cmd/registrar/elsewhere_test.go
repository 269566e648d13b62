package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// publicAddress is what names resolve to unless a test says otherwise.
const publicAddress = "20.112.52.29"

// elsewhere is the world outside of a server under test: https servers by name, with a
// certificate authority and a resolver of their own. No packet of a test leaves the machine.
type elsewhere struct {
	server *httptest.Server
	roots  *x509.CertPool
	issue  func(host string) (*tls.Certificate, error)

	mu        sync.Mutex
	handlers  map[string]http.Handler
	addresses map[string][]netip.Addr
	// dialer takes the place of a connection to the servers, if set.
	dialer func(ctx context.Context) (net.Conn, error)
	// later is how much later it is there than here.
	later time.Duration
	// dialled are the addresses that were connected to, asked what was requested.
	dialled, asked []string
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	e := &elsewhere{handlers: map[string]http.Handler{}, addresses: map[string][]netip.Addr{}}
	e.roots, e.issue = newAuthority(t)
	e.server = httptest.NewUnstartedServer(http.HandlerFunc(e.serve))
	e.server.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return e.issue(hello.ServerName) }}
	e.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.server.StartTLS()
	t.Cleanup(e.server.Close)
	return e
}

// newAuthority returns what trusts a new certificate authority, and its certificates.
func newAuthority(t *testing.T) (*x509.CertPool, func(host string) (*tls.Certificate, error)) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Elsewhere"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	return roots, func(host string) (*tls.Certificate, error) {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{host},
			NotBefore: template.NotBefore, NotAfter: template.NotAfter,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		raw, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), key)
		return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, err
	}
}

func (e *elsewhere) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked = append(e.asked, r.Host+r.URL.RequestURI())
	handler := e.handlers[r.Host]
	e.mu.Unlock()
	if handler == nil {
		handler = http.NotFoundHandler()
	}
	handler.ServeHTTP(w, r)
}

// at puts a server at the name.
func (e *elsewhere) at(host string, handler http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handlers[host] = handler
}

// resolve makes the name resolve to the addresses, to none at all if there are none.
func (e *elsewhere) resolve(host string, addresses ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addresses[host] = []netip.Addr{}
	for _, address := range addresses {
		e.addresses[host] = append(e.addresses[host], netip.MustParseAddr(address))
	}
}

// requests are those for addresses that begin so.
func (e *elsewhere) requests(prefix string) (count int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, asked := range e.asked {
		if strings.HasPrefix(asked, prefix) {
			count++
		}
	}
	return count
}

func (e *elsewhere) dials() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.dialled)
}

// network is how a server under test reaches it.
func (e *elsewhere) network() network {
	return network{roots: e.roots, lookup: e.lookup, dial: e.dial, patience: time.Second, now: e.now}
}

func (e *elsewhere) now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Now().Add(e.later)
}

// advance lets time go by for what is kept of fetches.
func (e *elsewhere) advance(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.later += d
}

func (e *elsewhere) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	addresses, set := e.addresses[host]
	switch {
	case !set:
		return []netip.Addr{netip.MustParseAddr(publicAddress)}, nil
	case len(addresses) == 0:
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addresses, nil
}

func (e *elsewhere) dial(ctx context.Context, _, address string) (net.Conn, error) {
	e.mu.Lock()
	e.dialled = append(e.dialled, address)
	dial := e.dialer
	e.mu.Unlock()
	if dial != nil {
		return dial(ctx)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", e.server.Listener.Addr().String())
}
