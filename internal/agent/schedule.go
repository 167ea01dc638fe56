package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/schedule"
	"github.com/orderly-run/orderly/internal/wire"
)

// A plan is what a task has beside the rest when it is a schedule. Only Run touches it.
type plan struct {
	mode    orderly.RepeatMode
	expr    schedule.Expression // of Period
	created time.Time           // when the task was created, by the clock of this process
	version int
	due     bool // the boot under which it came is one to run at

	unusable *outcome // what an agent that took it over found wrong

	runs    int       // the ordinal of the newest run
	run     *task     // that run, while it waits or goes on
	closing *task     // the run whose end is the schedule's
	fired   time.Time // the newest time that came
	timer   *time.Timer
}

// recurs reports whether its runs are told of one by one, not as the task's own.
func (p *plan) recurs() bool { return p.mode != orderly.NextRebootOnly }

// A handout is a schedule as the journal keeps it.
type handout struct {
	wire.Run
	Created int64 `json:"created"` // Unix ms of this machine's clock
	Due     bool  `json:"due,omitempty"`
}

// modeOf is how a task that was handed over runs.
func modeOf(r *wire.Run) orderly.RepeatMode {
	if r.Plan == nil || r.Plan.Mode == "" {
		return orderly.Once
	}
	return r.Plan.Mode
}

// arm takes a schedule up (T6), or says why not (T2).
func (a *Agent) arm(m arrival) {
	t := a.add(whole(m.run.TaskKey))
	h := a.handout(m)
	p, err := newPlan(h)
	t.plan = p
	refused := a.check(m)
	if refused == nil {
		refused = a.useless(p, err)
	}
	if refused == nil {
		refused = a.keep(h)
	}
	if refused != nil {
		a.end(t, *refused)
		return
	}
	a.log.Info("holds a schedule", "task", t.key.TaskKey, "mode", p.mode)
	if p.due {
		a.occur(t)
	}
	if !t.running {
		a.report(t)
	}
	a.await(t)
}

// handout places a Run message on this machine's clock and under its boot (RM-4).
func (a *Agent) handout(m arrival) handout {
	age := milliseconds(m.run.Plan.Age) + time.Since(m.at)
	h := handout{Run: *m.run, Created: orderly.Millis(time.Now().Add(-age))}
	h.Plan = new(*m.run.Plan)
	if m.run.Plan.Mode != orderly.Period && m.run.Plan.Before != a.boot {
		up, known := a.uptime()
		h.Due = known && up < age
	}
	return h
}

// keep writes a schedule to the journal.
func (a *Agent) keep(h handout) *outcome {
	if err := a.journal.Scheduled(h.TaskKey, wire.Encode(h)); err != nil {
		a.log.Error("no schedule can be taken up", "error", err)
		return &outcome{State: orderly.Invalid, Code: orderly.ClientDiskFull}
	}
	return nil
}

// newPlan reads the plan of a schedule. Its error is the expression's. The plan is there in any case.
func newPlan(h handout) (p *plan, err error) {
	now := time.Now() // ages of created are exact from here on, whatever becomes of the clock
	p = &plan{
		mode: h.Plan.Mode, version: h.Plan.Version, runs: h.Plan.Ran, due: h.Due,
		created: now.Add(-now.Round(0).Sub(orderly.FromMillis(h.Created))),
	}
	if p.mode == orderly.Period {
		p.expr, err = schedule.Parse(h.Plan.Frequency)
	}
	return p, err
}

// useless is the outcome of a schedule that never runs: its expression is wrong, or has no time left
// (EX-4).
func (a *Agent) useless(p *plan, err error) *outcome {
	if err != nil {
		return invalid(err)
	}
	if _, ok := a.next(p); p.mode != orderly.Period || ok {
		return nil
	}
	return &outcome{State: orderly.Invalid, Code: orderly.ErrorCode(p.expr.Expired())}
}

// invalid is the outcome of a schedule whose expression is wrong.
func invalid(err error) *outcome {
	o := outcome{State: orderly.Invalid, Code: orderly.BadCronExpression}
	if e, ok := errors.AsType[*schedule.Error](err); ok {
		o.Code = orderly.ErrorCode(e.Code)
	}
	return &o
}

// renew takes over a newer version of a schedule. What runs goes on as it was (MIA-7).
func (a *Agent) renew(t *task, m arrival) {
	p, r := t.plan, m.run
	if p == nil || r.Plan == nil || t.ended || t.stopped || p.closing != nil {
		return
	}
	if p.run == nil {
		p.runs = max(p.runs, r.Plan.Ran)
	}
	if r.Plan.Version <= p.version {
		return
	}
	if t.running { // the only run there will be
		p.version = r.Plan.Version
		return
	}
	h := a.handout(m)
	h.Plan.Mode, h.Created, h.Due = p.mode, orderly.Millis(time.Now().Add(-time.Since(p.created))), p.due // EX-2
	n, err := newPlan(h)
	refused := a.check(m)
	switch {
	case refused != nil && refused.Code == orderly.ClientDiskFull:
		return // it comes again
	case refused == nil:
		if refused = a.useless(n, err); refused == nil && a.keep(h) != nil {
			return
		}
	}
	p.version = n.version
	if refused != nil { // T23
		a.end(t, *refused)
		return
	}
	p.expr = n.expr
	a.await(t)
}

