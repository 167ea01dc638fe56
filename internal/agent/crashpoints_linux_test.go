package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// mortal makes the program that can be told where to die. No other build has that.
var mortal = sync.OnceValues(func() (string, error) {
	return buildProgram("-tags", "crashpoints")
})

// points are all steps of a task's life after which an agent can be killed, and what may come of the
// task then: whether it runs at all is up to when that was, and a server asks again in either case.
var points = map[string]struct {
	stop   bool // it is stopped while it runs
	states []orderly.State
	starts int // of its process; -1 for 0 or 1
}{
	"before got":       {states: []orderly.State{orderly.Success}, starts: 1},
	"after got":        {states: []orderly.State{orderly.Success}, starts: 1},
	"after starting":   {states: []orderly.State{orderly.Error}, starts: 0},
	"before launch":    {states: []orderly.State{orderly.Error}, starts: 0},
	"after launch":     {states: []orderly.State{orderly.Error}, starts: -1},
	"after started":    {states: []orderly.State{orderly.Error}, starts: -1},
	"after exit":       {states: []orderly.State{orderly.Error}, starts: 1},
	"after ended":      {states: []orderly.State{orderly.Success}, starts: 1},
	"after report":     {states: []orderly.State{orderly.Success}, starts: 1},
	"before acked":     {states: []orderly.State{orderly.Success}, starts: 1},
	"after acked":      {states: []orderly.State{orderly.Success}, starts: 1},
	"before tombstone": {stop: true, states: []orderly.State{orderly.Error}, starts: 1},
	"after tombstone":  {stop: true, states: []orderly.State{orderly.Error}, starts: 1},
}

// Promises 2 and 3: an agent that is killed at any step of a task's life starts it at most once, and
// an end of it arrives, which is its own where the agent could know that.
func TestKilledAtEveryStep(t *testing.T) {
	for point, c := range points {
		for _, tree := range []bool{false, true} {
			name := point
			if tree {
				name += ", tree"
			}
			t.Run(name, func(t *testing.T) { killedAt(t, point, c.stop, tree, c.states, c.starts) })
		}
	}
}

func killedAt(t *testing.T, point string, stop, tree bool, states []orderly.State, starts int) { //nolint:revive // a row of the table
	t.Helper()
	w := worldOn(t, "/")
	path, err := mortal()
	must(t, err)
	cmd := exec.Command(path, "run", "--data", w.dir, "--time-scale", "20")
	cmd.Env = append(os.Environ(), "ORDERLY_CRASH_AT="+point)
	cmd.Stderr = t.Output()
	must(t, cmd.Start())
	t.Cleanup(func() { crash(cmd) })
	ledger := filepath.Join(w.dir, "ledger")
	script := "echo start >> " + ledger + "; echo done"
	if stop {
		script = "echo start >> " + ledger + "; echo done; exec sleep 100"
	}
	h := w.hello()
	m := w.runMessage(1, script, func(r *wire.Run, j *wire.Job) {
		if tree {
			inTree(r, j)
		}
	})
	w.to(h.Link, m)
	if stop {
		w.until("output", func() bool { return len(outputs(w, key(1))) > 0 })
		w.send(wire.ToAgent{Stop: w.ref(key(1))})
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("it ended otherwise: %v", err)
	}

	w.program()
	h = w.hello()
	settled := false
	w.set(func() { settled = slices.ContainsFunc(w.snapshots(key(1)), isEnd) })
	for range 2 {
		if !settled { // as a server does with what has no end yet
			w.to(h.Link, m)
		}
	}
	s := w.end(key(1))
	probe := w.end(w.run(2, "cat "+ledger+" 2> /dev/null || true")) // behind the repetitions
	if n := strings.Count(string(probe.Output), "start\n"); n > 1 || starts >= 0 && n != starts {
		t.Errorf("%d starts, want %d (-1: at most one)", n, starts)
	}
	ok := false
	for _, want := range states {
		ok = ok || s.State == want && (want != orderly.Error || s.Code == orderly.ClientRestarted) &&
			(want != orderly.Success || string(s.Output) == "done\n")
	}
	if !ok {
		t.Errorf("it is %s/%s with output %q, want %v", s.State, s.Code, s.Output, states)
	}
	if pid, _, found := proc.Find(h.Incarnation + "-1-0"); found {
		t.Errorf("process %d is left", pid)
	}
	w.until("no control group is left", func() bool { return len(groupsOf(t, w.dir)) == 0 }) // it goes beside the report
}
