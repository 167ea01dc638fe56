package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// A bench is one run of the benchmark.
type bench struct {
	settings
	dir     string
	Machine machine
	Started time.Time
	Figures []figure
}

// A machine is where a run took place.
type machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	MemoryMB int    `json:"memoryMB"`
	System   string `json:"system"`
	Go       string `json:"go"`
	Commit   string `json:"commit"`
}

// A figure is one measured number. Load is the machine's load average when it was taken: more than
// the programs account for means that others worked there too. Raw is what the bare bus needs for as
// much in the same run, in the same unit; Echo is how many of its connections answer in a second.
type figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Value  float64   `json:"value"`
	Runs   []float64 `json:"runs,omitempty"`
	Target string    `json:"target"`
	OK     *bool     `json:"ok,omitempty"` // nil without a target
	Raw    float64   `json:"raw"`
	Echo   float64   `json:"rawEchoesPerSecond"`
	Load   string    `json:"load"`
}

// add takes up the median of runs. It is to be at most limit, or at least -limit if that is negative;
// 0 is no target.
func (b *bench) add(f figure, limit float64, runs ...float64) {
	f.Value, f.Load = median(runs), load()
	if len(runs) > 1 {
		f.Runs = runs
	}
	switch ok := f.Value <= limit; {
	case limit < 0:
		ok = f.Value >= -limit
		f.Target, f.OK = "≥ "+short(-limit), &ok
	case limit > 0:
		f.Target, f.OK = "≤ "+short(limit), &ok
	}
	b.Figures = append(b.Figures, f)
	fmt.Fprintf(os.Stderr, "%s: %s %s\n", f.Name, short(f.Value), f.Unit)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// short writes a number with three digits or more.
func short(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// table is all figures, for people.
func (b *bench) table() string {
	var head, rows strings.Builder
	m := b.Machine
	fmt.Fprintf(&head, "\n%s, %d cores, %d MB, %s, %s, commit %s\n", m.CPU, m.Cores, m.MemoryMB, m.System, m.Go, m.Commit)
	fmt.Fprintf(&head, "%d simulated agents, %d real ones, median of %d runs, SQLite synchronous=%s\n\n", b.Agents, b.Real, b.Runs, b.Sync)
	rows.WriteString("FIGURE\tMEASURED\tTARGET\t\tRAW NATS\tECHOES/s\tLOWEST\tHIGHEST\tLOAD\n")
	for _, f := range b.Figures {
		verdict, low, high := "", "", ""
		if f.OK != nil {
			verdict = map[bool]string{true: "ok", false: "missed"}[*f.OK]
		}
		if len(f.Runs) > 0 {
			low, high = short(slices.Min(f.Runs)), short(slices.Max(f.Runs))
		}
		fmt.Fprintf(&rows, "%s\t%s %s\t%s\t%s\t%s %s\t%s\t%s\t%s\t%s\n",
			f.Name, short(f.Value), f.Unit, f.Target, verdict, short(f.Raw), f.Unit, short(f.Echo), low, high, f.Load)
	}
	t := tabwriter.NewWriter(&head, 0, 0, 2, ' ', 0)
	_, _ = t.Write([]byte(rows.String())) // a strings.Builder takes all
	_ = t.Flush()
	return head.String()
}

func (b *bench) save() error {
	text, err := json.MarshalIndent(struct {
		Started  time.Time `json:"started"`
		Machine  machine   `json:"machine"`
		Settings settings  `json:"settings"`
		Figures  []figure  `json:"figures"`
	}{b.Started, b.Machine, b.settings, b.Figures}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.out, append(text, '\n'), 0o644)
}

func describeMachine(ctx context.Context) machine {
	m := machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), System: runtime.GOOS, Go: runtime.Version(), Commit: "unknown"}
	if v := fieldOf("/proc/cpuinfo", "model name"); v != "" {
		m.CPU = v
	}
	if v, err := strconv.Atoi(strings.TrimSuffix(fieldOf("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.MemoryMB = v / 1024
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(text))
	}
	if text, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(text))
	}
	return m
}

// fieldOf reads a line "name: value" of a file in /proc; "" when there is none.
func fieldOf(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		if k, v, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// load is the machine's load average of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}

// resident is a process's memory in RAM, in bytes.
func resident(pid int) (float64, error) {
	v := fieldOf(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
	kb, err := strconv.ParseFloat(strings.TrimSuffix(v, " kB"), 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return kb * 1024, nil
}

// cpuTime is how long a process has computed so far; a busy machine changes it little.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	const ticks = 100 // in a second, on every Linux we measure on
	var sum time.Duration
	rest := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	for _, f := range rest[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the time of process %d: %w", pid, err)
		}
		sum += time.Duration(n) * time.Second / ticks
	}
	return sum, nil
}
