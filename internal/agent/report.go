package agent

import (
	"encoding/base64"
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
	ready  []orderly.TaskKey
	queued map[orderly.TaskKey]bool // the same
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
	begun, over time.Time
}

// report tells the server where t stands, as soon as may be.
func (a *Agent) report(t *task) {
	r := &a.reports
	under := r.flight != nil && t.ended && slices.ContainsFunc(r.flight.items, func(i item) bool {
		return i.TaskKey == t.key && i.Number == wire.EndNumber
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
	if t := a.tasks[it.TaskKey]; it.State == orderly.Running {
		t.number, t.offset = it.Number, it.Offset+int64(len(it.Output))
	}
}

// snapshot is where a task stands; there is none of one that is acknowledged.
func (a *Agent) snapshot(key orderly.TaskKey) (item, bool) {
	t := a.tasks[key]
	switch {
	case t == nil:
		return item{}, false
	case t.ended:
		return a.endSnapshot(t)
	case t.proc == nil: // waits, or is about to be started
		return item{Snapshot: wire.Snapshot{TaskKey: key, Number: wire.AcceptedNumber, State: orderly.Pending}}, true
	}
	out, total := t.proc.Output()
	news := min(total-t.offset, piece, int64(len(out)))
	return item{begun: t.begun, Snapshot: wire.Snapshot{
		TaskKey: key, Number: t.number + 1, State: orderly.Running,
		Output: out[int64(len(out))-news:], Offset: total - news, Total: total,
	}}, true
}

func (a *Agent) endSnapshot(t *task) (item, bool) {
	o := t.outcome
	if o == nil {
		data, err := a.journal.Report(t.key)
		if err == nil {
			var read outcome
			read, err = wire.Decode[outcome](data)
			o = &read
		}
		if err != nil {
			a.log.Error("a report cannot be read", "task", t.key, "error", err)
			o = &outcome{State: orderly.Error, Code: orderly.ExecutionInterrupted, Ended: orderly.Millis(time.Now())}
		}
	}
	it := item{begun: t.begun, over: t.over, Snapshot: wire.Snapshot{
		TaskKey: t.key, Number: wire.EndNumber, State: o.State, Code: o.Code, ExitCode: o.ExitCode,
		Output: o.Output, Offset: max(o.Total-int64(len(o.Output)), 0), Total: o.Total,
	}}
	if it.begun.IsZero() {
		it.begun = orderly.FromMillis(o.Started)
	}
	if it.over.IsZero() {
		it.over = orderly.FromMillis(o.Ended)
	}
	return it, true
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
	f.stop()
	f.timer = a.after(a.cfg.Times.Report.pause(f.tries), func() {
		if a.reports.flight == f && a.uplink.welcome {
			a.transmit()
		}
	})
	f.tries++
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
		if it.Number == wire.EndNumber {
			a.forget(it.TaskKey)
		}
	}
	a.sendReports()
}

// forget drops a task whose end the server has, but for its key: a Run message may still be on its
// way. If the journal cannot forget it, it is told again later.
func (a *Agent) forget(key orderly.TaskKey) {
	t := a.tasks[key]
	if t == nil {
		return
	}
	if err := a.journal.Acked(key); err != nil {
		a.log.Error("an acknowledgement cannot be recorded", "task", key, "error", err)
		a.after(a.cfg.Times.Report.Max, func() { a.report(t) })
		return
	}
	delete(a.tasks, key)
	a.acked.put(key)
}
