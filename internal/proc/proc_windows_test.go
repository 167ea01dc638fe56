package proc_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/orderly-run/orderly/internal/proc"
)

// patience is for many processes that start at once on a busy machine, each of which takes its time under Wine.
const patience = time.Minute

// killed is the exit code of a process that was killed.
const killed = 1

// TestMain lets the test program be the processes that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "act" {
		act(os.Args[2:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// act takes steps, each a word with what belongs to it: see acts.
func act(steps []string) {
	for _, step := range steps {
		word, rest, _ := strings.Cut(step, " ")
		if err := acts[word](rest); err != nil {
			os.Exit(99)
		}
	}
}

// acts are what a process of these tests can do.
var acts = map[string]func(string) error{
	"say":   func(text string) error { _, err := fmt.Println(text); return err },
	"err":   func(text string) error { _, err := fmt.Fprintln(os.Stderr, text); return err },
	"write": func(n string) error { _, err := os.Stdout.Write(make([]byte, number(n))); return err },
	"flood": func(string) error {
		block := bytes.Repeat([]byte("y\n"), 32<<10)
		for {
			if _, err := os.Stdout.Write(block); err != nil {
				return err
			}
		}
	},
	"exit": func(code string) error { os.Exit(number(code)); return nil },
	"hang": func(string) error { <-time.NewTimer(time.Minute).C; return nil },
	"env":  func(name string) error { _, err := fmt.Printf("%s=%s\n", name, os.Getenv(name)); return err },
	"dir": func(string) error {
		dir, err := os.Getwd()
		fmt.Println(dir)
		return err
	},
	// A child hangs, and its number is told; one that is an orphan has no parent any more.
	"child":  func(string) error { return begin(us("hang")) },
	"orphan": func(string) error { return us("child").Run() },
	"parent": func(string) error { return begin(us("child", "hang")) },
	"survivor": func(path string) error {
		cmd := us("flood")
		if err := cmd.Start(); err != nil {
			return err
		}
		return os.WriteFile(path, fmt.Appendln(nil, "pid", cmd.Process.Pid), 0o600)
	},
	"pid": func(string) error { _, err := fmt.Println("pid", os.Getpid()); return err },
	// It starts a tree as an agent does, and does not live to see its end.
	"keep": func(string) error {
		p, err := proc.Start(own(true, "pid", "child", "orphan", "hang"))
		if err != nil {
			return err
		}
		for tick := time.NewTicker(2 * time.Millisecond); strings.Count(output(p), "\n") < 3; <-tick.C {
		}
		fmt.Print(output(p))
		return nil
	},
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// us is this program as a process that shares our output.
func us(steps ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"act"}, steps...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// begin starts a process and tells its number.
func begin(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err := fmt.Println("pid", cmd.Process.Pid)
	return err
}

// own is this program as proc starts it.
func own(tree bool, steps ...string) proc.Spec {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return proc.Spec{Path: program, Args: append([]string{"act"}, steps...), KillTree: tree}
}

// A live process is one that was found by its number while it ran, whoever has that number later.
type live struct {
	pid     int
	handle  windows.Handle
	started uint64
}

// family waits for as many processes as told their numbers, which all run.
func family(t *testing.T, n int, output func() string) (all []live) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d processes", n), func() bool { return strings.Count(output(), "\n") >= n })
	for line := range strings.Lines(output()) {
		pid, ok := strings.CutPrefix(strings.TrimSpace(line), "pid ")
		if !ok {
			continue
		}
		const access = windows.SYNCHRONIZE | windows.PROCESS_TERMINATE | windows.PROCESS_QUERY_LIMITED_INFORMATION
		h, err := windows.OpenProcess(access, false, uint32(number(pid)))
		if err != nil {
			t.Fatalf("process %s: %v", pid, err)
		}
		var created, exited, kernel, user windows.Filetime
		if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
			t.Fatal(err)
		}
		l := live{number(pid), h, uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime)}
		t.Cleanup(func() { l.kill(); _ = windows.CloseHandle(h) })
		if !l.runs() {
			t.Fatalf("process %s has ended", pid)
		}
		all = append(all, l)
	}
	if len(all) != n {
		t.Fatalf("%d processes, want %d: %q", len(all), n, output())
	}
	return all
}

func (l live) kill() { _ = windows.TerminateProcess(l.handle, 9) } // it may be gone

