// Command bench-console measures what the pages of the console cost beside a large database: the time to
// the first byte of each, its size as it travels, and what the server computes for a live page of a command
// that runs on thousands of machines. It prints a table and writes the figures to a JSON file:
//
//	go run ./hack/bench-console [-instances 10000] [-invocations 100000] [-only pages,live] [-pages '^outputs$']
//	hack/with-postgres go run ./hack/bench-console
//
// The invocations are those of hack/load; the machines of the large command are simulated agents that are
// connected. It works in a temporary directory, or in the one that -dir names, whose database it uses again
// when there is one. When ORDERLY_BENCH_POSTGRES names an empty PostgreSQL database the server uses that. A
// figure beyond its target is printed as that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are what a run measures and how.
type settings struct {
	Instances   int           `json:"instances"` // simulated, beside a hundred of hack/load
	Invocations int           `json:"invocations"`
	Tasks       int           `json:"tasksOfEach"`
	Runs        int           `json:"runs"`
	Watch       time.Duration `json:"watch"`
	Output      int           `json:"output"` // bytes that each machine writes
	Alike       bool          `json:"alike"`
	Backend     string        `json:"backend"`
	Only        []string      `json:"only"`
	pages       *regexp.Regexp
	dir         string
	db          string // URL of PostgreSQL, or the path of a file
	out         string
}

// parts are what can be done; filling is done anyway when there is no database.
var parts = []string{"fill", "pages", "live"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		stop()
		fmt.Fprintln(os.Stderr, "bench-console:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "orderly-console-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(s.dir) }()
	}
	b := &bench{settings: s, Started: time.Now().UTC()}
	if err := b.measure(ctx); err != nil {
		return err
	}
	b.print()
	return b.save()
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench-console", flag.ContinueOnError)
	f.IntVar(&s.Instances, "instances", 10_000, "simulated machines, on all of which the large command runs")
	f.IntVar(&s.Invocations, "invocations", 100_000, "invocations beside it")
	f.IntVar(&s.Tasks, "tasks", 10, "tasks of each of those")
	f.IntVar(&s.Runs, "runs", 30, "how often each page is asked for")
	f.DurationVar(&s.Watch, "watch", time.Minute, "how long the live page is watched, and twice half of that not")
	f.IntVar(&s.Output, "output", 200, "`bytes` that the large command writes on each machine")
	f.BoolVar(&s.Alike, "alike", false, "it writes the same on all of them")
	which := f.String("pages", "", "measure those pages only whose names a `pattern` matches")
	only := f.String("only", strings.Join(parts, ","), "what to do")
	f.StringVar(&s.dir, "dir", "", "`directory` of the server, which stays (default: a temporary one)")
	f.StringVar(&s.out, "out", "bench/console.json", "`file` to write the figures to")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	var err error
	if s.pages, err = regexp.Compile(*which); err != nil {
		return s, err
	}
	s.Backend, s.db = "SQLite", os.Getenv("ORDERLY_BENCH_POSTGRES")
	if s.db != "" {
		s.Backend = "PostgreSQL"
	}
	s.Only = strings.Split(*only, ",")
	for _, part := range s.Only {
		if !slices.Contains(parts, part) {
			return s, fmt.Errorf("-only %s: want some of %s", part, strings.Join(parts, ","))
		}
	}
	if s.Instances < 100 || s.Invocations < 20 || s.Tasks < 1 || s.Runs < 1 || s.Watch < time.Second {
		return s, errors.New("want at least 100 machines, 20 invocations, a task, a run and a second to watch")
	}
	return s, nil
}

func (s *settings) wants(part string) bool { return slices.Contains(s.Only, part) }
