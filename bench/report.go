package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// The targets: the least ratios to the bare handler, MiB, and the time of a start.
const (
	maxResident = 60
	maxStart    = 300 * time.Millisecond
)

var minRatio = map[string]float64{"register": 0.70, "read": 0.65}

var verdicts = map[bool]string{true: "pass", false: "miss"}

func report(results []result, resident [2]float64, start time.Duration) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tconnections\tbare/s\tp50 ms\tp99 ms\tregistrar/s\tp50 ms\tp99 ms\tratio\ttarget\t\t")
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%d\t", r.load, r.connections)
		for _, s := range r.medians {
			fmt.Fprintf(table, "%.0f\t%.1f\t%.1f\t", s.rate, s.p50, s.p99)
		}
		least := minRatio[r.load]
		fmt.Fprintf(table, "%.0f %%\t≥ %.0f %%\t%s\t\n", 100*r.ratio, 100*least, verdicts[r.ratio >= least])
	}
	_ = table.Flush()
	fmt.Printf("\npeak resident: registrar %.1f MiB, bare %.1f MiB; target < %d MiB: %s\n",
		resident[registrar], resident[bare], maxResident, verdicts[resident[registrar] < maxResident])
	fmt.Printf("ready on a new SQLite file, best of %d: %d ms; target ≤ %d ms: %s\n",
		starts, start.Milliseconds(), maxStart.Milliseconds(), verdicts[start <= maxStart])
}

func reportFlows(results []flowResult) {
	fmt.Println("\nregistrar alone, flows a second:")
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tconnections\t/s\tp50 ms\tp99 ms\t")
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%.1f\t%.1f\t\n", r.name, r.connections, r.sample.rate, r.sample.p50, r.sample.p99)
	}
	_ = table.Flush()
}

func medians(of []sample) sample {
	var rate, p50, p99 []float64
	for _, s := range of {
		rate, p50, p99 = append(rate, s.rate), append(p50, s.p50), append(p99, s.p99)
	}
	return sample{median(rate), median(p50), median(p99)}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
