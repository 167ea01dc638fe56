package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Targets.
const (
	firstLimit = 50 * time.Millisecond // to the first byte, median
	sizeLimit  = 150_000               // bytes as they travel, with what every page refers to
	liveLimit  = 2.0                   // percent of a core
)

// A bench is one run.
type bench struct {
	settings
	Started time.Time
	Assets  int // bytes of the files that every page refers to, as they travel
	Figures []figure
	Live    *live
}

// A figure is what one page costs. Times are to the first byte, in milliseconds.
type figure struct {
	Page   string  `json:"page"`
	Cold   float64 `json:"firstOfAll"` // the first time since the server's start
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
	Bytes  int     `json:"bytes"` // as they travel
	OK     bool    `json:"ok"`
}

// A live is what a page that stays open costs, in percent of one core.
type live struct {
	Machines int     `json:"machines"`
	Seconds  float64 `json:"seconds"`
	Watched  float64 `json:"serverWatched"`
	Idle     float64 `json:"serverUnwatched"`
	Page     float64 `json:"page"`
	Events   int     `json:"events"`
	Bytes    int     `json:"bytes"`
	OK       bool    `json:"ok"`
}

func (b *bench) add(name string, cold time.Duration, times []time.Duration, size int) {
	f := figure{Page: name, Cold: millis(cold), Median: millis(quantile(times, 0.5)), P99: millis(quantile(times, 0.99)), Bytes: size}
	f.OK = f.Median <= millis(firstLimit) && size+b.Assets <= sizeLimit
	b.Figures = append(b.Figures, f)
	fmt.Fprintf(os.Stderr, "%s: %.1f ms, p99 %.1f, first %.1f; %d bytes\n", f.Page, f.Median, f.P99, f.Cold, f.Bytes)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// print prints the figures as a table of Markdown.
func (b *bench) print() {
	var t strings.Builder
	fmt.Fprintf(&t, "\n%s, %d machines that write %d bytes each, alike %v, %d invocations; style and scripts are %.1f KB, once\n\n", b.Backend, b.Instances, b.Output, b.Alike, b.Invocations, float64(b.Assets)/1000)
	t.WriteString("| page | first byte, ms | p99 | first of all | KB | |\n|---|---|---|---|---|---|\n")
	for _, f := range b.Figures {
		fmt.Fprintf(&t, "| %s | %.1f | %.1f | %.1f | %.1f | %s |\n", f.Page, f.Median, f.P99, f.Cold, float64(f.Bytes)/1000, verdict(f.OK))
	}
	if l := b.Live; l != nil {
		fmt.Fprintf(&t, "\n%d machines run, for %.0f s: the server computes %.2f %% of a core while one page is watched, %.2f %% while none is: %.2f %% for the page, %s (%d events, %d KB)\n",
			l.Machines, l.Seconds, l.Watched, l.Idle, l.Page, verdict(l.OK), l.Events, l.Bytes/1000)
	}
	fmt.Print(t.String())
}

func verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "missed"
}

func (b *bench) save() error {
	text, err := json.MarshalIndent(struct {
		Started  time.Time `json:"started"`
		Settings settings  `json:"settings"`
		Assets   int       `json:"assetBytes"`
		Figures  []figure  `json:"pages"`
		Live     *live     `json:"live"`
	}{b.Started, b.settings, b.Assets, b.Figures, b.Live}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.out, append(text, '\n'), 0o644)
}
