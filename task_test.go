package orderly_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

var (
	born  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	home  = orderly.Boot{Incarnation: "inc-1", ID: "boot-1"}
	plan  = orderly.Plan{Repeat: orderly.Once, Timeout: 60 * time.Second, Delivery: 60 * time.Second}
	limit = orderly.DefaultLimits
)

// at is the time s seconds after the task of a test was created.
func at(s float64) time.Time { return born.Add(time.Duration(s * float64(time.Second))) }

// linked is an agent that has been there, unbroken, for a long time.
var linked = orderly.Contact{Up: true, Boot: home, Since: born.Add(-time.Hour), Seen: born.Add(1e6 * time.Second), Fresh: true}

func exit(code int) *int { return &code }

func pending() *orderly.Task {
	t := orderly.NewTask(&orderly.Invocation{Seq: 7}, 0, "mi-1", born)
	t.Await(plan, limit)
	return &t
}

// handed is a task that was handed over when it was created.
func handed() *orderly.Task {
	t := pending()
	t.Hand(home, born, plan, limit)
	return t
}

// started is a task that runs since second 1.
func started() *orderly.Task {
	t := handed()
	t.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1)}, plan, limit, at(2))
	return t
}

// stopping is a task that was stopped at second 10, while it ran.
func stopping() *orderly.Task {
	t := started()
	t.Stop(at(10), plan, limit)
	return t
}

// scheduled is a task whose agent holds a schedule.
func scheduled() *orderly.Task {
	t := handed()
	t.State = orderly.Scheduled
	return t
}

// ended is a report that a run from second 1 to second 5 ended as s.
func ended(s orderly.State) orderly.Report {
	return orderly.Report{Number: 1 << 31, State: s, Started: at(1), Finished: at(5)}
}

// never is a report that the task ended as s without a start.
func never(s orderly.State, code orderly.ErrorCode) orderly.Report {
	return orderly.Report{Number: 1 << 31, State: s, ErrorCode: code, Finished: at(5)}
}

func withExit(r orderly.Report, code int) orderly.Report {
	r.ExitCode = exit(code)
	return r
}

// An outcome is what people see of a task.
type outcome struct {
	State    orderly.State
	Code     orderly.ErrorCode
	Started  time.Time
	Stopped  time.Time
	Finished time.Time
	Exit     *int
	Repeats  int
}

func seen(t *orderly.Task) outcome {
	return outcome{t.State, t.ErrorCode, t.Started, t.Stopped, t.Finished, t.ExitCode, t.Repeats}
}

