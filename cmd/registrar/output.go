package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

// outputForm is how a command prints what it found: for people, or as JSON for scripts.
type outputForm string

const (
	outputText outputForm = "text"
	outputJSON outputForm = "json"
)

func (o *outputForm) flag(flags *pflag.FlagSet) {
	*o = outputText
	flags.VarP(o, "output", "o", "text or json")
}

// String is part of [pflag.Value].
func (o *outputForm) String() string { return string(*o) }

// Type is part of [pflag.Value].
func (o *outputForm) Type() string { return "form" }

// Set is part of [pflag.Value].
func (o *outputForm) Set(text string) error {
	form := outputForm(text)
	if form != outputText && form != outputJSON {
		return errors.New("it must be text or json")
	}
	*o = form
	return nil
}

// write prints the value as JSON, or what people are shown of it.
func (o outputForm) write(w io.Writer, value any, text func(io.Writer) error) error {
	if o != outputJSON {
		return text(w)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// each does something with each of the ids, those too that come after one that fails.
func (p *process) each(ids []string, done string, act func(id string) error) error {
	var faults []error
	for _, id := range ids {
		if err := act(id); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", id, err))
			continue
		}
		if _, err := fmt.Fprintf(p.out, "%s is %s\n", id, done); err != nil {
			return err
		}
	}
	return errors.Join(faults...)
}
