package orderly_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

var (
	period = orderly.Plan{Repeat: orderly.Period, Timeout: 60 * time.Second, Delivery: 60 * time.Second}
	reboot = orderly.Plan{Repeat: orderly.EveryReboot, Timeout: 60 * time.Second, Delivery: 60 * time.Second}
	atBoot = orderly.Plan{Repeat: orderly.NextRebootOnly, Timeout: 60 * time.Second, Delivery: 60 * time.Second}
)

// number is that of the n-th snapshot of a run.
func number(run int, n int64) int64 { return int64(run)<<32 | n }

// of is a task of a mode, handed when it was created.
func of(p orderly.Plan) *orderly.Task {
	t := orderly.NewTask(&orderly.Invocation{Seq: 7, Repeat: p.Repeat}, 0, "mi-1", born)
	t.Hand(home, born, p, limit)
	return &t
}

// held is a report that the agent holds the schedule.
var held = orderly.Report{Number: 1, State: orderly.Pending}

// begun is a report that a run started at a second.
func begun(run int, second float64) orderly.Report {
	return orderly.Report{Run: run, Number: number(run, 2), State: orderly.Running, Started: at(second)}
}

// ran is a report that a run ended, from one second to another.
func ran(run int, s orderly.State, from, to float64) orderly.Report {
	return orderly.Report{Run: run, Number: number(run, 1<<31), State: s, Started: at(from), Finished: at(to)}
}

func last(r orderly.Report) orderly.Report {
	r.Last = true
	return r
}

// over is a report that the schedule is over at second 90, without a run.
func over(s orderly.State, code orderly.ErrorCode) orderly.Report {
	return orderly.Report{Run: orderly.OverRun, Number: number(orderly.OverRun, 1<<31), State: s, ErrorCode: code, Finished: at(90), Last: true}
}

// told is a task with reports applied, all at second 95.
func told(t *orderly.Task, p orderly.Plan, reports ...orderly.Report) *orderly.Task {
	for _, r := range reports {
		t.Apply(r, p, limit, at(95))
	}
	return t
}

// history is what is shown of runs, the newest record of each.
func history(t *orderly.Task) map[int]outcome {
	list := map[int]outcome{}
	for _, r := range t.Runs {
		list[r.Ordinal] = outcome{r.State, r.ErrorCode, r.Started, r.Stopped, r.Finished, r.ExitCode, r.Ordinal}
	}
	return list
}

