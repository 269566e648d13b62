// Command bench measures Registrar side by side with a bare handler that does the same
// work (see bare), on one machine and one PostgreSQL, and prints the ratios. It fails
// when a request fails, and not for the figures: other programs change those.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-9c856424/registrar/internal/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{ctx: ctx, connections: []int{16, 64}}
	flag.IntVar(&b.runs, "runs", 3, "measured runs of each kind")
	flag.IntVar(&b.seconds, "seconds", 8, "length of a run")
	flag.Func("connections", "numbers of connections, comma-separated (default 16,64)", b.setConnections)
	flag.Parse()
	b.run()
	b.cleanUp()
}

// bench is one measurement. Like a test, it ends at the first failure.
type bench struct {
	// ctx ends when the user interrupts.
	ctx           context.Context
	runs, seconds int
	connections   []int
	dir           string
	cleanups      []func()
}

var _ testenv.TB = (*bench)(nil)

// Helper does nothing: a program has no lines of a test to point to.
func (b *bench) Helper() {}

// Cleanup adds what must be undone at the end, the last first.
func (b *bench) Cleanup(undo func()) { b.cleanups = append(b.cleanups, undo) }

// Errorf prints the failure.
func (b *bench) Errorf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// Fatalf prints the failure and ends the program.
func (b *bench) Fatalf(format string, args ...any) {
	b.Errorf(format, args...)
	b.cleanUp()
	os.Exit(1)
}

func (b *bench) cleanUp() {
	for _, undo := range slices.Backward(b.cleanups) {
		undo()
	}
}

func (b *bench) must(err error, doing string) {
	if err != nil {
		b.Fatalf("%s: %v", doing, err)
	}
}

func (b *bench) setConnections(list string) error {
	b.connections = nil
	for number := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < wrkThreads {
			return fmt.Errorf("%q is not a number of connections", number)
		}
		b.connections = append(b.connections, n)
	}
	return nil
}

func (b *bench) run() {
	if b.runs < 1 || b.seconds < 1 {
		b.Fatalf("-runs and -seconds must be at least 1")
	}
	_, err := exec.LookPath("wrk")
	b.must(err, "apt-get install wrk")
	b.dir, err = os.MkdirTemp("", "registrar-bench-")
	b.must(err, "make a folder")
	b.Cleanup(func() { _ = os.RemoveAll(b.dir) })
	b.build()
	sides := b.startSides()
	b.requireSameWork(sides)
	var results []result
	for _, l := range b.prepare(sides) {
		for _, connections := range b.connections {
			results = append(results, b.compare(sides, l, connections))
		}
	}
	report(results, b.peakMemory(sides), b.bestStart())
	reportFlows(b.measureFlows(sides[registrar]))
}

// result compares the medians of the runs of one load. The ratio is the median of the
// ratios of runs that followed one another: what else the machine did weighs on both.
type result struct {
	load        string
	connections int
	medians     [2]sample
	ratio       float64
}

// compare runs the load on one side and the other in turn. The first run of each warms up.
func (b *bench) compare(sides [2]*side, l load, connections int) result {
	var samples [2][]sample
	var ratios []float64
	for n := range 1 + b.runs {
		var s [2]sample
		for i := range sides {
			s[i] = b.measure(sides[i], l.script, l.inputs[i], connections)
		}
		if n > 0 {
			samples[bare], samples[registrar] = append(samples[bare], s[bare]), append(samples[registrar], s[registrar])
			ratios = append(ratios, s[registrar].rate/s[bare].rate)
		}
	}
	return result{l.name, connections, [2]sample{medians(samples[bare]), medians(samples[registrar])}, median(ratios)}
}
