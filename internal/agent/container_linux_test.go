package agent_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/dockertest"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// in has a job's script run in a container.
func in(id, name string) func(*wire.Run, *wire.Job) {
	return func(_ *wire.Run, j *wire.Job) {
		j.Container = &wire.Container{ID: id, Name: name, Content: j.Content}
		j.Type, j.Content, j.WorkingDir = "", nil, ""
	}
}

// within is a time limit.
func within(d time.Duration) func(*wire.Run, *wire.Job) {
	return func(_ *wire.Run, j *wire.Job) { j.Timeout = d.Milliseconds() }
}

// dry has a task rehearsed.
func dry(r *wire.Run, _ *wire.Job) { r.Plan = &wire.Plan{Mode: orderly.DryRun} }

// engineAt tells an agent where its container engine is.
func engineAt(socket string) func(*agent.Config) { return func(c *agent.Config) { c.Docker = socket } }

// A container in which nothing but a test's commands run.
type container struct {
	*dockertest.Engine
	id string
}

// alone starts the container called web.
func alone(t *testing.T) container {
	t.Helper()
	e := dockertest.Start(t)
	return container{e, e.Run(t, "web", nil)}
}

// others are the commands that run in the container, but for its first.
func (c container) others(t *testing.T) (list []string) {
	t.Helper()
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	must(t, err)
	for _, g := range groups {
		text, _ := os.ReadFile(g) // it may be gone
		if !bytes.Contains(text, []byte(c.id)) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(g), "cmdline"))
		if line := strings.TrimRight(string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))), " "); line != "" && line != "/bin/sleep 1000000" {
			list = append(list, line)
		}
	}
	return list
}

// settle waits until just these commands run in the container.
func (c container) settle(t *testing.T, w *world, want ...string) {
	t.Helper()
	var got []string
	w.until(fmt.Sprintf("only %q runs in the container", want), func() bool {
		got = c.others(t)
		return slices.Equal(got, want)
	})
}

func TestCommandsRunInContainers(t *testing.T) { // CT-2
	c := alone(t)
	w := newWorld(t)
	w.start(engineAt(c.Socket))
	for i, tt := range []struct {
		script string
		where  func(*wire.Run, *wire.Job)
		state  orderly.State
		exit   int
		output string
	}{
		{"echo hello", in("", "web"), orderly.Success, 0, "hello\n"},
		{"echo $0 $#; pwd; id -u", in(c.id, ""), orderly.Success, 0, "/bin/sh 0\n/srv\n7\n"},
		{"#!/usr/bin/python3\necho \"of sh\"", in("docker://"+strings.ToUpper(c.id), "web"), orderly.Success, 0, "of sh\n"}, // #! counts for nothing
		{"for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done; exit 7", in("", "web"), orderly.Failed, 7, "o1\ne1\no2\ne2\no3\ne3\no4\ne4\no5\ne5\n"},
		{"kill -9 $$", in("", "web"), orderly.Failed, 137, ""},
		{"exec /bin/nosuch", in("", "web"), orderly.Failed, 127, "/bin/sh: exec: line 0: /bin/nosuch: not found\n"},
		{"true", in("", "web"), orderly.Success, 0, ""},
		{"", in("", "web"), orderly.Success, 0, ""},
		{"\n# nothing\n", in("", "web"), orderly.Success, 0, ""},
		{"cat <<'E'\n`\"$x\\'\nE\n# env\nenv | grep -c SCRIPT", in("", "web"), orderly.Failed, 1, "`\"$x\\'\n0\n"},
	} {
		k := w.run(int64(i), tt.script, tt.where, func(_ *wire.Run, j *wire.Job) { j.Username, j.WorkingDir = "nobody", "/nowhere" })
		s := w.end(k)
		if s.State != tt.state || s.ExitCode == nil || *s.ExitCode != tt.exit || string(s.Output) != tt.output && tt.exit != 127 {
			t.Errorf("%q: %s/%s, code %v, %q; want %s, %d, %q", tt.script, s.State, s.Code, s.ExitCode, s.Output, tt.state, tt.exit, tt.output)
		}
	}
	c.settle(t, w)
}

