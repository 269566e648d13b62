package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// minLifetime keeps a host that forbids caching from being asked at every request.
	minLifetime = time.Minute
	// maxLifetime is how late a change is seen.
	maxLifetime = 24 * time.Hour
	// defaultLifetime is for an answer that does not say: documents and keys change seldom,
	// but when one does, whoever changed it is waiting.
	defaultLifetime = 5 * time.Minute
	// maxSeconds is what any larger number counts as (RFC 9111 §1.2.2).
	maxSeconds = 1<<31 - 1
)

// lifetime is how long an answer stays fresh after it was asked for (RFC 9111 §4.2), within
// the bounds above.
func lifetime(h http.Header, asked time.Time) time.Duration {
	// Clamped before the subtraction, which therefore cannot overflow.
	fresh := clamp(stated(h, asked), 0, maxSeconds*time.Second)
	return clamp(fresh-age(h, asked), minLifetime, maxLifetime)
}

func clamp(d, low, high time.Duration) time.Duration { return min(max(d, low), high) }

// stated is the lifetime that the answer asks for (RFC 9111 §4.2.1).
func stated(h http.Header, asked time.Time) time.Duration {
	if d, found := cacheControl(h); found {
		return d
	}
	expires := h.Values("Expires")
	if len(expires) == 0 {
		return defaultLifetime
	}
	until, err := http.ParseTime(expires[0])
	if err != nil {
		return 0 // "0" above all (RFC 9111 §5.3)
	}
	return until.Sub(dated(h, asked))
}

// cacheControl is the shortest of the lifetimes in Cache-Control (RFC 9111 §5.2.2), 0 where
// the answer is not to be stored or used again unasked.
func cacheControl(h http.Header) (shortest time.Duration, found bool) {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		var d time.Duration
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
		case "max-age":
			d = seconds(strings.Trim(value, `"`)) // a bad one is stale (RFC 9111 §4.2.1)
		default:
			continue
		}
		if !found || d < shortest {
			shortest, found = d, true
		}
	}
	return shortest, found
}

// age is how old the answer was when it came (RFC 9111 §4.2.3): what the caches on the way
// say, or what its date says, whichever is more.
func age(h http.Header, asked time.Time) time.Duration {
	return max(seconds(h.Get("Age")), asked.Sub(dated(h, asked)), 0)
}

// dated is when the answer was made (RFC 9110 §6.6.1).
func dated(h http.Header, asked time.Time) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return asked
}

// seconds reads delta-seconds (RFC 9111 §1.2.2), as 0 what is none.
func seconds(text string) time.Duration {
	if strings.Trim(text, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && text != "" {
		n = maxSeconds // it has too many digits
	}
	return time.Duration(min(n, maxSeconds)) * time.Second
}
