package agent

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// execute runs a task whose start the journal knows of, from the start of its process to its end.
// It runs beside the agent and tells it by post. The run of a schedule begins when its record is safe
// from a power cut too: one for NextRebootOnly must never be repeated (design rule 5), and no ordinal
// may be used again.
func (a *Agent) execute(t *task, data []byte) {
	if t.plan != nil || t.of != nil {
		if err := a.journal.Sync(); err != nil {
			a.log.Error("a run cannot be made sure of", "task", t.key, "error", err)
			a.post(func() { a.exited(t, outcome{State: orderly.Invalid, Code: orderly.ClientDiskFull}) })
			return
		}
	}
	job, err := wire.Decode[wire.Job](data)
	if err == nil && job.File != nil {
		a.place(t, &job)
		return
	}
	p, clean := (*proc.Process)(nil), func() {}
	switch {
	case err != nil:
	case job.Container != nil:
		p, err = a.enter(t.key, &job)
	default:
		p, clean, err = a.launch(t.key, &job)
	}
	if err != nil {
		a.log.Warn("a process cannot be started", "task", t.key, "error", err)
		a.post(func() { a.exited(t, unstarted(err)) })
		return
	}
	at := time.Now()
	crashAt("after launch")
	if p.PID() != 0 {
		if err := a.journal.Started(t.key, Process{PID: p.PID(), StartTime: p.StartTime(), At: at}); err != nil {
			a.log.Warn("a start cannot be recorded", "task", t.key, "error", err) // its mark tells as well
		}
	}
	crashAt("after started")
	a.post(func() { a.started(t, p, at) })
	r := run{Result: p.Wait()}
	crashAt("after exit")
	clean()
	if r.Err != nil {
		a.log.Error("a process is not under control", "task", t.key, "pid", p.PID(), "error", r.Err)
	}
	r.output, r.total = p.Output()
	a.post(func() {
		r.stopped = t.stopped
		a.exited(t, r.outcome())
	})
}

// launch starts a task's process; clean removes what was made for it.
func (a *Agent) launch(o Occurrence, job *wire.Job) (p *proc.Process, clean func(), err error) {
	dir, script, err := a.writeScript(o, job)
	clean = func() {
		if err := os.RemoveAll(dir); err != nil {
			a.log.Warn("a script cannot be removed", "task", o, "error", err)
		}
	}
	if err == nil {
		crashAt("before launch")
		spec := process(job, script)
		spec.Mark, spec.Grace, spec.Cgroups = a.mark(o), a.cfg.Times.Grace, a.groups
		p, err = proc.Start(spec)
	}
	if err != nil {
		clean()
	}
	return p, clean, err
}

// process is the process of a job whose script is saved.
func process(job *wire.Job, script string) proc.Spec {
	program, args := here.commandLine(job, script)
	return proc.Spec{
		Path: program, Args: args, Dir: job.WorkingDir,
		Username: job.Username, Timeout: milliseconds(job.Timeout),
		KillTree: job.Termination == orderly.KillProcessTree, Keep: orderly.MaxOutput,
	}
}

// mark is what a task's processes have in their environment (package proc), also after a restart of
// the agent.
func (a *Agent) mark(o Occurrence) string { return a.journal.Incarnation() + "-" + o.name() }

// name tells o from all others.
func (o Occurrence) name() string {
	name := fmt.Sprintf("%d-%d", o.Invocation, o.Ordinal)
	if o.Run > 0 {
		name += "-" + strconv.Itoa(o.Run)
	}
	return name
}

// milliseconds is a duration that came as a number; 0 and less is none.
func milliseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(n, 0), most)) * time.Millisecond
}
