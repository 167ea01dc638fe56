package agent

import (
	"encoding/base64"
	"errors"
	"runtime/debug"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// A task is one, or a run of a schedule, that the server has not acknowledged as final.
type task struct {
	key     Occurrence
	plan    *plan // of a schedule
	of      *task // the schedule that it is a run of
	stopped bool  // the server wants it stopped
	running bool  // its journal says Starting, or further
	ended   bool
	brief   bool      // it may have a reserved slot
	arrival int64     // of the queue
	came    time.Time // when the message came, for one that runs at once

	proc    *proc.Process // once it is started, until it has ended
	number  int64         // of the newest snapshot but the end's
	offset  int64         // how much of the output is reported
	begun   time.Time     // this process's clock, so ages of it are exact; zero in another process
	over    time.Time
	outcome *outcome // an end that could not be written to the journal
}

// late is the outcome of a task whose start allowance is over (HND-3).
func late(m arrival) *outcome {
	allowed := milliseconds(m.run.Allowance)
	if m.run.Allowance >= 0 && (allowed == 0 || time.Since(m.at) <= allowed) {
		return nil
	}
	return &outcome{State: orderly.Aborted, Code: orderly.DeliveryTimeout}
}

// check finds what forbids to take a task up whatever it needs to run, and says how it ends.
func (a *Agent) check(m arrival) *outcome {
	job, err := wire.Decode[wire.Job](m.run.Job)
	_, garbled := errors.AsType[base64.CorruptInputError](err)
	switch {
	case garbled && job.File != nil:
		return &outcome{State: orderly.Invalid, Code: orderly.FileContentInvalid}
	case garbled:
		return &outcome{State: orderly.Invalid, Code: orderly.CommandContentDecodeError} // SZ-3
	case err != nil:
		a.log.Error("a task makes no sense", "task", m.run.TaskKey, "error", err)
		return &outcome{State: orderly.Error, Code: orderly.ExecutionException}
	}
	code := unfit(&job)
	if code == "" && a.full() {
		code = orderly.ClientDiskFull
	}
	if code == "" {
		return nil
	}
	return &outcome{State: orderly.Invalid, Code: code}
}

// unfit is the code of what is wrong with a job in itself; "" is nothing.
func unfit(job *wire.Job) orderly.ErrorCode {
	switch {
	case job.File != nil:
		return unfitFile(job.File)
	case job.Container != nil:
		return here.unfitContainer(job.Container)
	case !here.runs(job.Type): // CMD-2
		return orderly.CommandNotApplicable
	case orderly.CheckLauncher(job.Launcher) != nil:
		return orderly.InvalidCommandText
	}
	return ""
}

// full reports whether the journal has no room for more work: too many reports wait for the server, or
// too many scripts for their turn.
func (a *Agent) full() bool {
	return a.journal.Spool() > a.cfg.Spool || a.journal.Jobs() > a.cfg.Spool
}

// take takes up a task that runs once.
func (a *Agent) take(m arrival) {
	t := a.add(whole(m.run.TaskKey))
	t.came = m.at
	o := a.check(m)
	if o == nil {
		crashAt("before got")
		if err := a.journal.Got(t.key, m.run.Job); err != nil {
			a.log.Error("no task can be taken up", "error", err)
			o = &outcome{State: orderly.Invalid, Code: orderly.ClientDiskFull}
		}
	}
	if o != nil {
		a.end(t, *o)
		return
	}
	crashAt("after got")
	t.brief = brief(m.run.Job)
	a.waiting.push(t)
	a.startWaiting()
	if !t.running {
		a.report(t)
	}
}

// rehearse checks all that a task needs and runs nothing (RM-5).
func (a *Agent) rehearse(m arrival) {
	t := a.add(whole(m.run.TaskKey))
	if o := a.check(m); o != nil {
		a.end(t, rehearsed(*o))
		return
	}
	job, err := wire.Decode[wire.Job](m.run.Job)
	switch {
	case err == nil && job.Container != nil:
		a.lookFor(t, job.Container)
		return
	case err == nil:
		err = proc.Check(process(&job, "script"))
	}
	o := outcome{State: orderly.Success}
	if err != nil {
		o = unstarted(err)
	}
	a.end(t, rehearsed(o))
}

// rehearsed is the outcome of a rehearsal, in which nothing was begun that could fail.
func rehearsed(o outcome) outcome {
	if o.State == orderly.Error {
		return outcome{State: orderly.Invalid, Code: orderly.CommandNotApplicable}
	}
	return o
}

func (a *Agent) start(t *task) {
	data, err := a.job(t.key)
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
	crashAt("after starting")
	t.running = true
	a.occupy(t)
	go a.execute(t, data)
}

// started is called when the task's process has started.
func (a *Agent) started(t *task, p *proc.Process, at time.Time) {
	t.proc, t.begun = p, at
	if !t.came.IsZero() {
		a.log.Debug("started", "task", t.key, "after", at.Sub(t.came))
	}
	switch {
	case a.leaving:
		p.StopWithin(a.leaveGrace())
		return
	case t.stopped:
		p.Stop()
		return
	}
	a.tellLater(t)
}

// placing is called when nothing forbids to put the task's file in its place.
func (a *Agent) placing(t *task, at time.Time) {
	if !t.ended {
		t.begun = at
		a.tellLater(t)
	}
}

// tellLater reports that a task runs, unless it is over within moments.
func (a *Agent) tellLater(t *task) {
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
			if t.of == nil && t.proc != nil && t.proc.Written() > t.offset {
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
	a.vacate(t)
	a.end(t, o)
	a.startWaiting()
	a.rest()
}

// rest gives memory that is not needed back to the system once nothing has run for a while: an agent is idle
// nearly always, and what it took for its last command is of use to others.
func (a *Agent) rest() {
	if a.resting || a.cfg.Times.Rest <= 0 {
		return
	}
	a.resting = true
	a.after(a.cfg.Times.Rest, func() {
		a.resting = false
		if len(a.active) == 0 {
			debug.FreeOSMemory()
			unmapProgram()
		}
	})
}

// end records and reports how a task ended. One that cannot be recorded is remembered.
func (a *Agent) end(t *task, o outcome) {
	if t.ended {
		return
	}
	if o.over.IsZero() {
		o.over = time.Now()
	}
	s := t.of
	if t.plan != nil {
		a.retire(t.plan)
		o.Over = t.plan.recurs()
	} else if s != nil {
		o.Last = a.close(s, t)
	}
	t.ended, t.begun, t.over = true, o.begun, o.over
	o.Started, o.Ended = orderly.Millis(o.begun), orderly.Millis(o.over)
	if err := a.journal.Ended(t.key, o.encode()); err != nil {
		a.log.Error("an end cannot be recorded", "task", t.key, "error", err)
		t.outcome = &o
	}
	crashAt("after ended")
	a.limitSpool()
	a.report(t)
	switch {
	case s == nil || o.Last:
	case s.ended:
		a.report(s) // that had to wait for the run
	default:
		a.await(s) // again: the clock may have been set while there seemed to be no further time
	}
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
	crashAt("before tombstone")
	if err := a.journal.Tombstone(key); err != nil {
		a.log.Error("a stop cannot be recorded", "task", key, "error", err)
		a.stopRunning(a.tasks[whole(key)])
		return // without an answer it comes again
	}
	crashAt("after tombstone")
	t := a.tasks[whole(key)]
	switch {
	case t == nil:
		a.end(a.add(whole(key)), outcome{State: never, Over: true})
	case t.plan != nil && t.plan.recurs():
		a.stopSchedule(t, never)
	case t.ended:
		a.report(t)
	case !t.running:
		a.waiting.remove(t)
		a.end(t, outcome{State: never})
	default:
		a.stopProcess(t)
	}
}

// stopRunning ends what runs of a task, known or not, which may be what fills the disk. That nothing else of it will
// start takes a record.
func (a *Agent) stopRunning(t *task) {
	if t != nil && t.plan != nil && t.plan.run != nil {
		t = t.plan.run
	}
	if t != nil && t.running && !t.ended {
		a.stopProcess(t)
	}
}

// stopProcess ends the process of a task, or will when there is one.
func (a *Agent) stopProcess(t *task) {
	t.stopped = true
	if t.proc != nil {
		t.proc.Stop()
	}
}

// stopAll is the end of the agent, which leaves commands less time than they have otherwise.
func (a *Agent) stopAll() {
	for _, t := range a.active {
		if t.proc != nil {
			t.proc.StopWithin(a.leaveGrace())
		}
	}
}

func (a *Agent) leaveGrace() time.Duration { return min(a.cfg.Times.Grace, a.cfg.Times.Leave/2) }

func (a *Agent) add(o Occurrence) *task {
	t := &task{key: o, number: wire.AcceptedNumber}
	a.tasks[o] = t
	return t
}

// keys lists the tasks that the agent holds. Runs are held as their schedules.
func (a *Agent) keys() []orderly.TaskKey {
	keys := make([]orderly.TaskKey, 0, len(a.tasks))
	for o := range a.tasks {
		if o.Run == 0 {
			keys = append(keys, o.TaskKey)
		}
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