func TestTaskMovesByTheTable(t *testing.T) {
	report := func(r orderly.Report) func(*orderly.Task) {
		return func(t *orderly.Task) { t.Apply(r, plan, limit, at(12)) }
	}
	fire := func(now time.Time, c orderly.Contact) func(*orderly.Task) {
		return func(t *orderly.Task) { t.Fire(now, c, plan, limit) }
	}
	stop := func(t *orderly.Task) { t.Stop(at(10), plan, limit) }
	running := orderly.Report{Number: 3, State: orderly.Running, Started: at(1)}
	tests := []struct {
		rule string
		task *orderly.Task
		do   func(*orderly.Task)
		want outcome
	}{
		{"T1", pending(), func(*orderly.Task) {}, outcome{State: orderly.Pending}},
		{"T2, by the service", pending(), func(t *orderly.Task) { t.Refuse(orderly.CommandNotApplicable, at(1)) },
			outcome{State: orderly.Invalid, Code: orderly.CommandNotApplicable, Finished: at(1)}},
		{"T2, by the agent", handed(), report(never(orderly.Invalid, orderly.AccountNotExists)),
			outcome{State: orderly.Invalid, Code: orderly.AccountNotExists, Finished: at(5)}},
		{"T4, not handed", pending(), fire(at(62), orderly.Contact{}),
			outcome{State: orderly.Aborted, Code: orderly.ClientNotRunning, Finished: at(60)}},
		{"T4, expired at the agent", handed(), report(never(orderly.Aborted, "")),
			outcome{State: orderly.Aborted, Code: orderly.DeliveryTimeout, Finished: at(60)}},
		{"T5", handed(), report(running), outcome{State: orderly.Running, Started: at(1), Repeats: 1}},
		{"T8", started(), report(withExit(ended(orderly.Success), 0)),
			outcome{State: orderly.Success, Started: at(1), Finished: at(5), Exit: exit(0), Repeats: 1}},
		{"T9", started(), report(withExit(ended(orderly.Failed), 3)),
			outcome{orderly.Failed, orderly.ExitCodeNonzero, at(1), time.Time{}, at(5), exit(3), 1}},
		{"T10", started(), report(withExit(ended(orderly.Timeout), 137)),
			outcome{orderly.Timeout, orderly.ExecutionTimeout, at(1), time.Time{}, at(61), exit(137), 1}},
		{"T11, could not start", handed(), report(never(orderly.Error, orderly.ExecutionException)),
			outcome{State: orderly.Error, Code: orderly.ExecutionException, Finished: at(5)}},
		{"T11, without a code", started(), report(ended(orderly.Error)),
			outcome{State: orderly.Error, Code: orderly.ExecutionException, Started: at(1), Finished: at(5), Repeats: 1}},
		{"T12", pending(), stop, outcome{State: orderly.Cancelled, Stopped: at(10), Finished: at(10)}},
		{"T13", func() *orderly.Task { t := pending(); t.State = orderly.Scheduled; return t }(), stop,
			outcome{State: orderly.Cancelled, Stopped: at(10), Finished: at(10)}},
		{"T14", scheduled(), stop, outcome{State: orderly.Stopping, Stopped: at(10)}},
		{"T15, running", started(), stop, outcome{State: orderly.Stopping, Started: at(1), Stopped: at(10), Repeats: 1}},
		{"T15, handed", handed(), stop, outcome{State: orderly.Stopping, Stopped: at(10)}},
		{"T16", stopping(), report(withExit(orderly.Report{Number: 9, State: orderly.Terminated, Started: at(1), Finished: at(11)}, 143)),
			outcome{State: orderly.Terminated, Started: at(1), Stopped: at(10), Finished: at(11), Exit: exit(143), Repeats: 1}},
		{"T17, success", stopping(), report(withExit(ended(orderly.Success), 0)),
			outcome{State: orderly.Success, Started: at(1), Stopped: at(10), Finished: at(5), Exit: exit(0), Repeats: 1}},
		{"T17, failed", stopping(), report(withExit(ended(orderly.Failed), 1)),
			outcome{orderly.Failed, orderly.ExitCodeNonzero, at(1), at(10), at(5), exit(1), 1}},
		{"T17, error", stopping(), report(ended(orderly.Error)),
			outcome{orderly.Error, orderly.ExecutionException, at(1), at(10), at(5), nil, 1}},
		{"T17, invalid", func() *orderly.Task { t := handed(); stop(t); return t }(), report(never(orderly.Invalid, orderly.DirectoryNotExists)),
			outcome{State: orderly.Invalid, Code: orderly.DirectoryNotExists, Stopped: at(10), Finished: at(5)}},
		{"T18, kill failed", stopping(), report(orderly.Report{Number: 9, State: orderly.Error, ErrorCode: orderly.TerminationException, Started: at(1), Finished: at(11)}),
			outcome{orderly.Error, orderly.TerminationException, at(1), at(10), at(11), nil, 1}},
		{"T18, no answer", stopping(), fire(at(72), linked),
			outcome{orderly.Error, orderly.TerminationException, at(1), at(10), at(70), nil, 1}},
		{"T20", stopping(), report(ended(orderly.Timeout)),
			outcome{orderly.Timeout, orderly.ExecutionTimeout, at(1), at(10), at(61), nil, 1}},
		{"T21", func() *orderly.Task { t := handed(); stop(t); return t }(), report(never(orderly.Cancelled, "")),
			outcome{State: orderly.Cancelled, Stopped: at(10), Finished: at(5)}},
		{"T21, expired before the stop", func() *orderly.Task { t := handed(); stop(t); return t }(), report(never(orderly.Aborted, "")),
			outcome{State: orderly.Cancelled, Stopped: at(10), Finished: at(5)}},
		{"T22, success", handed(), report(withExit(ended(orderly.Success), 0)),
			outcome{State: orderly.Success, Started: at(1), Finished: at(5), Exit: exit(0), Repeats: 1}},
		{"T22, failed", handed(), report(withExit(ended(orderly.Failed), 2)),
			outcome{orderly.Failed, orderly.ExitCodeNonzero, at(1), time.Time{}, at(5), exit(2), 1}},
		{"T22, timeout", handed(), report(ended(orderly.Timeout)),
			outcome{orderly.Timeout, orderly.ExecutionTimeout, at(1), time.Time{}, at(61), nil, 1}},
		{"T22, error", handed(), report(ended(orderly.Error)),
			outcome{orderly.Error, orderly.ExecutionException, at(1), time.Time{}, at(5), nil, 1}},
		{"RP-1, DryRun", handed(), report(never(orderly.Success, "")), outcome{State: orderly.Success, Finished: at(5)}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			tt.do(tt.task)
			if diff := cmp.Diff(tt.want, seen(tt.task)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !tt.task.State.Live() && !tt.task.Due.IsZero() {
				t.Errorf("it ended and is due at %s", tt.task.Due)
			}
		})
	}
}

