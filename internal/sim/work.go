package sim

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// A task is one, or a run of a schedule, that the server has not acknowledged as final.
type task struct {
	key    orderly.TaskKey
	run    int   // the ordinal of a run; wire.OverRun when the end is that of a schedule as such
	last   bool  // with its end the schedule is over
	plan   *plan // of a schedule
	of     *task // the schedule that it is a run of
	number int64 // of its newest snapshot but the end's
	begun  time.Time
	over   time.Time // zero until it has ended
	state  orderly.State
	code   orderly.ErrorCode
	timer  *time.Timer // ends it; nil without a delay
	queued bool        // for the next Reports message
}

// work is what an agent has to do and to tell. Few tasks live on one agent at a time, so they are
// in a list.
type work struct {
	tasks  []*task
	ready  []*task // to report, as they stand when the message is made
	flight *flight
	number uint64
	known  []orderly.TaskKey // acknowledged ones, the last maxKnown
	oldest int               // place of the next one to go in known, once that is full
}

// maxKnown is how many acknowledged tasks an agent remembers, so that a Run message that was long
// on its way starts nothing.
const maxKnown = 256

// maxEarly is how many Run messages are kept that came before the welcome. More come again.
const maxEarly = 256

// A flight is a Reports message until its Ack.
type flight struct {
	number uint64
	items  []item
	tries  int
	due    time.Time // when to send it again
}

// An item is one snapshot: of a task, by number.
type item struct {
	task   *task
	number int64
}

func (w *work) find(key orderly.TaskKey) *task {
	for _, t := range w.tasks {
		if t.key == key && t.of == nil {
			return t
		}
	}
	return nil
}

func (w *work) add(key orderly.TaskKey) *task {
	t := &task{key: key, number: wire.AcceptedNumber}
	w.tasks = append(w.tasks, t)
	return t
}

func (w *work) keys() []orderly.TaskKey {
	keys := make([]orderly.TaskKey, 0, len(w.tasks))
	for _, t := range w.tasks {
		if t.of == nil {
			keys = append(keys, t.key)
		}
	}
	return keys
}

// forget drops a task whose end the server has, but for its key; with its last run a schedule too.
func (w *work) forget(t *task) {
	w.tasks = slices.DeleteFunc(w.tasks, func(o *task) bool { return o == t || t.last && o.key == t.key })
	if t.of != nil && !t.last {
		return
	}
	if len(w.known) < maxKnown {
		w.known = append(w.known, t.key)
		return
	}
	w.known[w.oldest] = t.key
	w.oldest = (w.oldest + 1) % maxKnown
}

// drop ends all timers.
func (w *work) drop() {
	for _, t := range w.tasks {
		t.rest()
		if t.plan != nil {
			t.plan.rest()
		}
	}
}

// rest stops what would end t.
func (t *task) rest() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// run takes a task up, once (HND-3, HND-4).
func (a *agent) run(r *wire.Run, now time.Time) {
	switch t := a.work.find(r.TaskKey); {
	case r.Incarnation != a.incarnation || r.Boot != a.boot:
		return
	case slices.Contains(a.work.known, r.TaskKey):
		a.fleet.repeated.Add(1)
		return
	case t != nil:
		a.fleet.repeated.Add(1)
		a.renew(t, r, now)
		a.report(t, now)
		return
	case !a.welcome:
		if len(a.early) < maxEarly {
			a.early = append(a.early, r)
		}
		return
	}
	t := a.work.add(r.TaskKey)
	switch {
	case r.Allowance < 0:
		t.conclude(r)
		a.finish(t, orderly.Aborted, now)
	case r.Plan == nil:
		a.start(t, r, now)
	case r.Plan.Mode == orderly.DryRun:
		a.finish(t, orderly.Success, now)
	default:
		a.arm(t, r, now)
	}
}

// start ends a task at once, or after the delay or the task's time limit.
func (a *agent) start(t *task, r *wire.Run, now time.Time) {
	a.fleet.runs.Add(1)
	t.begun = now
	state, after := orderly.Success, a.fleet.cfg.Delay
	if a.fails {
		state = orderly.Failed
	}
	if after <= 0 {
		a.finish(t, state, now)
		return
	}
	if job, err := wire.Decode[wire.Job](r.Job); err == nil && job.Timeout > 0 {
		if limit := time.Duration(job.Timeout) * time.Millisecond; limit < after {
			state, after = orderly.Timeout, limit
		}
	}
	t.timer = time.AfterFunc(after, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if t.over.IsZero() && !a.over {
			a.finish(t, state, time.Now())
		}
	})
}

// finish ends a task and reports it.
func (a *agent) finish(t *task, s orderly.State, now time.Time) {
	t.state, t.over = s, now
	switch s {
	case orderly.Failed:
		t.code = orderly.ExitCodeNonzero
	case orderly.Timeout:
		t.code = orderly.ExecutionTimeout
	case orderly.Aborted:
		t.code = orderly.DeliveryTimeout
	}
	t.last = t.last || t.of != nil && a.ended(t.of, now)
	a.report(t, now)
	if t.of != nil {
		a.catchUp(t.of, now)
	}
}

