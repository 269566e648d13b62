package metrics

import (
	"testing"
	"time"
)

func BenchmarkRequest(b *testing.B) {
	m := New("test")
	b.ReportAllocs()
	for b.Loop() {
		m.Request("readClient", 200, "", time.Millisecond)
	}
}
