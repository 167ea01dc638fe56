package orderly

import "time"

// Modify has the task's agent told of a newer version of its invocation (MIA-7). It reports whether
// there is something to send: not before the task is handed, nor when it will not run again.
func (t *Task) Modify(version int, now time.Time, p Plan, l Limits) (send bool) {
	if !t.State.Live() || t.State == Stopping || !p.Repeat.Recurs() && !t.Started.IsZero() {
		return false
	}
	t.Version = version
	if t.Handed.Zero() {
		return false
	}
	t.Confirmed = false
	if t.past() {
		return false // its agent hears of it when it has said that it has the task
	}
	t.Resent(now, p, l)
	return t.State != Pending || t.Asked.IsZero()
}
