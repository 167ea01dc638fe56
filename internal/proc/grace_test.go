//go:build unix

package proc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/proc"
)

// long is a grace that no test waits for.
const long = time.Hour

// ready waits until a script has said so, with all that it prepared.
func ready(t *testing.T, p *proc.Process) {
	t.Helper()
	eventually(t, "ready", func() bool { return strings.HasPrefix(output(p), "ready\n") })
}

// A process is asked to end first: what it does then is its own, and its exit code tells what that was.
func TestStopAsksFirst(t *testing.T) { // TERM-1
	for name, c := range map[string]struct {
		script string
		tree   bool
		exit   int
		output string
	}{
		"dies of it":                     {script: "echo ready; exec sleep 100", exit: 128 + 15},
		"cleans up":                      {script: "trap 'echo clean; exit 5' TERM; echo ready; while :; do sleep 0.01; done", exit: 5, output: "clean\n"},
		"cleans up and succeeds":         {script: "trap 'echo clean; exit 0' TERM; echo ready; while :; do sleep 0.01; done", output: "clean\n"},
		"is suspended":                   {script: "echo ready; kill -STOP $$; echo never", exit: 128 + 15},
		"tree dies of it":                {script: "echo ready; sleep 100; echo never", tree: true, exit: 128 + 15},
		"tree cleans up, child and all":  {script: "trap 'echo clean; exit 5' TERM; (echo ready; exec sleep 100); echo never", tree: true, exit: 5, output: "clean\n"},
		"tree leaves a child that stays": {script: "(trap '' TERM; exec sleep 100) & echo ready; wait", tree: true, exit: 128 + 15},
	} {
		t.Run(name, func(t *testing.T) {
			spec := sh(c.script)
			spec.Grace, spec.KillTree = long, c.tree
			var value string
			spec.Env, value = tag()
			p := start(t, spec)
			ready(t, p)
			p.Stop()
			r := wait(t, p)
			if !r.Stopped || r.TimedOut || r.ExitCode != c.exit || !r.HasCode {
				t.Errorf("result = %+v, want stopped with %d", r, c.exit)
			}
			said := strings.ReplaceAll(output(p), "Terminated\n", "") // which some shells say of their children
			if got, want := said, "ready\n"+c.output; got != want {   // OUT-4
				t.Errorf("output = %q, want %q", got, want)
			}
			if c.tree {
				gone(t, value)
			}
		})
	}
}

// Who dies of the first signal, before the others are sent, was stopped.
func TestSuddenDeathIsTheStops(t *testing.T) { // TERM-1
	for range 50 {
		spec := proc.Spec{Path: "sleep", Args: []string{"100"}, Grace: long}
		p := start(t, spec)
		p.Stop()
		if r := wait(t, p); !r.Stopped || r.TimedOut || r.ExitCode != 128+15 {
			t.Fatalf("result = %+v, want stopped with %d", r, 128+15)
		}
	}
}

// gone waits until nobody has value in the environment.
func gone(t *testing.T, value string) {
	t.Helper()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return // this system does not tell
	}
	eventually(t, "nobody is left", func() bool {
		files, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, f := range files {
			if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), value) {
				return false
			}
		}
		return true
	})
}

// Whoever does not end is killed when the grace is over, by a time limit too.
func TestDeafProcessIsKilledAfterTheGrace(t *testing.T) { // T10, TERM-1
	for _, tree := range []bool{false, true} {
		spec := sh("trap '' TERM; echo ready; while :; do sleep 0.01; done")
		spec.Grace, spec.Timeout, spec.KillTree = 200*time.Millisecond, 300*time.Millisecond, tree
		r := wait(t, start(t, spec))
		if !r.TimedOut || r.Stopped || r.ExitCode != 128+9 {
			t.Errorf("tree %v: result = %+v, want timed out and killed", tree, r)
		}
		if d := r.Ended.Sub(r.Started); d < spec.Timeout+spec.Grace {
			t.Errorf("tree %v: killed after %v, want %v of patience", tree, d, spec.Timeout+spec.Grace)
		}
	}
}

// Patience can be lost, not regained.
func TestShorterGraceCounts(t *testing.T) {
	spec := sh("trap '' TERM; echo ready; while :; do sleep 0.01; done")
	spec.Grace = long
	p := start(t, spec)
	ready(t, p)
	p.Stop()
	p.StopWithin(20 * time.Millisecond)
	p.Stop()
	if r := wait(t, p); !r.Stopped || r.ExitCode != 128+9 {
		t.Errorf("result = %+v, want killed", r)
	}
}

// A process that ended before it was asked ended by itself.
func TestEndBeforeTheStopIsItsOwn(t *testing.T) {
	for range 50 {
		spec := sh("exit 3")
		spec.Grace, spec.KillTree = long, true
		p := start(t, spec)
		p.Stop()
		r := wait(t, p)
		if r.Stopped && r.ExitCode != 128+15 && r.ExitCode != 3 || !r.Stopped && r.ExitCode != 3 {
			t.Fatalf("result = %+v, want asked or its own end", r)
		}
	}
}