func (l live) runs() bool {
	event, err := windows.WaitForSingleObject(l.handle, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}

// running is which of them run.
func running(all []live) (pids []int) {
	for _, l := range all {
		if l.runs() {
			pids = append(pids, l.pid)
		}
	}
	return pids
}

func TestOutputIsMergedInOrder(t *testing.T) { // OUT-1
	p := start(t, own(false, "say one", "err two", "say three"))
	r := wait(t, p)
	if got, want := output(p), "one\ntwo\nthree\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
	if !r.HasCode || r.ExitCode != 0 || r.TimedOut || r.Stopped || r.Ended.Before(r.Started) {
		t.Errorf("result = %+v, want exit code 0 and nothing else", r)
	}
}

func TestExitCodeIsTheProcesss(t *testing.T) { // EXI-1
	for _, want := range []int{0, 1, 7, 3010, 0xC0000005} {
		for _, tree := range []bool{false, true} {
			r := wait(t, start(t, own(tree, "exit "+strconv.Itoa(want))))
			if !r.HasCode || r.ExitCode != want || r.Stopped || r.TimedOut {
				t.Errorf("tree %v: result = %+v, want its own exit code %d", tree, r, want)
			}
		}
	}
}

func TestLastOutputIsKept(t *testing.T) { // OUT-2
	spec := own(false, "write 100000", "say line 998", "say line 999")
	spec.Keep = 20
	p := start(t, spec)
	wait(t, p)
	data, total := p.Output()
	if got, want := string(data), "\x00\x00line 998\nline 999\n"; got != want || total != 100018 {
		t.Errorf("output = %q of %d bytes, want %q of 100018", got, total, want)
	}
}

func TestFloodKeepsMemoryBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := start(t, own(true, "flood"))
	eventually(t, "256 MB of output", func() bool { return p.Written() > 256<<20 })
	p.Stop()
	wait(t, p)
	runtime.ReadMemStats(&after)
	if data, _ := p.Output(); len(data) != 24576 {
		t.Errorf("kept %d bytes, want 24576", len(data))
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("allocated %d bytes for 256 MB of output", grown)
	}
}

// There is nobody to ask: a grace is of no use, and waits for nothing.
func TestStopKillsAtOnce(t *testing.T) { // TERM-1, OUT-3, OUT-4
	for _, tree := range []bool{false, true} {
		spec := own(tree, "say early", "hang")
		spec.Grace = time.Hour
		p := start(t, spec)
		eventually(t, "output while running", func() bool { return output(p) == "early\n" })
		p.Stop()
		p.Stop()
		if r := wait(t, p); !r.Stopped || r.TimedOut || !r.HasCode || r.ExitCode != killed {
			t.Errorf("tree %v: result = %+v, want stopped with %d", tree, r, killed)
		}
		if got := output(p); got != "early\n" {
			t.Errorf("tree %v: output = %q, want what was there before", tree, got)
		}
	}
}

func TestTimeoutKills(t *testing.T) { // TERM-1, T10
	for _, tree := range []bool{false, true} {
		spec := own(tree, "say begun", "hang")
		spec.Timeout = time.Second
		p := start(t, spec)
		r := wait(t, p)
		if !r.TimedOut || r.Stopped || !r.HasCode || r.ExitCode != killed || !strings.HasPrefix("begun\n", output(p)) {
			t.Errorf("tree %v: result = %+v, output %q; want timed out with %d, after its output if it got to that", tree, r, output(p), killed)
		}
		if d := r.Ended.Sub(r.Started); d < spec.Timeout || d > patience/2 {
			t.Errorf("tree %v: it ran %v, want %v", tree, d, spec.Timeout)
		}
	}
}

func TestEndBeforeTheStopIsItsOwn(t *testing.T) {
	p := start(t, own(true, "exit 3"))
	wait(t, p)
	p.Stop()
	if r := p.Wait(); r.Stopped || r.ExitCode != 3 {
		t.Errorf("result after a late stop = %+v, want its own end", r)
	}
}

// A tree is all that a process ever started, also by those that are gone; when Wait returns nobody is left.
func TestTreeIsKilledToTheLast(t *testing.T) { // TERM-1
	p := start(t, own(true, "pid", "child", "orphan", "orphan", "parent", "hang"))
	all := family(t, 6, func() string { return output(p) })
	p.Stop()
	r := wait(t, p)
	if left := running(all); len(left) > 0 {
		t.Errorf("%v still run, of %+v", left, all)
	}
	if !r.Stopped || r.ExitCode != killed {
		t.Errorf("result = %+v, want stopped", r)
	}
}

func TestProcessModeLeavesDescendants(t *testing.T) { // TERM-1
	p := start(t, own(false, "child", "orphan", "hang"))
	all := family(t, 2, func() string { return output(p) })
	p.Stop()
	if r := wait(t, p); !r.Stopped {
		t.Errorf("result = %+v, want stopped", r)
	}
	if left := running(all); len(left) != len(all) {
		t.Errorf("of %+v only %v run, want all", all, left)
	}
}