// What is in a script is for those who may read the processes' memory, not for every user of the machine.
func TestScriptsInContainersAreNotArguments(t *testing.T) {
	c := alone(t)
	w := newWorld(t)
	w.start(engineAt(c.Socket))
	k := w.run(1, "password=hunter2; echo ready; sleep 1008", in("", "web"), inTree)
	w.until("it runs", func() bool { return len(outputs(w, k)) > 0 })
	for _, line := range c.others(t) {
		if strings.Contains(line, "hunter2") {
			t.Errorf("a process has the arguments %q", line)
		}
	}
	w.send(wire.ToAgent{Stop: w.ref(k)})
	w.end(k)
}

func TestOutputOfContainersIsStreamedAndCut(t *testing.T) { // OUT-2, OUT-3
	c := alone(t)
	w := newWorld(t)
	w.start(engineAt(c.Socket))
	k := w.run(1, "echo early; sleep 1000", in("", "web"), inTree)
	w.until("output while it runs", func() bool { return string(outputs(w, k)) == "early\n" })
	w.send(wire.ToAgent{Stop: w.ref(k)})
	if s := w.end(k); s.State != orderly.Terminated || string(s.Output) != "early\n" {
		t.Errorf("%s/%s with %q, want it Terminated with its output", s.State, s.Code, s.Output)
	}
	long := w.end(w.run(2, "yes 0123456789 | head -n 200000; echo end", in("", "web")))
	if long.State != orderly.Success || len(long.Output) != orderly.MaxOutput || long.Total != 2_200_004 || !strings.HasSuffix(string(long.Output), "0123456789\nend\n") {
		t.Errorf("%s with %d of %d bytes, want the last 24576 of 2200004", long.State, len(long.Output), long.Total)
	}
}

// TERM-1: a process that is stopped, or out of time, ends in the container, with all that it started or alone.
func TestProcessesInContainersEnd(t *testing.T) {
	c := alone(t)
	w := newWorld(t)
	w.start(engineAt(c.Socket), func(c *agent.Config) { c.Times.Grace = 300 * time.Millisecond })
	const family = "sleep 1001 & setsid sleep 1002 & (sleep 1003 & ); echo ready; wait; sleep 1004"
	stop := func(k orderly.TaskKey) wire.Snapshot {
		t.Helper()
		w.until("it runs", func() bool { return strings.Contains(string(outputs(w, k)), "ready") })
		w.send(wire.ToAgent{Stop: w.ref(k)})
		return w.end(k)
	}
	if s := stop(w.run(1, family, in("", "web"), inTree)); s.State != orderly.Terminated || s.ExitCode == nil || *s.ExitCode != 143 {
		t.Errorf("stopped: %s/%s, %v; want Terminated by SIGTERM", s.State, s.Code, s.ExitCode)
	}
	c.settle(t, w)
	if s := stop(w.run(2, "trap '' TERM; "+family, in("", "web"), inTree)); s.State != orderly.Terminated || s.ExitCode == nil || *s.ExitCode != 137 {
		t.Errorf("stopped against its will: %s/%s, %v; want Terminated by SIGKILL", s.State, s.Code, s.ExitCode)
	}
	c.settle(t, w)
	if s := stop(w.run(3, "trap 'echo asked; exit 5' TERM; echo ready; while true; do sleep 0.01; done", in("", "web"))); s.State != orderly.Terminated || *s.ExitCode != 5 || string(s.Output) != "ready\nasked\n" {
		t.Errorf("stopped with a trap: %s, %q", s.State, s.Output)
	}
	c.settle(t, w)
	if s := w.end(w.run(4, family, in("", "web"), inTree, within(300*time.Millisecond))); s.State != orderly.Timeout || s.Code != orderly.ExecutionTimeout {
		t.Errorf("out of time: %s/%s, want Timeout", s.State, s.Code)
	}
	c.settle(t, w)
	if s := stop(w.run(5, "sleep 1005 > /dev/null 2>&1 & echo ready; wait", in("", "web"))); s.State != orderly.Terminated {
		t.Errorf("stopped alone: %s/%s", s.State, s.Code)
	}
	c.settle(t, w, "sleep 1005") // Process: nobody else
}

