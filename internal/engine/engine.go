// Package engine is the one door for everything that has a task state: run, stop, report, expire.
// Two dialects, the console, every kind of agent and the timers come through here, so they cannot
// disagree; and tasks are written here only.
//
// The rules that it keeps, in short:
//
//   - A task is handed from the moment it may have reached an agent. That is in the database before the
//     first message leaves (HND-1), so after any crash it is known who may have started what.
//   - What was handed only its agent can end; the engine ends it by itself when the agent had every
//     chance to speak (AB-1, TO-1, T18, LATE-1) or can no longer know (HND-4).
//   - A report is applied once, in one transaction with the counters, and acknowledged after the commit.
package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Config is how an engine works; the zero value of each field means the default named there.
type Config struct {
	Limits       orderly.Limits        // orderly.DefaultLimits
	Command      orderly.CommandLimits // orderly.ECSLimits
	Regions      []string              // cn-hangzhou; regions that exist
	MaxTargets   int                   // 100; targets of one invocation (TGT-1)
	MaxAll       int                   // 100 000; the same for orderly:all (TGT-7)
	CommandQuota int                   // 500; kept commands per account and region
	DailyQuota   int                   // no limit; invocations per account, region and UTC day
	Delivery     time.Duration         // 60 s; delivery limit unless a request sets it (DLV-1)
	Sweep        time.Duration         // 250 ms; between looks for what fell due
	Building     time.Duration         // 5 min; after which the maker of a large invocation counts as dead
	Retain       time.Duration         // 4 weeks; for which an invocation is kept after it has ended (RET-1)
	Records      int                   // 100 000; invocations of an account in a region beyond which those that ended first go
	MaxFile      int                   // 32 KB; content of a file in Base64 (SF-1)
	FileTargets  int                   // 50; targets of one file
	RetainFiles  time.Duration         // 1 day; Retain for files
	FileRecords  int                   // 1 000; Records for files
	Log          *slog.Logger          // slog.Default()
	Observe      Observer              // what is counted; nil for nothing
}

// An Observer is told what the engine does, for metrics.
type Observer struct {
	Reports func(effect string, n int)
	Ended   func(state orderly.State, n int)
	Created func(tasks int)
}

// Engine moves tasks. Its methods may be called from any goroutine.
type Engine struct {
	db    *store.DB
	link  Link
	cfg   Config
	plans plans
	start time.Time // on the store's clock: what was before counts as an outage (LATE-1)

	keeping retention // for Run
	waiting receipts  // of reports that are not yet committed (CLK-2)
}

// New makes an engine on a database. Messages to agents go through link.
func New(db *store.DB, link Link, cfg Config) *Engine {
	if cfg.Limits.Grace == 0 {
		cfg.Limits = orderly.DefaultLimits
	}
	if cfg.Command.ContentBytes == 0 {
		cfg.Command = orderly.ECSLimits
	}
	cfg.Command.Parameters = orDefault(cfg.Command.Parameters, orderly.ECSLimits.Parameters)
	if len(cfg.Regions) == 0 {
		cfg.Regions = []string{"cn-hangzhou"}
	}
	cfg.MaxTargets = orDefault(cfg.MaxTargets, 100)
	cfg.MaxAll = orDefault(cfg.MaxAll, 100_000)
	cfg.CommandQuota = orDefault(cfg.CommandQuota, 500)
	cfg.Delivery = orDefault(cfg.Delivery, time.Minute)
	cfg.Sweep = orDefault(cfg.Sweep, 250*time.Millisecond)
	cfg.Building = orDefault(cfg.Building, 5*time.Minute)
	cfg.Retain = orDefault(cfg.Retain, 4*7*24*time.Hour)
	cfg.Records = orDefault(cfg.Records, 100_000)
	cfg.MaxFile = orDefault(cfg.MaxFile, orderly.MaxFile)
	cfg.FileTargets = orDefault(cfg.FileTargets, 50)
	cfg.RetainFiles = orDefault(cfg.RetainFiles, 24*time.Hour)
	cfg.FileRecords = orDefault(cfg.FileRecords, 1000)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Engine{db: db, link: link, cfg: cfg, start: db.Now()}
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Regions lists the regions that exist.
func (e *Engine) Regions() []string { return e.cfg.Regions }

// Limits are the limits of commands that the engine checks.
func (e *Engine) Limits() orderly.CommandLimits { return e.cfg.Command }

// healthySince is since when the engine and its database have worked without a break.
func (e *Engine) healthySince() time.Time {
	if b := e.db.BrokenUntil(); b.After(e.start) {
		return b
	}
	return e.start
}

// change gathers what a transaction did to tasks, by invocation.
type change struct {
	deltas  map[int64]*store.Change
	saved   []orderly.Task
	done    map[string]int
	started map[string]time.Time
	ended   map[orderly.State]int
	effects map[string]int // of reports
	send    []Message
}

func newChange() *change {
	return &change{deltas: map[int64]*store.Change{}, done: map[string]int{}, started: map[string]time.Time{},
		ended: map[orderly.State]int{}, effects: map[string]int{}}
}

// note takes up a task that changed from what it was.
func (c *change) note(before, after orderly.Task) {
	c.saved = append(c.saved, after)
	d := c.deltas[after.Invocation]
	if d == nil {
		d = &store.Change{Seq: after.Invocation}
		c.deltas[after.Invocation] = d
	}
	was, is := orderly.Count(before.State, !before.Stopped.IsZero()), orderly.Count(after.State, !after.Stopped.IsZero())
	d.Delta = d.Delta.Add(is.Sub(was))
	d.Due = earlier(d.Due, after.Due)
	if !after.Started.Equal(before.Started) && after.Started.After(c.started[after.Instance]) {
		c.done[after.Instance] += 0
		c.started[after.Instance] = after.Started
	}
	runs := 0
	for _, r := range after.Runs {
		if !r.Finished.IsZero() {
			c.ended[r.State]++
			runs++
		}
	}
	if before.State.Live() && !after.State.Live() {
		c.done[after.Instance]++
		if runs == 0 {
			c.ended[after.State]++ // else it ended with its last run
		}
	}
}

// save stores it in the order in which all transactions lock: tasks, invocations, activity.
func (c *change) save(tx *store.Tx) error {
	if err := tx.SaveTasks(c.saved); err != nil {
		return err
	}
	changes := make([]store.Change, 0, len(c.deltas))
	for _, d := range c.deltas {
		changes = append(changes, *d)
	}
	if err := tx.Changed(changes); err != nil {
		return err
	}
	return tx.AddActivity(c.done, c.started)
}

// tell counts and sends what follows from what was committed.
func (e *Engine) tell(c *change) {
	e.send(c.send)
	for effect, n := range c.effects {
		e.count(effect, n)
	}
	if e.cfg.Observe.Ended == nil {
		return
	}
	for s, n := range c.ended {
		e.cfg.Observe.Ended(s, n)
	}
}

// plansOf finds the plans of tasks' invocations.
func (e *Engine) plansOf(tx *store.Tx, tasks []orderly.Task) (map[int64]orderly.Plan, error) {
	seqs := make([]int64, len(tasks))
	for i := range tasks {
		seqs[i] = tasks[i].Invocation
	}
	return e.plans.of(tx, seqs)
}

// Ready reports why the engine cannot work now.
func (e *Engine) Ready(ctx context.Context) error { return e.db.Ready(ctx) }
