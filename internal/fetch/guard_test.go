package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGetTellsOfTheFetchAndCaches(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		from := netip.MustParseAddr("198.51.100.7")
		begin := time.Now()
		for range 3 {
			response, err := w.Get(t.Context(), Request{URL: page, Kind: document, From: from})
			if err != nil || string(response.Body) != body || !response.FetchedAt.Equal(begin) {
				t.Fatalf("got %+v, %v", response, err)
			}
		}
		want := Event{Kind: "document", From: from, Host: "client.example", Outcome: Succeeded, Status: 200, Bytes: len(body)}
		if len(w.events) != 1 || w.events[0] != want {
			t.Errorf("told of %+v, want once %+v", w.events, want)
		}
		if len(w.lookups) != 1 || len(w.dials) != 1 || w.dials[0] != "tcp "+address+":443" {
			t.Errorf("looked up %v, dialled %v", w.lookups, w.dials)
		}
	})
}

func TestGetSendsNothingButTheRequest(t *testing.T) {
	// None of these may be asked: the world's dial would tell.
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"} {
		t.Setenv(name, "http://proxy.example:3128")
	}
	var got *http.Request
	handler := func(w http.ResponseWriter, r *http.Request) {
		got = r
		good("Set-Cookie", "a=b; Path=/")(w, r)
	}
	within(t, handler, func(t *testing.T, w *world) {
		want := http.Header{"User-Agent": {"Registrar"}, "Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "Connection": {"close"}}
		for _, url := range []string{page, page + "?a=b%20c&token_endpoint_auth_method=none"} {
			w.mustGet(t, url)
			if fmt.Sprint(got.Header) != fmt.Sprint(want) {
				t.Errorf("headers: got %v, want %v", got.Header, want)
			}
			if got.Method != "GET" || got.Host != "client.example" || "https://"+got.Host+got.RequestURI != url || got.ContentLength != 0 {
				t.Errorf("got %s %s of %s", got.Method, got.RequestURI, got.Host)
			}
		}
		if len(w.dials) != 2 || w.dials[0] != "tcp "+address+":443" || w.dials[1] != w.dials[0] {
			t.Errorf("dialled %v", w.dials)
		}
	})
}

func TestGetKeepsKindsApart(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		w.mustGet(t, page)
		if _, err := w.Get(t.Context(), Request{URL: page, Kind: &Kind{Name: "keys", MaxBytes: 3, Media: JSON}}); err == nil {
			t.Error("what is too large for one kind came from the cache of another")
		}
	})
}

func TestGetNotBefore(t *testing.T) {
	within(t, good("Cache-Control", "max-age=3600"), func(t *testing.T, w *world) {
		first := w.mustGet(t, page)
		time.Sleep(time.Minute)
		for _, test := range []struct {
			name      string
			notBefore time.Time
			served    int
		}{
			{"any", time.Time{}, 1},
			{"as old as it is", first.FetchedAt, 1},
			{"newer", first.FetchedAt.Add(time.Second), 2},
			{"newer, which it now is", first.FetchedAt.Add(time.Second), 2},
		} {
			if _, err := w.Get(t.Context(), Request{URL: page, Kind: document, NotBefore: test.notBefore}); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			if w.served != test.served {
				t.Errorf("%s: served %d times, want %d", test.name, w.served, test.served)
			}
		}
	})
}

func TestGetSharesOneFetch(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		good()(w, r)
	}
	within(t, handler, func(t *testing.T, w *world) {
		asked := 0
		w.LimitHost = func(context.Context, string) error { asked++; return nil }
		first, leave := context.WithCancel(t.Context())
		results := make(chan error, 100)
		for i := range 100 {
			ctx := t.Context()
			if i == 0 {
				ctx = first
			}
			go func() {
				response, err := w.Get(ctx, Request{URL: page, Kind: document})
				if err == nil && string(response.Body) != body {
					err = errors.New("another body")
				}
				results <- err
			}()
			if i == 0 {
				synctest.Wait() // so that it leads the fetch
			}
		}
		synctest.Wait()
		leave()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: got %v", err)
		}
		for range 99 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if w.served != 1 || asked != 1 || len(w.events) != 1 || len(w.lookups) != 1 {
			t.Errorf("served %d times, limit asked %d times, told %d times, looked up %d times", w.served, asked, len(w.events), len(w.lookups))
		}
	})
}

var errLimit = errors.New("the limit of 10 in 1m is reached")

func TestLimits(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		var asked []string
		from := netip.MustParseAddr("198.51.100.7")
		w.LimitCaller = func(_ context.Context, from netip.Addr) error { asked = append(asked, from.String()); return nil }
		w.LimitHost = func(_ context.Context, host string) error { asked = append(asked, host); return nil }
		for _, test := range []struct {
			name, url, asked string
		}{
			{"first", page, "[198.51.100.7 client.example]"},
			{"from the cache", page, "[]"},
			{"another page", "https://CLIENT.example/other", "[198.51.100.7 client.example]"},
			{"a failure", "https://nowhere.example/", "[198.51.100.7 nowhere.example]"},
			{"a failure again", "https://nowhere.example/", "[198.51.100.7 nowhere.example]"},
			{"what is never asked", "https://127.0.0.1/", "[]"},
		} {
			asked = nil
			_, _ = w.Get(t.Context(), Request{URL: test.url, Kind: document, From: from})
			if got := fmt.Sprint(asked); got != test.asked {
				t.Errorf("%s: limits asked for %s, want %s", test.name, got, test.asked)
			}
		}
	})
}

