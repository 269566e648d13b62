package login

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// What a request to the provider may cost.
const (
	// patience is how long an answer may take, to its last byte.
	patience = 5 * time.Second
	// maxAnswerBytes is how long an answer may be.
	maxAnswerBytes = 512 << 10
	// maxFaultBytes is how much of an error goes to the log: it may quote an answer.
	maxFaultBytes = 1000
)

// bounded makes an error of every answer that is too long, that goes elsewhere, since a
// secret must not follow a redirect, or that says that the provider is out of order.
type bounded struct {
	transport http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := b.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxAnswerBytes:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswerBytes)
	case isOutOfOrder(answer.StatusCode):
		return nil, fmt.Errorf("the answer is %q", answer.Status)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

func isOutOfOrder(status int) bool {
	return 300 <= status && status < 400 || status == http.StatusTooManyRequests || status >= 500
}

// client asks the provider over the connections of the client that was given, within bounds.
func (u *Upstream) client() *http.Client {
	transport := u.Client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &http.Client{Transport: bounded{transport}, Timeout: patience}
}

// isUnreachable reports whether the request got no answer that counts: whatever client
// returns is a [url.Error].
func isUnreachable(err error) bool {
	var failed *url.Error
	return errors.As(err, &failed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// unavailable is a provider that cannot be used at present.
func unavailable(cause error) error {
	return &oauth.Error{
		Code: oauth.TemporarilyUnavailable, Description: "the login provider cannot be reached at present, try again shortly",
		Cause: clipped(cause),
	}
}

// distrusted is an answer that is not what the provider should send: a fault of the
// provider or of the configuration, if not an attack.
func distrusted(cause error) error {
	return fmt.Errorf("the login provider: %w", clipped(cause))
}

// judged tells the two apart.
func judged(err error) error {
	if isUnreachable(err) {
		return unavailable(err)
	}
	return distrusted(err)
}

func clipped(err error) error {
	text := err.Error()
	if len(text) <= maxFaultBytes {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxFaultBytes], "") + " ...")
}
