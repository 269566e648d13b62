// Package strictjson reads JSON objects that every parser reads alike.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// The bounds of a body. They are far above what a registration needs, and keep what a
// hostile one costs small.
const (
	maxNesting  = 16
	maxElements = 4096
)

// Fault is what keeps a text from being one JSON object in good form.
type Fault struct {
	// Member is the top-level member that the fault is in, empty for the body itself.
	Member string
	// Reason never quotes the text.
	Reason string
	// Text says that the body is not JSON at all: whatever member that is found in, it
	// is a fault of the body.
	Text bool
}

func (f *Fault) Error() string { return f.Reason }

// Decode reads one JSON object in strict form (RFC 8259, RFC 7493): unique member
// names, valid UTF-8, nothing behind it, bounded in depth and length. It returns
// *Fault for everything else, and the reader's own errors as they are.
func Decode(body io.Reader) (map[string]any, error) {
	d := strictDecoder{Decoder: jsontext.NewDecoder(body)}
	if kind := d.PeekKind(); kind != '{' && kind != 0 {
		return nil, &Fault{Reason: "the body must be a JSON object"}
	}
	value, err := d.value()
	if err != nil {
		return nil, d.fault(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, d.trailing(err)
	}
	return value.(map[string]any), nil
}

type strictDecoder struct {
	*jsontext.Decoder
	// member is the top-level member that is being read.
	member string
}

func (d *strictDecoder) value() (any, error) {
	switch d.PeekKind() {
	case '{':
		return d.object()
	case '[':
		return d.array()
	}
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '"':
		return token.String(), nil
	case '0':
		return d.number(token.String())
	case 'n':
		return nil, nil
	}
	return token.Bool(), nil
}

// number keeps the digits, and refuses what a decoder of doubles could not read back
// (RFC 7493 §2.2).
func (d *strictDecoder) number(digits string) (any, error) {
	if _, err := strconv.ParseFloat(digits, 64); err != nil {
		return nil, &Fault{Member: d.member, Reason: "a number is too large"}
	}
	return json.Number(digits), nil
}

func (d *strictDecoder) object() (map[string]any, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	object := map[string]any{}
	for d.PeekKind() != '}' {
		if d.StackDepth() == 1 {
			d.member = ""
		}
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if d.StackDepth() == 1 {
			d.member = key
		}
		if object[key], err = d.value(); err != nil {
			return nil, err
		}
		if len(object) > maxElements {
			return nil, d.beyond("an object holds at most %d members", maxElements)
		}
	}
	_, err := d.ReadToken()
	return object, err
}

func (d *strictDecoder) array() ([]any, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	array := []any{}
	for d.PeekKind() != ']' {
		value, err := d.value()
		if err != nil {
			return nil, err
		}
		if array = append(array, value); len(array) > maxElements {
			return nil, d.beyond("an array holds at most %d elements", maxElements)
		}
	}
	_, err := d.ReadToken()
	return array, err
}

func (d *strictDecoder) enter() error {
	if d.StackDepth() >= maxNesting {
		return d.beyond("values nest at most %d deep", maxNesting)
	}
	_, err := d.ReadToken()
	return err
}

// beyond is a bound that the member being read exceeds.
func (d *strictDecoder) beyond(rule string, bound int) error {
	return &Fault{Member: d.member, Reason: fmt.Sprintf(rule, bound)}
}

// fault says what is wrong without quoting the body, as the decoder's own errors do.
func (d *strictDecoder) fault(err error) error {
	var (
		known     *Fault
		syntactic *jsontext.SyntacticError
	)
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &Fault{d.member, "a member name stands twice in one object", true}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Fault{d.member, "the JSON text ends too early", true}
	case errors.As(err, &syntactic):
		return &Fault{d.member, fmt.Sprintf("the body is not valid JSON in UTF-8, at byte %d", syntactic.ByteOffset), true}
	}
	return err
}

func (d *strictDecoder) trailing(err error) error {
	var syntactic *jsontext.SyntacticError
	if err == nil || errors.As(err, &syntactic) {
		return &Fault{Reason: "something stands behind the JSON object"}
	}
	return err
}
