package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/testenv"
)

// arriving sends a minimal registration as if a proxy had forwarded it; "" is no proxy.
func (s *server) arriving(t *testing.T, forwardedFor string) reply {
	t.Helper()
	r := request{Method: "POST", Path: "/oauth/register", Body: minimal()}
	if forwardedFor != "" {
		r.Header = map[string]string{"X-Forwarded-For": forwardedFor}
	}
	return s.send(t, r)
}

// wantStatuses registers once for each status.
func (s *server) wantStatuses(t *testing.T, forwardedFor string, statuses ...int) (last reply) {
	t.Helper()
	for n, status := range statuses {
		if last = s.arriving(t, forwardedFor); last.Status != status {
			t.Fatalf("registration %d from %q: got %s, want %d", n+1, forwardedFor, last, status)
		}
	}
	return last
}

// created is n times 201.
func created(n int) []int {
	return slices.Repeat([]int{http.StatusCreated}, n)
}

// wantLimited checks everything that a refusal for the sake of a limit says.
func (r reply) wantLimited(t *testing.T, issuer, policy string, count int) {
	t.Helper()
	r.wantError(t, http.StatusTooManyRequests, "rate_limit_exceeded")
	retry, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || retry < 1 || retry > 3600/count {
		t.Errorf("Retry-After is %q, want 1 to %d", r.Header.Get("Retry-After"), 3600/count)
	}
	headers := map[string]string{
		"Content-Type":     "application/problem+json",
		"RateLimit-Policy": fmt.Sprintf(`%q;q=%d;w=3600`, policy, count),
		"RateLimit":        fmt.Sprintf(`%q;r=0;t=%d`, policy, retry),
		"Cache-Control":    "no-store",
		"Pragma":           "no-cache",
	}
	for name, want := range headers {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	metadata, _ := r.Body["metadata"].(object)
	if metadata["retry_after"] != float64(retry) || r.Body["type"] != issuer+"/docs/errors/rate_limit_exceeded" {
		t.Errorf("the problem says %s", r.Text)
	}
}

func TestRegistrationLimit(t *testing.T) {
	eachStoreWith(t, map[string]string{"REGISTRAR_REGISTRATION_RATE": ""}, func(t *testing.T, s *server) {
		first := s.register(t, minimal())
		s.wantStatuses(t, "", created(9)...)
		s.wantStatuses(t, "", http.StatusTooManyRequests).wantLimited(t, s.URL, "registration", 10)

		t.Run("headers of a stranger do not help", func(t *testing.T) {
			for _, header := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"} {
				value := map[string]string{"Forwarded": "for=198.51.100.9"}[header]
				if value == "" {
					value = "198.51.100.9"
				}
				got := s.send(t, request{Method: "POST", Path: "/oauth/register", Body: minimal(), Header: map[string]string{header: value}})
				got.wantError(t, http.StatusTooManyRequests, "rate_limit_exceeded")
			}
		})
		t.Run("an invalid one is refused for what it is", func(t *testing.T) {
			s.send(t, request{Method: "POST", Path: "/oauth/register", Body: "[]"}).wantError(t, http.StatusBadRequest, "invalid_client_metadata")
		})
		t.Run("managing is not limited", func(t *testing.T) { manageAtLength(t, s, first) })
		t.Run("discovery is not limited", func(t *testing.T) {
			for range 12 {
				if got := s.send(t, request{Method: "GET", Path: "/.well-known/oauth-authorization-server"}); got.Status != http.StatusOK {
					t.Fatal(got)
				}
			}
		})
	})
}

// manageAtLength reads, updates and fails more often than one may register.
func manageAtLength(t *testing.T, s *server, registered reply) {
	t.Helper()
	path, token := "/oauth/register/"+registered.str(t, "client_id"), registered.str(t, "registration_access_token")
	update := with(minimal(), object{"client_id": registered.Body["client_id"]})
	for range 12 {
		if got := s.send(t, request{Method: "GET", Path: path, Token: token}); got.Status != http.StatusOK {
			t.Fatal(got)
		}
		if got := s.send(t, request{Method: "PUT", Path: path, Token: token, Body: update}); got.Status != http.StatusOK {
			t.Fatal(got)
		}
		s.send(t, request{Method: "GET", Path: path, Token: "wrong"}).wantError(t, http.StatusUnauthorized, "invalid_token")
	}
	if got := s.send(t, request{Method: "DELETE", Path: path, Token: token}); got.Status != http.StatusNoContent {
		t.Fatal(got)
	}
}

