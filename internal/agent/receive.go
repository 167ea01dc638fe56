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
	}
}

// receiveRun takes a task up and starts it, when its turn comes (HND-3, HND-4).
func (a *Agent) receiveRun(m arrival) {
	r := m.run
	switch t := a.tasks[r.TaskKey]; {
	case r.Incarnation != a.journal.Incarnation() || r.Boot != a.boot:
		a.log.Debug("a task is for another life of this agent", "task", r.TaskKey)
		return
	case a.acked.has(r.TaskKey) || a.leaving:
		return
	case t != nil:
		a.report(t)
		return
	case !a.uplink.admitted:
		if len(a.early) < maxEarly {
			a.early = append(a.early, m)
		}
		return
	}
	o := a.take(m)
	t := a.add(r.TaskKey)
	if o != nil {
		a.end(t, *o)
		return
	}
	a.waiting = append(a.waiting, t.key)
	a.startWaiting()
	if !t.running {
		a.report(t)
	}
}

// mine reports whether this agent can answer for a task: it holds it, or it would if it had ever got
// it. What came in another life of journal or machine it cannot know.
func (a *Agent) mine(r *wire.TaskRef) bool {
	if r.Incarnation != a.journal.Incarnation() || a.acked.has(r.TaskKey) {
		return false
	}
	return r.Boot == a.boot || a.tasks[r.TaskKey] != nil
}

// expire ends a task that has not started.
func (a *Agent) expire(r *wire.TaskRef) {
	if !a.mine(r) {
		return
	}
	if t := a.tasks[r.TaskKey]; t != nil && t.running {
		a.report(t)
		return
	}
	a.stop(r.TaskKey, orderly.Aborted)
}
