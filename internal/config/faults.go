package config

import (
	"errors"
	"strings"
)

// faults are what is wrong, each a line of its own.
type faults struct {
	lines []string
	wrong map[string]bool
}

// add says what is wrong with a variable, which is named without Prefix.
func (f *faults) add(variable, rule string) {
	f.lines = append(f.lines, Prefix+variable+": "+rule)
	f.mark(variable)
}

// mark keeps [faults.check] from saying more about a variable.
func (f *faults) mark(variable string) {
	if f.wrong == nil {
		f.wrong = map[string]bool{}
	}
	f.wrong[variable] = true
}

// check is one rule about a variable, which is named without Prefix.
type check struct {
	bad      bool
	variable string
	rule     string
}

// check adds the rules that are broken; of each variable the first alone, for the others
// may only follow from it.
func (f *faults) check(checks []check) {
	for _, c := range checks {
		if c.bad && !f.wrong[c.variable] {
			f.add(c.variable, c.rule)
		}
	}
}

func (f *faults) err() error {
	if len(f.lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(f.lines, "\n"))
}
