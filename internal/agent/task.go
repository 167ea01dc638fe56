package agent

import (
	"slices"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// A task is one that the server has not acknowledged as final.
type task struct {
	key     orderly.TaskKey
	stopped bool // the server wants it stopped
	running bool // its journal says Starting, or further
	ended   bool

	proc    *proc.Process // once it is started, until it has ended
	number  int64         // of the newest snapshot but the end's
	offset  int64         // how much of the output is reported
	begun   time.Time     // this process's clock, so ages of it are exact; zero in another process
	over    time.Time
	outcome *outcome // an end that could not be written to the journal
}

// take takes a task up, or returns the outcome that it has instead.
func (a *Agent) take(m arrival) *outcome {
	r := m.run
	job, err := wire.Decode[wire.Job](r.Job)
	switch allowed := milliseconds(r.Allowance); {
	case r.Allowance < 0 || allowed > 0 && time.Since(m.at) > allowed:
		return &outcome{State: orderly.Aborted, Code: orderly.DeliveryTimeout} // HND-3
	case err != nil:
		a.log.Error("a task makes no sense", "task", r.TaskKey, "error", err)
		return &outcome{State: orderly.Error, Code: orderly.ExecutionException}
	case !runnable(&job):
		return &outcome{State: orderly.Invalid, Code: orderly.CommandNotApplicable}
	case a.journal.Spool() > a.cfg.Spool:
		return &outcome{State: orderly.Invalid, Code: orderly.ClientDiskFull}
	}
	if err := a.journal.Got(r.TaskKey, r.Job); err != nil {
		a.log.Error("no task can be taken up", "error", err)
		return &outcome{State: orderly.Invalid, Code: orderly.ClientDiskFull}
	}
	return nil
}

// startWaiting starts what waits, as far as it may.
func (a *Agent) startWaiting() {
	for len(a.waiting) > 0 && len(a.active) < a.cfg.AtOnce && a.uplink.admitted && !a.leaving {
		t := a.tasks[a.waiting[0]]
		a.waiting = a.waiting[1:]
		a.start(t)
	}
}

func (a *Agent) start(t *task) {
	data, err := a.journal.Job(t.key)
	if err != nil {
		a.log.Error("a task cannot be read", "task", t.key, "error", err)
		a.end(t, outcome{State: orderly.Error, Code: orderly.ExecutionException})
		return
	}
	if err := a.journal.Starting(t.key); err != nil {
		a.log.Error("no task can be started", "task", t.key, "error", err)
		a.end(t, outcome{State: orderly.Invalid, Code: orderly.ClientDiskFull})
		return
	}
	t.running = true
	a.active[t.key] = t
	go a.execute(t, data)
}

// started is called when the task's process has started.
func (a *Agent) started(t *task, p *proc.Process, at time.Time) {
	t.proc, t.begun = p, at
	if t.stopped || a.leaving {
		p.Stop()
		return
	}
	a.after(a.cfg.Times.Running, func() {
		if !t.ended {
			a.report(t)
			a.watch()
		}
	})
}

// watch looks at the running commands' output now and then, while there are any.
func (a *Agent) watch() {
	if a.live {
		return
	}
	a.live = true
	a.after(a.cfg.Times.Live, func() {
		a.live = false
		for _, t := range a.active {
			if t.proc != nil && t.proc.Written() > t.offset {
				a.report(t)
			}
		}
		if len(a.active) > 0 {
			a.watch()
		}
	})
}

// exited is called when the task's process has ended, or could not be started.
func (a *Agent) exited(t *task, o outcome) {
	t.proc = nil
	delete(a.active, t.key)
	a.end(t, o)
	a.startWaiting()
}

// end records and reports how a task ended. One that cannot be recorded is remembered.
func (a *Agent) end(t *task, o outcome) {
	if t.ended {
		return
	}
	if o.over.IsZero() {
		o.over = time.Now()
	}
	t.ended, t.begun, t.over = true, o.begun, o.over
	o.Started, o.Ended = orderly.Millis(o.begun), orderly.Millis(o.over)
	if err := a.journal.Ended(t.key, o.encode()); err != nil {
		a.log.Error("an end cannot be recorded", "task", t.key, "error", err)
		t.outcome = &o
	}
	a.limitSpool()
	a.report(t)
}

func (a *Agent) limitSpool() {
	if a.journal.Spool() <= a.cfg.Spool {
		return
	}
	n, err := a.journal.Shrink(a.cfg.Spool, stripOutcome)
	if n > 0 {
		a.log.Warn("outputs were dropped, as too many reports wait", "tasks", n)
	}
	if err != nil {
		a.log.Error("the spool cannot be shrunk", "error", err)
	}
}

// stop ends a task, known or not: one that has not started will not (HND-5).
func (a *Agent) stop(key orderly.TaskKey, never orderly.State) {
	if err := a.journal.Tombstone(key); err != nil {
		a.log.Error("a stop cannot be recorded", "task", key, "error", err)
		return // without an answer it comes again
	}
	t := a.tasks[key]
	if t == nil {
		t = a.add(key)
	}
	switch {
	case t.ended:
		a.report(t)
	case !t.running:
		a.waiting = slices.DeleteFunc(a.waiting, func(k orderly.TaskKey) bool { return k == key })
		a.end(t, outcome{State: never})
	default:
		t.stopped = true
		if t.proc != nil {
			t.proc.Stop()
		}
	}
}

// stopAll is the end of the agent.
func (a *Agent) stopAll() {
	for _, t := range a.active {
		if t.proc != nil {
			t.proc.Stop()
		}
	}
}

func (a *Agent) add(key orderly.TaskKey) *task {
	t := &task{key: key, number: wire.AcceptedNumber}
	a.tasks[key] = t
	return t
}

// keys lists the tasks that the agent holds.
func (a *Agent) keys() []orderly.TaskKey {
	keys := make([]orderly.TaskKey, 0, len(a.tasks))
	for k := range a.tasks {
		keys = append(keys, k)
	}
	return keys
}

// A memory holds the last keys put in, at least memorySize of them.
type memory struct{ young, old map[orderly.TaskKey]struct{} }

const memorySize = 4096

func (m *memory) put(key orderly.TaskKey) {
	if len(m.young) >= memorySize {
		m.young, m.old = nil, m.young
	}
	if m.young == nil {
		m.young = map[orderly.TaskKey]struct{}{}
	}
	m.young[key] = struct{}{}
}

func (m *memory) has(key orderly.TaskKey) bool {
	_, young := m.young[key]
	_, old := m.old[key]
	return young || old
}
