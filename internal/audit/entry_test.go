package audit

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func TestIDsAreInTheOrderOfTime(t *testing.T) {
	moments := []time.Time{
		{}, time.Unix(0, 0), at.Add(-time.Hour), at, at.Add(time.Millisecond), at.Add(time.Hour), at.AddDate(100, 0, 0),
	}
	before := ""
	for _, moment := range moments {
		first, id := FirstID(moment), NewID(moment)
		if first < before && moment.Unix() > 0 || id < first {
			t.Errorf("%v: the first is %s, after %s, one is %s", moment, first, before, id)
		}
		parsed, err := ulid.ParseStrict(id)
		if err != nil {
			t.Errorf("%v: %s is no ULID: %v", moment, id, err)
		}
		if got := ulid.Time(parsed.Time()); moment.Unix() > 0 && !got.Equal(moment.Truncate(time.Millisecond)) {
			t.Errorf("%v: %s tells %v", moment, id, got)
		}
		before = id
	}
	if one, other := NewID(at), NewID(at); one == other {
		t.Error("two ids of one time are the same")
	}
}
