// Package ratelimit bounds how often a client address may do something, in this
// process alone or together with all that share a Redis. It never opens: where
// Redis fails, every process limits on its own.
package ratelimit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limit is Count events per Per, all of which may come at once: the allowance
// grows back evenly, one event every Per/Count. The zero Limit allows everything.
type Limit struct {
	Count int
	// Per is a whole number of seconds, as RateLimit-Policy tells it.
	Per time.Duration
}

const (
	maxCount = 1_000_000
	maxPer   = 31 * 24 * time.Hour
)

var errLimit = errors.New("want a count and a duration, such as 10/1h")

// UnmarshalText reads "10/1h" or "600/1h30m": a count of 1 to 1,000,000 per 1
// second to 31 days.
func (l *Limit) UnmarshalText(text []byte) error {
	count, per, found := strings.Cut(string(text), "/")
	if !found {
		return errLimit
	}
	n, countErr := strconv.Atoi(count)
	d, perErr := time.ParseDuration(per)
	switch {
	case countErr != nil || perErr != nil:
		return errLimit
	case n < 1 || n > maxCount:
		return fmt.Errorf("the count must be 1 to %d", maxCount)
	case d < time.Second || d > maxPer || d%time.Second != 0:
		return fmt.Errorf("the duration must be whole seconds, 1s to %s", shortDuration(maxPer))
	}
	*l = Limit{Count: n, Per: d}
	return nil
}

// String is the form that [Limit.UnmarshalText] reads.
func (l Limit) String() string {
	return strconv.Itoa(l.Count) + "/" + shortDuration(l.Per)
}

// shortDuration is 1h where time.Duration says 1h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Decision is a limiter's answer for one event.
type Decision struct {
	Allowed bool
	Limit   Limit
	// Remaining is how many events more would be allowed at once.
	Remaining int
	// RetryAfter is when the next event will be allowed; 0 if this one is.
	RetryAfter time.Duration
}

// Exceeded is the error for an event above a limit. Its text may be sent to the client.
type Exceeded struct {
	// Policy is the name of the policy that refused.
	Policy string
	Decision
}

func (e *Exceeded) Error() string {
	return fmt.Sprintf("the limit of %d in %s is reached, try again in %d seconds",
		e.Limit.Count, shortDuration(e.Limit.Per), e.RetrySeconds())
}

// RetrySeconds is RetryAfter for the header of that name (RFC 9110 §10.2.3): rounded
// up, so that a client that waits so long is let in, and at least 1.
func (e *Exceeded) RetrySeconds() int {
	return max(1, int((e.RetryAfter+time.Second-1)/time.Second))
}