func TestLimitsRefuse(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		for _, test := range []struct {
			text         string
			caller, host error
		}{
			{"your address caused too many fetches", errLimit, nil},
			{"its host was asked too often", nil, errLimit},
		} {
			w.LimitCaller = func(context.Context, netip.Addr) error { return test.caller }
			w.LimitHost = func(context.Context, string) error { return test.host }
			w.refuses(t, page, Limited, test.text)
			if _, err := w.get(t, page); !errors.Is(err, errLimit) {
				t.Errorf("%v: does not hold the limit's error", err)
			}
		}
		if w.lookups != nil || w.dials != nil {
			t.Errorf("looked up %v, dialled %v", w.lookups, w.dials)
		}
	})
}

// A caller at its limit must not refuse others, who ask for the same at that moment.
func TestLimitOfTheLeaderIsItsOwn(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		greedy, modest := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("198.51.100.8")
		w.LimitCaller = func(_ context.Context, from netip.Addr) error {
			time.Sleep(time.Second)
			if from == greedy {
				return errLimit
			}
			return nil
		}
		led := make(chan error)
		go func() {
			_, err := w.Get(t.Context(), Request{URL: page, Kind: document, From: greedy})
			led <- err
		}()
		synctest.Wait()
		_, err := w.Get(t.Context(), Request{URL: page, Kind: document, From: modest})
		if err != nil {
			t.Errorf("who joined: %v", err)
		}
		if err := <-led; !errors.Is(err, errLimit) {
			t.Errorf("who led: got %v", err)
		}
	})
}

func TestFetchesAtOnceAreBounded(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		w.Lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		before, results := runtime.NumGoroutine(), make(chan error, 1000)
		for i := range 1000 {
			go func() {
				_, err := w.get(t, fmt.Sprintf("https://host%d.example/", i))
				results <- err
			}()
		}
		reasons := map[Reason]int{}
		for range 1000 {
			var refused *Error
			if !errors.As(<-results, &refused) {
				t.Fatal("fetched")
			}
			reasons[refused.Reason]++
			if refused.Reason == Limited && time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) != 0 {
				t.Fatal("a refusal waited")
			}
		}
		if reasons[TimedOut] != maxConcurrent || reasons[Limited] != 1000-maxConcurrent {
			t.Errorf("got %v", reasons)
		}
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before+10 {
			t.Errorf("%d goroutines before, %d after", before, after)
		}
		w.Lookup = w.lookup
		w.mustGet(t, page)
	})
}

func TestCheckIsAskedBeforeTheCache(t *testing.T) {
	errBad := errors.New("client_id: is not the URL")
	within(t, good(), func(t *testing.T, w *world) {
		verdict := errBad
		checked := *document
		checked.Check = func(url string, got []byte) error {
			if url != page || string(got) != body {
				t.Errorf("asked for %s, %s", url, got)
			}
			return verdict
		}
		for range 2 {
			_, err := w.Get(t.Context(), Request{URL: page, Kind: &checked})
			var refused *Error
			if !errors.As(err, &refused) || refused.Reason != Unacceptable || err.Error() != errBad.Error() || !errors.Is(err, errBad) {
				t.Errorf("got %v", err)
			}
		}
		verdict = nil
		for range 2 {
			if _, err := w.Get(t.Context(), Request{URL: page, Kind: &checked}); err != nil {
				t.Error(err)
			}
		}
		if w.served != 3 {
			t.Errorf("served %d times, want 3", w.served)
		}
	})
}

func TestFaultOfACheckEndsNothing(t *testing.T) {
	within(t, good(), func(t *testing.T, w *world) {
		faulty := *document
		faulty.Check = func(string, []byte) error { panic("index out of range") }
		response, err := w.Get(t.Context(), Request{URL: page, Kind: &faulty})
		var refused *Error
		if response != nil || err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), "index out of range") {
			t.Errorf("got %v, %v", response, err)
		}
		if len(w.events) != 1 || w.events[0].Outcome != "failed" {
			t.Errorf("told of %+v", w.events)
		}
		if n := w.running.Load(); n != 0 {
			t.Errorf("%d still count as running", n)
		}
	})
}

func TestFailuresAreNotCached(t *testing.T) {
	fails := true
	handler := func(w http.ResponseWriter, r *http.Request) {
		if fails {
			w.Header().Set("Cache-Control", "max-age=3600")
			w.WriteHeader(http.StatusNotFound)
			return
		}
		good()(w, r)
	}
	within(t, handler, func(t *testing.T, w *world) {
		w.refuses(t, page, Unacceptable, "it answered 404; it must answer 200")
		fails = false
		w.mustGet(t, page)
	})
}
