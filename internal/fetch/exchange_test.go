package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAnswersThatAreRefused(t *testing.T) {
	const secret = "internal-7f3a"
	answers := func(status int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"secret":"`+secret+`"}`)
		}
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		reason Reason
		text   string
	}{
		{"301", answers(301, "Location", page+"?again"), Unacceptable, "it redirects (301); a redirect is not followed"},
		{"302 to a private address", answers(302, "Location", "https://10.0.0.1/"+secret), Unacceptable, "it redirects (302)"},
		{"304", answers(304), Unacceptable, "it redirects (304)"},
		{"307", answers(307, "Location", "https://other.example/"), Unacceptable, "it redirects (307)"},
		{"201", answers(201), Unacceptable, "it answered 201; it must answer 200"},
		{"204", answers(204), Unacceptable, "it answered 204"},
		{"206", answers(206), Unacceptable, "it answered 206"},
		{"401", answers(401, "WWW-Authenticate", "Basic realm="+secret), Unacceptable, "it answered 401"},
		{"404", answers(404), Unacceptable, "it answered 404"},
		{"500", answers(500), Unacceptable, "it answered 500"},
		{"switching protocols", raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: "+secret+"\r\n\r\n", nil), Unacceptable, "it answered 101"},
		{"HTML", answers(200, "Content-Type", "text/html; charset=utf-8"), Unacceptable, "its media type is not application/json"},
		{"an image", answers(200, "Content-Type", "image/png"), Unacceptable, "its media type is not application/json"},
		{"a type like it", answers(200, "Content-Type", "application/jsonp"), Unacceptable, "its media type"},
		{"a suffix elsewhere", answers(200, "Content-Type", "text/x+json"), Unacceptable, "its media type"},
		{"a broken type", answers(200, "Content-Type", "application/json; "+secret+"; ="), Unacceptable, "its media type"},
		{"no type", raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", nil), Unacceptable, "its media type"},
		{"a compressed bomb", bomb, Unacceptable, "it is compressed"},
		{"an unknown encoding", answers(200, "Content-Encoding", secret), Unacceptable, "it is compressed"},
		{"a little too large, told", answers(200, "Content-Length", "5121"), Unacceptable, "it is larger than 5 KiB"},
		{"a little too large, in chunks", chunked(5<<10 + 1), Unacceptable, "it is larger than 5 KiB"},
		{"endless", chunked(1 << 40), Unacceptable, "it is larger than 5 KiB"},
		{"ends early", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", nil), Unreachable, "its answer ended too early"},
		{"ends within a chunk", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{", nil), Unreachable, "its answer ended too early"},
		{"ends before it begins", raw("", nil), Unreachable, "its answer ended too early"},
		{"not HTTP", raw("SSH-2.0-"+secret+"\r\n", nil), Unreachable, "it did not answer in HTTP/1.1"},
		{"a header without end", raw("HTTP/1.1 200 OK\r\nX: ", flood("x")), Unreachable, "headers of at most 16 KiB"},
		{"headers without end", raw("HTTP/1.1 200 OK\r\n", flood("X: y\r\n")), Unreachable, "headers of at most 16 KiB"},
		{"early hints without end", raw("", flood("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")), Unreachable, "headers of at most 16 KiB"},
		{"chunk extensions without end", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1;", flood("x")), Unreachable, ""},
		{"trailers without end", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", flood("X: y\r\n")), Unreachable, ""},
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, TimedOut, "it did not answer within 5 seconds"},
		{"headers drop by drop", drip("X: y\r\n", false), TimedOut, "within 5 seconds"},
		{"a body drop by drop", drip("1\r\n \r\n", true), TimedOut, "within 5 seconds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, test.answer, func(t *testing.T, w *world) {
				begin := time.Now()
				w.refuses(t, page, test.reason, test.text)
				if took := time.Since(begin); took > DefaultTimeout {
					t.Errorf("took %v", took)
				}
				if event := w.events[0]; event.Bytes > document.MaxBytes+1 || strings.Contains(fmt.Sprint(event), secret) {
					t.Errorf("told of %+v", event)
				}
				if _, err := w.get(t, page); err == nil || strings.Contains(err.Error(), secret) {
					t.Errorf("again: got %v", err)
				}
				if w.served != 2 || len(w.lookups) != 2 || len(w.dials) != 2 {
					t.Errorf("served %d times, looked up %v, dialled %v; want twice, once for each", w.served, w.lookups, w.dials)
				}
			})
		})
	}
}

func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	_, _ = w.Write(packed.Bytes())
}

// chunked answers with n bytes of JSON.
func chunked(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		block := bytes.Repeat([]byte(" "), 512)
		for left := n; left > 0; left -= len(block) {
			if _, err := w.Write(block[:min(left, len(block))]); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// flood sends the text for as long as it is read.
func flood(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

// drip sends the text every second, within the headers or the body.
func drip(text string, inBody bool) http.HandlerFunc {
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
	if inBody {
		head += "\r\n"
	}
	return raw(head, func(conn net.Conn) {
		for {
			time.Sleep(time.Second)
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	})
}

func TestAnswersThatAreTaken(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"a charset", good("Content-Type", "application/json; charset=utf-8")},
		{"identity", good("Content-Encoding", "identity")},
		{"early hints", raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"+body, nil)},
		{"capitals", raw("HTTP/1.1 200 OK\r\ncontent-type: Application/JSON\r\n\r\n"+body, nil)},
		{"a key set", raw("HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json\r\n\r\n"+body, nil)},
		{"HTTP/1.0", raw("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"+body, nil)},
		{"just in time", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(DefaultTimeout - time.Millisecond)
			good()(w, r)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, test.answer, func(t *testing.T, w *world) { w.mustGet(t, page) })
		})
	}
}

func TestAnswerOfFullSize(t *testing.T) {
	within(t, chunked(5<<10), func(t *testing.T, w *world) {
		response, err := w.get(t, page)
		if err != nil || len(response.Body) != 5<<10 {
			t.Errorf("got %v", err)
		}
	})
}

func TestImages(t *testing.T) {
	logo := &Kind{Name: "logo", MaxBytes: 1000, Media: Image}
	for contentType, taken := range map[string]bool{"image/png": true, "image/svg+xml": true, "application/octet-stream": false, "text/html": false} {
		handler := func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept"); got != "image/png, image/webp, image/jpeg" {
				t.Errorf("accepts %q", got)
			}
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, "bytes")
		}
		within(t, handler, func(t *testing.T, w *world) {
			_, err := w.Get(t.Context(), Request{URL: page, Kind: logo})
			if (err == nil) != taken || err != nil && err.Error() != "its media type is not that of an image" {
				t.Errorf("%s: got %v", contentType, err)
			}
		})
	}
}

func TestHostsThatAreNotTrusted(t *testing.T) {
	elsewhere := trusted.issue("other.example")
	foreign := unknown.issue("client.example")
	bare := trusted.issue("client.example")
	leaf, _ := x509.ParseCertificate(bare.Certificate[0])
	for _, test := range []struct {
		name        string
		certificate tls.Certificate
		expire      bool
	}{
		{"another name", elsewhere, false},
		{"another authority", foreign, false},
		{"expired", bare, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, nil, func(t *testing.T, w *world) {
				if test.expire {
					time.Sleep(time.Until(leaf.NotAfter.Add(time.Hour)))
				}
				w.Dial = w.serve(t, test.certificate, good())
				w.refuses(t, page, Untrusted, "its certificate does not verify")
				if w.served != 0 {
					t.Error("was sent a request")
				}
			})
		})
	}
}

func TestConnectionsThatFail(t *testing.T) {
	hold := func(talk func(net.Conn)) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) {
			near, far := newWire()
			go func() {
				defer far.Close()
				talk(far)
			}()
			return near, nil
		}
	}
	for _, test := range []struct {
		name   string
		dial   func(context.Context, string, string) (net.Conn, error)
		reason Reason
		text   string
	}{
		{"refused", func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: fmt.Errorf("10.1.2.3: connection refused")}
		}, Unreachable, "its host takes no connection"},
		{"no answer to it", func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }, TimedOut, "within 5 seconds"},
		{"held before the handshake", hold(readAll), TimedOut, "within 5 seconds"},
		{"never read", hold(func(net.Conn) { time.Sleep(DefaultTimeout + time.Second) }), TimedOut, "within 5 seconds"},
		{"closed before the handshake", hold(func(net.Conn) {}), Unreachable, "it"}, // a read or a write may find it out
		{"no TLS", hold(func(c net.Conn) {
			go readAll(c)
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}), Unreachable, "over TLS"},
		{"old TLS", hold(func(c net.Conn) {
			_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{trusted.issue("client.example")}, MaxVersion: tls.VersionTLS11}).Handshake()
		}), Unreachable, "over TLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, nil, func(t *testing.T, w *world) {
				w.Dial = test.dial
				begin := time.Now()
				w.refuses(t, page, test.reason, test.text)
				if took := time.Since(begin); took > DefaultTimeout {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func readAll(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestTimeoutIsASetting(t *testing.T) {
	within(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(t *testing.T, w *world) {
		w.Timeout = 1500 * time.Millisecond
		w.refuses(t, page, TimedOut, "it did not answer within 1.5 seconds")
	})
}
