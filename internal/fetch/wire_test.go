package fetch

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// wire is one end of a connection that takes a while to fill, as those of a network do and
// those of net.Pipe do not. It lives in a bubble of time.
type wire struct{ in, out *stream }

func newWire() (near, far net.Conn) {
	a, b := newStream(), newStream()
	return wire{a, b}, wire{b, a}
}

func (w wire) Read(p []byte) (int, error)  { return w.in.read(p) }
func (w wire) Write(p []byte) (int, error) { return w.out.write(p) }

func (w wire) Close() error {
	w.out.change(func() { w.out.ended = true })
	w.in.change(func() { w.in.dropped = true })
	return nil
}

func (w wire) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

func (w wire) SetReadDeadline(t time.Time) error {
	w.in.change(func() { w.in.deadline = t })
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { w.in.change(func() {}) })
	}
	return nil
}

func (wire) SetWriteDeadline(time.Time) error { return nil }
func (wire) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (wire) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

const streamBytes = 16 << 10

// stream is one direction of a wire.
type stream struct {
	mu             sync.Mutex
	changed        *sync.Cond
	bytes          []byte
	ended, dropped bool
	deadline       time.Time
}

func newStream() *stream {
	s := &stream{}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.dropped:
			return 0, net.ErrClosed
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(s.bytes) > 0:
			n := copy(p, s.bytes)
			s.bytes = s.bytes[n:]
			s.changed.Broadcast()
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.bytes) > streamBytes && !s.dropped && !s.ended {
		s.changed.Wait()
	}
	if s.dropped || s.ended {
		return 0, io.ErrClosedPipe
	}
	s.bytes = append(s.bytes, p...)
	s.changed.Broadcast()
	return len(p), nil
}
