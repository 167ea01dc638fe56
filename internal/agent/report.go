package agent

import (
	"encoding/base64"
	"maps"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// piece is how many bytes of output a running command's report has at most, the newest.
const piece = 8 << 10

// reports is what has to be told, and the one message that is under way with it. A task is told of
// as it stands when the message is made, so nothing here grows but keys.
type reports struct {
	ready  []Occurrence
	queued map[Occurrence]bool // the same
	flight *flight
	number uint64
}

func (r *reports) none() bool { return len(r.ready) == 0 && r.flight == nil }

// A flight is a message until its Ack.
type flight struct {
	number uint64
	items  []item
	tries  int
	timer  *time.Timer
}

// An item is a snapshot with its times as such.
type item struct {
	wire.Snapshot
	of          Occurrence
	end         bool // of what it is of
	begun, over time.Time
}

// report tells the server where t stands, as soon as may be.
func (a *Agent) report(t *task) {
	r := &a.reports
	under := r.flight != nil && t.ended && slices.ContainsFunc(r.flight.items, func(i item) bool {
		return i.of == t.key && i.end
	})
	if !r.queued[t.key] && !under {
		r.queued[t.key] = true
		r.ready = append(r.ready, t.key)
	}
	a.sendReports()
}

// sendReports sends what is ready unless a message is under way.
func (a *Agent) sendReports() {
	r := &a.reports
	if r.flight != nil || !a.uplink.welcome {
		return
	}
	items := a.gather()
	if len(items) == 0 {
		return
	}
	r.number++
	r.flight = &flight{number: r.number, items: items}
	a.transmit()
}

// gather takes as many tasks as fit into a message from those that are ready.
func (a *Agent) gather() (items []item) {
	r := &a.reports
	size, n := 0, 0
	for _, key := range r.ready {
		it, ok := a.snapshot(key)
		cost := 384 + base64.StdEncoding.EncodedLen(len(it.Output))
		if ok && (len(items) == wire.MaxReports || len(items) > 0 && size+cost > wire.MaxReportBytes-256) {
			break
		}
		n++
		delete(r.queued, key)
		if ok {
			a.noted(it)
			items = append(items, it)
			size += cost
		}
	}
	r.ready = append(r.ready[:0], r.ready[n:]...)
	return items
}

// noted remembers that it will be told.
func (a *Agent) noted(it item) {
	if it.State == orderly.Running {
		t := a.tasks[it.of]
		t.number, t.offset = t.number+1, it.Offset+int64(len(it.Output))
	}
}

// snapshot is where a task or run stands. There is none of one that is acknowledged, of a run that
// has not begun, and of a schedule's end before that of its run.
func (a *Agent) snapshot(o Occurrence) (item, bool) {
	t := a.tasks[o]
	if t == nil {
		return item{}, false
	}
	it := item{of: o, begun: t.begun, Snapshot: wire.Snapshot{TaskKey: o.TaskKey, Run: o.Run, Version: t.version()}}
	switch {
	case t.ended:
		return a.endSnapshot(t, it), t.plan == nil || t.plan.run == nil
	case t.begun.IsZero(): // waits, or is about to be started
		it.Number, it.State = wire.AcceptedNumber, orderly.Pending
		return it, t.of == nil
	}
	it.Number, it.State = wire.Number(o.Run, t.number+1), orderly.Running
	if t.proc != nil && t.of == nil { // OUT-3
		out, total := t.proc.Output()
		news := min(total-t.offset, piece, int64(len(out)))
		it.Output, it.Offset, it.Total = out[int64(len(out))-news:], total-news, total
	}
	return it, true
}

// version is that of the schedule, if t is one or a run of one.
func (t *task) version() int {
	if t.of != nil {
		t = t.of
	}
	if t.plan == nil {
		return 0
	}
	return t.plan.version
}

// endSnapshot makes it the snapshot of the end of t.
func (a *Agent) endSnapshot(t *task, it item) item {
	o := t.outcome
	if o == nil {
		o = a.readOutcome(t)
	}
	if o.Over {
		it.Run = wire.OverRun
	}
	it.end, it.over = true, t.over
	it.Number, it.Last = wire.Number(it.Run, wire.EndNumber), o.Last || o.Over
	it.State, it.Code, it.ExitCode = o.State, o.Code, o.ExitCode
	it.Output, it.Offset, it.Total = o.Output, max(o.Total-int64(len(o.Output)), 0), o.Total
	if it.begun.IsZero() {
		it.begun = orderly.FromMillis(o.Started)
	}
	if it.over.IsZero() {
		it.over = orderly.FromMillis(o.Ended)
	}
	return it
}

// readOutcome reads from the journal how t ended.
func (a *Agent) readOutcome(t *task) *outcome {
	data, err := a.journal.Report(t.key)
	if err == nil {
		var o outcome
		if o, err = wire.Decode[outcome](data); err == nil {
			return &o
		}
	}
	a.log.Error("a report cannot be read", "task", t.key, "error", err)
	return &outcome{State: orderly.Error, Code: orderly.ExecutionInterrupted, Ended: orderly.Millis(time.Now())}
}

// transmit sends the message under way, again if need be, with the ages of now.
func (a *Agent) transmit() {
	f := a.reports.flight
	now := time.Now()
	m := wire.Reports{Link: a.link, Number: f.number}
	for _, it := range f.items {
		it.StartedAgo, it.EndedAgo = age(it.begun, now), age(it.over, now)
		m.Snapshots = append(m.Snapshots, it.Snapshot)
	}
	a.publish(wire.KindReport, m)
	a.published(f, now)
	f.stop()
	f.timer = a.after(a.cfg.Times.Report.pause(f.tries), func() {
		if a.reports.flight == f && a.uplink.welcome {
			a.transmit()
		}
	})
	f.tries++
}

// published is called when a message with reports was sent.
func (a *Agent) published(f *flight, now time.Time) {
	for _, it := range f.items {
		if it.end {
			crashAt("after report")
			a.log.Debug("told the end", "task", it.of, "after", now.Sub(it.over))
		}
	}
}

func (f *flight) stop() {
	if f.timer != nil {
		f.timer.Stop()
	}
}

// age is how long ago t was, in ms; nil for the zero time.
func age(t, now time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := max(now.Sub(t).Milliseconds(), 0)
	return &ms
}

// resumeReports sends what is under way at once, on a link that has just come up.
func (a *Agent) resumeReports() {
	if f := a.reports.flight; f != nil {
		f.tries = 0
		a.transmit()
	}
	a.sendReports()
}

// acknowledged is called when all of a message is in the database.
func (a *Agent) acknowledged(number uint64) {
	f := a.reports.flight
	if f == nil || f.number != number {
		return
	}
	f.stop()
	a.reports.flight = nil
	for _, it := range f.items {
		a.obey(it)
		switch {
		case it.Last:
			a.forget(whole(it.TaskKey), it.of)
		case it.end:
			a.forget(it.of, it.of)
		}
	}
	a.sendReports()
}

// forget drops a task or run whose end the server has, but for a task's key: a Run message may still
// be on its way. If the journal cannot forget it, told, which is its end, is told again later.
func (a *Agent) forget(o, told Occurrence) {
	t := a.tasks[o]
	if t == nil {
		return
	}
	crashAt("before acked")
	if err := a.journal.Acked(o); err != nil {
		a.log.Error("an acknowledgement cannot be recorded", "task", o, "error", err)
		if t := a.tasks[told]; t != nil {
			a.after(a.cfg.Times.Report.Max, func() { a.report(t) })
		}
		return
	}
	crashAt("after acked")
	delete(a.tasks, o)
	if o.Run > 0 {
		return
	}
	a.acked.put(o.TaskKey)
	if t.plan != nil {
		maps.DeleteFunc(a.tasks, func(other Occurrence, _ *task) bool { return other.TaskKey == o.TaskKey })
	}
}