// Each code of CT-3, and those of a form that no server sends.
func TestContainersThatCannotBeRunIn(t *testing.T) {
	c := alone(t)
	c.Create(t, "idle", nil)
	pod := map[string]string{"io.kubernetes.container.name": "twice"}
	c.Run(t, "k8s_twice_a", pod)
	c.Run(t, "k8s_twice_b", pod)
	w := newWorld(t)
	w.start(engineAt(c.Socket))
	digits := strings.Repeat("0", 64)
	seq := int64(0)
	for _, tt := range []struct {
		id, name string
		code     orderly.ErrorCode
	}{
		{c.id, "idle", orderly.ContainerNameAndIdNotMatch},
		{"", "nobody", orderly.ContainerNotFound},
		{digits, "", orderly.ContainerNotFound},
		{"", "twice", orderly.ContainerNameDuplicated},
		{"", "idle", orderly.ContainerStateAbnormal},
		{"containerd://" + c.id, "", orderly.UnsupportedContainerRuntime},
		{"cri-o://" + c.id, "web", orderly.UnsupportedContainerRuntime},
		{"docker://1", "", orderly.InvalidContainerID},
		{"", "-", orderly.InvalidContainerName},
		{"", "", orderly.InvalidContainerName},
	} {
		for _, change := range []func(*wire.Run, *wire.Job){func(*wire.Run, *wire.Job) {}, dry} {
			seq++
			if s := w.end(w.run(seq, "true", in(tt.id, tt.name), change)); s.State != orderly.Invalid || s.Code != tt.code || s.StartedAgo != nil || s.ExitCode != nil {
				t.Errorf("container %q, %q: %s/%s, want Invalid/%s", tt.id, tt.name, s.State, s.Code, tt.code)
			}
		}
	}
	if s := w.end(w.run(seq+1, "touch /tmp/ran", in("", "web"), dry)); s.State != orderly.Success { // RM-5
		t.Errorf("a dry run: %s/%s, want Success", s.State, s.Code)
	}
	if s := w.end(w.run(seq+2, "cat /tmp/ran", in("", "web"))); s.State != orderly.Failed {
		t.Errorf("a dry run ran: %s", s.State)
	}
}

func TestMachinesWithoutAnEngine(t *testing.T) { // CT-3
	w := newWorld(t)
	w.start(engineAt(filepath.Join(t.TempDir(), "nobody")))
	for i, change := range []func(*wire.Run, *wire.Job){func(*wire.Run, *wire.Job) {}, dry} {
		if s := w.end(w.run(int64(i), "true", in("", "web"), change)); s.State != orderly.Invalid || s.Code != orderly.ContainerConnectFailed {
			t.Errorf("%s/%s, want Invalid/ContainerConnectFailed", s.State, s.Code)
		}
	}
}

// A container that ends takes its processes along, and the engine no longer knows how they ended.
func TestContainersEndUnderTheirCommands(t *testing.T) {
	c := alone(t)
	w := newWorld(t)
	w.start(engineAt(c.Socket))
	k := w.run(1, "echo ready; sleep 1000", in("", "web"))
	w.until("it runs", func() bool { return len(outputs(w, k)) > 0 })
	c.Do(t, "/containers/web/kill")
	s := w.end(k)
	interrupted := s.State == orderly.Error && s.Code == orderly.ExecutionInterrupted
	killed := s.State == orderly.Failed && s.ExitCode != nil && *s.ExitCode == 137
	if !interrupted && !killed || string(s.Output) != "ready\n" {
		t.Errorf("%s/%s, %v, %q; want it interrupted, or killed", s.State, s.Code, s.ExitCode, s.Output)
	}
}

// Promises 2 and 3: a process that the engine has started executes the shell when its container has time for it. Until then
// it has no mark; it is waited for all the same, or its result is lost and it runs when nobody looks after it.
func TestContainersMayHaveLittleTime(t *testing.T) {
	c := alone(t)
	w := newWorld(t)
	w.start(engineAt(c.Socket))
	c.Throttle(t, c.id)
	var keys []orderly.TaskKey
	for i := range int64(3) {
		keys = append(keys, w.run(i, "echo run", in("", "web")))
	}
	for _, k := range keys {
		if s := w.end(k); s.State != orderly.Success || string(s.Output) != "run\n" {
			t.Errorf("%s/%s with %q, want Success", s.State, s.Code, s.Output)
		}
	}
	c.settle(t, w, "/bin/sh -c while :; do :; done")
}

