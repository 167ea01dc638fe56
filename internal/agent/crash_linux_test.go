package agent_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// build makes the real program, once for all tests.
var build = sync.OnceValues(func() (string, error) { return buildProgram() })

// buildProgram makes the program as it is shipped, but for flags.
func buildProgram(flags ...string) (string, error) {
	dir, err := os.MkdirTemp("", "orderly-agent-test-")
	if err != nil {
		return "", err
	}
	built = append(built, dir)
	path := filepath.Join(dir, "orderly-agent")
	args := append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "github.com/orderly-run/orderly/cmd/orderly-agent")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
}

var built []string // where buildProgram put what it made

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range built {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// program starts the real program.
func (w *world) program(flags ...string) *exec.Cmd {
	w.t.Helper()
	path, err := build()
	must(w.t, err)
	cmd := exec.Command(path, append([]string{"run", "--data", w.dir, "--time-scale", "20"}, flags...)...)
	cmd.Stderr = w.t.Output()
	w.set(func() { w.hellos = nil }) // those of links that are gone
	must(w.t, cmd.Start())
	w.t.Cleanup(func() { crash(cmd) })
	return cmd
}

// crash ends a program without a chance to do anything.
func crash(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func TestKilledAgentKillsWhatItLeft(t *testing.T) { // HND-6
	w := worldOn(t, "/")
	cmd := w.program()
	log := filepath.Join(w.dir, "log")
	script := join("echo start >> "+log, "trap '' PIPE HUP TERM", "sleep 100 & echo $! > "+w.dir+"/child", "echo $$ > "+w.dir+"/pid", "echo ready", "wait")
	tree := func(_ *wire.Run, j *wire.Job) { j.Termination = orderly.KillProcessTree }
	k := w.run(1, script, tree)
	w.until("output", func() bool { return strings.Contains(string(outputs(w, k)), "ready") })
	crash(cmd)
	w.set(func() { w.silent = true })
	w.program()
	s := w.end(k)
	if s.State != orderly.Error || s.Code != orderly.ClientRestarted || s.StartedAgo == nil {
		t.Errorf("%+v, want Error/ClientRestarted with a start", s)
	}
	for _, name := range []string{"pid", "child"} {
		if pid := readPID(t, filepath.Join(w.dir, name)); alive(pid) {
			t.Errorf("process %s (%d) is left", name, pid)
		}
	}
	w.run(1, script, tree)
	w.set(func() { w.silent = false })
	w.end(w.run(2, "true"))
	if got, err := os.ReadFile(log); err != nil || string(got) != "start\n" {
		t.Errorf("starts: %q, %v; want one", got, err)
	}
}

// Promise 2 and 3: whenever the agent is killed, a task starts at most once, and its end arrives.
func TestKilledAtAnyMoment(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := worldOn(t, "/")
	log := filepath.Join(w.dir, "log")
	cmd := w.program()
	for round := range int64(12) {
		h := w.hello()
		m := w.runMessage(round, fmt.Sprintf("echo %d >> %s; sleep 0.02; echo done", round, log))
		w.to(h.Link, m)
		must(t, w.nc.Flush())
		<-time.After(time.Duration(rnd.IntN(40_000)) * time.Microsecond)
		crash(cmd)
		cmd = w.program()
		h = w.hello()
		s := w.settle(h.Link, round, m)
		data, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if pid, _, found := proc.Find(fmt.Sprintf("%s-%d-0", h.Incarnation, round)); found {
			t.Errorf("round %d: process %d is left after %s", round, pid, s.State)
		}
		starts := strings.Count("\n"+string(data), fmt.Sprintf("\n%d\n", round))
		if starts > 1 || starts == 0 && s.State == orderly.Success {
			t.Errorf("round %d: %d starts, end %s", round, starts, s.State)
		}
	}
}

// After a crash before the start what was taken up is run; one whose process may have been started
// is not, and that process is killed though nobody had noted its number.
func TestKilledBeforeAndWhileStarting(t *testing.T) {
	w := newWorld(t)
	j := open(t, filepath.Join(w.dir, "journal"), boot)
	job := wire.Encode(wire.Job{Type: orderly.RunShellScript, Content: []byte("echo ran"), WorkingDir: "/", Timeout: 60_000, Termination: orderly.KillProcessTree})
	must(t, j.Got(occ(1), job))
	must(t, j.Got(occ(2), job))
	must(t, j.Starting(occ(2)))
	must(t, j.Got(occ(3), job))
	must(t, j.Tombstone(key(3)))
	p, err := proc.Start(proc.Spec{Path: "sleep", Args: []string{"100"}, Dir: "/", Mark: j.Incarnation() + "-2-0"})
	must(t, err)
	t.Cleanup(p.Stop)
	must(t, j.Close())
	w.start()
	if s := w.end(key(1)); s.State != orderly.Success || string(s.Output) != "ran\n" {
		t.Errorf("taken up: %+v, want Success", s)
	}
	if s := w.end(key(2)); s.State != orderly.Error || s.Code != orderly.ClientRestarted {
		t.Errorf("starting: %+v, want Error/ClientRestarted", s)
	}
	if s := w.end(key(3)); s.State != orderly.Cancelled {
		t.Errorf("stopped: %+v, want Cancelled", s)
	}
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Error("the process is left")
	}
}

// After a boot of the machine numbers of processes mean nothing: nobody is killed (HND-4).
func TestRebootedMachine(t *testing.T) {
	w := newWorld(t)
	bystander, err := proc.Start(proc.Spec{Path: "sleep", Args: []string{"100"}, Dir: "/"})
	must(t, err)
	t.Cleanup(bystander.Stop)
	j := open(t, filepath.Join(w.dir, "journal"), "boot-0")
	job := wire.Encode(wire.Job{Type: orderly.RunShellScript, Content: []byte("echo > " + w.dir + "/ran"), WorkingDir: "/"})
	must(t, j.Got(occ(1), job))
	must(t, j.Got(occ(2), job))
	must(t, j.Starting(occ(2)))
	must(t, j.Started(occ(2), agent.Process{PID: bystander.PID(), StartTime: bystander.StartTime(), At: time.Now().Add(-time.Minute)}))
	must(t, j.Close())
	w.start()
	for seq := range int64(2) {
		if s := w.end(key(seq + 1)); s.State != orderly.Error || s.Code != orderly.InstanceRestarted {
			t.Errorf("%+v, want Error/InstanceRestarted", s)
		}
	}
	if s := w.end(key(2)); s.StartedAgo == nil || *s.StartedAgo < 60_000 {
		t.Errorf("start of the one that ran: %v ms ago, want a minute", s.StartedAgo)
	}
	if !alive(bystander.PID()) || exists(w.dir+"/ran") {
		t.Errorf("bystander alive: %v, ran: %v", alive(bystander.PID()), exists(w.dir+"/ran"))
	}
}

// smallDisk is a disk of 64 KB with the agent's identity on it, for its directory. Only root can make one.
func (w *world) smallDisk() string {
	w.t.Helper()
	must(w.t, os.Remove(filepath.Join(w.dir, "journal.lock")))
	small := w.t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		w.t.Skipf("needs to mount a small disk: %v", err)
	}
	w.t.Cleanup(func() { must(w.t, syscall.Unmount(small, 0)) })
	data, err := os.ReadFile(filepath.Join(w.dir, "identity.json"))
	must(w.t, err)
	must(w.t, os.WriteFile(filepath.Join(small, "identity.json"), data, 0o600))
	return small
}

