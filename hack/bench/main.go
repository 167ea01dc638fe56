// Command bench measures what we promise: a fleet on one server, the server's memory, real agents
// and their size. It builds the programs, starts them as processes of their own, and prints a table;
// the same goes to a JSON file. Beside each figure stands what a bare message bus and bare clients need
// for as much in the same run, without any of our code, so that a slow or busy machine shows.
//
//	go run ./hack/bench [-n 10000] [-only tasks,memory,real,idle,agent] [-tls both] [-out bench/bench.json]
//
// A figure beyond its target is printed as that; the benchmark fails only when it cannot measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are what a run measures and how.
type settings struct {
	Agents     int           `json:"agents"`
	Real       int           `json:"realAgents"`
	Runs       int           `json:"runs"`
	Settle     time.Duration `json:"settleNanoseconds"`
	Idle       time.Duration `json:"idleNanoseconds"`
	Only       []string      `json:"only"`
	TLS        string        `json:"tls"`
	Sync       string        `json:"sqliteSynchronous"`
	bin        string
	bareClient string
	out        string
	profile    string
}

// parts are what can be measured, in this order.
var parts = []string{"tasks", "memory", "real", "idle", "agent"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if role, ok := roles[args[0]]; ok {
			return role(ctx, args[1:])
		}
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "orderly-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin := filepath.Join(dir, "bin")
	if s.bin == "" {
		s.bin = bin
		if err := build(ctx, bin, "./cmd/orderly", "./cmd/orderly-agent"); err != nil {
			return err
		}
	}
	if err := build(ctx, bin, "./hack/bench/client"); err != nil {
		return err
	}
	s.bareClient = filepath.Join(bin, "client")
	b := &bench{settings: s, dir: dir, Machine: describeMachine(ctx), Started: time.Now().UTC()}
	err = b.measure(ctx)
	_, printed := os.Stdout.WriteString(b.table())
	return errors.Join(err, printed, b.save())
}

func parse(args []string) (settings, error) {
	s := settings{Sync: "FULL"}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&s.Agents, "n", 10_000, "simulated agents")
	f.IntVar(&s.Real, "real", 100, "real agents")
	f.IntVar(&s.Runs, "runs", 5, "runs of each figure, of which the median counts")
	f.DurationVar(&s.Settle, "settle", time.Minute, "how long agents idle before memory is read")
	f.DurationVar(&s.Idle, "idle", 10*time.Minute, "how long an agent idles while its processor time is counted")
	only := f.String("only", strings.Join(parts, ","), "what to measure")
	f.StringVar(&s.TLS, "tls", "both", "both, on or off: for tasks and memory")
	f.StringVar(&s.bin, "bin", "", "`directory` of orderly and orderly-agent; they are built when it is empty")
	f.StringVar(&s.out, "out", "bench/bench.json", "`file` to write the figures to")
	f.StringVar(&s.profile, "profile", "", "`directory` to write CPU profiles of server and simulator to")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	s.Only = strings.Split(*only, ",")
	for _, part := range s.Only {
		if !slices.Contains(parts, part) {
			return s, fmt.Errorf("-only %s: want some of %s", part, strings.Join(parts, ","))
		}
	}
	if !slices.Contains([]string{"both", "on", "off"}, s.TLS) {
		return s, fmt.Errorf("-tls %s: want both, on or off", s.TLS)
	}
	if s.Agents < 1 || s.Real < 1 || s.Runs < 1 {
		return s, errors.New("numbers must be at least 1")
	}
	return s, nil
}

func (s *settings) wants(part string) bool { return slices.Contains(s.Only, part) }

// measure takes all figures that are wanted.
func (b *bench) measure(ctx context.Context) error {
	if b.wants("tasks") || b.wants("memory") {
		for _, mode := range []string{"off", "on"} {
			if b.TLS != "both" && b.TLS != mode {
				continue
			}
			if err := b.simulated(ctx, mode); err != nil {
				return fmt.Errorf("simulated agents, TLS %s: %w", mode, err)
			}
		}
	}
	if b.wants("real") {
		if err := b.realAgents(ctx); err != nil {
			return fmt.Errorf("real agents: %w", err)
		}
	}
	if b.wants("idle") || b.wants("agent") {
		if err := b.oneAgent(ctx); err != nil {
			return fmt.Errorf("one agent: %w", err)
		}
	}
	return nil
}
