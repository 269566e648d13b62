package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// document is a YAML file that is read strictly: every key must be known, every value
// given, and all that is wrong is collected.
type document struct {
	name  string
	lines []string
}

// entry is a value in a document, with the keys that lead to it.
type entry struct {
	path, key string
	line      int
	node      *yaml.Node
}

// fault says what is wrong with an entry, and where, but not what its value is: that can
// be a secret in the wrong place.
func (d *document) fault(e entry, rule string) {
	where := fmt.Sprintf("%s:%d: ", d.name, e.line)
	if e.path != "" {
		where += e.path + ": "
	}
	d.lines = append(d.lines, where+rule)
}

// parse returns the whole of the document, and whether there is anything in it.
func (d *document) parse(text []byte) (root entry, found bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := decoder.Decode(&first); err != nil {
		d.syntaxFault(err)
		return entry{}, false
	}
	if err := decoder.Decode(&second); err == nil {
		d.fault(entry{line: second.Line}, "there is a second document")
	} else {
		d.syntaxFault(err)
	}
	node := first.Content[0]
	return entry{line: node.Line, node: node}, !isNull(node)
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)

func (d *document) syntaxFault(err error) {
	if errors.Is(err, io.EOF) {
		return
	}
	at, reason := entry{line: 1}, "it is not YAML"
	if parts := syntaxError.FindStringSubmatch(err.Error()); parts != nil {
		if line, err := strconv.Atoi(parts[1]); err == nil {
			at.line = line
		}
		// The name of an anchor can be a secret that begins with an asterisk.
		if !strings.HasPrefix(parts[2], "unknown anchor") {
			reason += ": " + parts[2]
		}
	}
	d.fault(at, reason)
}

// pairs returns the values of a mapping in their order, without those that are none.
func (d *document) pairs(e entry) []entry {
	if e.node.Kind != yaml.MappingNode {
		d.fault(e, "it must be keys with values")
		return nil
	}
	var pairs []entry
	seen := map[string]bool{}
	for pair := range slices.Chunk(e.node.Content, 2) {
		key, value := resolve(pair[0]), resolve(pair[1])
		p := entry{path: join(e.path, key.Value), key: key.Value, line: pair[0].Line, node: value}
		switch {
		case key.Kind != yaml.ScalarNode:
			d.fault(p, "a key must be a word")
		case seen[key.Value]:
			d.fault(p, "it is given twice")
		case isNull(value):
			d.fault(p, "it has no value")
		default:
			pairs = append(pairs, p)
		}
		seen[key.Value] = true
	}
	return pairs
}

// members hands each value of a mapping to the function that reads its key.
func (d *document) members(e entry, known map[string]func(entry)) {
	for _, member := range d.pairs(e) {
		if read, isKnown := known[member.key]; isKnown {
			read(member)
		} else {
			d.fault(member, "this key is not known")
		}
	}
}

// has reports whether a mapping has the key, with whatever value.
func (e entry) has(key string) bool {
	for pair := range slices.Chunk(e.node.Content, 2) {
		if resolve(pair[0]).Value == key {
			return true
		}
	}
	return false
}

// items returns the values of a list.
func (d *document) items(e entry) []entry {
	if e.node.Kind != yaml.SequenceNode {
		d.fault(e, "it must be a list")
		return nil
	}
	items := make([]entry, len(e.node.Content))
	for i, node := range e.node.Content {
		items[i] = entry{path: fmt.Sprintf("%s[%d]", e.path, i), line: node.Line, node: resolve(node)}
	}
	return items
}

// format is what a text must be.
type format struct {
	fits func(string) bool
	rule string
}

// plainTags are those of scalars that are taken as they are written: a group can be 007.
var plainTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}

// text returns a scalar of this format, or "".
func (d *document) text(e entry, want format) string {
	n := e.node
	if n.Kind != yaml.ScalarNode || n.Style&yaml.TaggedStyle != 0 || !slices.Contains(plainTags, n.ShortTag()) || !want.fits(n.Value) {
		d.fault(e, "it must be "+want.rule)
		return ""
	}
	return n.Value
}

// texts returns the items of a list that must not be empty: nobody means that.
func (d *document) texts(e entry, want format) []string {
	var texts []string
	for _, item := range d.items(e) {
		texts = append(texts, d.text(item, want))
	}
	if e.node.Kind == yaml.SequenceNode && len(texts) == 0 {
		d.fault(e, "it is empty")
	}
	return texts
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// join adds a key to a path. One that is no plain word is quoted, so that a fault stays
// one line.
func join(path, key string) string {
	if key == "" || !isPrintable(key) || strings.ContainsRune(key, ' ') {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// isPrintable leaves out the characters that control, hide or turn others.
func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
