package ratelimit

import (
	"errors"
	"testing"
	"time"
)

func TestLimitText(t *testing.T) {
	valid := map[string]Limit{
		"10/1h":         {10, time.Hour},
		"600/1h30m":     {600, 90 * time.Minute},
		"1/1s":          {1, time.Second},
		"1000000/744h":  {1_000_000, 744 * time.Hour},
		"5/90s":         {5, 90 * time.Second},
		"7/1h0m30s":     {7, time.Hour + 30*time.Second},
		"10/3600s":      {10, time.Hour},
		"20/0.5h":       {20, 30 * time.Minute},
		"3/10m":         {3, 10 * time.Minute},
		"+4/20h":        {4, 20 * time.Hour},
		"12/100h100m1s": {12, 100*time.Hour + 100*time.Minute + time.Second},
	}
	for text, want := range valid {
		t.Run(text, func(t *testing.T) {
			var got, again Limit
			if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
				t.Fatalf("got %+v, %v, want %+v", got, err, want)
			}
			if err := again.UnmarshalText([]byte(got.String())); err != nil || again != want {
				t.Errorf("%q does not read back: %+v, %v", got.String(), again, err)
			}
		})
	}
}

func TestLimitTextIsShort(t *testing.T) {
	for want, l := range map[string]Limit{
		"10/1h":     {10, time.Hour},
		"10/20m":    {10, 20 * time.Minute},
		"10/30s":    {10, 30 * time.Second},
		"10/1h30m":  {10, 90 * time.Minute},
		"10/1m30s":  {10, 90 * time.Second},
		"10/744h":   {10, 744 * time.Hour},
		"10/1h0m5s": {10, time.Hour + 5*time.Second},
	} {
		if got := l.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLimitTextRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty":              "",
		"count alone":        "10",
		"no count":           "/1h",
		"no duration":        "10/",
		"no unit":            "10/1",
		"zero count":         "0/1h",
		"zero duration":      "10/0s",
		"negative count":     "-1/1h",
		"negative duration":  "10/-1h",
		"huge count":         "1000001/1h",
		"count overflows":    "99999999999999999999/1h",
		"long duration":      "10/745h",
		"duration overflows": "10/9999999999h",
		"under a second":     "10/999ms",
		"broken seconds":     "10/1500ms",
		"fraction":           "1.5/1h",
		"blanks":             "10 / 1h",
		"two slashes":        "10/1h/1h",
		"off":                "off",
	} {
		t.Run(name, func(t *testing.T) {
			l := Limit{3, time.Minute}
			if err := l.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%q is read as %v", text, l)
			}
			if l != (Limit{3, time.Minute}) {
				t.Errorf("a refused text changed the limit to %v", l)
			}
		})
	}
}

func TestRetrySecondsRoundUp(t *testing.T) {
	for after, want := range map[time.Duration]int{
		0:                     1,
		time.Nanosecond:       1,
		time.Second:           1,
		time.Second + 1:       2,
		359*time.Second + 1e6: 360,
		360 * time.Second:     360,
	} {
		if got := (&Exceeded{Decision: Decision{RetryAfter: after}}).RetrySeconds(); got != want {
			t.Errorf("%v: %d, want %d", after, got, want)
		}
	}
}

func TestExceededIsFoundInAChain(t *testing.T) {
	exceeded := &Exceeded{Policy: "registration", Decision: Decision{Limit: Limit{10, time.Hour}, RetryAfter: 6 * time.Minute}}
	var got *Exceeded
	if err := errors.Join(errors.New("other"), exceeded); !errors.As(err, &got) || got != exceeded {
		t.Errorf("got %v", got)
	}
	want := "the limit of 10 in 1h is reached, try again in 360 seconds"
	if exceeded.Error() != want {
		t.Errorf("got %q, want %q", exceeded, want)
	}
}
