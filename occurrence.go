package orderly

import "time"

// occur moves a task whose mode recurs by a report (T6, T7, T16, T19, T21 to T23).
func (t *Task) occur(r Report, p Plan, now time.Time) ReportEffect {
	run := r.Run > 0 && r.Run < OverRun
	switch {
	case run && (r.State == Running || !r.State.Live()):
		return t.occurrence(r, p, now)
	case !r.State.Live():
		t.over(r, p, now)
	case t.State == Pending:
		t.move(Arm, now) // T6: the agent holds it
	}
	return ReportApplied
}

// occurrence moves the task by a report on one of its runs.
func (t *Task) occurrence(r Report, p Plan, now time.Time) ReportEffect {
	if r.Started.IsZero() {
		r.Started = r.Finished // it was up to start, and could not
	}
	never := r.State == Cancelled || r.State == Aborted
	known := t.open() && r.Run == t.Repeats
	switch {
	case known:
	case r.Run <= t.Repeats, !t.Stopped.IsZero() && r.Started.After(t.Stopped): // LATE-2, STOP-7
		return t.lateRun(r, p, now)
	case never: // its turn had come, and it was not started
		if r.Last {
			t.over(r, p, now)
		}
		return ReportApplied
	default:
		t.beginRun(r.Run, r.Started, now)
	}
	if r.State == Running {
		t.preview(r)
		t.record(t.State)
		return ReportApplied
	}
	event, code := t.ending(r, p, known)
	at := r.Finished
	if event == TimeOut {
		at = t.Started.Add(p.Timeout) // T10
	}
	t.ExitCode = r.ExitCode
	t.keep(r)
	t.endRun(event, code, at, now)
	if r.Last {
		t.conclude(event, now)
	}
	return ReportApplied
}

// lateRun is a report on a run that has no place in the history: it ended before, or began after the
// stop.
func (t *Task) lateRun(r Report, p Plan, now time.Time) ReportEffect {
	if r.Last {
		t.over(Report{State: Cancelled, Finished: r.Finished}, p, now)
	}
	if r.result() {
		return ReportLate
	}
	return ReportApplied
}

// conclude ends a task with its last run, which ended by e (SC-6). One that is being stopped shows
// that it was (T16), unless its run could not be killed (T18).
func (t *Task) conclude(e Event, now time.Time) {
	if t.State == Stopping && t.ErrorCode != TerminationException {
		e, t.ErrorCode = Terminate, ""
	}
	t.move(e, now)
}

// over ends a task whose schedule is over otherwise than by the end of a run.
func (t *Task) over(r Report, p Plan, now time.Time) {
	if t.open() {
		t.endRun(Break, ExecutionInterrupted, r.Finished, now) // nobody told its end
	}
	exit, ran := t.ExitCode, t.Repeats > 0
	never := r.State == Cancelled || r.State == Aborted
	switch {
	case t.State == Stopping && ran:
		t.conclude(Terminate, now) // T16
	case t.State == Stopping:
		t.finish(Cancel, "", r.Finished, now) // T21
	case ran && (r.ErrorCode == AtExpressionExpired || r.ErrorCode == CronExpressionExpired):
		t.conclude(t.ErrorCode.event(), now) // SC-6
	case r.tooOld(p):
		t.finish(t.needUpgrade(), ClientNeedUpgrade, r.Finished, now)
	case r.State == Invalid:
		t.finish(Refuse, r.ErrorCode, r.Finished, now) // T2, T23
		t.ExitCode = exit
	case never && !ran:
		t.finish(Abort, DeliveryTimeout, t.Created.Add(p.Delivery), now) // T4
	case never:
		t.finish(Break, ExecutionInterrupted, r.Finished, now) // dropped, and nobody here wanted that
	case r.State == Error && r.ErrorCode != "":
		t.finish(Break, r.ErrorCode, r.Finished, now)
	default:
		t.finish(Break, ExecutionException, r.Finished, now)
	}
}

// event is how a run ended that shows the code.
func (c ErrorCode) event() Event {
	if c == "" {
		return Succeed
	}
	switch c.fault().State {
	case Failed:
		return Fail
	case Timeout:
		return TimeOut
	case Error:
		return Break
	}
	return Refuse
}
