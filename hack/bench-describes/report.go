package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A bench is one run.
type bench struct {
	settings
	chiller *chiller
	Started time.Time
	Figures []figure
	Sweeps  []sweep
}

// A figure compares one way to page through one list. Times are in milliseconds.
type figure struct {
	Database   string  `json:"database"`
	Operation  string  `json:"operation"`
	Filter     string  `json:"filter"`
	Way        string  `json:"by"`
	Rows       int     `json:"rows"`
	SmallTotal int     `json:"smallTotal"`
	LargeTotal int     `json:"largeTotal"`
	Small      spread  `json:"small"`
	Large      spread  `json:"large"`
	Median     float64 `json:"medianRatio"`
	P99        float64 `json:"p99Ratio"`
	First      float64 `json:"firstPageOfTheLargeList"`
	OK         bool    `json:"ok"`
	Plan       string  `json:"plan,omitempty"`
}

// A spread is how long something took, in milliseconds.
type spread struct {
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
}

// spreadOf is that of times that were taken in rounds, one after the other: the middle one's median and the middle
// one's p99.
func spreadOf(list []time.Duration, rounds int) spread {
	var medians, p99s []time.Duration
	for round := range slices.Chunk(list, len(list)/rounds) {
		medians, p99s = append(medians, quantile(round, 0.5)), append(p99s, quantile(round, 0.99))
	}
	return spread{millis(quantile(medians, 0.5)), millis(quantile(p99s, 0.5))}
}

// Targets, as ratios of the large database to the small one.
const (
	medianLimit = 1.20
	p99Limit    = 1.5
)

func (b *bench) add(f figure, small, large []time.Duration) {
	f.Small, f.Large = spreadOf(small, rounds), spreadOf(large, rounds)
	f.Median, f.P99 = f.Large.Median/f.Small.Median, f.Large.P99/f.Small.P99
	f.OK = f.Median <= medianLimit && f.P99 <= p99Limit
	b.Figures = append(b.Figures, f)
	fmt.Fprintf(os.Stderr, "%s %s, %s, by %s: %.2f → %.2f ms (%.2f), p99 %.2f → %.2f (%.2f), first %.1f\n", f.Database, f.Operation, f.Filter, f.Way,
		f.Small.Median, f.Large.Median, f.Median, f.Small.P99, f.Large.P99, f.P99, f.First)
}

// printFigures prints those of one kind of database as a table of Markdown, and the plans.
func (b *bench) printFigures(backend string) {
	var t strings.Builder
	fmt.Fprintf(&t, "\n%s: %d tasks of %d invocations beside %d of %d\n\n", backend, b.Large*b.Tasks, b.Large, b.Small*b.Tasks, b.Small)
	var rows strings.Builder
	rows.WriteString("| operation \t filter \t by \t rows \t median, ms \t ratio \t p99, ms \t ratio \t first, ms \t \t\n")
	for _, f := range b.Figures {
		if f.Database != backend {
			continue
		}
		verdict := ""
		if !f.OK {
			verdict = "missed"
		}
		fmt.Fprintf(&rows, "| %s \t %s \t %s \t %d \t %.2f → %.2f \t %.2f \t %.2f → %.2f \t %.2f \t %.1f \t %s \t\n", strings.TrimPrefix(f.Operation, "Describe"), f.Filter, f.Way, f.Rows,
			f.Small.Median, f.Large.Median, f.Median, f.Small.P99, f.Large.P99, f.P99, f.First, verdict)
	}
	w := tabwriter.NewWriter(&t, 0, 0, 1, ' ', tabwriter.Debug)
	_, _ = w.Write([]byte(rows.String())) // a strings.Builder takes all
	_ = w.Flush()
	for _, f := range b.Figures {
		if f.Database == backend && f.Way == ways[0] && f.Plan != "" {
			fmt.Fprintf(&t, "\n%s, %s\n%s\n", f.Operation, f.Filter, f.Plan)
		}
	}
	fmt.Print(t.String())
}

func (b *bench) save() error {
	text, err := json.MarshalIndent(struct {
		Started  time.Time `json:"started"`
		Settings settings  `json:"settings"`
		Figures  []figure  `json:"figures"`
		Sweeps   []sweep   `json:"sweeps"`
	}{b.Started, b.settings, b.Figures, b.Sweeps}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.out, append(text, '\n'), 0o644)
}
