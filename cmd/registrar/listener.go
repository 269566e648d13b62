package main

import (
	"net"
	"net/http"
)

// boundedListener accepts no more connections at a time than it has slots. It hands them
// out as they are: net/http closes a TCP connection more gently than one that is wrapped.
type boundedListener struct {
	net.Listener
	slots chan struct{}
}

// Accept waits for a free slot, then for a connection.
func (l boundedListener) Accept() (net.Conn, error) {
	l.slots <- struct{}{}
	connection, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
	}
	return connection, err
}

// release frees the slot of a connection that ended.
func (l boundedListener) release(_ net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		<-l.slots
	}
}