// A schedule lives by the same table; between two runs it shows the last one (SC-5).
func TestScheduleMovesByTheTable(t *testing.T) {
	armed := func(reports ...orderly.Report) *orderly.Task {
		return told(told(of(period), period, held), period, reports...)
	}
	stopped := func(reports ...orderly.Report) *orderly.Task {
		task := armed(reports...)
		task.Stop(at(50), period, limit)
		return task
	}
	ok := withExit(ran(1, orderly.Success, 10, 12), 0)
	failed := withExit(ran(1, orderly.Failed, 10, 12), 3)
	tests := []struct {
		rule string
		task *orderly.Task
		then orderly.Report
		want outcome
	}{
		{"T2", of(period), over(orderly.Invalid, orderly.BadCronExpression), outcome{State: orderly.Invalid, Code: orderly.BadCronExpression, Finished: at(90)}},
		{"T4", of(period), over(orderly.Aborted, ""), outcome{State: orderly.Aborted, Code: orderly.DeliveryTimeout, Finished: at(60)}},
		{"T6", of(period), held, outcome{State: orderly.Scheduled}},
		{"T7", armed(), begun(1, 20), outcome{State: orderly.Running, Started: at(20), Repeats: 1}},
		{"T7, cleared", armed(failed), begun(2, 20), outcome{State: orderly.Running, Started: at(20), Repeats: 2}},
		{"T8, T19", armed(begun(1, 10)), ok, outcome{State: orderly.Scheduled, Started: at(10), Finished: at(12), Exit: exit(0), Repeats: 1}},
		{"T9, T19", armed(begun(1, 10)), failed, outcome{orderly.Scheduled, orderly.ExitCodeNonzero, at(10), time.Time{}, at(12), exit(3), 1}},
		{"T10, T19", armed(begun(1, 10)), withExit(ran(1, orderly.Timeout, 10, 70.2), 137),
			outcome{orderly.Scheduled, orderly.ExecutionTimeout, at(10), time.Time{}, at(70), exit(137), 1}},
		{"T11, T19", armed(begun(1, 10)), ran(1, orderly.Error, 10, 12), outcome{orderly.Scheduled, orderly.ExecutionException, at(10), time.Time{}, at(12), nil, 1}},
		{"T11, no process", armed(), orderly.Report{Run: 1, Number: number(1, 1<<31), State: orderly.Error, Finished: at(12)},
			outcome{orderly.Scheduled, orderly.ExecutionException, at(12), time.Time{}, at(12), nil, 1}},
		{"T22, T19", armed(), ok, outcome{State: orderly.Scheduled, Started: at(10), Finished: at(12), Exit: exit(0), Repeats: 1}},
		{"T22, T19 without T6", of(period), ok, outcome{State: orderly.Scheduled, Started: at(10), Finished: at(12), Exit: exit(0), Repeats: 1}},
		{"T23", armed(failed), over(orderly.Invalid, orderly.InvalidBuiltInParameter), outcome{orderly.Invalid, orderly.InvalidBuiltInParameter, at(10), time.Time{}, at(90), exit(3), 1}},
		{"T14", stopped(), held, outcome{State: orderly.Stopping, Stopped: at(50)}},
		{"T14 keeps the last run", stopped(failed), held, outcome{orderly.Stopping, orderly.ExitCodeNonzero, at(10), at(50), at(12), exit(3), 1}},
		{"T15", stopped(begun(1, 10)), held, outcome{State: orderly.Stopping, Started: at(10), Stopped: at(50), Repeats: 1}},
		{"T16, killed", stopped(begun(1, 10)), last(withExit(ran(1, orderly.Terminated, 10, 51), 143)),
			outcome{State: orderly.Terminated, Started: at(10), Stopped: at(50), Finished: at(51), Exit: exit(143), Repeats: 1}},
		{"T16, dropped", stopped(failed), over(orderly.Cancelled, ""), outcome{State: orderly.Terminated, Started: at(10), Stopped: at(50), Finished: at(12), Exit: exit(3), Repeats: 1}},
		{"T17 and T16", stopped(begun(1, 10)), last(withExit(ran(1, orderly.Failed, 10, 49), 3)),
			outcome{State: orderly.Terminated, Started: at(10), Stopped: at(50), Finished: at(49), Exit: exit(3), Repeats: 1}},
		{"T20 and T16", stopped(begun(1, 10)), last(ran(1, orderly.Timeout, 10, 71)), outcome{State: orderly.Terminated, Started: at(10), Stopped: at(50), Finished: at(70), Repeats: 1}},
		{"T18", stopped(begun(1, 10)), last(orderly.Report{Run: 1, Number: number(1, 1<<31), State: orderly.Error, ErrorCode: orderly.TerminationException, Started: at(10), Finished: at(52)}),
			outcome{orderly.Error, orderly.TerminationException, at(10), at(50), at(52), nil, 1}},
		{"T21", stopped(), over(orderly.Cancelled, ""), outcome{State: orderly.Cancelled, Stopped: at(50), Finished: at(90)}},
		{"T21, refused before the stop", stopped(), over(orderly.Invalid, orderly.BadCronExpression), outcome{State: orderly.Cancelled, Stopped: at(50), Finished: at(90)}},
		{"SC-6, success", armed(), last(ok), outcome{State: orderly.Success, Started: at(10), Finished: at(12), Exit: exit(0), Repeats: 1}},
		{"SC-6, failed", armed(begun(1, 10)), last(failed), outcome{orderly.Failed, orderly.ExitCodeNonzero, at(10), time.Time{}, at(12), exit(3), 1}},
		{"SC-6, timeout", armed(), last(ran(1, orderly.Timeout, 10, 70)), outcome{orderly.Timeout, orderly.ExecutionTimeout, at(10), time.Time{}, at(70), nil, 1}},
		{"SC-6, error", armed(), last(ran(1, orderly.Error, 10, 12)), outcome{orderly.Error, orderly.ExecutionException, at(10), time.Time{}, at(12), nil, 1}},
		{"SC-6, no time left", armed(failed), over(orderly.Invalid, orderly.CronExpressionExpired), outcome{orderly.Failed, orderly.ExitCodeNonzero, at(10), time.Time{}, at(12), exit(3), 1}},
		{"SC-6, never a time", armed(), over(orderly.Invalid, orderly.AtExpressionExpired), outcome{State: orderly.Invalid, Code: orderly.AtExpressionExpired, Finished: at(90)}},
		{"dropped without a stop", armed(ok), over(orderly.Cancelled, ""), outcome{orderly.Error, orderly.ExecutionInterrupted, at(10), time.Time{}, at(90), nil, 1}},
		{"killed without a stop", armed(begun(1, 10)), last(ran(1, orderly.Terminated, 10, 12)), outcome{orderly.Error, orderly.ExecutionInterrupted, at(10), time.Time{}, at(12), nil, 1}},
		{"makes no sense to the agent", of(period), orderly.Report{Number: 1 << 31, State: orderly.Error, Finished: at(90)},
			outcome{State: orderly.Error, Code: orderly.ExecutionException, Finished: at(90)}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if effect := tt.task.Apply(tt.then, period, limit, at(100)); effect != orderly.ReportApplied && tt.then.Number != 1 {
				t.Errorf("effect %d, want ReportApplied", effect)
			}
			if diff := cmp.Diff(tt.want, seen(tt.task)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !tt.task.State.Live() && !tt.task.Due.IsZero() {
				t.Errorf("it ended and is due at %s", tt.task.Due)
			}
		})
	}
}

