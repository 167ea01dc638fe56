// Command bench-describes measures what describe operations cost in a large database, beside the same in
// a small one: each filter, by NextToken at any depth and by PageNumber, on SQLite and on PostgreSQL; and
// what a look for deadlines costs beside millions of schedules that wait. It prints tables and the plans
// of the databases, and writes the figures to a JSON file:
//
//	hack/with-postgres go run ./hack/bench-describes [-large 100000] [-only sqlite,postgres,api,sweep]
//
// It fills databases of its own in a temporary directory, and in the server that ORDERLY_BENCH_POSTGRES
// names, and removes them. A figure beyond its target is printed as that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are what a run measures and how.
type settings struct {
	Small   int      `json:"smallInvocations"`
	Large   int      `json:"largeInvocations"`
	Tasks   int      `json:"tasksOfEach"`
	Waiting int      `json:"scheduledTasks"`
	Runs    int      `json:"runs"`
	Warm    bool     `json:"warm"`
	Only    []string `json:"only"`
	match   string
	filled  []string // small and large database, when they are there already
	out     string
	dir     string
	load    string // program
	server  string // PostgreSQL
}

// parts are what can be measured: on which databases, and what.
var parts = []string{"sqlite", "postgres", "lists", "api", "sweep"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		stop()
		fmt.Fprintln(os.Stderr, "bench-describes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "orderly-describes-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(s.dir) }()
	s.load = filepath.Join(s.dir, "load")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", s.load, "./hack/load").CombinedOutput(); err != nil {
		return fmt.Errorf("build hack/load: %w\n%s", err, out)
	}
	b := &bench{settings: s, Started: time.Now().UTC()}
	err = b.measure(ctx)
	return errors.Join(err, b.save())
}

func parse(args []string) (settings, error) {
	s := settings{server: os.Getenv("ORDERLY_BENCH_POSTGRES")}
	f := flag.NewFlagSet("bench-describes", flag.ContinueOnError)
	f.IntVar(&s.Small, "small", 100, "invocations of the small database")
	f.IntVar(&s.Large, "large", 100_000, "invocations of the large one")
	f.IntVar(&s.Tasks, "tasks", 100, "tasks of each")
	f.IntVar(&s.Waiting, "waiting", 2_000_000, "tasks that wait for their next time while deadlines are looked for")
	f.IntVar(&s.Runs, "runs", 200, "how often each page is read in each of three rounds")
	only := f.String("only", strings.Join(parts, ","), "on what to measure, and what")
	f.BoolVar(&s.Warm, "warm", false, "leave the processors' caches as they are between two pages")
	f.StringVar(&s.match, "match", "", "only filters whose names contain this `text`")
	filled := f.String("filled", "", "`databases` of hack/load to use, the small one, a comma, and the large one; they stay")
	f.StringVar(&s.out, "out", "bench/describes.json", "`file` to write the figures to")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	s.Only = strings.Split(*only, ",")
	if *filled != "" {
		s.filled = strings.Split(*filled, ",")
	}
	return s, s.check()
}

func (s *settings) check() error {
	for _, part := range s.Only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("-only %s: want some of %s", part, strings.Join(parts, ","))
		}
	}
	if len(s.filled) != 0 && (len(s.filled) != 2 || len(s.backends()) != 1) {
		return errors.New("-filled takes two databases, of the one kind that -only names")
	}
	if s.wants("postgres") && s.server == "" && len(s.filled) == 0 {
		return errors.New("no PostgreSQL: run hack/with-postgres, or set ORDERLY_BENCH_POSTGRES")
	}
	if s.Small < 20 || s.Large < s.Small || s.Tasks < 1 || s.Runs < 1 || s.Waiting < 100*s.Tasks {
		return errors.New("want at least 20 invocations, a larger database than the small one, and a run")
	}
	return nil
}

func (s *settings) wants(part string) bool { return slices.Contains(s.Only, part) }

// backends are the databases to measure.
func (s *settings) backends() (list []string) {
	for _, name := range parts[:2] {
		if s.wants(name) {
			list = append(list, name)
		}
	}
	return list
}

// measure takes all figures that are wanted.
func (b *bench) measure(ctx context.Context) error {
	for _, backend := range b.backends() {
		if b.wants("lists") || b.wants("api") {
			if err := b.describes(ctx, backend); err != nil {
				return fmt.Errorf("%s: %w", backend, err)
			}
		}
		if b.wants("sweep") {
			if err := b.sweeps(ctx, backend); err != nil {
				return fmt.Errorf("sweep on %s: %w", backend, err)
			}
		}
	}
	return nil
}
