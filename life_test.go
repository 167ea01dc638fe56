package orderly_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/orderly-run/orderly"
)

// A life is a task in a mode, with the rows that its runs have left in the store.
type life struct {
	*orderly.Task
	plan orderly.Plan
	rows map[int]orderly.Run
}

// happen draws what can happen to a task at a time, in any order and however wrong.
func (x *life) happen(t *rapid.T, now time.Time) {
	c := contact(t, now)
	switch rapid.SampledFrom([]string{"report", "report", "report", "stop", "fire", "fire", "release", "meet", "refuse", "hand", "modify", "doubt"}).Draw(t, "event") {
	case "report":
		x.report(t, now)
	case "stop":
		x.Stop(now, x.plan, limit)
	case "fire":
		x.Fire(now, c, x.plan, limit)
	case "release":
		if rapid.IntRange(0, 4).Draw(t, "rarely") == 0 {
			x.Release(orderly.InstanceReleased, now, x.plan)
		}
	case "meet":
		x.Meet(c.Boot, rapid.Bool().Draw(t, "holds"), now, x.plan, limit)
	case "refuse":
		if x.Handed.Zero() && !x.Confirmed && x.Report == 0 {
			x.Refuse(orderly.CommandNotApplicable, now)
		}
	case "hand":
		if (x.State == orderly.Pending || x.State == orderly.Scheduled) && x.Handed.Zero() {
			x.Hand(home, now, x.plan, limit)
		}
	case "doubt":
		if rapid.IntRange(0, 2).Draw(t, "seldom") == 0 {
			x.Doubt(now)
		}
	case "modify":
		if x.plan.Repeat.Repeats() {
			x.Modify(x.Version+1, now, x.plan, limit)
		}
	}
}

// report applies a report twice: it has an effect once (REP-1).
func (x *life) report(t *rapid.T, now time.Time) {
	r := anyReport().Draw(t, "report")
	if x.plan.Repeat.Recurs() {
		r.Run = rapid.SampledFrom([]int{0, max(1, x.Repeats), x.Repeats + 1, x.Repeats + 1, 3, orderly.OverRun}).Draw(t, "run")
		r.Last = rapid.IntRange(0, 4).Draw(t, "last") == 0
		r.Number = number(r.Run, max(r.Number, 1))
	}
	if x.plan.Repeat.Repeats() {
		r.Version = rapid.IntRange(0, 2).Draw(t, "version")
	}
	x.Apply(r, x.plan, limit, now)
	again := *x.Task
	if effect := x.Apply(r, x.plan, limit, now); effect == orderly.ReportApplied || effect == orderly.ReportLate && again.Report != r.Number {
		t.Fatalf("the same report again: effect %d", effect)
	}
	if !reflect.DeepEqual(again, *x.Task) {
		t.Fatalf("the same report again changed (-before +after):\n%s", cmp.Diff(again, *x.Task))
	}
}

// contact draws an agent as it may be at a time.
func contact(t *rapid.T, now time.Time) orderly.Contact {
	return orderly.Contact{
		Up:    rapid.Bool().Draw(t, "up"),
		Boot:  rapid.SampledFrom([]orderly.Boot{home, home, {}, boot2, inc2}).Draw(t, "boot"),
		Since: now.Add(-time.Duration(rapid.IntRange(0, 2000).Draw(t, "since")) * time.Second),
		Seen:  now.Add(-time.Duration(rapid.IntRange(0, 2000).Draw(t, "seen")) * time.Second),
		Fresh: rapid.Bool().Draw(t, "fresh"),
	}
}

// anyReport draws reports that an honest agent sends and others: with times before the task's
// creation, times to come, no times, foreign states.
func anyReport() *rapid.Generator[orderly.Report] {
	times := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.IntRange(0, 3).Draw(t, "none") == 0 {
			return time.Time{}
		}
		return at(float64(rapid.IntRange(-1000, 5000).Draw(t, "second")))
	})
	return rapid.Custom(func(t *rapid.T) orderly.Report {
		states := append([]orderly.State{orderly.Running, orderly.Running, orderly.Pending, "Foreign"}, orderly.States...)
		r := orderly.Report{
			Number:    int64(rapid.IntRange(-1, 12).Draw(t, "number")),
			State:     rapid.SampledFrom(states).Draw(t, "state"),
			ErrorCode: rapid.SampledFrom([]orderly.ErrorCode{"", orderly.ClientRestarted, orderly.CronExpressionExpired, orderly.TerminationException}).Draw(t, "code"),
			Started:   times.Draw(t, "started"),
			Finished:  times.Draw(t, "finished"),
			Output:    make([]byte, rapid.SampledFrom([]int{0, 1, 100, orderly.MaxOutput, orderly.MaxOutput + 1}).Draw(t, "size")),
			Offset:    rapid.Int64Range(-10, 50000).Draw(t, "offset"),
			Total:     rapid.Int64Range(-10, 100000).Draw(t, "total"),
		}
		if rapid.Bool().Draw(t, "exited") {
			r.ExitCode = exit(rapid.IntRange(0, 255).Draw(t, "exit"))
		}
		return r
	})
}

