package agent

import (
	"sync"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// takeOver takes over what the journal holds from the agent's life before (HND-6).
func (a *Agent) takeOver() {
	tasks := a.journal.Tasks()
	a.killLeft(tasks)
	for _, j := range tasks {
		t := a.add(j.Key)
		t.stopped, t.ended = j.Stopped, j.Phase == Ended
		switch {
		case t.ended:
			a.report(t)
		case j.Phase <= Got && j.Stopped:
			a.end(t, outcome{State: orderly.Cancelled})
		case j.Rebooted:
			a.end(t, outcome{State: orderly.Error, Code: orderly.InstanceRestarted, begun: j.Run.At})
		case j.Phase == Got:
			a.waiting = append(a.waiting, j.Key)
		default:
			a.end(t, outcome{State: orderly.Error, Code: orderly.ClientRestarted, begun: j.Run.At})
		}
	}
	if len(tasks) > 0 {
		a.log.Info("took over", "tasks", len(tasks), "to_run", len(a.waiting))
	}
}

// killLeft kills the processes that this machine still runs for the tasks.
func (a *Agent) killLeft(tasks []Task) {
	var wg sync.WaitGroup
	for _, t := range tasks {
		if t.Rebooted || t.Phase != Starting && t.Phase != Started {
			continue
		}
		wg.Go(func() { a.kill(t) })
	}
	wg.Wait()
}

func (a *Agent) kill(t Task) {
	pid, started := t.Run.PID, t.Run.StartTime
	if t.Phase == Starting {
		var found bool
		if pid, started, found = a.find(t.Key); !found {
			return
		}
	}
	tree := true
	if data, err := a.journal.Job(t.Key); err == nil {
		if job, err := wire.Decode[wire.Job](data); err == nil {
			tree = job.Termination == orderly.KillProcessTree
		}
	}
	a.log.Warn("killing what was left running", "task", t.Key, "pid", pid)
	if err := proc.KillRecorded(pid, started, tree); err != nil {
		a.log.Error("a process is left running", "task", t.Key, "pid", pid, "error", err)
	}
}

// find looks for the process of a task whose numbers nobody recorded, more than once: one that is
// just executing its program shows no mark for a moment.
func (a *Agent) find(key orderly.TaskKey) (pid int, started uint64, ok bool) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 5 {
		if pid, started, ok = proc.Find(a.mark(key)); ok {
			break
		}
		<-tick.C
	}
	return pid, started, ok
}
