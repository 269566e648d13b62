package fetch

import (
	"net/http"
	"testing"
	"time"
)

var asked = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) string { return asked.Add(d).Format(http.TimeFormat) }

func TestLifetime(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		want    time.Duration
	}{
		{"nothing said", nil, 5 * time.Minute},
		{"max-age", []string{"Cache-Control", "max-age=600"}, 10 * time.Minute},
		{"the least", []string{"Cache-Control", "max-age=60"}, time.Minute},
		{"below", []string{"Cache-Control", "max-age=59"}, time.Minute},
		{"zero", []string{"Cache-Control", "max-age=0"}, time.Minute},
		{"the most", []string{"Cache-Control", "max-age=86400"}, 24 * time.Hour},
		{"above", []string{"Cache-Control", "max-age=31536000"}, 24 * time.Hour},
		{"far above", []string{"Cache-Control", "max-age=99999999999999999999999999"}, 24 * time.Hour},
		{"negative", []string{"Cache-Control", "max-age=-600"}, time.Minute},
		{"no number", []string{"Cache-Control", "max-age=soon"}, time.Minute},
		{"no value", []string{"Cache-Control", "max-age"}, time.Minute},
		{"quoted", []string{"Cache-Control", `max-age="600"`}, 10 * time.Minute},
		{"capitals", []string{"Cache-Control", "Public, MAX-AGE=600"}, 10 * time.Minute},
		{"two", []string{"Cache-Control", "max-age=600, max-age=300"}, 5 * time.Minute},
		{"two lines", []string{"Cache-Control", "max-age=300", "Cache-Control", "max-age=600"}, 5 * time.Minute},
		{"no-store", []string{"Cache-Control", "max-age=600, no-store"}, time.Minute},
		{"no-cache", []string{"Cache-Control", "no-cache", "Cache-Control", "max-age=600"}, time.Minute},
		{"no-cache of one field", []string{"Cache-Control", `no-cache="Set-Cookie", max-age=600`}, time.Minute},
		{"others", []string{"Cache-Control", "public, must-revalidate, s-maxage=1, x-max-age=2,,"}, 5 * time.Minute},
		{"age", []string{"Cache-Control", "max-age=600", "Age", "120"}, 8 * time.Minute},
		{"as old as it may be", []string{"Cache-Control", "max-age=600", "Age", "600"}, time.Minute},
		{"far too old", []string{"Cache-Control", "max-age=600", "Age", "99999999999999999999"}, time.Minute},
		{"a bad age", []string{"Cache-Control", "max-age=600", "Age", "-120"}, 10 * time.Minute},
		{"age of what lives long", []string{"Cache-Control", "max-age=31536000", "Age", "172800"}, 24 * time.Hour},
		{"age where nothing is said", []string{"Age", "120"}, 3 * time.Minute},
		{"date", []string{"Cache-Control", "max-age=600", "Date", at(-2 * time.Minute)}, 8 * time.Minute},
		{"date and age", []string{"Cache-Control", "max-age=600", "Date", at(-2 * time.Minute), "Age", "180"}, 7 * time.Minute},
		{"a date to come", []string{"Cache-Control", "max-age=600", "Date", at(time.Hour)}, 10 * time.Minute},
		{"expires", []string{"Expires", at(10 * time.Minute)}, 10 * time.Minute},
		{"expires by the host's clock", []string{"Date", at(time.Hour), "Expires", at(time.Hour + 10*time.Minute)}, 10 * time.Minute},
		{"expired", []string{"Date", at(0), "Expires", at(-time.Hour)}, time.Minute},
		{"expires 0", []string{"Expires", "0"}, time.Minute},
		{"expires never", []string{"Expires", "Fri, 31 Dec 9999 23:59:59 GMT"}, 24 * time.Hour},
		{"from the beginning of time to its end", []string{"Date", "Mon, 01 Jan 0001 00:00:00 GMT", "Expires", "Fri, 31 Dec 9999 23:59:59 GMT"}, time.Minute},
		{"from its end to its beginning", []string{"Date", "Fri, 31 Dec 9999 23:59:59 GMT", "Expires", "Mon, 01 Jan 0001 00:00:00 GMT", "Age", "2147483647"}, time.Minute},
		{"max-age before expires", []string{"Cache-Control", "max-age=600", "Expires", at(time.Hour)}, 10 * time.Minute},
	} {
		h := http.Header{}
		for i := 0; i < len(test.headers); i += 2 {
			h.Add(test.headers[i], test.headers[i+1])
		}
		if got := lifetime(h, asked); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestAnswersAreAskedForAgainWhenTheyAreStale(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		fresh   time.Duration
	}{
		{"nothing said", nil, 5 * time.Minute},
		{"no-store", []string{"Cache-Control", "no-store"}, time.Minute},
		{"max-age", []string{"Cache-Control", "max-age=60"}, time.Minute},
		{"long", []string{"Cache-Control", "max-age=604800"}, 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, good(test.headers...), func(t *testing.T, w *world) {
				now := time.Now()
				w.Now = func() time.Time { return now }
				w.mustGet(t, page)
				now = now.Add(test.fresh - time.Nanosecond)
				w.mustGet(t, page)
				if w.served != 1 {
					t.Errorf("asked again after %v", test.fresh-time.Nanosecond)
				}
				now = now.Add(time.Nanosecond)
				w.mustGet(t, page)
				if w.served != 2 {
					t.Errorf("not asked again after %v", test.fresh)
				}
			})
		})
	}
}

// The time that an answer takes counts as its age.
func TestLifetimeBeginsWithTheQuestion(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(4 * time.Second)
		good("Cache-Control", "max-age=60")(w, r)
	}
	within(t, slow, func(t *testing.T, w *world) {
		w.mustGet(t, page)
		time.Sleep(56 * time.Second)
		w.mustGet(t, page)
		if w.served != 2 {
			t.Errorf("served %d times, want 2", w.served)
		}
	})
}

func FuzzLifetime(f *testing.F) {
	f.Add("max-age=600, no-store", "120", at(0), at(time.Hour))
	f.Add(`max-age="1`, "-1", "0", "Fri, 31 Dec 9999 23:59:59 GMT")
	f.Add("s-maxage=1", "99999999999999999999", "Mon, 01 Jan 0001 00:00:00 GMT", "")
	f.Fuzz(func(t *testing.T, control, age, date, expires string) {
		for _, h := range []http.Header{
			{"Cache-Control": {control}, "Age": {age}, "Date": {date}, "Expires": {expires}},
			{"Age": {age}, "Date": {date}, "Expires": {expires}},
		} {
			if got := lifetime(h, asked); got < minLifetime || got > maxLifetime {
				t.Errorf("%v: %v", h, got)
			}
		}
	})
}