// check finds what must never be, whatever happened.
func (x *life) check(t *rapid.T) {
	mode := x.plan.Repeat
	if waits := mode.Repeats() && (x.State == orderly.Scheduled || x.State == orderly.Stopping); x.State.Live() && x.Due.IsZero() && !waits {
		t.Fatalf("a %s task is never looked at again", x.State)
	}
	if !x.State.Live() && (x.Finished.IsZero() || !x.Due.IsZero()) {
		t.Fatalf("a %s task finished at %s and is due at %s", x.State, x.Finished, x.Due)
	}
	if !mode.Recurs() && x.Repeats > 1 || (x.Repeats > 0) != !x.Started.IsZero() {
		t.Fatalf("%d starts, started at %s", x.Repeats, x.Started) // RP-1
	}
	if !x.Started.IsZero() && x.Started.Before(x.Created) {
		t.Fatalf("started at %s, before it was created", x.Started)
	}
	if !x.Finished.IsZero() && (x.Finished.Before(x.Started) || x.Finished.Before(x.Created)) {
		t.Fatalf("%s finished at %s, before its start at %s", x.State, x.Finished, x.Started)
	}
	lastRuns := mode.Recurs() && (x.State.Live() || x.State == orderly.Invalid)
	if x.ExitCode != nil && !exited(x.State) && !lastRuns {
		t.Fatalf("a %s task has exit code %d", x.State, *x.ExitCode) // EXI-1, T14, T19, T23
	}
	if len(x.Output) > orderly.MaxOutput || x.Dropped() < 0 {
		t.Fatalf("%d bytes kept, %d dropped", len(x.Output), x.Dropped())
	}
}

func exited(s orderly.State) bool {
	return s == orderly.Success || s == orderly.Failed || s == orderly.Timeout || s == orderly.Terminated
}

// keep stores the rows of the runs, as a transaction does, and checks them (SC-7, RP-2).
func (x *life) keep(t *rapid.T) {
	if !x.plan.Repeat.Recurs() && len(x.Runs) > 0 {
		t.Fatalf("%d rows of a task without a history", len(x.Runs))
	}
	for _, r := range x.Runs {
		if was, ok := x.rows[r.Ordinal]; ok && !was.Finished.IsZero() {
			t.Fatalf("run %d had ended as %s, and is %s", r.Ordinal, was.State, r.State)
		}
		x.rows[r.Ordinal] = r
	}
	x.Runs = nil
	if !x.plan.Repeat.Recurs() {
		return
	}
	ordinals := slices.Sorted(maps.Keys(x.rows))
	if n := len(ordinals); n > 0 && ordinals[n-1] != x.Repeats || n == 0 && x.Repeats != 0 {
		t.Fatalf("%d repeats, rows of %v", x.Repeats, ordinals) // RP-1
	}
	for n, r := range x.rows {
		live := r.State == orderly.Running || r.State == orderly.Stopping
		switch {
		case live != r.Finished.IsZero(), !live && r.State.Live():
			t.Fatalf("run %d is %s, finished at %s", n, r.State, r.Finished)
		case live && (n != x.Repeats || r.State != x.State):
			t.Fatalf("run %d of %d is %s, the task %s", n, x.Repeats, r.State, x.State)
		case r.ExitCode != nil && !exited(r.State), r.State == orderly.Terminated && r.Stopped.IsZero():
			t.Fatalf("run %d is %s with exit code %v, stopped at %s", n, r.State, r.ExitCode, r.Stopped)
		}
	}
	if r, ok := x.rows[x.Repeats]; ok && (!r.Started.Equal(x.Started) || x.State.Live() && !r.Finished.Equal(x.Finished) || len(r.Output) != len(x.Output)) {
		t.Fatalf("the task shows %+v with %d bytes, its last run %s to %s with %d", seen(x.Task), len(x.Output), r.Started, r.Finished, len(r.Output)) // SC-5
	}
}

func TestNoEventsBreakATask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]orderly.Plan{plan, period, period, reboot, atBoot}).Draw(t, "mode")
		task := orderly.NewTask(&orderly.Invocation{Seq: 7, Repeat: p.Repeat}, 0, "mi-1", born)
		x := &life{&task, p, map[int]orderly.Run{}}
		x.Await(p, limit)
		now := born
		if rapid.Bool().Draw(t, "handed at creation") {
			x.Hand(home, now, p, limit)
		}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 100000).Draw(t, "later")) * time.Millisecond)
			before := *x.Task
			x.happen(t, now)
			x.keep(t)
			x.check(t)
			if before.State.Live() {
				continue
			}
			before.Report = x.Report // a late result is noted
			if !reflect.DeepEqual(before, *x.Task) {
				t.Fatalf("an ended task changed (-before +after):\n%s", cmp.Diff(before, *x.Task))
			}
		}
	})
}