// An agent that contradicts what it said before leaves an unknown outcome (HND-2).
func TestContradictionIsAnUnknownOutcome(t *testing.T) {
	tests := []struct {
		name string
		task *orderly.Task
		r    orderly.Report
	}{
		{"running, never started", started(), never(orderly.Cancelled, "")},
		{"running, expired", started(), never(orderly.Aborted, "")},
		{"running, refused", started(), never(orderly.Invalid, orderly.AccountNotExists)},
		{"stopped while running, never started", stopping(), never(orderly.Cancelled, "")},
		{"stopped while running, refused", stopping(), never(orderly.Invalid, orderly.AccountNotExists)},
		{"killed without a stop", started(), ended(orderly.Terminated)},
		{"killed without a stop or a start", handed(), ended(orderly.Terminated)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.ExitCode = exit(0)
			tt.task.Apply(tt.r, plan, limit, at(12))
			if tt.task.State != orderly.Error || tt.task.ErrorCode != orderly.ExecutionInterrupted || tt.task.ExitCode != nil {
				t.Errorf("%s, %s, exit code %v, want Error, ExecutionInterrupted, none", tt.task.State, tt.task.ErrorCode, tt.task.ExitCode)
			}
		})
	}
}

func TestSecondStopDoesNotMoveStopTime(t *testing.T) { // STOP-4
	task := stopping()
	before := *task
	if task.Stop(at(20), plan, limit) {
		t.Error("a second stop says that it changed something")
	}
	if diff := cmp.Diff(before, *task); diff != "" {
		t.Errorf("a second stop changed (-before +after):\n%s", diff)
	}
}

func TestStopOfAnEndedTaskHasNoEffect(t *testing.T) { // STOP-5
	task := started()
	task.Apply(ended(orderly.Success), plan, limit, at(12))
	before := *task
	if task.Stop(at(20), plan, limit) {
		t.Error("a stop of an ended task says that it changed something")
	}
	if diff := cmp.Diff(before, *task); diff != "" {
		t.Errorf("a stop changed (-before +after):\n%s", diff)
	}
}

// A running report that was under way when the stop came tells the start; the answer to the stop
// still decides (STOP-2).
func TestStartReportedWhileStopping(t *testing.T) {
	task := handed()
	task.Stop(at(10), plan, limit)
	task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(9)}, plan, limit, at(11))
	if want := (outcome{State: orderly.Stopping, Started: at(9), Stopped: at(10), Repeats: 1}); !cmp.Equal(seen(task), want) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, seen(task)))
	}
}

func TestStopIsSentAtOnceAndAgain(t *testing.T) { // STOP-2, HND-5
	task := stopping()
	for i, s := range []float64{11, 14, 23, 50} {
		if !task.Due.Equal(at(s)) {
			t.Fatalf("sending %d is due at %s, want %s", i+2, task.Due, at(s))
		}
		if v := task.Fire(task.Due, linked, plan, limit); v != orderly.SendStop {
			t.Fatalf("sending %d: %v, want SendStop", i+2, v)
		}
	}
}