func TestScheduleThatWasNotHandedIsCancelled(t *testing.T) { // T13
	task := orderly.NewTask(&orderly.Invocation{Repeat: orderly.EveryReboot}, 0, "mi-1", born)
	task.Await(reboot, limit)
	if task.State != orderly.Scheduled || !task.Due.IsZero() {
		t.Fatalf("new: %s, due at %s, want Scheduled without a deadline", task.State, task.Due) // T6, SC-1
	}
	task.Stop(at(10), reboot, limit)
	if want := (outcome{State: orderly.Cancelled, Stopped: at(10), Finished: at(10)}); !cmp.Equal(want, seen(&task)) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, seen(&task)))
	}
}

// NextRebootOnly reports as a task that runs once, from Scheduled.
func TestNextRebootRunsOnce(t *testing.T) { // T7, T22, T14, T17, T21, SC-6
	stopped := func() *orderly.Task {
		task := of(atBoot)
		task.Stop(at(50), atBoot, limit)
		return task
	}
	running := orderly.Report{Number: 2, State: orderly.Running, Started: at(10)}
	tests := []struct {
		rule string
		task *orderly.Task
		then orderly.Report
		want outcome
	}{
		{"SC-1", of(atBoot), held, outcome{State: orderly.Scheduled}},
		{"T7", told(of(atBoot), atBoot, held), running, outcome{State: orderly.Running, Started: at(10), Repeats: 1}},
		{"T8", told(of(atBoot), atBoot, running), withExit(ended(orderly.Success), 0), outcome{State: orderly.Success, Started: at(10), Finished: at(10), Exit: exit(0), Repeats: 1}},
		{"T22", of(atBoot), withExit(ended(orderly.Failed), 1), outcome{orderly.Failed, orderly.ExitCodeNonzero, at(1), time.Time{}, at(5), exit(1), 1}},
		{"T23", of(atBoot), never(orderly.Invalid, orderly.DirectoryNotExists), outcome{State: orderly.Invalid, Code: orderly.DirectoryNotExists, Finished: at(5)}},
		{"T17", stopped(), withExit(ended(orderly.Success), 0), outcome{State: orderly.Success, Started: at(1), Stopped: at(50), Finished: at(5), Exit: exit(0), Repeats: 1}},
		{"T21", stopped(), never(orderly.Cancelled, ""), outcome{State: orderly.Cancelled, Stopped: at(50), Finished: at(50)}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			tt.task.Apply(tt.then, atBoot, limit, at(100))
			got := seen(tt.task)
			if tt.rule == "T21" {
				got.Finished = at(50)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(tt.task.Runs) != 0 {
				t.Errorf("records %v of a task with one run", tt.task.Runs) // SC-7
			}
		})
	}
}

