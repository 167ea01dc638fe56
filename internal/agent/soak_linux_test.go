package agent_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// soakCommands is how many commands a soak runs: few, unless ORDERLY_SOAK says otherwise (make soak).
func soakCommands(t *testing.T) int {
	text := os.Getenv("ORDERLY_SOAK")
	if text == "" {
		return 400
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// A usage is what a process holds.
type usage struct {
	resident, files, threads, children, goroutines, onDisk int
	journal                                                int64
}

// usageOf asks the system, and the agent for its goroutines.
func (w *world) usageOf(pid int, log string) (u usage) {
	w.t.Helper()
	dir := fmt.Sprintf("/proc/%d", pid)
	entries := func(name string) int {
		list, err := os.ReadDir(filepath.Join(dir, name))
		must(w.t, err)
		return len(list)
	}
	u.resident, u.files, u.threads = resident(w.t.(*testing.T), pid), entries("fd"), entries("task")
	tasks, err := filepath.Glob(dir + "/task/*/children")
	must(w.t, err)
	for _, f := range tasks {
		text, _ := os.ReadFile(f) // a thread may end
		u.children += len(strings.Fields(string(text)))
	}
	must(w.t, filepath.WalkDir(w.dir, func(string, fs.DirEntry, error) error { u.onDisk++; return nil }))
	foreign, err := filepath.Glob(filepath.Join(os.TempDir(), "orderly-"+w.hello().Incarnation[:10]+"-*"))
	must(w.t, err)
	u.onDisk += len(foreign)
	if info, err := os.Stat(filepath.Join(w.dir, "journal")); err == nil {
		u.journal = info.Size()
	}
	u.goroutines = w.goroutines(log)
	return u
}

var counted = regexp.MustCompile(`msg=beat .*running=0 goroutines=(\d+)`)

// goroutines asks the agent for a sign of life, of which its log says more.
func (w *world) goroutines(log string) (n int) {
	w.t.Helper()
	before, _ := os.ReadFile(log)
	w.send(wire.ToAgent{Probe: true})
	w.until("the agent tells of its goroutines", func() bool {
		text, _ := os.ReadFile(log)
		found := counted.FindAllSubmatch(text[min(len(before), len(text)):], -1)
		if len(found) == 0 {
			return false
		}
		n, _ = strconv.Atoi(string(found[len(found)-1][1]))
		return true
	})
	return n
}

// window is how many commands of a soak run at the same time.
const window = 32

// soak runs commands number from to to, some at the same time, and returns when all have ended.
func (w *world) soak(from, to int) {
	w.t.Helper()
	var mu sync.Mutex
	ended, more := map[int64]bool{}, make(chan struct{}, to-from)
	w.set(func() {
		w.reports = nil
		w.ended = func(s wire.Snapshot) {
			mu.Lock()
			defer mu.Unlock()
			if s.State != orderly.Success {
				w.t.Errorf("command %d: %s/%s", s.Invocation, s.State, s.Code)
			}
			if !ended[s.Invocation] {
				ended[s.Invocation] = true
				more <- struct{}{}
			}
		}
	})
	for seq := from; seq < to+window; seq++ {
		if seq >= from+window {
			select {
			case <-more:
			case <-time.After(time.Minute):
				w.t.Fatalf("no command ends any more after %d", seq)
			}
			w.set(func() { w.reports = nil }) // or this process grows
		}
		if seq >= to {
			continue
		}
		w.run(int64(seq), "echo hello", func(r *wire.Run, j *wire.Job) {
			if seq%4 == 0 {
				inTree(r, j)
			}
		})
	}
}

// A soak: however many commands an agent has run, nothing of them is left with it.
func TestSoak(t *testing.T) {
	n := soakCommands(t)
	w := worldOn(t, "/", encrypted)
	log := filepath.Join(t.TempDir(), "agent.log")
	cmd := w.program("--log-level", "debug", "--log-file", log, "--log-size", "4000000")
	warm := min(n/4, 2000)
	w.soak(1, warm)
	before := w.usageOf(cmd.Process.Pid, log)
	begin := time.Now()
	var last usage
	for at := warm; at < n; at += max((n-warm)/5, 1) {
		w.soak(at, min(at+max((n-warm)/5, 1), n))
		last = w.usageOf(cmd.Process.Pid, log)
		t.Logf("%d commands: %+v", at, last)
	}
	t.Logf("%d commands in %v; at first %+v, at last %+v", n-warm, time.Since(begin), before, last)
	// The heap settles a little above what it was. A thread waits for each command, and the runtime keeps
	// those that have nothing more to do: how many it needed at once is up to the machine's load.
	for name, got := range map[string][3]int{
		"open files":       {last.files, before.files, 2},
		"goroutines":       {last.goroutines, before.goroutines, 0},
		"threads":          {last.threads, max(before.threads, window), 16},
		"children":         {last.children, 0, 0},
		"files on disk":    {last.onDisk, before.onDisk, 0},
		"bytes resident":   {last.resident, max(before.resident, maxIdle), 2 << 20},
		"bytes of journal": {int(last.journal), 1 << 20, 64 << 10},
	} {
		if got[0] > got[1]+got[2] {
			t.Errorf("%s: %d, want %d, or %d more", name, got[0], got[1], got[2])
		}
	}
	if groups := groupsOf(t, w.dir); len(groups) > 0 {
		t.Errorf("control groups %v are left", groups)
	}
}

// A machine that was away for long holds many tasks, and gets as many more at once: it lists them, works
// them off and stays small.
func TestManyTasksAfterALongAbsence(t *testing.T) {
	const queued = 10_000
	n := queued // that are worked off, at least
	if os.Getenv("ORDERLY_SOAK") == "" {
		n = 200
	}
	w := worldOn(t, "/", encrypted)
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	must(t, err)
	j := open(t, filepath.Join(w.dir, "journal"), strings.TrimSpace(string(text)))
	job := wire.Encode(wire.Job{InvokeID: "t-hz0", Type: orderly.RunShellScript, Content: bytes.Repeat([]byte("#\n"), 100), WorkingDir: "/", Timeout: 60_000})
	for seq := range int64(queued / 2) {
		must(t, j.Got(occ(seq), job))
	}
	must(t, j.Close())
	w.set(func() { w.welcome.Tasks, w.welcome.Part = true, wire.MaxListed })
	cmd := w.program()
	h := w.hello()
	ended := map[orderly.TaskKey]bool{}
	fresh := time.Now() // when something ended last
	w.set(func() {
		w.ended = func(s wire.Snapshot) { ended[s.TaskKey], fresh = true, time.Now() }
	})
	rest := func() { // it comes with the welcome
		for seq := range int64(queued / 2) {
			if k := key(queued + seq); !ended[k] {
				w.to(h.Link, wire.ToAgent{Run: &wire.Run{TaskKey: k, Incarnation: h.Incarnation, Boot: h.Boot, Job: job}})
			}
		}
	}
	w.set(rest)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	sent := time.Now()
	for done := 0; done < n; <-tick.C {
		w.set(func() {
			done, w.reports = len(ended), nil
			if time.Since(fresh) > time.Minute {
				t.Fatalf("%d of %d tasks have ended", done, n)
			}
			if time.Since(fresh) > time.Second && time.Since(sent) > time.Second { // as a server does
				rest()
				sent = time.Now()
			}
		})
	}
	listed := map[orderly.TaskKey]bool{}
	w.set(func() {
		for _, h := range w.hellos {
			for _, k := range h.Tasks {
				listed[k] = true
			}
		}
	})
	peak := peakResident(t, cmd.Process.Pid)
	t.Logf("%d tasks listed, %d worked off, %d bytes resident at most", len(listed), len(ended), peak)
	if len(listed) < queued/2 || peak > maxFlood {
		t.Errorf("%d listed, want %d; %d bytes resident at most, want %d", len(listed), queued/2, peak, maxFlood)
	}
}

// peakResident is how much memory a process held at most, in bytes.
func peakResident(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	must(t, err)
	return kb << 10
}
