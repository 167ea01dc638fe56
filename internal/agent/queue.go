package agent

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/orderly-run/orderly/internal/wire"
)

// briefLimit is the time limit up to which a command may use the reserved slots: the limit of a
// command for which nobody has set one.
const briefLimit = time.Minute

// A queue holds what waits for a slot, in order of arrival. A command with a long limit may take any
// slot but the reserved ones, so that the others need never wait for it: behind any number of commands
// that run for hours one with a brief limit starts at once, or when another brief one is over. Slots
// that both may have go to who came first.
type queue struct {
	brief, long []*task
	arrivals    int64
}

func (q *queue) len() int { return len(q.brief) + len(q.long) }

func (q *queue) push(t *task) {
	q.arrivals++
	t.arrival = q.arrivals
	if t.brief {
		q.brief = append(q.brief, t)
	} else {
		q.long = append(q.long, t)
	}
}

// pop takes out the first of those that may start; a long one only when there is a slot for it.
func (q *queue) pop(long bool, may func(*task) bool) *task {
	from, i := &q.brief, slices.IndexFunc(q.brief, may)
	if long {
		if n := slices.IndexFunc(q.long, may); n >= 0 && (i < 0 || q.long[n].arrival < q.brief[i].arrival) {
			from, i = &q.long, n
		}
	}
	if i < 0 {
		return nil
	}
	t := (*from)[i]
	if i == 0 {
		(*from)[0] = nil
		*from = (*from)[1:]
	} else {
		*from = slices.Delete(*from, i, i+1)
	}
	return t
}

// remove takes t out, if it is there.
func (q *queue) remove(t *task) {
	is := func(w *task) bool { return w == t }
	q.brief, q.long = slices.DeleteFunc(q.brief, is), slices.DeleteFunc(q.long, is)
}

// brief reports whether a job may use the reserved slots.
func brief(job json.RawMessage) bool {
	limit, err := wire.Decode[struct {
		Timeout int64 `json:"timeout"`
	}](job)
	return err == nil && limit.Timeout > 0 && milliseconds(limit.Timeout) <= briefLimit
}

// startWaiting starts what waits, as far as it may.
func (a *Agent) startWaiting() {
	for len(a.active) < a.cfg.AtOnce && !a.leaving {
		t := a.waiting.pop(a.long < a.cfg.AtOnce-a.cfg.Reserved, a.may)
		if t == nil {
			return
		}
		a.start(t)
	}
}

// may reports whether t may start now: schedules go on without a server, unless it has said that
// another agent is this instance.
func (a *Agent) may(t *task) bool {
	if t.plan != nil || t.of != nil {
		return !a.uplink.rival
	}
	return a.uplink.admitted
}

// occupy gives a slot to t.
func (a *Agent) occupy(t *task) {
	a.active[t.key] = t
	if !t.brief {
		a.long++
	}
}

// vacate takes it back.
func (a *Agent) vacate(t *task) {
	delete(a.active, t.key)
	if !t.brief {
		a.long--
	}
}