// A script may have taken the mark away before anybody looked for it.
func TestScriptsInContainersMayClearTheirEnvironment(t *testing.T) {
	c := alone(t)
	w := newWorld(t)
	w.start(engineAt(c.Socket))
	var keys []orderly.TaskKey
	for i := range int64(12) {
		keys = append(keys, w.run(i, "exec env -i /bin/sh -c 'echo ready; exec sleep 1009'", in("", "web")))
	}
	for _, k := range keys {
		w.until("it runs", func() bool { return len(outputs(w, k)) > 0 })
		w.send(wire.ToAgent{Stop: w.ref(k)})
		if s := w.end(k); s.State != orderly.Terminated {
			t.Errorf("stopped: %s/%s", s.State, s.Code)
		}
	}
	c.settle(t, w)
}

func TestSchedulesRunInContainers(t *testing.T) {
	c := alone(t)
	w := newWorld(t)
	a := w.start(engineAt(c.Socket))
	k := w.run(1, "echo run", in("", "web"), period(everySecond, 1))
	w.state(k, orderly.Success)
	must(t, a.stop())
	w.start(engineAt(c.Socket)) // it has the schedule on its disk
	w.until("a run by the next agent", func() bool { return w.count(k, orderly.Success) > 1 })
	for _, s := range w.snapshots(k) {
		if s.State == orderly.Success && string(s.Output) != "run\n" {
			t.Errorf("a run wrote %q", s.Output)
		}
	}
	w.send(wire.ToAgent{Stop: w.ref(k)})
	w.until("the end of the schedule", func() bool { ends := w.ends(k); return len(ends) > 0 && ends[len(ends)-1].Last })
}

// An agent that ends, ends what runs.
func TestLeavingAgentEndsProcessesInContainers(t *testing.T) {
	c := alone(t)
	w := newWorld(t)
	a := w.start(engineAt(c.Socket))
	k := w.run(1, "echo ready; sleep 1006", in("", "web"), inTree)
	w.until("it runs", func() bool { return len(outputs(w, k)) > 0 })
	must(t, a.stop())
	if s := w.end(k); s.State != orderly.Error || s.Code != orderly.ClientRestarted || string(s.Output) != "ready\n" {
		t.Errorf("%s/%s %q, want Error/ClientRestarted", s.State, s.Code, s.Output)
	}
	c.settle(t, w)
}

// containerPoints are the steps of a start in a container after which an agent can be killed, and how often the script starts then.
var containerPoints = map[string]int{"before launch": 0, "after exec": -1, "after launch": -1, "after started": -1, "after exit": 1}

// HND-6, promise 2: an agent that is killed at any step of a start in a container starts nothing twice and leaves
// nothing running.
func TestKilledAroundAContainer(t *testing.T) {
	c := alone(t)
	for point, starts := range containerPoints {
		t.Run(point, func(t *testing.T) { killedInContainer(t, c, point, starts) })
	}
}

func killedInContainer(t *testing.T, c container, point string, starts int) {
	t.Helper()
	w := worldOn(t, "/")
	path, err := mortal()
	must(t, err)
	cmd := exec.Command(path, "run", "--data", w.dir, "--time-scale", "20", "--docker-socket", c.Socket)
	cmd.Env = append(os.Environ(), "ORDERLY_CRASH_AT="+point)
	cmd.Stderr = t.Output()
	must(t, cmd.Start())
	t.Cleanup(func() { crash(cmd) })
	ledger := "/tmp/ledger" + strings.ReplaceAll(point, " ", "-")
	script := "echo start >> " + ledger + "; sleep 1007"
	if point == "after exit" {
		script = "echo start >> " + ledger
	}
	h := w.hello()
	m := w.runMessage(1, script, in("", "web"), inTree)
	w.to(h.Link, m)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("it ended otherwise: %v", err)
	}
	w.program("--docker-socket", c.Socket)
	h = w.hello()
	w.to(h.Link, m)
	if s := w.end(key(1)); s.State != orderly.Error || s.Code != orderly.ClientRestarted {
		t.Errorf("%s/%s, want Error/ClientRestarted", s.State, s.Code)
	}
	probe := w.end(w.run(2, "cat "+ledger+" 2>/dev/null | wc -l", in("", "web")))
	if n, err := strconv.Atoi(strings.TrimSpace(string(probe.Output))); err != nil || n > 1 || starts >= 0 && n != starts {
		t.Errorf("%q starts, want %d (-1: at most one)", probe.Output, starts)
	}
	if pid, _, found := proc.Find(h.Incarnation + "-1-0"); found {
		t.Errorf("process %d is left", pid)
	}
	c.settle(t, w)
}
