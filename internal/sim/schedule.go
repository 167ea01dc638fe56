package sim

import (
	"errors"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/schedule"
	"github.com/orderly-run/orderly/internal/wire"
)

// A plan is what a pretend agent holds of a schedule. Those for boots never run: its machine stays up.
type plan struct {
	handed  *wire.Run
	expr    schedule.Expression
	created time.Time
	stopped bool
	runs    int       // the ordinal of the newest run
	run     *task     // that run, until it has ended
	newer   *wire.Run // replaces the schedule after that
	fired   time.Time
	timer   *time.Timer
}

func (p *plan) rest() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// version is that of the schedule, if t is one or a run of one.
func (t *task) version() int {
	if t.of != nil {
		t = t.of
	}
	if t.plan == nil {
		return 0
	}
	return t.plan.handed.Plan.Version
}

// conclude makes the end of t that of a schedule as such, if it is one whose runs are told of one by
// one.
func (t *task) conclude(r *wire.Run) {
	if r.Plan != nil && (r.Plan.Mode == orderly.Period || r.Plan.Mode == orderly.EveryReboot) {
		t.run, t.last = wire.OverRun, true
	}
}

// arm takes a schedule up, or says why not.
func (a *agent) arm(t *task, r *wire.Run, now time.Time) {
	t.plan = &plan{created: now.Add(-time.Duration(r.Plan.Age) * time.Millisecond)}
	a.adopt(t, r, now)
	a.report(t, now)
}

// renew replaces a schedule by a newer version of it, when no run goes on (MIA-7).
func (a *agent) renew(t *task, r *wire.Run, now time.Time) {
	switch {
	case t.plan == nil || !t.over.IsZero() || t.plan.stopped || r.Plan == nil || r.Plan.Version <= t.version():
	case t.plan.run != nil:
		t.plan.newer = r
	default:
		a.adopt(t, r, now)
	}
}

// adopt goes by r from now on, unless that makes no sense or has no time left (T2, T23).
func (a *agent) adopt(t *task, r *wire.Run, now time.Time) {
	p := t.plan
	p.handed, p.runs = r, max(p.runs, r.Plan.Ran)
	if r.Plan.Mode != orderly.Period {
		return
	}
	expr, err := schedule.Parse(r.Plan.Frequency)
	if e, ok := errors.AsType[*schedule.Error](err); ok {
		t.code = orderly.ErrorCode(e.Code)
	} else if p.expr = expr; !a.await(t, now) {
		t.code = orderly.ErrorCode(expr.Expired())
	}
	if t.code != "" {
		p.rest()
		t.conclude(r)
		a.finish(t, orderly.Invalid, now)
	}
}

// await waits for the next time, if there is any. None is made up for (SC-2).
func (a *agent) await(t *task, now time.Time) bool {
	p := t.plan
	p.rest()
	if p.handed.Plan.Mode != orderly.Period {
		return true
	}
	after := now
	if p.fired.After(now) {
		after = p.fired
	}
	next, ok := p.expr.Next(after, p.created, time.Local)
	if !ok {
		return false
	}
	p.timer = time.AfterFunc(next.Sub(now), func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if t.over.IsZero() && !p.stopped && !a.over && next.After(p.fired) {
			p.fired = next
			a.occur(t, time.Now())
		}
	})
	return true
}

// occur starts a run, unless the one before goes on (SC-3).
func (a *agent) occur(t *task, now time.Time) {
	p := t.plan
	a.await(t, now)
	if p.run != nil {
		return
	}
	p.runs++
	p.run = a.work.add(t.key)
	p.run.of, p.run.run = t, p.runs
	a.start(p.run, p.handed, now)
}

// ended reports whether the schedule is over with the run that has just ended.
func (a *agent) ended(t *task, now time.Time) bool {
	t.plan.run = nil
	return t.plan.stopped || t.plan.newer == nil && !a.await(t, now)
}

// catchUp takes the version over that came while a run went on.
func (a *agent) catchUp(t *task, now time.Time) {
	if r := t.plan.newer; r != nil && !t.plan.stopped {
		t.plan.newer = nil
		a.adopt(t, r, now)
		a.report(t, now)
	}
}

// stop ends a schedule that is held, with the run that goes on.
func (a *agent) stop(t *task, never orderly.State, now time.Time) {
	p := t.plan
	p.rest()
	p.stopped = true
	if p.run != nil {
		p.run.rest()
		a.finish(p.run, orderly.Terminated, now)
		return
	}
	t.conclude(p.handed)
	a.finish(t, never, now)
}
