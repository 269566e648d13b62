package main

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestBoundedListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bounded := boundedListener{inner, make(chan struct{}, 1)}
	server := &http.Server{Handler: http.NotFoundHandler(), ConnState: bounded.release}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(bounded) }()

	first, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		response, err := http.Get("http://" + inner.Addr().String())
		if err == nil {
			err = response.Body.Close()
		}
		answered <- err
	}()
	eventually(t, 10*time.Second, "the first connection has the slot", func() bool { return len(bounded.slots) == 1 })
	select {
	case err := <-answered:
		t.Fatalf("answered beyond the bound: %v", err)
	default:
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("not answered once a slot was free: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("ended with %v", err)
	}
}
