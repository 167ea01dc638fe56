package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/docker"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

const onLinux system = "linux"

// DefaultEngine is the socket of the container engine unless Config names another one.
const DefaultEngine = docker.DefaultSocket

// containerShell runs the scripts in containers. What a script's first line names is not looked at (CT-2).
const containerShell = "/bin/sh"

// A script goes to its shell in the environment: every user of the machine may read the arguments of all processes, and
// scripts have passwords in them. The shell takes the variable away before anything else, so that it reaches nobody, and has one
// output: an engine reads two, in whatever order (OUT-1).
const (
	scriptVariable = "ORDERLY_SCRIPT"
	merged         = `exec 2>&1; eval "unset ` + scriptVariable + `;$` + scriptVariable + `"`
)

// Patience with a container engine.
const (
	execStart = time.Minute      // for what it is starting, until it executes the shell: its container may have little time of a processor
	execLeft  = time.Second      // for what an agent that was killed may have asked it to start
	execCode  = 10 * time.Second // for telling with what code a process that is gone has ended
	execDrain = 3 * time.Second  // for the end of its output, which an engine waits two seconds for
	execPause = 5 * time.Millisecond
)

// Why a command in a container cannot be run, or nobody knows what became of it.
var (
	errOutOfReach = errors.New("processes of the container cannot be ended from here: the agent must be root, among the processes of the engine's machine")
	errUncertain  = errors.New("it is not known what became of the process")
)

// unfitContainer is the code of what is wrong with a container wherever it may be; "" is nothing.
func (s system) unfitContainer(c *wire.Container) orderly.ErrorCode {
	runtime, _ := orderly.SplitContainerID(c.ID)
	switch err := orderly.CheckContainer(c.ID, c.Name); {
	case errors.Is(err, orderly.ContainerIDMalformed):
		return orderly.InvalidContainerID
	case err != nil, c.ID == "" && c.Name == "":
		return orderly.InvalidContainerName
	case s != onLinux, runtime != "" && runtime != "docker":
		return orderly.UnsupportedContainerRuntime
	}
	return ""
}

// lookFor rehearses a task in a container. An engine may take its time, so it is asked beside the agent.
func (a *Agent) lookFor(t *task, c *wire.Container) {
	go func() {
		_, err := a.container(context.Background(), c)
		a.post(func() {
			o := outcome{State: orderly.Success}
			if err != nil {
				o = unstarted(err)
			}
			if o.State == orderly.Error {
				o = outcome{State: orderly.Invalid, Code: orderly.ContainerConnectFailed}
			}
			a.end(t, o)
		})
	}()
}

// container finds a container whose processes can be ended from here, for the engine offers no way to.
func (a *Agent) container(ctx context.Context, c *wire.Container) (docker.Container, error) {
	_, id := orderly.SplitContainerID(c.ID)
	found, err := a.engine.Find(ctx, id, c.Name)
	if err != nil {
		return found, err
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(found.PID)); err != nil || os.Geteuid() != 0 {
		return found, fmt.Errorf("%w: first process %d", errOutOfReach, found.PID)
	}
	return found, nil
}

