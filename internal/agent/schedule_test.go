//go:build unix

package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
)

const everySecond = "* * * * * *"

// period makes a Run message one of a schedule.
func period(frequency string, version int) func(*wire.Run, *wire.Job) {
	return func(r *wire.Run, _ *wire.Job) {
		r.Plan = &wire.Plan{Mode: orderly.Period, Frequency: frequency, Version: version}
	}
}

// ends are the ends of a schedule's runs in the order in which they came first.
func (w *world) ends(k orderly.TaskKey) (list []wire.Snapshot) {
	known := map[int64]bool{}
	for _, s := range w.snapshots(k) {
		if s.State != orderly.Running && s.State != orderly.Pending && !known[s.Number] {
			known[s.Number] = true
			list = append(list, s)
		}
	}
	return list
}

// nthEnd waits for the end of a run.
func (w *world) nthEnd(k orderly.TaskKey, run int) (s wire.Snapshot) {
	w.t.Helper()
	w.until(fmt.Sprintf("end of run %d of %v", run, k), func() bool {
		i := slices.IndexFunc(w.ends(k), func(s wire.Snapshot) bool { return s.Run == run })
		if i >= 0 {
			s = w.ends(k)[i]
		}
		return i >= 0
	})
	return s
}

// SC-2, REP-3, OUT-3: a schedule goes on while the server is away, also over a restart of the agent.
// All runs are told of in their order when it is back, each with its own times and output.
func TestScheduleRunsWhileTheServerIsAway(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	k := w.run(1, "echo $(date +%s) >> "+w.dir+"/log; date +%s", period(everySecond, 3))
	if s := w.state(k, orderly.Pending); s.Number != wire.AcceptedNumber || s.Run != 0 || s.Version != 3 {
		t.Errorf("armed: %+v", s)
	}
	w.nthEnd(k, 1)
	w.stopBus()
	lines := func() int {
		data, _ := os.ReadFile(w.dir + "/log")
		return strings.Count(string(data), "\n")
	}
	w.until("runs without a server", func() bool { return lines() >= 3 })
	must(t, a.stop())
	w.start()
	n := lines()
	w.until("runs after a restart without a server", func() bool { return lines() >= n+2 })
	n = lines() - 1
	w.startBus()
	w.nthEnd(k, n)
	w.set(func() {
		killed := 0 // by the restart
		for i, s := range w.ends(k) {
			if s.Code == orderly.ClientRestarted {
				killed++
			} else if s.State != orderly.Success || len(s.Output) != 11 {
				t.Errorf("%d: %+v", i, s)
			}
			if s.Run != i+1 || s.Number != wire.Number(i+1, wire.EndNumber) || s.Version != 3 || s.Last || killed > 1 {
				t.Errorf("%d: %+v", i, s)
			}
		}
		if s := w.ends(k)[1]; *s.StartedAgo < 2000 {
			t.Errorf("the second run began %d ms before it was told of, want seconds", *s.StartedAgo)
		}
	})
	w.send(wire.ToAgent{Stop: w.ref(k)})
	w.until("the end of the schedule", func() bool {
		list := w.ends(k)
		end := list[len(list)-1]
		if end.Last && end.State != orderly.Cancelled && end.State != orderly.Terminated { // between runs, or during one
			t.Errorf("stopped: %+v", end)
		}
		return end.Last
	})
}

// SC-3 and REP-1: a long run is told of as running, without output, and none begins beside it. T16: a
// stop kills it, and says with that end that the schedule is over.
func TestStopDuringARun(t *testing.T) {
	w := newWorld(t)
	w.start()
	k := w.run(1, "echo $$ >> "+w.dir+"/pids; echo so far; exec sleep 100", period(everySecond, 1))
	s := w.state(k, orderly.Running)
	if s.Run != 1 || s.Number != wire.Number(1, 2) || len(s.Output) > 0 || s.StartedAgo == nil {
		t.Errorf("running: %+v", s)
	}
	probe := w.run(2, "sleep 2.2")
	w.end(probe) // two times have passed
	w.send(wire.ToAgent{Stop: w.ref(k)})
	s = w.nthEnd(k, 1)
	if s.State != orderly.Terminated || !s.Last || s.ExitCode == nil || *s.ExitCode != 137 || string(s.Output) != "so far\n" {
		t.Errorf("stopped: %+v, want the last", s)
	}
	if pid := readPID(t, w.dir+"/pids"); alive(pid) { // one line: it ran once
		t.Errorf("process %d is left", pid)
	}
	w.run(1, ": > "+w.dir+"/again", period(everySecond, 2))
	w.end(w.run(3, "sleep 1.1"))
	w.set(func() {
		if n := len(w.ends(k)); n != 1 || exists(w.dir+"/again") {
			t.Errorf("%d ends, ran again: %v", n, exists(w.dir+"/again"))
		}
	})
}

