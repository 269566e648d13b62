package fetch

import "fmt"

// Reason is why there is no answer. The reasons are few and fixed, fit for a metric's label.
type Reason string

const (
	// Forbidden is for a URL, host or address that is never asked: no packet was sent to it.
	Forbidden Reason = "forbidden"
	// Limited is for what would be fetched at another time.
	Limited Reason = "limited"
	// Unreachable is for a host that has no address, takes no connection or ends it early.
	Unreachable Reason = "unreachable"
	// TimedOut is for an answer that did not come whole in time.
	TimedOut Reason = "timed_out"
	// Untrusted is for a host that did not prove its name.
	Untrusted Reason = "untrusted"
	// Unacceptable is for an answer that is not what was asked for.
	Unacceptable Reason = "unacceptable"
)

// Error is why there is no answer.
type Error struct {
	Reason Reason
	// Detail names the rule in words, for whoever runs what was to be fetched: "it answered
	// 404; it must answer 200". It shows nothing of the answer but its status, and nothing of
	// the network here, but may hold the text of a [Kind]'s check.
	Detail string

	cause error
	// leadersOwn marks a refusal of the caller who began a fetch, which those who joined it
	// have no part in.
	leadersOwn bool
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Unwrap returns the error of the limit or the check that refused; errors of the network
// stay here.
func (e *Error) Unwrap() error { return e.cause }

func forbidden(detail string) *Error    { return &Error{Reason: Forbidden, Detail: detail} }
func unreachable(detail string) *Error  { return &Error{Reason: Unreachable, Detail: detail} }
func unacceptable(detail string) *Error { return &Error{Reason: Unacceptable, Detail: detail} }

// sized is 5 KiB for 5120.
func sized(bytes int) string {
	if bytes%1024 == 0 {
		return fmt.Sprintf("%d KiB", bytes/1024)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
