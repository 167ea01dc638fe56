package orderly

import (
	"cmp"
	"time"
)

// MaxOutput is how many bytes of a task's output are kept, the last ones (rules OUT-1, OUT-2).
const MaxOutput = 24576

// A TaskKey names a task: its invocation, and its place in the invocation's list of targets.
type TaskKey struct {
	Invocation int64 `json:"i"` // Invocation.Seq
	Ordinal    int   `json:"n"`
}

// Compare orders keys as the store locks and lists them.
func (k TaskKey) Compare(o TaskKey) int {
	return cmp.Or(cmp.Compare(k.Invocation, o.Invocation), cmp.Compare(k.Ordinal, o.Ordinal))
}

// A Task is the share of one instance in one invocation.
type Task struct {
	TaskKey
	Instance  string
	State     State
	ErrorCode ErrorCode

	Handed    Boot      // whom it may have reached; zero while it cannot have reached anyone (HND-1)
	Sent      time.Time // when the newest run, stop or expire message for it was sent
	Sends     int       // how many of that kind
	Confirmed bool      // the agent has accepted it, as of Version, or reported on it
	Version   int       // of the invocation, as the agent is to have it (MIA-7)
	Former    string    // the machine's boot that it was handed to before, "" for none
	Asked     time.Time // when the agent was first asked to expire it (AB-1)
	Due       time.Time // when the engine must look at it again; zero for never

	Created  time.Time
	Started  time.Time
	Stopped  time.Time // of the StopInvocation that affected it (STOP-4)
	Finished time.Time
	Updated  time.Time

	ExitCode *int  // nil when there is none (EXI-1)
	Repeats  int   // runs started (RP-1)
	Report   int64 // number of the newest snapshot applied (REP-2)
	Output   []byte
	Total    int64 // bytes the command wrote; what exceeds len(Output) was dropped

	// Runs are the records of those that began or ended since the task was read: for a mode that recurs.
	Runs []Run
}

// Dropped is how many bytes of output were discarded.
func (t *Task) Dropped() int64 { return t.Total - int64(len(t.Output)) }

// A Plan is what a task needs to know of its invocation to move.
type Plan struct {
	File      bool // it puts a file in place of running a command
	Container bool // it runs in a container
	Repeat    RepeatMode
	Timeout   time.Duration
	Delivery  time.Duration
}

// Plan is the plan of i's tasks.
func (i *Invocation) Plan() Plan {
	return Plan{File: i.File != nil, Container: i.InContainer(), Repeat: i.Repeat, Timeout: i.Command.Timeout, Delivery: i.Delivery}
}

// reached reports whether an agent may have the task: it was handed, or an agent spoke of it.
func (t *Task) reached() bool { return !t.Handed.Zero() || t.Confirmed || t.Report > 0 }

// move takes the event's way through the table; without one it changes nothing.
func (t *Task) move(e Event, now time.Time) bool {
	to, ok := t.State.Next(e)
	if !ok {
		return false
	}
	t.State, t.Updated = to, now
	if !to.Live() {
		t.Due = time.Time{}
	}
	return true
}

// finish ends the task by e at a time, with a code.
func (t *Task) finish(e Event, code ErrorCode, at, now time.Time) bool {
	if !t.move(e, now) {
		return false
	}
	t.ErrorCode, t.Finished = code, later(at, t.Started)
	switch t.State {
	case Error, Invalid, Aborted, Cancelled:
		t.ExitCode = nil // EXI-1
	}
	return true
}

// NewTask is the share of an instance in an invocation, the n-th of its targets (T1). One that waits
// for a boot is scheduled at once (T6).
func NewTask(v *Invocation, n int, instance string, now time.Time) Task {
	t := Task{TaskKey: TaskKey{v.Seq, n}, Instance: instance, State: Pending, Version: v.Version, Created: now, Updated: now}
	if v.Repeat.AtBoot() {
		t.State = Scheduled
	}
	return t
}

// Await lets a task that cannot be handed to anyone yet wait for its agent.
func (t *Task) Await(p Plan, l Limits) { t.Due = t.nextDue(p, l) }

// Hand records that the task is about to be sent to the agent of b (HND-1).
func (t *Task) Hand(b Boot, now time.Time, p Plan, l Limits) {
	t.Handed, t.Sent, t.Sends = b, now, 1
	t.Due = t.nextDue(p, l)
}

// Refuse ends a task that cannot run on its instance (T2).
func (t *Task) Refuse(code ErrorCode, now time.Time) { t.finish(Refuse, code, now, now) }

// Stop is StopInvocation on the task: it is cancelled at once when nothing can have run, else the
// agent decides (STOP-2). It reports whether anything changed.
func (t *Task) Stop(now time.Time, p Plan, l Limits) bool {
	if t.State == Stopping || !t.State.Live() {
		return false // STOP-4, STOP-5
	}
	if !t.reached() {
		t.Stopped = now
		return t.finish(Cancel, "", now, now)
	}
	t.Stopped, t.Sent, t.Sends = now, now, 1
	ok := t.move(Stop, now)
	if p.Repeat.Recurs() && t.open() {
		t.record(Stopping)
	}
	t.Due = t.nextDue(p, l)
	return ok
}

// Release ends a live task whose instance is gone, with a code (REL-1, MI-7).
func (t *Task) Release(code ErrorCode, now time.Time, p Plan) bool {
	if !t.State.Live() {
		return false
	}
	if t.State == Scheduled || !t.reached() {
		return t.finish(Abort, code, now, now)
	}
	if p.Repeat.Recurs() && t.open() {
		t.endRun(Break, code, now, now)
	}
	return t.finish(Break, code, now, now)
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// earlier is the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}