func TestReleaseEndsLiveTasks(t *testing.T) { // REL-1, MI-7
	tests := []struct {
		name string
		task *orderly.Task
		want orderly.State
	}{
		{"pending, not handed", pending(), orderly.Aborted},
		{"pending, handed", handed(), orderly.Error},
		{"scheduled", scheduled(), orderly.Aborted},
		{"running", started(), orderly.Error},
		{"stopping", stopping(), orderly.Error},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !tt.task.Release(orderly.InstanceDeregistered, at(30), plan) {
				t.Error("Release changed nothing")
			}
			got := seen(tt.task)
			if got.State != tt.want || got.Code != orderly.InstanceDeregistered || !got.Finished.Equal(at(30)) || got.Exit != nil {
				t.Errorf("got %+v, want %s, InstanceDeregistered, finished at %s", got, tt.want, at(30))
			}
			if tt.task.Release(orderly.InstanceReleased, at(31), plan) || !cmp.Equal(seen(tt.task), got) {
				t.Errorf("a second release changed it to %+v", seen(tt.task))
			}
		})
	}
}

func TestLostTasks(t *testing.T) { // HND-4
	boot2 := orderly.Boot{Incarnation: "inc-1", ID: "boot-2"}
	inc2 := orderly.Boot{Incarnation: "inc-2", ID: "boot-1"}
	both2 := orderly.Boot{Incarnation: "inc-2", ID: "boot-2"}
	accepted := func() *orderly.Task {
		t := handed()
		t.Apply(orderly.Report{Number: 1, State: orderly.Pending}, plan, limit, at(1))
		return t
	}
	tests := []struct {
		name string
		task *orderly.Task
		boot orderly.Boot
		want orderly.ErrorCode // "": it is not lost
	}{
		{"new boot", started(), boot2, orderly.InstanceRestarted},
		{"new incarnation", started(), inc2, orderly.ClientRestarted},
		{"both new", started(), both2, orderly.ClientRestarted},
		{"stopping, new boot", stopping(), boot2, orderly.InstanceRestarted},
		{"unconfirmed, new boot", handed(), boot2, orderly.InstanceRestarted},
		{"confirmed, and unknown to the same boot", accepted(), home, orderly.ExecutionInterrupted},
		{"unconfirmed, same boot: sent again", handed(), home, ""},
		{"never handed", pending(), boot2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.task.Meet(tt.boot, false, at(40), plan, limit)
			lost := v == orderly.TaskEnded
			if lost != (tt.want != "") || lost && tt.task.State != orderly.Error || tt.task.ErrorCode != tt.want {
				t.Errorf("Meet = %d, %s, %q, want %q", v, tt.task.State, tt.task.ErrorCode, tt.want)
			}
			if lost && !tt.task.Finished.Equal(at(40)) {
				t.Errorf("finished at %s, want %s", tt.task.Finished, at(40))
			}
		})
	}
	task := started()
	task.Apply(ended(orderly.Success), plan, limit, at(12))
	if task.Meet(boot2, false, at(40), plan, limit) != orderly.Wait || task.State != orderly.Success {
		t.Errorf("an ended task was lost: %s", task.State)
	}
}

// Reports of a task that was never handed (a database restored from before the hand-out) prove
// that an agent has it: from then on it is treated as handed (HND-1).
func TestReportedTaskCountsAsHanded(t *testing.T) {
	running := func() *orderly.Task {
		t := pending()
		t.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1)}, plan, limit, at(2))
		return t
	}
	task := running()
	if !task.Stop(at(10), plan, limit) || task.State != orderly.Stopping {
		t.Errorf("after a stop: %s, want Stopping", task.State)
	}
	task = running()
	if !task.Release(orderly.InstanceReleased, at(10), plan) || task.State != orderly.Error {
		t.Errorf("after a release: %s, want Error", task.State)
	}
}

func TestTaskKeysHaveAnOrder(t *testing.T) {
	keys := []orderly.TaskKey{{Invocation: 1}, {Invocation: 1, Ordinal: 9}, {Invocation: 1, Ordinal: 10}, {Invocation: 2}}
	for i, a := range keys {
		for j, b := range keys {
			if got := a.Compare(b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%v.Compare(%v) = %d", a, b, got)
			}
		}
	}
}
