package agent

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// takeOver takes over what the journal holds from the agent's life before (HND-6). Scripts are removed when nobody
// runs them any more: not every system removes a file that is open.
func (a *Agent) takeOver() {
	known := a.journal.Tasks()
	a.clearPlacements(known)
	a.killLeft(known)
	a.clearWork()
	if err := a.groups.Sweep(); err != nil {
		a.log.Warn("an old control group cannot be removed", "error", err)
	}
	for _, j := range known {
		t := a.add(j.Key)
		t.stopped, t.ended = j.Stopped, j.Phase == Ended
		if j.Scheduled {
			a.takeOverPlan(t, j)
		}
	}
	for _, j := range inOrder(known) {
		a.adopt(a.tasks[j.Key], j)
	}
	for _, j := range known {
		if j.Scheduled {
			a.resume(a.tasks[j.Key], j)
		}
	}
	if len(known) > 0 {
		a.log.Info("took over", "tasks", len(known), "to_run", a.waiting.len())
	}
}

// inOrder is how tasks are told of: the runs of a schedule in their order, then the schedule.
func inOrder(tasks []Task) []Task {
	rank := func(t Task) int {
		switch {
		case t.Phase == Ended && t.Key.Run > 0:
			return 0
		case t.Phase < Ended:
			return 1
		}
		return 2
	}
	return slices.SortedStableFunc(slices.Values(tasks), func(a, b Task) int { return cmp.Compare(rank(a), rank(b)) })
}

// takeOverPlan reads a schedule that the journal holds.
func (a *Agent) takeOverPlan(t *task, j Task) {
	h, err := a.readHandout(t.key)
	if err != nil {
		a.log.Error("a schedule cannot be read", "task", t.key, "error", err)
		t.plan = &plan{unusable: &outcome{State: orderly.Error, Code: orderly.ExecutionException}}
		return
	}
	t.plan, err = newPlan(h)
	t.plan.runs = max(t.plan.runs, j.Runs)
	if err != nil {
		t.plan.unusable = invalid(err)
	}
}

// adopt goes on with a task, or ends it. A schedule as such waits for its runs to be adopted.
func (a *Agent) adopt(t *task, j Task) {
	if s := a.tasks[whole(j.Key.TaskKey)]; j.Key.Run > 0 && s != nil {
		a.adoptRun(s, t)
	}
	switch {
	case t.ended:
		a.report(t)
	case j.Scheduled && j.Phase == Got:
	case j.Phase <= Got && j.Stopped:
		a.end(t, outcome{State: orderly.Cancelled, Over: j.Phase == Unseen})
	case j.Rebooted:
		a.end(t, outcome{State: orderly.Error, Code: orderly.InstanceRestarted, begun: j.Process.At})
	case j.Phase == Got:
		a.queue(t)
	default:
		a.end(t, outcome{State: orderly.Error, Code: orderly.ClientRestarted, begun: j.Process.At})
	}
}

// queue has a task wait whose job is in the journal.
func (a *Agent) queue(t *task) {
	job, err := a.job(t.key)
	t.brief = err == nil && brief(job) // start will find the error too
	a.waiting.push(t)
}

// adoptRun gives a run back to its schedule.
func (a *Agent) adoptRun(s, run *task) {
	run.of = s
	if s.plan == nil {
		s.plan = &plan{} // it has ended, and waits for its run to be told before it
	}
	switch {
	case !run.ended:
		s.plan.run = run
	case run.key.Run == s.plan.runs && a.readOutcome(run).Last:
		s.plan.closing = run
	}
}

// resume goes on with a schedule, at once if the machine has been booted since (RM-4).
func (a *Agent) resume(t *task, j Task) {
	p := t.plan
	switch {
	case p.closing != nil || j.Phase > Got:
		return
	case p.unusable != nil:
		a.end(t, *p.unusable)
	case t.stopped:
		a.end(t, outcome{State: orderly.Cancelled})
	case p.mode == orderly.Period:
		a.await(t)
	case !j.RanNow && (j.Rebooted || p.due):
		a.occur(t)
	}
}

// killLeft kills the processes that this machine still runs for the tasks.
func (a *Agent) killLeft(tasks []Task) {
	var wg sync.WaitGroup
	for _, t := range tasks {
		if t.Rebooted || t.Phase != Starting && t.Phase != Started || a.fileOf(t.Key) != nil {
			continue
		}
		wg.Go(func() { a.kill(t) })
	}
	wg.Wait()
}

func (a *Agent) kill(t Task) {
	pid, started := t.Process.PID, t.Process.StartTime
	if t.Phase == Starting {
		a.awaitExec(t)
		var found bool
		if pid, started, found = a.find(t.Key); !found {
			return
		}
	}
	r := proc.Recorded{PID: pid, StartTime: started, Mark: a.mark(t.Key), KillTree: true, Cgroups: a.groups}
	if data, err := a.job(t.Key); err == nil {
		if job, err := wire.Decode[wire.Job](data); err == nil {
			r.KillTree = job.Termination == orderly.KillProcessTree
		}
	}
	a.log.Warn("killing what was left running", "task", t.Key, "pid", pid)
	if err := proc.KillRecorded(r); err != nil {
		a.log.Error("a process is left running", "task", t.Key, "pid", pid, "error", err)
	}
}

// find looks for the process of a task whose numbers nobody recorded, more than once: one that is
// just executing its program shows no mark for a moment.
func (a *Agent) find(o Occurrence) (pid int, started uint64, ok bool) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 5 {
		if pid, started, ok = proc.Find(a.mark(o)); ok {
			break
		}
		<-tick.C
	}
	return pid, started, ok
}