// In either mode what a process has started goes on when it ends by itself, and is not waited for.
func TestEndDoesNotWaitForOutputHeldOpen(t *testing.T) { // TERM-1
	for _, tree := range []bool{false, true} {
		p := start(t, own(tree, "write 60000", "say ", "child", "orphan", "exit 5"))
		begin := time.Now()
		r := wait(t, p)
		if d := time.Since(begin); d > patience/2 || r.ExitCode != 5 {
			t.Errorf("tree %v: after %v result = %+v, want exit code 5 at once", tree, d, r)
		}
		data, total := p.Output()
		_, told, _ := bytes.Cut(data, []byte("\n"))
		all := family(t, 2, func() string { return string(told) })
		if want := int64(60000 + 1 + len(told)); total != want {
			t.Errorf("tree %v: %d bytes of output, want %d", tree, total, want)
		}
		if left := running(all); len(left) != len(all) {
			t.Errorf("tree %v: of %+v only %v run, want all", tree, all, left)
		}
	}
}

// Its output is closed, so it ends by its next write.
func TestFloodingSurvivorDoesNotDelayTheEnd(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	p := start(t, own(false, "survivor "+told, "exit 4"))
	if r := wait(t, p); r.ExitCode != 4 {
		t.Errorf("result = %+v, want exit code 4", r)
	}
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscanf(string(text), "pid %d", &pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the flood has ended", func() bool {
		h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
		if err != nil {
			return true
		}
		defer windows.CloseHandle(h)
		return !live{handle: h}.runs()
	})
}

// Whoever started a tree is its life: also kill -9 of an agent leaves nobody.
func TestTreeEndsWithWhoStartedIt(t *testing.T) {
	cmd := us("keep", "hang")
	told := filepath.Join(t.TempDir(), "told")
	out, err := os.Create(told)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := family(t, 3, func() string { text, _ := os.ReadFile(told); return string(text) })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // that it was killed is no news
	eventually(t, "nobody is left", func() bool { return len(running(all)) == 0 })
}

func TestRecordedIsKilled(t *testing.T) { // HND-6
	for _, c := range []struct {
		what      string
		tree, old bool
		left      int
	}{
		{what: "tree", tree: true},
		{what: "process", left: 2},
		{what: "another of that number", tree: true, old: true, left: 3},
	} {
		p := start(t, own(false, "pid", "parent", "hang"))
		all := family(t, 3, func() string { return output(p) })
		r := proc.Recorded{PID: p.PID(), StartTime: p.StartTime(), KillTree: c.tree}
		if c.old {
			r.StartTime--
		}
		if err := proc.KillRecorded(r); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if left := running(all); len(left) != c.left {
			t.Errorf("%s: %v still run, of %+v, want %d", c.what, left, all, c.left)
		}
	}
}

func TestStartTellsWhyNot(t *testing.T) { // CMD-7, CMD-8
	otherUser, system, noDir, noProgram := own(false), own(false), own(false), own(false)
	otherUser.Username, system.Username = "ann", "SYSTEM"
	noDir.Dir = filepath.Join(t.TempDir(), "missing")
	noProgram.Path = `C:\no\such\program.exe`
	if err := startError(otherUser); !errors.Is(err, proc.ErrOtherUser) {
		t.Errorf("another user: %v, want ErrOtherUser", err)
	}
	if err := startError(system); err != nil {
		t.Errorf("System: %v, want none", err)
	}
	if err := startError(noDir); !errors.Is(err, proc.ErrNoSuchDir) {
		t.Errorf("missing directory: %v, want ErrNoSuchDir", err)
	}
	if err := startError(noProgram); err == nil || errors.Is(err, proc.ErrNoSuchDir) {
		t.Errorf("missing program: %v, want another error", err)
	}
}

func TestDirAndEnvAreGiven(t *testing.T) {
	spec := own(false, "dir", "env GREETING", "env SECRET")
	spec.Dir, spec.Env = t.TempDir(), []string{"GREETING=hello", "SystemRoot=" + os.Getenv("SystemRoot")}
	t.Setenv("SECRET", "of the agent")
	p := start(t, spec)
	wait(t, p)
	if got, want := output(p), spec.Dir+"\nGREETING=hello\nSECRET=\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}

// By default a process starts where its agent did, with what the system gives its user and nothing of the agent's own.
func TestEnvironmentIsThatOfALogin(t *testing.T) { // CMD-7
	t.Setenv("SECRET", "of the agent")
	p := start(t, own(false, "dir", "env SECRET", "env SystemDrive"))
	wait(t, p)
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := output(p), dir+"\nSECRET=\nSystemDrive="+os.Getenv("SystemDrive")+"\n"; got != want || os.Getenv("SystemDrive") == "" {
		t.Errorf("output = %q, want %q", got, want)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		p := start(t, own(true, "child", "exit 1"))
		wait(t, p)
		for _, l := range family(t, 1, func() string { return output(p) }) {
			l.kill()
		}
		p = start(t, own(true, "hang"))
		p.Stop()
		wait(t, p)
	}
	eventually(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}
