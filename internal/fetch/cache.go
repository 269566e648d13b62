package fetch

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	maxCacheBytes   = 8 << 20
	maxCacheEntries = 4096
	// entryBytes is about what an entry takes beside its key and body.
	entryBytes = 512
)

// cache keeps answers, and lets go of those that were longest unused. The zero cache is
// empty.
type cache struct {
	mu      sync.Mutex
	entries *simplelru.LRU[string, entry]
	bytes   int
}

type entry struct {
	response *Response
	until    time.Time
}

func (e entry) size(key string) int { return len(key) + len(e.response.Body) + entryBytes }

// get returns the answer under the key, or nil where it is not fresh or older than wanted.
func (c *cache) get(key string, now, notBefore time.Time) *Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		return nil
	}
	e, found := c.entries.Get(key)
	if !found || !now.Before(e.until) || e.response.FetchedAt.Before(notBefore) {
		return nil
	}
	return e.response
}

func (c *cache) put(key string, r *Response, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		// It fails for a size below 1 alone.
		c.entries, _ = simplelru.NewLRU(maxCacheEntries, func(key string, e entry) { c.bytes -= e.size(key) })
	}
	c.entries.Remove(key)
	e := entry{r, until}
	c.entries.Add(key, e)
	c.bytes += e.size(key)
	for c.bytes > maxCacheBytes {
		c.entries.RemoveOldest()
	}
}
