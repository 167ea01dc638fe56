// Command load fills a database with invocations and their tasks, to measure what large ones cost:
//
//	go run ./hack/load -db orderly.db -invocations 100000 -tasks 100
//	go run ./hack/load -db postgres://… -invocations 20000 -tasks 100 -mix scheduled -due 100
//
// It writes through the store what is one row for each invocation, and the tasks in bulk beside it. Every
// twenty invocations in a row have the same mixture of states, modes, commands, tags and groups, so that a
// page of a small database holds the same as one of a large one. Nothing else may use the database
// meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/orderly-run/orderly/internal/store"
)

// settings are what is to be loaded.
type settings struct {
	db          string
	invocations int
	tasks       int // of each
	fleet       int
	account     string
	region      string
	mix         string
	due         int // invocations, of those scheduled, with tasks that are due
	dueEach     int // how many of theirs are
	past        time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		stop()
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	begin := time.Now()
	db, err := store.Open(ctx, s.db, store.Options{Secret: make([]byte, 32)}) // which seals nothing here
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	l := &load{settings: s, store: db, mixture: mixtures[s.mix]}
	if err := l.run(ctx); err != nil {
		return err
	}
	fmt.Printf("%d invocations of %d tasks each on %d machines in %v\n", s.invocations, s.tasks, s.fleet, time.Since(begin).Round(time.Millisecond))
	return nil
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	f.StringVar(&s.db, "db", "", "`path` of an SQLite file or URL of a PostgreSQL database")
	f.IntVar(&s.invocations, "invocations", 100, "`number` of invocations")
	f.IntVar(&s.tasks, "tasks", 100, "`number` of tasks of each")
	f.IntVar(&s.fleet, "fleet", 1000, "`number` of machines; the first takes part in every invocation")
	f.StringVar(&s.account, "account", "1000000000000001", "`ID` of the account that they belong to")
	f.StringVar(&s.region, "region", "cn-hangzhou", "`ID` of their region")
	f.StringVar(&s.mix, "mix", "plausible", "plausible, or scheduled: schedules that wait for their next time")
	f.IntVar(&s.due, "due", 0, "with -mix scheduled, `number` of invocations that have tasks that are due")
	f.IntVar(&s.dueEach, "due-each", 1, "with -due, `number` of tasks of each that are")
	f.DurationVar(&s.past, "past", 20*24*time.Hour, "`time` over which they were made")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.db == "" {
		return s, errors.New("say which database (-db)")
	}
	if mixtures[s.mix] == nil {
		return s, fmt.Errorf("-mix %s: want plausible or scheduled", s.mix)
	}
	if s.invocations < 1 || s.tasks < 1 || s.fleet <= s.tasks || s.due > s.invocations {
		return s, errors.New("want an invocation, a task, more machines than tasks, and as many invocations as are due")
	}
	return s, nil
}