// await waits for the next time of a schedule that has any.
func (a *Agent) await(t *task) {
	p := t.plan
	p.rest()
	if p.mode != orderly.Period || t.ended || t.stopped || p.closing != nil {
		return
	}
	now := p.clock()
	next, ok := a.next(p)
	if !ok {
		if p.run == nil { // else its end says so
			a.end(t, outcome{State: orderly.Invalid, Code: orderly.ErrorCode(p.expr.Expired())}) // SC-6
		}
		return
	}
	wait := next.Sub(now)
	if p.expr.Kind() != schedule.Rate {
		wait = min(wait, a.cfg.Times.Clock) // the clock may be set meanwhile
	}
	var timer *time.Timer
	timer = a.after(wait, func() {
		if p.timer == timer {
			a.tick(t, next)
		}
	})
	p.timer = timer
}

// rest stops waiting.
func (p *plan) rest() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// tick is called when it may be time for a run at next. What is late, since the machine slept or its
// clock was set, is not made up for (SC-2).
func (a *Agent) tick(t *task, next time.Time) {
	p := t.plan
	if late := p.clock().Sub(next); late >= 0 {
		p.fired = next
		if late <= a.cfg.Times.Clock {
			a.occur(t)
		}
	}
	a.await(t)
}

// clock is the time by which p is due: that of this process for a rate, the machine's otherwise.
func (p *plan) clock() time.Time {
	if p.expr.Kind() == schedule.Rate {
		return p.created.Round(0).Add(time.Since(p.created))
	}
	return time.Now().Round(0)
}

// next is when p is due next. A clock that was set back a little does not bring a time again; one
// that was wrong by more does not hold up what comes.
func (a *Agent) next(p *plan) (time.Time, bool) {
	after := p.clock()
	if ahead := p.fired.Sub(after); ahead > 0 && ahead <= a.cfg.Times.Clock {
		after = p.fired
	}
	next, ok := p.expr.Next(after, p.created.Round(0), a.zone.now())
	if p.expr.Kind() == schedule.At && next.Equal(p.fired) {
		return time.Time{}, false
	}
	return next, ok
}

// occur starts a run of a schedule, when its turn comes, unless the one before goes on (SC-3).
func (a *Agent) occur(t *task) {
	p := t.plan
	switch {
	case p.run != nil || t.ended || t.stopped || a.leaving || a.uplink.rival:
		return
	case !p.recurs():
		a.queue(t)
	case a.journal.Spool() > a.cfg.Spool: // its job is there already
		a.log.Error("a run is left out, as too many reports wait", "task", t.key.TaskKey)
		return
	default:
		p.runs++
		p.run = a.add(Occurrence{t.key.TaskKey, p.runs})
		p.run.of = t
		a.queue(p.run)
	}
	a.startWaiting()
}

// close says whether the end of its run is the end of schedule t, and notes it if so.
func (a *Agent) close(t, run *task) bool {
	p := t.plan
	p.run = nil
	switch {
	case t.ended:
		return false // it says so itself
	case t.stopped:
	case p.mode != orderly.Period:
		return false
	default:
		if _, more := a.next(p); more {
			return false
		}
	}
	p.closing = run
	p.rest()
	return true
}

// retire lets no more runs begin.
func (a *Agent) retire(p *plan) {
	p.rest()
	if p.run != nil && !p.run.running {
		a.waiting.remove(p.run)
		delete(a.tasks, p.run.key)
		p.run = nil
	}
}

// stopSchedule ends a schedule, with the run that goes on (STOP-3).
func (a *Agent) stopSchedule(t *task, never orderly.State) {
	p := t.plan
	t.stopped = true
	a.retire(p)
	if p.run != nil {
		a.stopProcess(p.run)
	}
	switch {
	case p.closing != nil || t.ended:
		a.answer(t)
	case p.run == nil:
		a.end(t, outcome{State: never})
	}
}

// job is what a task or run has to run.
func (a *Agent) job(o Occurrence) (json.RawMessage, error) {
	if task, _ := a.journal.Task(whole(o.TaskKey)); !task.Scheduled {
		return a.journal.Job(o)
	}
	h, err := a.readHandout(o)
	return h.Job, err
}

// readHandout reads the schedule of a task or run from the journal.
func (a *Agent) readHandout(o Occurrence) (handout, error) {
	data, err := a.journal.Job(whole(o.TaskKey))
	if err != nil {
		return handout{}, err
	}
	h, err := wire.Decode[handout](data)
	if err == nil && h.Plan == nil {
		err = errors.New("it is none")
	}
	if err != nil {
		return handout{}, fmt.Errorf("read schedule: %w", err)
	}
	return h, nil
}
