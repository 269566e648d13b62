package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seed-9c856424/registrar/internal/audit"
)

// formats are how entries are shown.
var formats = map[string]func(io.Writer) func(audit.Entry) error{
	"table": showTable,
	"json":  showJSON,
}

// tableWidth is how many columns a line has at most.
const tableWidth = 120

// showTable writes a heading, then one line an entry. What is not known leaves its place to
// what follows: a client's name alone takes a quarter of a line.
func showTable(out io.Writer) func(audit.Entry) error {
	headed := false
	return func(e audit.Entry) error {
		if !headed {
			fmt.Fprintf(out, "%-20s  %-20s  %s\n", "TIME", "ACTION", "CLIENT, BY, FROM, REASON")
			headed = true
		}
		_, err := fmt.Fprintln(out, tableLine(e))
		return err
	}
}

func tableLine(e audit.Entry) string {
	parts := []string{e.ClientID, e.Actor, e.Address, e.Reason}
	if e.Count != 1 {
		parts = append([]string{fmt.Sprintf("%d×", e.Count)}, parts...)
	}
	line := fmt.Sprintf("%-20s  %-20s", e.At.UTC().Format(time.RFC3339), e.Action)
	for _, part := range parts {
		if part != "" {
			line += "  " + part
		}
	}
	return cut(visible(line), tableWidth)
}

// visible puts a mark in the place of all that a terminal would obey rather than show, or show
// elsewhere.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

func cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width-1]) + "…"
}

// showJSON writes one object a line.
func showJSON(out io.Writer) func(audit.Entry) error {
	return func(e audit.Entry) error {
		encoded, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = out.Write(append(escaped(encoded), '\n'))
		return err
	}
}

// escaped spells what is not visible as JSON can (RFC 8259 §7): the encoder leaves it as it is.
// It can stand within strings alone.
func escaped(encoded []byte) []byte {
	if !bytes.ContainsFunc(encoded, isInvisible) {
		return encoded
	}
	var safe []byte
	for _, r := range string(encoded) {
		switch {
		case !isInvisible(r):
			safe = utf8.AppendRune(safe, r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				safe = fmt.Appendf(safe, `\u%04x`, unit)
			}
		}
	}
	return safe
}

func isInvisible(r rune) bool { return !unicode.IsPrint(r) }