// enter starts a task's script in its container. The engine is asked to once, under a name that the journal has by then.
func (a *Agent) enter(o Occurrence, job *wire.Job) (*proc.Process, error) {
	ctx := context.Background()
	in, err := a.container(ctx, job.Container)
	if err != nil {
		return nil, err
	}
	exec, err := a.engine.Exec(ctx, in.ID, docker.Command{
		Args: []string{containerShell, "-c", merged}, Env: []string{proc.MarkVariable(a.mark(o)), scriptVariable + "=" + string(job.Container.Content)},
	})
	if err != nil {
		return nil, err
	}
	if err := a.journal.Exec(o, exec); err != nil {
		return nil, err
	}
	crashAt("before launch")
	g := proc.Guest{
		Started: time.Now(), Code: func() (int, bool) { return a.execCode(o, exec) },
		Ours: func(pid int) bool { return inGroupOf(pid, in.ID) && a.runs(ctx, exec, pid) },
	}
	if g.Output, err = a.engine.Start(ctx, exec); errors.Is(err, docker.ErrUnreachable) {
		return nil, a.abandon(o, exec, err)
	}
	if err != nil {
		return nil, err
	}
	crashAt("after exec")
	p, err := a.attach(ctx, exec, g, proc.Spec{
		Timeout: milliseconds(job.Timeout), Grace: a.cfg.Times.Grace, KillTree: job.Termination == orderly.KillProcessTree,
		Keep: orderly.MaxOutput, Drain: execDrain, Mark: a.mark(o),
	})
	if err != nil {
		return nil, a.abandon(o, exec, errors.Join(err, g.Output.Close()))
	}
	return p, nil
}

// attach takes charge of what the engine starts. A short script has ended by then; and a process that is there may not be
// recognized before it executes the shell.
func (a *Agent) attach(ctx context.Context, exec string, g proc.Guest, spec proc.Spec) (*proc.Process, error) {
	for end := time.Now().Add(execStart); ; {
		s, err := a.awaitState(ctx, exec, execStart, func(s docker.ExecState) bool { return s.PID > 0 || s.Ended() })
		if err != nil {
			return nil, err
		}
		if g.PID = s.PID; s.Ended() {
			g.PID = 0 // somebody else may have its number already
		}
		p, err := proc.Attach(spec, g)
		if !errors.Is(err, proc.ErrForeign) || time.Now().After(end) {
			return p, err
		}
	}
}

// inGroupOf reports whether a process is in a container, by its control groups: they have the container's ID in their names.
func inGroupOf(pid int, container string) bool {
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	return err == nil && container != "" && strings.Contains(string(groups), container)
}

// runs reports whether the engine says that an exec's process runs and has this number.
func (a *Agent) runs(ctx context.Context, exec string, pid int) bool {
	s, err := a.engine.State(ctx, exec)
	return err == nil && s.Running && s.PID == pid
}

// abandon ends what the engine may have started and cannot be looked after.
func (a *Agent) abandon(o Occurrence, exec string, why error) error {
	a.kill(Task{Key: o, Phase: Starting, Exec: exec})
	return fmt.Errorf("%w: %w", errUncertain, why)
}

// awaitState waits until an exec has come as far as that, or the patience is over, which is an error.
func (a *Agent) awaitState(ctx context.Context, exec string, patience time.Duration, far func(docker.ExecState) bool) (s docker.ExecState, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := execPause; ; pause = min(2*pause, 20*execPause) {
		if s, err = a.engine.State(ctx, exec); err != nil || far(s) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("exec %s has come no further than %+v: %w", exec, s, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// execCode asks with what code a process has ended that is gone.
func (a *Agent) execCode(o Occurrence, exec string) (code int, known bool) {
	s, err := a.awaitState(context.Background(), exec, execCode, docker.ExecState.Ended)
	if err != nil {
		a.log.Warn("the container engine does not tell how a process has ended", "task", o, "error", err)
		return 0, false
	}
	return *s.ExitCode, true
}

// awaitExec waits until the engine has started what it was asked to for a task, if it was, and its process has its mark.
func (a *Agent) awaitExec(t Task) {
	if t.Exec == "" {
		return
	}
	begun := func(s docker.ExecState) bool { return s.Running || s.Ended() }
	s, err := a.awaitState(context.Background(), t.Exec, execLeft, begun)
	if err == nil && !s.Ended() {
		_, err = a.awaitState(context.Background(), t.Exec, execStart, func(s docker.ExecState) bool {
			_, _, found := proc.Find(a.mark(t.Key))
			return found || s.Ended()
		})
	}
	if err != nil {
		a.log.Info("the container engine has nothing of a task", "task", t.Key, "error", err)
	}
}