// Everything that happened while nobody listened, in one go: each run is a row of its own (REP-3, SC-7).
func TestSeveralRunsInOneBatch(t *testing.T) {
	first, second, third := withExit(ran(1, orderly.Success, 10, 12), 0), withExit(ran(2, orderly.Failed, 20, 22), 4), begun(3, 30)
	first.Output, first.Total, second.Output, second.Total = []byte("one"), 3, []byte("two"), 3
	task := told(of(period), period, held, first, second, third)
	if want := (outcome{State: orderly.Running, Started: at(30), Repeats: 3}); !cmp.Equal(want, seen(task)) || len(task.Output) != 0 || task.Output == nil || task.Total != 0 {
		t.Errorf("task, with output %q (-want +got):\n%s", task.Output, cmp.Diff(want, seen(task)))
	}
	want := map[int]outcome{
		1: {State: orderly.Success, Started: at(10), Finished: at(12), Exit: exit(0), Repeats: 1},
		2: {orderly.Failed, orderly.ExitCodeNonzero, at(20), time.Time{}, at(22), exit(4), 2},
		3: {State: orderly.Running, Started: at(30), Repeats: 3},
	}
	if diff := cmp.Diff(want, history(task)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if len(task.Runs) != 3 || string(task.Runs[0].Output) != "one" || string(task.Runs[1].Output) != "two" {
		t.Errorf("runs = %+v", task.Runs)
	}
	again := *task
	for _, r := range []orderly.Report{held, first, second, third} {
		if effect := task.Apply(r, period, limit, at(99)); effect != orderly.ReportRepeated {
			t.Errorf("run %d again: effect %d, want ReportRepeated", r.Run, effect) // REP-2
		}
	}
	if diff := cmp.Diff(again, *task); diff != "" {
		t.Errorf("repeated reports changed (-before +after):\n%s", diff)
	}
}

// A run whose end nobody told when the next one began has an unknown outcome (HND-2).
func TestRunWithoutAnEndIsUnknown(t *testing.T) {
	task := told(of(period), period, begun(1, 10), begun(3, 30))
	want := map[int]outcome{
		1: {orderly.Error, orderly.ExecutionInterrupted, at(10), time.Time{}, at(30), nil, 1},
		3: {State: orderly.Running, Started: at(30), Repeats: 3},
	}
	if diff := cmp.Diff(want, history(task)); diff != "" || task.Repeats != 3 {
		t.Errorf("%d repeats, history (-want +got):\n%s", task.Repeats, diff)
	}
	task = told(of(period), period, begun(1, 10), over(orderly.Invalid, orderly.InvalidCommandText))
	if got := history(task)[1]; got.State != orderly.Error || task.State != orderly.Invalid {
		t.Errorf("refused while it ran: task %s, run %+v, want Invalid, Error", task.State, got)
	}
}

// The end of a run that the service had ended, or that began after the stop, is a late result.
func TestLateRuns(t *testing.T) { // LATE-2, STOP-7
	timedOut := told(of(period), period, begun(1, 10))
	timedOut.Fire(at(132), linked, period, limit)
	for name, c := range map[string]struct {
		task    *orderly.Task
		reports []orderly.Report
		want    orderly.ReportEffect // of the last of them
	}{
		"the end after TO-1":           {timedOut, []orderly.Report{ran(1, orderly.Success, 10, 90)}, orderly.ReportLate},
		"began after the stop":         {stopped0(), []orderly.Report{ran(2, orderly.Success, 50.001, 52)}, orderly.ReportLate},
		"runs since the stop":          {stopped0(), []orderly.Report{begun(2, 60)}, orderly.ReportApplied},
		"ran after the stop":           {stopped0(), []orderly.Report{begun(2, 60), ran(2, orderly.Failed, 60, 62)}, orderly.ReportLate},
		"the second one after it":      {stopped0(), []orderly.Report{ran(2, orderly.Success, 55, 56), ran(3, orderly.Success, 60, 62)}, orderly.ReportLate},
		"an earlier run again":         {told(stopped0(), period, held), []orderly.Report{{Run: 1, Number: number(1, 1<<31+1), State: orderly.Success}}, orderly.ReportLate},
		"an earlier run is still told": {stopped0(), []orderly.Report{{Run: 1, Number: number(1, 1<<31+1), State: orderly.Running}}, orderly.ReportApplied},
	} {
		t.Run(name, func(t *testing.T) {
			before, rows, got := seen(c.task), len(c.task.Runs), orderly.ReportRepeated
			for _, r := range c.reports {
				got = c.task.Apply(r, period, limit, at(100))
			}
			if diff := cmp.Diff(before, seen(c.task)); got != c.want || diff != "" || len(c.task.Runs) != rows {
				t.Errorf("effect %d, want %d; %d rows more, task changed (-before +after):\n%s", got, c.want, len(c.task.Runs)-rows, diff)
			}
		})
	}
}

// What began before the stop belongs to the history, also when it is told after it (REP-3).
func TestRunBeforeTheStopIsHistory(t *testing.T) { // STOP-7
	task := stopped0()
	if got := task.Apply(ran(2, orderly.Success, 49, 52), period, limit, at(100)); got != orderly.ReportApplied {
		t.Errorf("effect %d, want ReportApplied", got)
	}
	want := outcome{State: orderly.Success, Started: at(49), Stopped: at(50), Finished: at(52), Repeats: 2}
	if diff := cmp.Diff(want, history(task)[2]); diff != "" || task.Repeats != 2 || task.State != orderly.Stopping {
		t.Errorf("task %s, %d repeats, row (-want +got):\n%s", task.State, task.Repeats, diff)
	}
}

// stopped0 is a schedule with one run, stopped at second 50.
func stopped0() *orderly.Task {
	task := told(of(period), period, ran(1, orderly.Success, 10, 12))
	task.Stop(at(50), period, limit)
	return task
}

// The run that began after the stop and is killed by it is late, and still the schedule is over with it.
func TestLateLastRunEndsTheSchedule(t *testing.T) { // STOP-7, T16, T21
	task := stopped0()
	if got := task.Apply(last(ran(2, orderly.Terminated, 60, 61)), period, limit, at(100)); got != orderly.ReportLate {
		t.Errorf("effect %d, want ReportLate", got)
	}
	if want := (outcome{State: orderly.Terminated, Started: at(10), Stopped: at(50), Finished: at(12), Repeats: 1}); !cmp.Equal(want, seen(task)) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, seen(task)))
	}
	task = of(period)
	task.Stop(at(50), period, limit)
	task.Apply(last(ran(1, orderly.Terminated, 60, 61)), period, limit, at(100))
	if task.State != orderly.Cancelled || task.Repeats != 0 {
		t.Errorf("with no run before: %s, %d repeats, want Cancelled, 0", task.State, task.Repeats)
	}
}

