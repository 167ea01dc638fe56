package orderly

import "time"

// Past stands for the agent that a task may have reached before the store was restored from a backup. No
// agent is called so, so that nothing is ever sent to it.
var Past = Boot{Incarnation: "*", ID: "*"}

// Doubt makes a live task one whose row is older than what happened: the store was restored from a backup.
// Its agent may have run it since, told its end and forgotten it. So it is never sent again: whoever comes as
// its instance says whether it has it, see Meet, and Fire ends it when nobody comes.
func (t *Task) Doubt(now time.Time) {
	if !t.State.Live() {
		return
	}
	t.Handed, t.Confirmed, t.Asked, t.Updated = Past, true, time.Time{}, now
	if t.State != Scheduled {
		t.Due = now
	}
}

// past reports whether nobody has said since the store was restored whether an agent has the task.
func (t *Task) past() bool { return t.Handed == Past }

// recall squares a task of before the store was restored with the agent of b that is there now. What that
// one has goes on, but for a run of a schedule: its end may have been told. What it does not have it never
// got, has run or was told to drop: nobody knows. It reports whether the task goes on.
func (t *Task) recall(b Boot, holds bool, now time.Time, p Plan, l Limits) bool {
	if p.Repeat.Recurs() && t.open() {
		t.endRun(Break, ExecutionInterrupted, now, now)
	}
	if !holds {
		t.finish(Break, ExecutionInterrupted, now, now)
		return false
	}
	t.Handed = b
	if !t.Due.IsZero() {
		t.Due = now.Add(l.Grace) // before that it has told what it knows
	}
	return true
}

// expirePast ends a task of before the store was restored whose agent does not come.
func (t *Task) expirePast(now time.Time, c Contact, p Plan, l Limits) Verdict {
	over := later(c.Since, t.Updated).Add(l.LateResults)
	if !now.Before(over) {
		return t.fail(Break, ExecutionInterrupted, over, now, p)
	}
	t.Due = over
	return Wait
}