func TestRegistrationLimitHoldsAtOnce(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_REGISTRATION_RATE": "10/1h"})
	statuses := make(chan int, 40)
	var senders sync.WaitGroup
	for range cap(statuses) {
		senders.Go(func() {
			got, err := s.try(request{Method: "POST", Path: "/oauth/register", Body: minimal()})
			if err != nil {
				t.Error(err)
			}
			statuses <- got.Status
		})
	}
	senders.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[http.StatusCreated] != 10 || count[http.StatusTooManyRequests] != 30 {
		t.Errorf("statuses: %v, want 10 of 201 and 30 of 429", count)
	}
}

func TestRefusedRegistrationsHaveALimitOfTheirOwn(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_REGISTRATION_RATE": "10/1h"})
	refused := []struct {
		request
		status int
	}{
		{request{Body: "{"}, http.StatusBadRequest},
		{request{Body: object{}}, http.StatusBadRequest},
		{request{Body: object{"redirect_uris": []any{"javascript:alert(1)"}}}, http.StatusBadRequest},
		{request{Body: strings.Repeat(" ", 65537)}, http.StatusRequestEntityTooLarge},
		{request{Body: "a=b", Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, http.StatusUnsupportedMediaType},
	}
	for n := range 60 {
		attempt := refused[n%len(refused)]
		attempt.Method, attempt.Path = "POST", "/oauth/register"
		if got := s.send(t, attempt.request); got.Status != attempt.status {
			t.Fatalf("attempt %d: got %s, want %d", n+1, got, attempt.status)
		}
	}
	for _, attempt := range refused {
		attempt.Method, attempt.Path = "POST", "/oauth/register"
		s.send(t, attempt.request).wantLimited(t, s.URL, "refusal", 60)
	}
	s.wantStatuses(t, "", append(created(10), http.StatusTooManyRequests)...)
}

func TestLimitsBehindProxies(t *testing.T) {
	s := startServer(t, map[string]string{
		"REGISTRAR_REGISTRATION_RATE": "2/1h",
		"REGISTRAR_TRUSTED_PROXIES":   "127.0.0.1 10.0.0.0/8",
		"REGISTRAR_SHARED_EGRESS":     "203.0.113.0/24=3/1h",
	})
	// Each case has addresses of its own; all of its arrivals but the last are let in.
	tests := map[string][]string{
		"the proxy itself":               {"", "", ""},
		"one client":                     {"198.51.100.1", "198.51.100.1", "198.51.100.1"},
		"what it says of itself is void": {"192.0.2.1, 198.51.100.2", "192.0.2.2, 198.51.100.2", "127.0.0.1, 198.51.100.2"},
		"nonsense is void":               {"unknown, 198.51.100.3", ", 198.51.100.3", "\"><, 198.51.100.3"},
		"a chain of proxies":             {"198.51.100.4, 10.1.1.1", "198.51.100.4", "198.51.100.4, 10.9.9.9, 127.0.0.1"},
		"a network of its own":           {"2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:1:8000::"},
		"IPv4 in IPv6":                   {"198.51.100.5", "::ffff:198.51.100.5", "::ffff:c633:6405"},
		"a known shared address range":   {"203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.250"},
	}
	for name, arrivals := range tests {
		t.Run(name, func(t *testing.T) {
			for _, from := range arrivals[:len(arrivals)-1] {
				s.wantStatuses(t, from, http.StatusCreated)
			}
			last := s.wantStatuses(t, arrivals[len(arrivals)-1], http.StatusTooManyRequests)
			last.wantLimited(t, s.URL, "registration", len(arrivals)-1)
		})
	}
	for name, neighbour := range map[string]string{
		"another client of the proxy": "198.51.100.77",
		"the next IPv6 network":       "2001:db8:1:2::1",
		"beside the shared range":     "203.0.114.1",
	} {
		t.Run(name, func(t *testing.T) { s.wantStatuses(t, neighbour, http.StatusCreated) })
	}
}

func TestRefusalsAreReadableFromOtherOrigins(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_REGISTRATION_RATE": "1/1h"})
	s.register(t, minimal())
	tests := map[int]request{
		http.StatusTooManyRequests:       {Method: "POST", Path: "/oauth/register", Body: minimal()},
		http.StatusRequestEntityTooLarge: {Method: "POST", Path: "/oauth/register", Body: strings.Repeat(" ", 65537)},
		http.StatusBadRequest:            {Method: "POST", Path: "/oauth/register", Body: "{"},
		http.StatusUnsupportedMediaType:  {Method: "POST", Path: "/oauth/register", Body: "{}", Header: map[string]string{"Content-Type": "text/plain"}},
		http.StatusUnauthorized:          {Method: "GET", Path: "/oauth/register/c_x"},
		http.StatusMethodNotAllowed:      {Method: "PATCH", Path: "/oauth/register"},
	}
	for status, r := range tests {
		t.Run(http.StatusText(status), func(t *testing.T) { s.wantReadable(t, r, status) })
	}
	t.Run("preflight", func(t *testing.T) {
		for range 3 {
			got := s.send(t, request{Method: "OPTIONS", Path: "/oauth/register", Header: map[string]string{
				"Origin": "https://app.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type",
			}})
			if got.Status != http.StatusNoContent || got.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("got %s with %v", got, got.Header)
			}
		}
	})
	t.Run("Service Unavailable", func(t *testing.T) {
		if err := os.Remove(strings.TrimPrefix(s.Database, "sqlite://")); err != nil {
			t.Fatal(err)
		}
		s.wantReadable(t, request{Method: "GET", Path: "/oauth/register/c_x", Token: strayToken(t)}, http.StatusServiceUnavailable)
	})
}

