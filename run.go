package orderly

import "time"

// OverRun stands for the ordinal of a run in a report that says that a schedule as such is over.
const OverRun = 1 << 30

// A Run is one run of a task whose mode recurs: a record of its history (SC-7).
type Run struct {
	Ordinal   int // 1 for the first (RP-2)
	State     State
	ErrorCode ErrorCode
	Started   time.Time
	Stopped   time.Time // of the StopInvocation that came while it ran
	Finished  time.Time // zero while it runs
	ExitCode  *int
	Output    []byte
	Total     int64 // bytes it wrote
}

// open reports whether the newest run has not ended, as far as it is known.
func (t *Task) open() bool { return t.Repeats > 0 && t.Finished.IsZero() }

// record notes the newest run, as the task shows it, as being in a state.
func (t *Task) record(s State) {
	r := Run{Ordinal: t.Repeats, State: s, ErrorCode: t.ErrorCode, Started: t.Started, Finished: t.Finished, ExitCode: t.ExitCode, Output: t.Output, Total: t.Total}
	if s == Terminated || !r.Finished.Before(t.Stopped) || r.Finished.IsZero() {
		r.Stopped = t.Stopped
	}
	if n := len(t.Runs); n > 0 && t.Runs[n-1].Ordinal == r.Ordinal {
		t.Runs = t.Runs[:n-1]
	}
	t.Runs = append(t.Runs, r)
}

// beginRun starts a run of a mode that recurs (T7): what the run before has left is cleared.
func (t *Task) beginRun(ordinal int, at, now time.Time) {
	if t.open() { // the agent goes on without ever having told that one's end
		t.endRun(Break, ExecutionInterrupted, at, now)
	}
	if t.State == Pending {
		t.move(Arm, now)
	}
	t.move(Start, now) // a Stopping task stays so: the answer to the stop decides
	t.Repeats, t.Started, t.Finished, t.ErrorCode, t.ExitCode = ordinal, at, time.Time{}, "", nil
	t.Output, t.Total = []byte{}, 0 // not nil, so that it replaces what is stored
	t.record(t.State)
}

// endRun ends the open run by e at a time, with a code; the task waits for the next (T19).
func (t *Task) endRun(e Event, code ErrorCode, at, now time.Time) {
	t.ErrorCode, t.Finished, t.Updated = code, later(at, t.Started), now
	s, _ := Stopping.Next(e) // the state with all the ends
	if s == Error || s == Invalid {
		t.ExitCode = nil // EXI-1
	}
	t.record(s)
	t.move(Arm, now)
}

// fail ends, without a word of the agent's, what goes on: a run if the mode recurs, else the task.
func (t *Task) fail(e Event, code ErrorCode, at, now time.Time, p Plan) Verdict {
	if p.Repeat.Recurs() && t.State == Running {
		t.endRun(e, code, at, now)
		return RunEnded
	}
	t.finish(e, code, at, now)
	return TaskEnded
}
