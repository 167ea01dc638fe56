package agent_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

func patient(c *agent.Config) { c.Times.Grace = agent.MaxGrace }

func inTree(_ *wire.Run, j *wire.Job) { j.Termination = orderly.KillProcessTree }

// T16, T10, TERM-1: a command is asked to end, and what it does then is part of its result.
func TestEndedCommandCleansUp(t *testing.T) {
	const script = "trap 'echo clean; exit 5' TERM; echo ready; while :; do sleep 0.01; done"
	w := newWorld(t)
	w.start(patient)
	for seq, c := range []struct {
		state orderly.State
		tree  bool
	}{{orderly.Terminated, false}, {orderly.Terminated, true}, {orderly.Timeout, false}, {orderly.Timeout, true}} {
		k := w.run(int64(seq), script, func(r *wire.Run, j *wire.Job) {
			if c.tree {
				inTree(r, j)
			}
			if c.state == orderly.Timeout {
				j.Timeout = 500
			}
		})
		if c.state == orderly.Terminated {
			w.until("output", func() bool { return strings.Contains(string(outputs(w, k)), "ready") })
			w.send(wire.ToAgent{Stop: w.ref(k)})
		}
		s := w.end(k)
		if s.State != c.state || s.ExitCode == nil || *s.ExitCode != 5 || !strings.HasSuffix(string(s.Output), "clean\n") {
			t.Errorf("tree %v: %+v with output %q, want %s with 5", c.tree, s, s.Output, c.state)
		}
	}
}

// An agent that is told to end has less patience than a server.
func TestLeavingShortensTheGrace(t *testing.T) { // HND-6
	w := newWorld(t)
	a := w.start(patient)
	k := w.run(1, "trap '' TERM; echo ready; while :; do sleep 0.01; done")
	w.until("output", func() bool { return strings.Contains(string(outputs(w, k)), "ready") })
	w.send(wire.ToAgent{Stop: w.ref(k)})
	w.end(w.run(2, "true")) // which comes after the stop
	begin := time.Now()
	must(t, a.stop())
	if took := time.Since(begin); took > quick.Leave*3/2 {
		t.Errorf("leaving took %v", took)
	}
	if s := w.end(k); s.State != orderly.Terminated || s.ExitCode == nil || *s.ExitCode != 128+9 {
		t.Errorf("%+v, want Terminated by a kill", s)
	}
}

// HND-5: what was stopped while it waited never runs, whatever becomes of those before it.
func TestStoppedWhileItWaits(t *testing.T) {
	w := newWorld(t)
	w.start(func(c *agent.Config) { c.AtOnce = 1 })
	first := w.run(1, "exec sleep 100")
	w.state(first, orderly.Running)
	ran := filepath.Join(w.dir, "ran")
	second, third := w.run(2, "echo 2 >> "+ran), w.run(3, "echo 3 >> "+ran)
	w.state(third, orderly.Pending)
	w.send(wire.ToAgent{Stop: w.ref(second)})
	if s := w.end(second); s.State != orderly.Cancelled || s.StartedAgo != nil {
		t.Errorf("%+v, want Cancelled without a start", s)
	}
	w.send(wire.ToAgent{Stop: w.ref(first)})
	w.end(third)
	if got, err := os.ReadFile(ran); err != nil || string(got) != "3\n" {
		t.Errorf("%q ran, %v; want 3", got, err)
	}
}

// hide leaves a process behind that has cleared its environment, left its session and has no parent.
const hide = `env -i /usr/bin/setsid /bin/sh -c '(trap "" TERM; /bin/sleep 100 & echo $! > %s)'` + "\n"

// TERM-1, HND-6: with control groups nobody escapes a stop, or an agent that was killed, and no group is
// left when the agent has ended.
func TestNobodyEscapesAControlGroup(t *testing.T) {
	if _, err := proc.OpenCgroups("orderly-agent-test-"); err != nil {
		t.Skipf("no control groups: %v", err)
	}
	w := worldOn(t, "/")
	cmd := w.program()
	escape := func(seq int64) (k orderly.TaskKey, file string) {
		file = filepath.Join(w.dir, fmt.Sprint("hidden-", seq))
		k = w.run(seq, "trap '' PIPE\n"+fmt.Sprintf(hide, file)+"echo ready; exec sleep 100", inTree)
		w.until("output", func() bool { return strings.Contains(string(outputs(w, k)), "ready") })
		return k, file
	}
	stopped, file := escape(1)
	w.send(wire.ToAgent{Stop: w.ref(stopped)})
	w.end(stopped)
	if pid := readPID(t, file); alive(pid) {
		t.Errorf("process %d escaped the stop", pid)
	}
	left, file := escape(2)
	crash(cmd)
	if len(groupsOf(t, w.dir)) == 0 {
		t.Error("there was no control group to be left")
	}
	cmd = w.program()
	w.end(left)
	if pid := readPID(t, file); alive(pid) {
		t.Errorf("process %d escaped the kill", pid)
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	must(t, cmd.Wait())
	if groups := groupsOf(t, w.dir); len(groups) > 0 {
		t.Errorf("control groups %v are left", groups)
	}
}

// groupsOf are the control groups of the agent in a directory.
func groupsOf(t *testing.T, dir string) (groups []string) {
	t.Helper()
	name := sha256.Sum256([]byte(dir))
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for line := range strings.Lines(string(mounts)) {
		if !strings.Contains(line, " - cgroup2 ") {
			continue
		}
		_ = filepath.WalkDir(strings.Fields(line)[4], func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.Contains(path, "orderly-"+hex.EncodeToString(name[:6])) {
				groups = append(groups, path)
			}
			return nil // others come and go
		})
	}
	return groups
}
