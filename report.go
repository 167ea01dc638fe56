package orderly

import "time"

// A Report is a complete snapshot of one occurrence of a task as its agent sees it (REP-2), with
// its times placed on the store's clock (CLK-1).
//
// State is Pending for "accepted", Running, or how it ended. Cancelled and Aborted say that it
// never started: after a stop, or because its start allowance was over. Output is, in an end
// report, the kept tail of Total bytes; while Running it is the piece that begins at Offset.
type Report struct {
	Task      TaskKey
	Instance  string
	Number    int64
	State     State
	ErrorCode ErrorCode
	Started   time.Time
	Finished  time.Time
	ExitCode  *int
	Output    []byte
	Offset    int64
	Total     int64
}

// A ReportEffect is what became of a report.
type ReportEffect int

// The effects.
const (
	ReportRepeated ReportEffect = iota // known already, or without news: acknowledged and dropped
	ReportApplied
	ReportLate // an end that comes after the row ended: kept beside it (LATE-2)
)

// Apply moves the task by a report (T5, T8 to T11, T16, T17, T20 to T22).
func (t *Task) Apply(r Report, p Plan, l Limits, now time.Time) ReportEffect {
	switch {
	case r.Number <= t.Report:
		return ReportRepeated
	case !t.State.Live() && !r.State.Live() && !r.Started.IsZero():
		return ReportLate
	case !t.State.Live():
		return ReportRepeated
	}
	t.Report, t.Confirmed, t.Updated = r.Number, true, now
	switch {
	case r.State == Running:
		t.begin(r)
		t.move(Start, now) // a Stopping task stays so: the answer to the stop decides
		t.preview(r)
	case !r.State.Live():
		t.end(r, p, now)
	}
	if t.State.Live() {
		t.Due = t.nextDue(p, l)
	}
	return ReportApplied
}

// begin notes the start of a run, once.
func (t *Task) begin(r Report) {
	if t.Started.IsZero() && !r.Started.IsZero() {
		t.Started = later(r.Started, t.Created)
		t.Repeats++
	}
}

// preview adds a live piece of output; a piece that does not fit on what is there replaces it, and
// the bytes between count as dropped until the end report (OUT-2).
func (t *Task) preview(r Report) {
	end := r.Offset + int64(len(r.Output))
	if len(r.Output) == 0 || end <= t.Total {
		return
	}
	if r.Offset == t.Total {
		t.Output = append(t.Output[:len(t.Output):len(t.Output)], r.Output...)
	} else {
		t.Output = r.Output
	}
	if over := len(t.Output) - MaxOutput; over > 0 {
		t.Output = t.Output[over:]
	}
	t.Total = end
}

// end moves the task by an end report.
func (t *Task) end(r Report, p Plan, now time.Time) {
	t.begin(r)
	event, code := t.ending(r)
	at := later(r.Finished, t.Created)
	switch event {
	case TimeOut:
		at = t.Started.Add(p.Timeout) // T10, T20
	case Abort:
		at = t.Created.Add(p.Delivery) // T4
	}
	t.ExitCode = r.ExitCode
	if !t.finish(event, code, at, now) {
		// The agent contradicts what it said before; nobody knows what is true.
		t.finish(Break, ExecutionInterrupted, at, now)
	}
	if !r.Started.IsZero() {
		t.Output, t.Total = r.Output, max(r.Total, int64(len(r.Output)))
	}
}

// ending is the event that an end report stands for, given where the task is, and its code.
func (t *Task) ending(r Report) (Event, ErrorCode) {
	switch r.State {
	case Success:
		return Succeed, ""
	case Failed:
		return Fail, ExitCodeNonzero
	case Timeout:
		return TimeOut, ExecutionTimeout
	case Invalid:
		return Refuse, r.ErrorCode
	case Cancelled, Aborted:
		if t.State == Stopping {
			return Cancel, "" // T21
		}
		return Abort, DeliveryTimeout // T4
	case Terminated:
		if t.State == Stopping {
			return Terminate, "" // T16
		}
		return Break, ExecutionInterrupted
	}
	if r.ErrorCode == "" {
		return Break, ExecutionException
	}
	return Break, r.ErrorCode
}
