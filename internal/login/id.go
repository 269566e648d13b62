package login

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// newID returns a ULID in lower case: time-ordered, so that new rows stand together in
// the index.
func newID(now time.Time, random io.Reader) (string, error) {
	id, err := ulid.New(ulid.Timestamp(now), random)
	if err != nil {
		return "", fmt.Errorf("draw an id: %w", err)
	}
	return strings.ToLower(id.String()), nil
}

// isID reports whether newID can have returned the text; the store is asked for nothing else.
func isID(text string) bool {
	id, err := ulid.ParseStrict(text)
	return err == nil && strings.ToLower(id.String()) == text
}

// storedTime is the time that a row can hold: both stores keep microseconds.
func storedTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