// MIA-7: a run that goes on ends with the old content, the next one has the new.
func TestVersionDuringARun(t *testing.T) {
	w := newWorld(t)
	w.start()
	gate := filepath.Join(w.dir, "gate")
	k := w.run(1, join("while ! [ -e "+gate+" ]; do sleep 0.01; done", "echo old"), period(everySecond, 1))
	w.state(k, orderly.Running)
	w.run(1, "echo new", period(everySecond, 2))
	w.until("armed anew", func() bool {
		return slices.ContainsFunc(w.snapshots(k), func(s wire.Snapshot) bool { return s.State == orderly.Pending && s.Version == 2 })
	})
	must(t, os.WriteFile(gate, nil, 0o600))
	if one, two := w.nthEnd(k, 1), w.nthEnd(k, 2); string(one.Output) != "old\n" || string(two.Output) != "new\n" {
		t.Errorf("outputs %q and %q", one.Output, two.Output)
	}
	stay := filepath.Join(w.dir, "stay")
	w.run(1, ": > "+stay+"; sleep 0.3; echo last", period(everySecond, 3))
	w.until("a third", func() bool { return exists(stay) })
	w.run(1, "", period("nonsense", 4)) // T23
	w.nthEnd(k, wire.OverRun)
	w.set(func() {
		ends := w.ends(k)
		last, over := ends[len(ends)-2], ends[len(ends)-1]
		if string(last.Output) != "last\n" || last.Last || over.Run != wire.OverRun || over.State != orderly.Invalid || over.Code != orderly.BadCronExpression || !over.Last {
			t.Errorf("%+v and %+v, want the run's end and then the schedule's", last, over)
		}
	})
}

// SC-4: a run that cannot start, or takes too long, is that run's matter.
func TestRunsFailOnTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.start()
	dir := filepath.Join(w.dir, "sub")
	k := w.run(1, "rm -r "+dir+"; exec sleep 100", period(everySecond, 1), func(_ *wire.Run, j *wire.Job) { j.WorkingDir, j.Timeout = dir, 300 })
	if s := w.nthEnd(k, 1); s.State != orderly.Invalid || s.Code != orderly.DirectoryNotExists || s.Last || s.StartedAgo != nil {
		t.Errorf("without its directory: %+v", s)
	}
	must(t, os.Mkdir(dir, 0o700))
	s := wire.Snapshot{}
	for n := 2; s.State != orderly.Timeout && n < 10; n++ {
		s = w.nthEnd(k, n)
	}
	if s.Code != orderly.ExecutionTimeout || s.Last {
		t.Errorf("with its directory: %+v", s)
	}
	if s = w.nthEnd(k, s.Run+1); s.State != orderly.Invalid {
		t.Errorf("without it again: %+v", s)
	}
}

// HND-6: told to end, the agent kills the run, and its schedule goes on with the next agent.
func TestLeavingEndsARunOnly(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	k := w.run(1, "echo so far; [ -e "+w.dir+"/quick ] || { : > "+w.dir+"/begun; exec sleep 100; }", period(everySecond, 1))
	w.until("output", func() bool { return exists(w.dir + "/begun") })
	must(t, a.stop())
	if s := w.nthEnd(k, 1); s.State != orderly.Error || s.Code != orderly.ClientRestarted || s.Last || string(s.Output) != "so far\n" {
		t.Errorf("%+v, want Error/ClientRestarted", s)
	}
	must(t, os.WriteFile(w.dir+"/quick", nil, 0o600))
	w.start()
	if s := w.nthEnd(k, 2); s.State != orderly.Success {
		t.Errorf("%+v, want the next run", s)
	}
	if h := w.hello(); h.Digest != wire.Digest([]orderly.TaskKey{k}) {
		t.Errorf("hello %+v, want the schedule's digest", h)
	}
}

