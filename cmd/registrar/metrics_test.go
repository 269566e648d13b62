package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// scrape reads the metrics of a server that shows them at the address.
func scrape(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", answer.StatusCode, err)
	}
	return string(text)
}

func TestMetrics(t *testing.T) {
	address := freeAddress(t)
	e := newElsewhere(t)
	s := startServerIn(t, e.network(), map[string]string{"REGISTRAR_METRICS_ADDR": address, "REGISTRAR_REGISTRATION_RATE": "1/1h"})
	e.answers(docURL, document(docURL, nil))
	s.register(t, minimal())
	s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: minimal()})
	s.send(t, request{Method: http.MethodPost, Path: "/oauth/register", Body: object{}})
	for _, id := range []string{docURL, "https://gone.example/client"} {
		s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode())
	}
	s.send(t, request{Method: http.MethodGet, Path: "/nowhere"})
	text := scrape(t, address)
	for _, line := range []string{
		`registrar_http_requests_total{error="",operation="registerClient",status="201"} 1`,
		`registrar_http_requests_total{error="invalid_redirect_uri",operation="registerClient",status="400"} 1`,
		`registrar_http_requests_total{error="rate_limit_exceeded",operation="registerClient",status="429"} 1`,
		`registrar_http_requests_total{error="invalid_client",operation="authorize",status="400"} 1`,
		`registrar_http_requests_total{error="invalid_request",operation="",status="404"} 1`,
		`registrar_http_request_duration_seconds_count{operation="registerClient"} 3`,
		`registrar_registrations_total{outcome="registered",tenant="default"} 1`,
		`registrar_registrations_total{outcome="invalid_redirect_uri",tenant="default"} 1`,
		`registrar_limits_hit_total{limit="registration"} 1`,
		`registrar_fetches_total{kind="document",outcome="succeeded"} 1`,
		`registrar_fetches_total{kind="document",outcome="unacceptable"} 1`,
		`registrar_fetch_duration_seconds_count{kind="document"} 2`,
		`registrar_database_in_use_connections{pool="writers"} 0`,
		`registrar_build_info{version="` + version + `"} 1`,
		"registrar_cleanup_last_success_timestamp_seconds 0",
		"go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %s", line)
		}
	}
	t.Run("no label is a client's to choose", func(t *testing.T) {
		before := strings.Count(scrape(t, address), "\n")
		for i := range 20 {
			for _, path := range []string{fmt.Sprintf("/a%d", i), fmt.Sprintf("/oauth/register/c_%d", i), fmt.Sprintf("/docs/errors/x%d", i)} {
				s.send(t, request{Method: http.MethodGet, Path: path})
			}
			s.send(t, request{Method: fmt.Sprintf("X%d", i), Path: "/oauth/token"})
		}
		const more = 60 // three operations that were not asked for before
		if after := strings.Count(scrape(t, address), "\n"); after > before+more {
			t.Errorf("%d lines, before %d", after, before)
		}
	})
	t.Run("profiles", func(t *testing.T) {
		answer, err := http.Get("http://" + address + "/debug/pprof/goroutine?debug=1")
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", answer, err)
		}
		_ = answer.Body.Close()
	})
	t.Run("nothing else", func(t *testing.T) {
		answer, err := http.Get("http://" + address + "/oauth/register")
		if err != nil || answer.StatusCode != http.StatusNotFound {
			t.Fatalf("%v, %v", answer, err)
		}
		_ = answer.Body.Close()
	})
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if answer := s.send(t, request{Method: http.MethodGet, Path: path}); answer.Status != http.StatusNotFound {
			t.Errorf("the API serves %s: %s", path, answer)
		}
	}
}
