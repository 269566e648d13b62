package fetch

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	address = "93.184.215.14"
	page    = "https://client.example/metadata.json"
	body    = `{"client_id":"x"}`
)

var document = &Kind{Name: "document", MaxBytes: 5 << 10, Media: JSON}

// world is a guard in a bubble of time, with a network of its own: one server, at every
// public address. When a test ends with anything left open, the bubble says so.
type world struct {
	*Guard

	mu      sync.Mutex
	names   map[string][]string
	lookups []string
	dials   []string
	served  int
	events  []Event
}

// within runs the test in a world whose server answers with the handler.
func within(t *testing.T, handler http.HandlerFunc, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{names: map[string][]string{"client.example": {address}}}
		w.Guard = &Guard{Roots: trusted.pool, Lookup: w.lookup, Observe: w.observe}
		w.Dial = w.serve(t, trusted.issue("client.example"), handler)
		test(t, w)
	})
}

func (w *world) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookups = append(w.lookups, host)
	var addrs []netip.Addr
	for _, text := range w.names[host] {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	if addrs == nil {
		return nil, errors.New("lookup on 10.1.2.3:53: no such host")
	}
	return addrs, nil
}

func (w *world) observe(_ context.Context, e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// serve returns a dial to a TLS server.
func (w *world) serve(t *testing.T, certificate tls.Certificate, handler http.HandlerFunc) func(context.Context, string, string) (net.Conn, error) {
	l := make(listener)
	server := &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.mu.Lock()
			w.served++
			w.mu.Unlock()
			handler(rw, r)
		}),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		_ = server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	}()
	t.Cleanup(func() {
		// A closed connection lets go of the server; one that is left open never does.
		time.Sleep(2 * DefaultTimeout)
		_ = server.Close()
	})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		w.mu.Lock()
		w.dials = append(w.dials, network+" "+address)
		w.mu.Unlock()
		near, far := newWire()
		select {
		case l <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// listener is a net.Listener of wires.
type listener chan net.Conn

func (l listener) Accept() (net.Conn, error) {
	if conn, open := <-l; open {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l listener) Close() error { close(l); return nil }

func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

func (w *world) get(t *testing.T, url string) (*Response, error) {
	t.Helper()
	return w.Get(t.Context(), Request{URL: url, Kind: document})
}

// mustGet fails the test unless the fetch gives the body.
func (w *world) mustGet(t *testing.T, url string) *Response {
	t.Helper()
	response, err := w.get(t, url)
	if err != nil || string(response.Body) != body {
		t.Fatalf("%s: got %v, %v", url, response, err)
	}
	return response
}

// refuses fails the test unless the fetch fails for the reason, in words that hold the
// text, and is told of once.
func (w *world) refuses(t *testing.T, url string, reason Reason, text string) {
	t.Helper()
	w.events = nil
	response, err := w.get(t, url)
	var refused *Error
	if !errors.As(err, &refused) || response != nil {
		t.Fatalf("%s: got %v, %v", url, response, err)
	}
	if refused.Reason != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got %s, %q; want %s, %q", url, refused.Reason, err, reason, text)
	}
	if len(w.events) != 1 || w.events[0].Outcome != string(reason) || w.events[0].Kind != "document" {
		t.Errorf("%s: told of %+v", url, w.events)
	}
}

// good answers with the body and the headers, given as name, value, name, value.
func good(headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		_, _ = io.WriteString(w, body)
	}
}

// raw answers with the very bytes, then goes on with the connection.
func raw(text string, then func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
		if then != nil {
			then(conn)
		}
	}
}

// authority is a certificate authority. Bubbles begin in 2000.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

var trusted, unknown = newAuthority(), newAuthority()

func newAuthority() *authority {
	a := &authority{key: newKey(), pool: x509.NewCertPool()}
	template := template("Test CA")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a.certificate = sign(template, template, a.key, a.key)
	a.pool.AddCert(a.certificate)
	return a
}

func (a *authority) issue(host string) tls.Certificate {
	key, template := newKey(), template(host)
	if addr := net.ParseIP(host); addr != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{addr}
	}
	return tls.Certificate{Certificate: [][]byte{sign(template, a.certificate, key, a.key).Raw}, PrivateKey: key}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return certificate
}
