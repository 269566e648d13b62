package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
)

const (
	userAgent      = "Registrar"
	maxHeaderBytes = 16 << 10
)

// Media is what an answer may be made of.
type Media struct {
	// name tells it, accept asks for it, and a type that matches one of the patterns is it.
	name, accept string
	patterns     []string
}

var (
	// JSON is application/json or a type with the suffix +json (RFC 6839 §3.1), of which
	// application/jwk-set+json is one.
	JSON = Media{"application/json", "application/json", []string{"application/json", "application/*+json"}}
	// Image is anything that says it is an image: what it is, its bytes tell.
	Image = Media{"that of an image", "image/png, image/webp, image/jpeg", []string{"image/*"}}
)

func (m Media) holds(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && slices.ContainsFunc(m.patterns, func(pattern string) bool {
		matches, _ := path.Match(pattern, mediaType)
		return matches
	})
}

// answer is a response that is as it must be.
type answer struct {
	header http.Header
	body   []byte
}

// ask sends the request to one of the addresses and reads the answer.
func (g *Guard) ask(ctx context.Context, t *target, addrs []netip.Addr, kind *Kind, event *Event) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url.String(), http.NoBody)
	if err != nil {
		return nil, forbidden("its URL is not an absolute https URL")
	}
	request.Header = http.Header{
		"User-Agent":      {userAgent},
		"Accept":          {kind.Media.accept},
		"Accept-Encoding": {"identity"},
	}
	// Not a client's Do, which would follow redirects.
	response, err := g.transport(ctx, addrs, t.port).RoundTrip(request)
	if err != nil {
		return nil, g.exchangeFault(ctx, err)
	}
	defer response.Body.Close()
	event.Status = response.StatusCode
	if rule := kind.headFault(response); rule != "" {
		return nil, unacceptable(rule)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(kind.MaxBytes)+1))
	event.Bytes = len(body)
	switch {
	case len(body) > kind.MaxBytes:
		return nil, unacceptable(kind.tooLarge())
	case err != nil:
		return nil, g.exchangeFault(ctx, err)
	}
	return &answer{header: response.Header, body: body}, nil
}

// transport makes the one connection of a fetch. It speaks HTTP/1.1 alone: HTTP/2 would
// gain a single request nothing, and is far more for a hostile server to play with.
func (g *Guard) transport(ctx context.Context, addrs []netip.Addr, port string) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		// It is dialled within the fetch's context; the transport's own does not end with it.
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return g.connect(ctx, addrs, port) },
		TLSClientConfig:        &tls.Config{RootCAs: g.Roots, MinVersion: tls.VersionTLS12},
		Protocols:              &protocols,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// headFault returns the rule that a response breaks before its body is read, or "".
func (k *Kind) headFault(r *http.Response) string {
	encoding := r.Header.Get("Content-Encoding")
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return fmt.Sprintf("it redirects (%d); a redirect is not followed", r.StatusCode)
	case r.StatusCode != http.StatusOK:
		return fmt.Sprintf("it answered %d; it must answer 200", r.StatusCode)
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return "it is compressed, which was not asked for"
	case !k.Media.holds(r.Header.Get("Content-Type")):
		return "its media type is not " + k.Media.name
	case r.ContentLength > int64(k.MaxBytes):
		return k.tooLarge()
	}
	return ""
}

func (k *Kind) tooLarge() string { return "it is larger than " + sized(k.MaxBytes) }

// exchangeFault is the rule behind an error of the transport. What the error itself says
// of this network is for nobody outside.
func (g *Guard) exchangeFault(ctx context.Context, err error) error {
	var (
		ours        *Error
		certificate *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &ours):
		return ours
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return g.timedOut()
	case errors.As(err, &certificate):
		return &Error{Reason: Untrusted, Detail: "its certificate does not verify"}
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return unreachable("its answer ended too early")
	}
	return unreachable("it did not answer in HTTP/1.1 over TLS, with headers of at most " + sized(maxHeaderBytes))
}

func (g *Guard) timedOut() *Error {
	return &Error{Reason: TimedOut, Detail: fmt.Sprintf("it did not answer within %g seconds", g.timeout().Seconds())}
}
