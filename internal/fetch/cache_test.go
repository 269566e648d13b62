package fetch

import (
	"fmt"
	"testing"
	"time"
)

func TestCacheIsBounded(t *testing.T) {
	now := asked
	for _, test := range []struct {
		name          string
		bytes, wanted int
	}{
		{"by bytes", 256 << 10, 31}, // 32 would fill it without what they take beside
		{"by entries", 1, maxCacheEntries},
	} {
		var c cache
		put := func(key string) {
			c.put(key, &Response{Body: make([]byte, test.bytes), FetchedAt: now}, now.Add(time.Hour))
		}
		known := func(key string) bool { return c.get(key, now, time.Time{}) != nil }
		put("in use")
		for i := range 3 * test.wanted {
			put(fmt.Sprint(i))
			if !known("in use") {
				t.Fatalf("%s: after %d others, what is in use is gone", test.name, i)
			}
		}
		if n := c.entries.Len(); n != test.wanted || c.bytes > maxCacheBytes {
			t.Errorf("%s: %d entries of %d bytes, want %d", test.name, n, c.bytes, test.wanted)
		}
		if known("0") || !known(fmt.Sprint(3*test.wanted-1)) {
			t.Errorf("%s: what was longest unused is kept, or the last one is not", test.name)
		}
	}
}

func TestCacheCountsWhatItReplaces(t *testing.T) {
	var c cache
	for range 1000 {
		c.put("key", &Response{Body: make([]byte, 256<<10), FetchedAt: asked}, asked.Add(time.Hour))
	}
	if want := len("key") + 256<<10 + entryBytes; c.bytes != want || c.entries.Len() != 1 {
		t.Errorf("%d entries of %d bytes, want 1 of %d", c.entries.Len(), c.bytes, want)
	}
}