// end ends a task, known or not: one that has not started will not (HND-5), and ends as never.
func (a *agent) end(r *wire.TaskRef, never orderly.State, now time.Time) {
	if r.Incarnation != a.incarnation || r.Boot != a.boot || slices.Contains(a.work.known, r.TaskKey) {
		return
	}
	a.early = slices.DeleteFunc(a.early, func(e *wire.Run) bool { return e.TaskKey == r.TaskKey })
	t := a.work.find(r.TaskKey)
	switch {
	case t == nil:
		t = a.work.add(r.TaskKey)
		t.run, t.last = wire.OverRun, true // it may have been a schedule
		a.fleet.stopped.Add(1)
		a.finish(t, never, now)
	case !t.over.IsZero():
		a.report(t, now)
	case t.plan != nil:
		a.fleet.stopped.Add(1)
		a.stop(t, never, now)
	default:
		t.rest()
		a.fleet.stopped.Add(1)
		a.finish(t, orderly.Terminated, now)
	}
}

// expire ends a task that has not started.
func (a *agent) expire(r *wire.TaskRef, now time.Time) {
	if t := a.work.find(r.TaskKey); t != nil {
		a.report(t, now)
		return
	}
	a.end(r, orderly.Aborted, now)
}

// report tells where a task stands, as soon as may be.
func (a *agent) report(t *task, now time.Time) {
	w := &a.work
	under := w.flight != nil && slices.Contains(w.flight.items, item{t, t.end()})
	if !t.queued && !under {
		t.queued = true
		w.ready = append(w.ready, t)
	}
	a.sendReports(now)
}

// sendReports sends what is ready unless a message is under way.
func (a *agent) sendReports(now time.Time) {
	w := &a.work
	if w.flight != nil || len(w.ready) == 0 || !a.welcome {
		return
	}
	each := 384 + base64.StdEncoding.EncodedLen(min(a.fleet.cfg.Output, orderly.MaxOutput))
	n := min(len(w.ready), wire.MaxReports, max(1, (wire.MaxReportBytes-256)/each))
	w.number++
	w.flight = &flight{number: w.number, items: make([]item, n)}
	for i, t := range w.ready[:n] {
		t.queued = false
		w.flight.items[i] = item{t, t.next()}
	}
	if w.ready = w.ready[n:]; len(w.ready) == 0 {
		w.ready = nil
	}
	a.transmit(now)
}

// next is the number of the task's next snapshot.
func (t *task) next() int64 {
	switch {
	case !t.over.IsZero():
		return t.end()
	case t.plan != nil:
		return wire.AcceptedNumber
	}
	t.number++
	return wire.Number(t.run, t.number)
}

// end is the number of the task's last snapshot.
func (t *task) end() int64 { return wire.Number(t.run, wire.EndNumber) }

// transmit sends the message under way, again if need be, with the ages of now.
func (a *agent) transmit(now time.Time) {
	f := a.work.flight
	m := wire.Reports{Link: a.link, Number: f.number, Snapshots: make([]wire.Snapshot, len(f.items))}
	for i, it := range f.items {
		m.Snapshots[i] = a.snapshot(it, now)
	}
	a.publish(wire.KindReport, m)
	f.due = now.Add(a.fleet.backoff(f.tries, reportFirst, reportLast))
	f.tries++
}

func (a *agent) snapshot(it item, now time.Time) wire.Snapshot {
	t := it.task
	s := wire.Snapshot{TaskKey: t.key, Number: it.number, State: orderly.Running, StartedAgo: age(t.begun, now), Run: t.run, Version: t.version()}
	switch it.number {
	case t.end():
	case wire.AcceptedNumber:
		s.State, s.Run = orderly.Pending, 0
		return s
	default:
		return s
	}
	s.State, s.Code, s.EndedAgo, s.Last = t.state, t.code, age(t.over, now), t.last
	switch {
	case t.begun.IsZero(): // there is nothing to tell of a rehearsal
	case t.state == orderly.Success, t.state == orderly.Failed:
		code := 0
		if t.state == orderly.Failed {
			code = 1
		}
		s.ExitCode = &code
		s.Output, s.Total = Output(a.says(), a.fleet.cfg.Output), int64(a.fleet.cfg.Output)
		s.Offset = s.Total - int64(len(s.Output))
	}
	return s
}

// says is the line that its tasks write.
func (a *agent) says() string {
	if a.fleet.cfg.Alike {
		return a.fleet.cfg.Name
	}
	return a.instance
}

// Output is what a command that writes size bytes leaves on a simulated instance: the instance's ID,
// line by line, of which the last orderly.MaxOutput bytes are kept.
func Output(instance string, size int) []byte {
	line := instance + "\n"
	kept := min(size, orderly.MaxOutput)
	if kept <= 0 {
		return nil
	}
	from := (size - kept) % len(line)
	return []byte(strings.Repeat(line, (from+kept)/len(line)+1)[from : from+kept])
}

// age is how long ago t was, in ms; nil for the zero time.
func age(t, now time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := max(now.Sub(t).Milliseconds(), 0)
	return &ms
}

// resume sends what is under way at once, on a link that has just come up.
func (a *agent) resume(now time.Time) {
	if f := a.work.flight; f != nil {
		f.tries = 0
		a.transmit(now)
		return
	}
	a.sendReports(now)
}

// acknowledged is called when all of a message is in the database.
func (a *agent) acknowledged(number uint64, now time.Time) {
	w := &a.work
	if w.flight == nil || w.flight.number != number {
		return
	}
	for _, it := range w.flight.items {
		if it.number == it.task.end() {
			a.fleet.acked.Add(1)
			w.forget(it.task)
		}
	}
	w.flight = nil
	a.sendReports(now)
}
