package orderly

import (
	"cmp"
	"time"
)

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

	// Of a mode that repeats:
	Run     int  // which run, 1 for the first; 0 or OverRun when it is about the schedule as such
	Last    bool // with this the schedule is over
	Version int  // of what the agent holds (MIA-7)
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
	news := r.Number > t.Report || p.Repeat.Recurs() && t.State.Live() && r.aboutAll()
	switch {
	case !p.Repeat.Recurs() && r.Run > 0 && r.Run < OverRun:
		return ReportRepeated // it has no runs: no agent that works says so
	case !t.State.Live() && news && r.result():
		t.Report = r.Number
		return ReportLate
	case !t.State.Live():
		return ReportRepeated
	case !news && (!p.Repeat.Repeats() || !t.heldNow(r)):
		return ReportRepeated
	}
	effect := ReportApplied
	if news {
		effect = t.apply(r.placed(t.Created, now), p, now)
	}
	t.Confirmed = t.Confirmed || t.heldNow(r)
	if t.State.Live() {
		t.Due = t.nextDue(p, l)
	}
	return effect
}

// aboutAll reports whether r ends the task without being about a run. An agent whose journal is new
// knows no runs, so the numbers of its reports begin again: it may say so of a schedule that has run.
func (r Report) aboutAll() bool { return r.Run == 0 && !r.State.Live() }

// heldNow reports whether r is the first to say that the agent has the task as it is to be now
// (HND-4, MIA-7); that may be said by a report that holds no other news.
func (t *Task) heldNow(r Report) bool { return !t.Confirmed && r.Version >= t.Version }

func (t *Task) apply(r Report, p Plan, now time.Time) ReportEffect {
	t.Report, t.Updated = max(t.Report, r.Number), now
	switch {
	case p.Repeat.Recurs():
		return t.occur(r, p, now)
	case r.State == Running:
		t.begin(r)
		t.move(Start, now) // a Stopping task stays so: the answer to the stop decides
		t.preview(r)
	case !r.State.Live():
		t.end(r, p, now)
	}
	return ReportApplied
}

// result reports whether r says how a run ended, or why there was none to end: all ends but those
// that only say that it never started (HND-5).
func (r Report) result() bool {
	return !r.State.Live() && r.State != Cancelled && r.State != Aborted && r.State != Invalid && r.Run != OverRun
}

// placed is r with times that are not before the task's creation (CLK-1) and not to come, and a
// start of a run that says no time.
func (r Report) placed(created, now time.Time) Report {
	if r.State == Running && r.Started.IsZero() {
		r.Started = now
	}
	if !r.Started.IsZero() {
		r.Started = later(earlier(r.Started, now), created)
	}
	r.Finished = later(earlier(r.Finished, now), created)
	return r
}

// begin notes the start of a run, once.
func (t *Task) begin(r Report) {
	if t.Started.IsZero() && !r.Started.IsZero() {
		t.Started = r.Started
		t.Repeats++
	}
}

// preview adds a live piece of output; a piece that does not fit on what is there replaces it, and
// the bytes between count as dropped until the end report (OUT-2).
func (t *Task) preview(r Report) {
	end := r.Offset + int64(len(r.Output))
	if len(r.Output) == 0 || r.Offset < 0 || end <= t.Total {
		return
	}
	if r.Offset == t.Total {
		t.Output = append(t.Output[:len(t.Output):len(t.Output)], r.Output...)
	} else {
		t.Output = r.Output
	}
	t.Output, t.Total = tail(t.Output), end
}

// tail is what is kept of an output (OUT-2).
func tail(output []byte) []byte { return output[max(0, len(output)-MaxOutput):] }

// end moves the task by an end report.
func (t *Task) end(r Report, p Plan, now time.Time) {
	if r.result() {
		t.begin(r)
	}
	event, code := t.ending(r, p, !t.Started.IsZero())
	at := r.Finished
	switch {
	case event == TimeOut && !t.Started.IsZero():
		at = t.Started.Add(p.Timeout) // T10, T20
	case event == Abort && code == DeliveryTimeout:
		at = t.Created.Add(p.Delivery) // T4
	}
	t.ExitCode = r.ExitCode
	if !t.finish(event, code, at, now) {
		// The agent contradicts what it said before; nobody knows what is true.
		t.finish(Break, ExecutionInterrupted, at, now)
	}
	if !r.Started.IsZero() {
		t.keep(r)
	}
}

// keep takes the output of an end report, which replaces the preview also when there is none; not
// nil, it is stored. An agent that lost it with its former process leaves what is there (OUT-4).
func (t *Task) keep(r Report) {
	if r.State == Error && r.Total == 0 && len(r.Output) == 0 {
		return
	}
	t.Output, t.Total = append([]byte{}, tail(r.Output)...), max(r.Total, int64(len(r.Output)))
}

// ending is the event that an end report stands for, given where the task is and whether its run is
// known to have begun, and its code.
func (t *Task) ending(r Report, p Plan, begun bool) (Event, ErrorCode) {
	if !r.result() && begun {
		return Break, ExecutionInterrupted // it cannot have run and never have started
	}
	switch {
	case r.tooOld(p):
		return t.needUpgrade(), ClientNeedUpgrade
	case p.File && r.State == Failed:
		return Fail, cmp.Or(r.ErrorCode, FileCreateFail) // SF-3
	}
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

// tooOld reports whether r says that its agent knows of no files, or containers: those that do refuse none as not
// applicable (AB-2, CT-2).
func (r Report) tooOld(p Plan) bool {
	return (p.File || p.Container) && r.State == Invalid && r.ErrorCode == CommandNotApplicable
}

// needUpgrade is the event that an agent's being too old stands for.
func (t *Task) needUpgrade() Event {
	if _, ok := t.State.Next(Abort); !ok {
		return Refuse
	}
	return Abort
}