// The stop shows in the record of the run that it interrupts, and only there.
func TestStoppedRunIsRecorded(t *testing.T) {
	task := told(of(period), period, ran(1, orderly.Success, 10, 12), begun(2, 40))
	task.Stop(at(50), period, limit)
	if got := history(task)[2]; got.State != orderly.Stopping || !got.Stopped.Equal(at(50)) {
		t.Errorf("while it stops: %+v", got)
	}
	task.Apply(last(withExit(ran(2, orderly.Terminated, 40, 51), 143)), period, limit, at(100))
	want := map[int]outcome{
		1: {State: orderly.Success, Started: at(10), Finished: at(12), Repeats: 1},
		2: {State: orderly.Terminated, Started: at(40), Stopped: at(50), Finished: at(51), Exit: exit(143), Repeats: 2},
	}
	if diff := cmp.Diff(want, history(task)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A run that the agent refused is a row too; what refuses after it began contradicts itself.
func TestRefusedRun(t *testing.T) {
	r := orderly.Report{Run: 1, Number: number(1, 1<<31), State: orderly.Invalid, ErrorCode: orderly.DirectoryNotExists, Finished: at(12)}
	task := told(of(period), period, held, r)
	if want := (outcome{orderly.Invalid, orderly.DirectoryNotExists, at(12), time.Time{}, at(12), nil, 1}); !cmp.Equal(want, history(task)[1]) || task.State != orderly.Scheduled {
		t.Errorf("%s (-want +got):\n%s", task.State, cmp.Diff(want, history(task)[1]))
	}
	if task.Apply(over(orderly.Invalid, orderly.CronExpressionExpired), period, limit, at(99)); task.State != orderly.Invalid || task.ErrorCode != orderly.DirectoryNotExists {
		t.Errorf("no time left: %s, %s, want the last run's", task.State, task.ErrorCode) // SC-6
	}
	task = told(of(period), period, begun(1, 10), r)
	if got := history(task)[1]; got.State != orderly.Error || got.Code != orderly.ExecutionInterrupted {
		t.Errorf("after it had begun: %+v, want an unknown outcome", got)
	}
	r.State = orderly.Cancelled // its turn had come when it was stopped
	if task = told(of(period), period, held, r); task.Repeats != 0 || task.State != orderly.Scheduled || len(task.Runs) != 0 {
		t.Errorf("never started: %s, %d repeats", task.State, task.Repeats)
	}
	task.Stop(at(50), period, limit)
	r.Run, r.Number = 2, number(2, 1<<31)
	if task.Apply(last(r), period, limit, at(99)); task.State != orderly.Cancelled {
		t.Errorf("never started, and over: %s, want Cancelled", task.State)
	}
}

func TestReleasedSchedule(t *testing.T) { // REL-1
	for _, c := range []struct {
		name string
		task *orderly.Task
		want orderly.State
		run  orderly.State // of run 1, "" for no change
	}{
		{"waits for its time", told(of(period), period, held, ran(1, orderly.Success, 10, 12)), orderly.Aborted, orderly.Success},
		{"runs", told(of(period), period, begun(1, 10)), orderly.Error, orderly.Error},
		{"not confirmed", of(period), orderly.Error, ""},
		{"waits for a boot", of(reboot), orderly.Aborted, ""},
		{"is being stopped", stopped0(), orderly.Error, orderly.Success},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.task.Release(orderly.InstanceReleased, at(60), period) || c.task.State != c.want || c.task.ErrorCode != orderly.InstanceReleased {
				t.Errorf("%s, %s, want %s, InstanceReleased", c.task.State, c.task.ErrorCode, c.want)
			}
			if got := history(c.task)[1]; got.State != c.run {
				t.Errorf("run: %+v, want %s", got, c.run)
			}
			if got := c.task.Apply(ran(9, orderly.Success, 70, 71), period, limit, at(99)); got != orderly.ReportLate {
				t.Errorf("a run after that: effect %d, want ReportLate", got)
			}
			if got := c.task.Apply(over(orderly.Error, ""), period, limit, at(99)); got != orderly.ReportRepeated {
				t.Errorf("the end of the schedule after that: effect %d, want ReportRepeated", got)
			}
		})
	}
}