// Many ends of one schedule share messages, in their order and within the bounds.
func TestEndsOfRunsComeInOrder(t *testing.T) {
	w := newWorld(t)
	j := open(t, filepath.Join(w.dir, "journal"), boot)
	const runs = 600
	must(t, j.Scheduled(key(1), []byte(`{"plan":{"mode":"EveryReboot","age":0},"job":{}}`)))
	for n := 1; n <= runs; n++ {
		must(t, j.Ended(nth(1, n), fmt.Appendf(nil, `{"state":"Success","started":1,"ended":2,"out":%q}`, strings.Repeat("eHh4", n%50*40))))
	}
	must(t, j.Close())
	w.start()
	w.nthEnd(key(1), runs)
	w.set(func() {
		if n := len(w.reports); n > 30 {
			t.Errorf("%d messages for %d ends", n, runs)
		}
		for i, s := range w.ends(key(1)) {
			if s.Run != i+1 {
				t.Fatalf("run %d comes as number %d", s.Run, i+1)
			}
		}
	})
}

// LA-1, LA-2, LA-3: what starts a script, and what it is called.
func TestLaunchers(t *testing.T) {
	for _, dir := range []string{"", "a folder with 'odd' $names"} {
		w := newWorld(t)
		if dir != "" {
			other := filepath.Join(t.TempDir(), dir)
			must(t, os.Mkdir(other, 0o700))
			data, err := os.ReadFile(filepath.Join(w.dir, "identity.json"))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(other, "identity.json"), data, 0o600))
			w.dir = other
		}
		w.start()
		for i, c := range []struct{ launcher, script, want string }{
			{"", `basename "$0"`, "t-hz00.sh\n"},
			{"cat {{ACS::ScriptFileName}}", "hello\n", "hello\n"},
			{"cat", "#!/no/such\n", "#!/no/such\n"},
			{`basename {{ACS::ScriptFileName|Ext(".py")}}`, "", "t-hz03.py\n"},
			{"basename {{ ACS::ScriptFileName | Ext(py) }}", "", "t-hz04.py\n"},
			{"X='a  b' sh -u {{ACS::ScriptFileName}} 'one two' three", `echo "$X,$1,$2"`, "a  b,one two,three\n"},
			{"stat -c %a {{ACS::ScriptFileName}}", "", "700\n"},
			{"no-such-interpreter", "", "sh: 1: no-such-interpreter: not found\n"},
		} {
			got := w.end(w.run(int64(i), c.script, func(_ *wire.Run, j *wire.Job) { j.Launcher = c.launcher }))
			if string(got.Output) != c.want && !strings.Contains(c.launcher, "no-such") {
				t.Errorf("%q in %q: %s %q, want %q", c.launcher, dir, got.State, got.Output, c.want)
			}
			if failed := got.State == orderly.Failed && *got.ExitCode == 127; failed != strings.Contains(c.launcher, "no-such") {
				t.Errorf("%q: %+v", c.launcher, got)
			}
		}
		if left, err := os.ReadDir(filepath.Join(w.dir, "work")); err != nil || len(left) > 0 {
			t.Errorf("left in work: %v, %v", left, err)
		}
	}
}

// A launcher that is none is refused before anything runs.
func TestBadLauncherIsRefused(t *testing.T) {
	w := newWorld(t)
	w.start()
	got := w.end(w.run(1, "true", func(_ *wire.Run, j *wire.Job) { j.Launcher = "sh {{ACS::ScriptFileName|Ext(/../x)}}" }))
	if got.State != orderly.Invalid || got.Code != orderly.InvalidCommandText {
		t.Errorf("%+v, want Invalid", got)
	}
}

// A boot is one of the machine (RM-4): EveryReboot runs when the ID of the boot has changed.
func TestEveryReboot(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	k := w.run(1, "echo run", func(r *wire.Run, _ *wire.Job) {
		r.Plan = &wire.Plan{Mode: orderly.EveryReboot, Age: 1}
	})
	w.state(k, orderly.Pending)
	for n := range 2 {
		must(t, a.stop())
		a = w.start(func(c *agent.Config) { c.Boot, c.Uptime = fmt.Sprint("boot-", n+2), time.Second })
		if s := w.nthEnd(k, n+1); s.State != orderly.Success || string(s.Output) != "run\n" {
			t.Errorf("%+v", s)
		}
	}
}
