package strictjson

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDecodeAccepts(t *testing.T) {
	cases := map[string]struct {
		body string
		want map[string]any
	}{
		"empty object":  {` {} `, map[string]any{}},
		"every kind":    {`{"s":"a","n":1.50,"b":true,"f":false,"z":null,"a":[],"o":{}}`, map[string]any{"s": "a", "n": json.Number("1.50"), "b": true, "f": false, "z": nil, "a": []any{}, "o": map[string]any{}}},
		"escapes":       {`{"a":"\u00e9\n\ud83d\ude00"}`, map[string]any{"a": "é\n😀"}},
		"large number":  {`{"a":1e300}`, map[string]any{"a": json.Number("1e300")}},
		"other case":    {`{"a":1,"A":2}`, map[string]any{"a": json.Number("1"), "A": json.Number("2")}},
		"same name far": {`{"a":{"a":1}}`, map[string]any{"a": map[string]any{"a": json.Number("1")}}},
		"deep enough":   {nested(maxNesting), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.want != nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v", got)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	cases := map[string]struct{ body, member string }{
		"nothing":             {"", ""},
		"white space":         {" \n", ""},
		"null":                {"null", ""},
		"array":               {"[]", ""},
		"string":              {`"x"`, ""},
		"number":              {"1", ""},
		"cut short":           {`{"a":"b`, "a"},
		"no value":            {`{"a"}`, "a"},
		"trailing text":       {`{} x`, ""},
		"second object":       {`{}{}`, ""},
		"trailing comma":      {`{"a":1,}`, ""},
		"comment":             {`{/**/}`, ""},
		"single quotes":       {`{'a':1}`, ""},
		"duplicate":           {`{"a":1,"a":2}`, ""},
		"escaped duplicate":   {`{"a":1,"\u0061":2}`, ""},
		"duplicate below":     {`{"a":{"b":1,"b":2}}`, "a"},
		"byte order mark":     {"\ufeff{}", ""},
		"invalid UTF-8":       {"{\"a\":\"\xff\"}", "a"},
		"invalid UTF-8 name":  {"{\"\xff\":1}", ""},
		"lone surrogate":      {`{"a":"\ud800"}`, "a"},
		"raw control":         {"{\"a\":\"\x01\"}", "a"},
		"NaN":                 {`{"a":NaN}`, "a"},
		"leading zero":        {`{"a":01}`, ""},
		"number too large":    {`{"a":[1e400]}`, "a"},
		"too deep":            {nested(maxNesting + 1), "a"},
		"too many elements":   {`{"a":[` + strings.Repeat("0,", maxElements) + `0]}`, "a"},
		"unterminated nested": {`{"redirect_uris":["x"`, "redirect_uris"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(strings.NewReader(c.body))
			var fault *Fault
			if !errors.As(err, &fault) {
				t.Fatalf("got %v", err)
			}
			if fault.Member != c.member {
				t.Errorf("the fault is in %q, want %q: %s", fault.Member, c.member, fault.Reason)
			}
		})
	}
}

// nested is an object that nests to the depth.
func nested(depth int) string {
	return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"
}

func TestDecodePassesReadErrorsOn(t *testing.T) {
	broken := errors.New("connection reset")
	for _, begun := range []string{"", `{"a":`, `{}`} {
		_, err := Decode(io.MultiReader(strings.NewReader(begun), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("after %q: %v", begun, err)
		}
	}
}

// FuzzBody: what passes is what encoding/json reads, and nothing is quoted in a refusal.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{"{}", `{"a":[1,{"b":null}]}`, `{"a":1,"a":2}`, `{"redirect_uris":["https://c.example/cb"]}`, "{\"\xff\":1}", `[]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := Decode(strings.NewReader(body))
		if err != nil {
			var fault *Fault
			if !errors.As(err, &fault) {
				t.Fatalf("not a fault of the body: %v", err)
			}
			return
		}
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.UseNumber()
		var want map[string]any
		if err := decoder.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, want %#v (%v)", got, want, err)
		}
	})
}