// An agent that was installed anew does not know the schedule it is told to stop: its answer is about
// a task that never ran, whatever ran before it was lost.
func TestStopOfAScheduleThatTheAgentHasLost(t *testing.T) { // T16, HND-5, STOP-7
	task := told(of(period), period, held, ran(1, orderly.Success, 10, 20), ran(2, orderly.Success, 70, 80))
	task.Stop(at(95), period, limit)
	if v := task.Meet(orderly.Boot{Incarnation: "new", ID: home.ID}, false, at(96), period, limit); v != orderly.SendStop {
		t.Fatalf("Meet = %v, want SendStop", v)
	}
	never := orderly.Report{Number: 1 << 31, State: orderly.Cancelled, Finished: at(97)}
	if e := task.Apply(never, period, limit, at(97)); e != orderly.ReportApplied || task.State != orderly.Terminated || task.Repeats != 2 {
		t.Errorf("%v: %s after %d runs, want it Terminated after 2", e, task.State, task.Repeats)
	}
	if e := task.Apply(never, period, limit, at(98)); e != orderly.ReportRepeated {
		t.Errorf("told again: %v, want ReportRepeated", e)
	}
}

// LG-2: a schedule is Running in the older vocabulary until it is stopped, whatever becomes of it.
func TestLegacyStatusOfASchedule(t *testing.T) {
	ok := ran(1, orderly.Success, 10, 12)
	for name, c := range map[string]struct {
		task *orderly.Task
		want orderly.LegacyStatus
	}{
		"waits":           {told(of(period), period, held), orderly.LegacyRunning},
		"runs":            {told(of(period), period, begun(1, 10)), orderly.LegacyRunning},
		"ended by itself": {told(of(period), period, last(ok)), orderly.LegacyRunning},
		"refused":         {told(of(period), period, over(orderly.Invalid, "")), orderly.LegacyRunning},
		"not delivered":   {told(of(period), period, over(orderly.Aborted, "")), orderly.LegacyRunning},
		"stopping":        {stopped0(), orderly.LegacyStopping},
		"stopped":         {told(stopped0(), period, over(orderly.Cancelled, "")), orderly.LegacyStopped},
	} {
		if got := c.task.State.LegacyStatus(orderly.Period, !c.task.Stopped.IsZero()); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
