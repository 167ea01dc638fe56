package agent

import (
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// maxEarly is how many Run messages are kept that came before the welcome. More come again.
const maxEarly = 256

// An arrival is a Run message and when it came.
type arrival struct {
	run *wire.Run
	at  time.Time
}

// receive handles a message that came from the server at a time.
func (a *Agent) receive(m *wire.ToAgent, at time.Time) {
	switch {
	case m.Welcome != nil:
		a.welcomed(m.Welcome)
	case m.Goodbye != "":
		a.dismissed(m.Goodbye)
	case m.Run != nil:
		a.receiveRun(arrival{m.Run, at})
	case m.Stop != nil:
		if a.mine(m.Stop) {
			a.stop(m.Stop.TaskKey, orderly.Cancelled)
		}
	case m.Expire != nil:
		a.expire(m.Expire)
	case m.Ack != 0:
		a.acknowledged(m.Ack)
	case m.Probe:
		a.beat(true)
	default:
		a.log.Warn("a message says nothing that this version knows")
	}
}

// receiveRun takes a task up and starts it, when its turn comes (HND-3, HND-4).
func (a *Agent) receiveRun(m arrival) {
	r := m.run
	switch t := a.tasks[whole(r.TaskKey)]; {
	case r.Incarnation != a.journal.Incarnation() || r.Boot != a.boot:
		a.log.Debug("a task is for another life of this agent", "task", r.TaskKey)
		return
	case a.acked.has(r.TaskKey) || a.leaving:
		return
	case t != nil:
		a.renew(t, m)
		a.answer(t)
		return
	case !a.uplink.admitted:
		if len(a.early) < maxEarly {
			a.early = append(a.early, m)
		}
		return
	}
	a.takeUp(m)
}

// takeUp takes up a task that the agent does not know, or ends it.
func (a *Agent) takeUp(m arrival) {
	mode := modeOf(m.run)
	switch o := late(m); {
	case o != nil:
		t := a.add(whole(m.run.TaskKey))
		if mode.Repeats() {
			t.plan = &plan{mode: mode}
		}
		a.end(t, *o)
	case mode == orderly.Once:
		a.take(m)
	case mode == orderly.DryRun:
		a.rehearse(m)
	case mode.Repeats():
		a.arm(m)
	default:
		a.log.Error("a task is to run in an unknown way", "task", m.run.TaskKey, "mode", mode)
		a.end(a.add(whole(m.run.TaskKey)), outcome{State: orderly.Error, Code: orderly.ExecutionException})
	}
}

// answer reports where a task stands: a schedule that its last run has ended as that run.
func (a *Agent) answer(t *task) {
	if t.plan != nil && t.plan.closing != nil {
		t = t.plan.closing
	}
	a.report(t)
}

// mine reports whether this agent can answer for a task: it holds it, or it would if it had ever got
// it. What came in another life of journal or machine it cannot know.
func (a *Agent) mine(r *wire.TaskRef) bool {
	if r.Incarnation != a.journal.Incarnation() || a.acked.has(r.TaskKey) {
		return false
	}
	return r.Boot == a.boot || a.tasks[whole(r.TaskKey)] != nil
}

// expire ends a task that has not started. A schedule that is held was taken up in time.
func (a *Agent) expire(r *wire.TaskRef) {
	if !a.mine(r) {
		return
	}
	if t := a.tasks[whole(r.TaskKey)]; t != nil && (t.running || t.plan != nil) {
		a.answer(t)
		return
	}
	a.stop(r.TaskKey, orderly.Aborted)
}