// A start that cannot be noted does not happen, and an end that cannot be noted is told all the same.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	small := w.smallDisk()
	a := w.start(func(c *agent.Config) { c.Dir, c.Times.Running = small, time.Minute })
	w.end(w.run(1, "true"))
	gate := filepath.Join(w.dir, "gate")
	owed := w.run(4, "echo owed; : > "+gate+".begun; while ! [ -e "+gate+" ]; do sleep 0.01; done", inTree)
	w.until("it runs", func() bool { return exists(gate + ".begun") })
	fill(t, filepath.Join(small, "ballast"))
	k := w.run(2, "echo > "+w.dir+"/ran"+strings.Repeat("#", 8<<10))
	if s := w.end(k); s.State != orderly.Invalid || s.Code != orderly.ClientDiskFull || exists(w.dir+"/ran") {
		t.Errorf("%+v, want Invalid/ClientDiskFull; ran: %v", s, exists(w.dir+"/ran"))
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	if s := w.end(owed); s.State != orderly.Success || string(s.Output) != "owed\n" {
		t.Errorf("what ran: %+v, want its end to be told", s)
	}
	must(t, os.Remove(filepath.Join(small, "ballast")))
	if s := w.end(w.run(3, "true")); s.State != orderly.Success {
		t.Errorf("with room again: %+v, want Success", s)
	}
	must(t, a.stop())
}

// What fills the disk can be stopped, though its stop cannot be noted.
func TestStopOnAFullDisk(t *testing.T) { // HND-5
	w := newWorld(t)
	small := w.smallDisk()
	a := w.start(func(c *agent.Config) { c.Dir = small })
	k := w.run(1, "sleep 60", inTree)
	w.state(k, orderly.Running)
	fill(t, filepath.Join(small, "ballast"))
	for seq := range int64(100) { // the journal's last page has some room still
		w.send(wire.ToAgent{Stop: w.ref(orderly.TaskKey{Invocation: 100 + seq})})
	}
	w.send(wire.ToAgent{Stop: w.ref(k)})
	if s := w.end(k); s.State != orderly.Terminated {
		t.Errorf("%+v, want Terminated", s)
	}
	must(t, os.Remove(filepath.Join(small, "ballast")))
	must(t, a.stop())
}

func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
}

// The same for the runs of a schedule, which goes on: ordinals come without a gap, each with one end,
// and no run has more than one start.
func TestScheduleKilledAtAnyMoment(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := worldOn(t, "/")
	log := filepath.Join(w.dir, "log")
	cmd := w.program()
	k := w.run(1, "echo start >> "+log+"; sleep 0.02", period(everySecond, 1))
	for range 6 {
		w.state(k, orderly.Pending)
		<-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second + time.Duration(rnd.IntN(40_000))*time.Microsecond)))
		crash(cmd)
		cmd = w.program()
		w.hello()
	}
	w.send(wire.ToAgent{Stop: w.ref(k)})
	w.until("the end of the schedule", func() bool {
		ends := w.ends(k)
		return len(ends) > 0 && ends[len(ends)-1].Last
	})
	w.set(func() {
		data, err := os.ReadFile(log)
		must(t, err)
		starts, succeeded, runs := strings.Count(string(data), "start\n"), 0, 0
		for i, s := range w.ends(k) {
			switch {
			case s.Run == wire.OverRun:
				continue
			case s.State == orderly.Success:
				succeeded++
			case s.State != orderly.Error && s.State != orderly.Terminated:
				t.Errorf("%+v", s)
			}
			if runs++; s.Run != i+1 {
				t.Errorf("run %d comes as number %d", s.Run, i+1)
			}
		}
		if starts > runs || starts < succeeded || runs < 3 {
			t.Errorf("%d starts of %d runs, %d succeeded", starts, runs, succeeded)
		}
	})
}