// wantReadable expects that a browser application of another origin can read the refusal.
func (s *server) wantReadable(t *testing.T, r request, status int) {
	t.Helper()
	r.Header = headers(r.Header, "Origin", "https://app.example")
	got := s.send(t, r)
	if got.Status != status || got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("got %s with %v", got, got.Header)
	}
	for _, header := range []string{"WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy"} {
		if !strings.Contains(got.Header.Get("Access-Control-Expose-Headers"), header) {
			t.Errorf("%s is not exposed: %q", header, got.Header.Get("Access-Control-Expose-Headers"))
		}
	}
}

func TestLimitsOff(t *testing.T) {
	s := startServer(t, map[string]string{"REGISTRAR_REGISTRATION_RATE": "off"})
	s.wantStatuses(t, "", created(12)...)
	for range 70 {
		s.send(t, request{Method: "POST", Path: "/oauth/register", Body: "{"}).wantError(t, http.StatusBadRequest, "invalid_client_metadata")
	}
	if !strings.Contains(s.Log.String(), `"level":"WARN","msg":"registrations are not limited","variable":"REGISTRAR_REGISTRATION_RATE"`) {
		t.Errorf("no warning at start: %.500s", s.Log.String())
	}
}

func TestLimitsSharedThroughRedis(t *testing.T) {
	redis := testenv.Redis(t)
	settings := map[string]string{
		"REGISTRAR_REGISTRATION_RATE": "4/1h", "REGISTRAR_TRUSTED_PROXIES": "127.0.0.1", "REGISTRAR_REDIS_URL": redis.URL,
	}
	a, b := startServer(t, settings), startServer(t, settings)
	wantShared := func(t *testing.T, address string) {
		t.Helper()
		a.wantStatuses(t, address, created(2)...)
		b.wantStatuses(t, address, append(created(2), http.StatusTooManyRequests)...)
		a.wantStatuses(t, address, http.StatusTooManyRequests).wantLimited(t, a.URL, "registration", 4)
	}
	wantAlone := func(t *testing.T, s *server, address string) {
		t.Helper()
		last := s.wantStatuses(t, address, append(created(4), http.StatusTooManyRequests)...)
		last.wantLimited(t, s.URL, "registration", 4)
	}
	wantShared(t, "198.51.100.1")

	redis.Stop()
	wantAlone(t, a, "198.51.100.2")
	wantAlone(t, b, "198.51.100.2")
	for _, s := range []*server{a, b} {
		if got := s.send(t, request{Method: "GET", Path: "/readyz"}); got.Status != http.StatusOK {
			t.Errorf("without Redis: %s", got)
		}
		if !strings.Contains(s.Log.String(), "Redis does not answer") {
			t.Error("the outage of Redis is not reported")
		}
	}
	wantAlone(t, startServer(t, settings), "198.51.100.2")

	redis.Start()
	for n, s := range []*server{a, b} {
		eventually(t, 10*time.Second, "Redis is used again", func() bool {
			s.arriving(t, fmt.Sprintf("203.0.113.%d", n))
			return strings.Contains(s.Log.String(), "limits are shared")
		})
	}
	wantShared(t, "198.51.100.3")
	for _, s := range []*server{a, b} {
		if strings.Contains(s.Log.String(), redis.URL) || strings.Contains(s.Log.String(), `"level":"ERROR"`) {
			t.Errorf("log: %s", s.Log)
		}
	}
}
