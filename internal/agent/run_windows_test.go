package agent_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/windows"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
)

// patience is for many processes that start at once on a busy machine, each of which takes its time under Wine.
const patience = time.Minute

// TestMain lets the test program be an agent that can be killed, a process that hangs, and what stands for PowerShell.
func TestMain(m *testing.M) {
	if program, err := os.Executable(); err == nil && strings.EqualFold(filepath.Base(program), "powershell.exe") {
		powerShell(os.Args[1:])
	}
	switch role := os.Getenv("AGENT_TEST_ROLE"); role {
	case "":
		os.Exit(m.Run())
	case "hang":
		fmt.Println("pid", os.Getpid())
		<-time.NewTimer(time.Minute).C
	default:
		a, err := agent.New(agent.Config{Dir: role, Times: quick})
		if err == nil {
			err = a.Run(context.Background())
		}
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

// powerShell tells its arguments and what is in the script.
func powerShell(args []string) {
	script := args[len(args)-1]
	text, err := os.ReadFile(script)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	args[len(args)-1] = filepath.Base(script)
	fmt.Printf("%q %s\n", args, hex.EncodeToString(text))
	os.Exit(7)
}

// process starts the agent as a process of its own.
func (w *world) process() *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AGENT_TEST_ROLE="+w.dir)
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

// hanging is a batch file that starts processes, each of which tells its number and hangs. Each is started in a way of
// its own: as in "start /b", or "" to be waited for.
func hanging(starts ...string) string {
	text := "set AGENT_TEST_ROLE=hang\n"
	for _, start := range starts {
		text += start + " " + os.Args[0] + "\n"
	}
	return text
}

// aside and orphaned start a process that is not waited for; whoever started the second is gone.
const aside, orphaned = "start /b", "cmd /d /c start /b"

// told waits for as many processes as tell their numbers in a task's output.
func (w *world) told(k orderly.TaskKey, n int) (pids []int) {
	w.t.Helper()
	w.until(fmt.Sprint(n, " processes"), func() bool {
		pids = nil
		for line := range strings.Lines(string(outputs(w, k))) {
			if text, ok := strings.CutPrefix(line, "pid "); ok && strings.HasSuffix(line, "\n") {
				pid, err := strconv.Atoi(strings.TrimSpace(text))
				must(w.t, err)
				pids = append(pids, pid)
			}
		}
		return len(pids) >= n
	})
	return pids
}

// runs tells whether a process runs.
func runs(pid int) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}

// kill ends a process that a test has left behind.
func kill(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

// LA-2, LA-3, EXI-1, OUT-1: what cmd makes of a script, and that nothing is left of it.
func TestBatchFileRunsToItsEnd(t *testing.T) {
	t.Setenv("DATABASE_PASSWORD", "secret")
	w := newWorld(t)
	w.start(endOnly)
	script := join("echo out", "echo err>&2", "echo [%DATABASE_PASSWORD%]", "cd", "echo %~nx0", "exit /b 3")
	k := w.run(1, script, func(_ *wire.Run, j *wire.Job) { j.WorkingDir = w.dir })
	got := w.end(k)
	if got.StartedAgo == nil || got.EndedAgo == nil || *got.StartedAgo < *got.EndedAgo {
		t.Errorf("ages = %v, %v", got.StartedAgo, got.EndedAgo)
	}
	got.StartedAgo, got.EndedAgo = nil, nil
	three, out := 3, strings.Join([]string{"out", "err", "[]", w.dir, "t-hz01.bat", ""}, "\r\n")
	want := wire.Snapshot{TaskKey: k, Number: wire.EndNumber, State: orderly.Failed, Code: orderly.ExitCodeNonzero, ExitCode: &three, Output: []byte(out), Total: int64(len(out))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	w.nothingLeft()
}

// The agent's directory may be called anything, and a script may say what it wants.
func TestBatchFileLiesAnywhere(t *testing.T) { // LA-1, LA-2
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "a (x86) & b's, 100%")
	must(t, os.Rename(w.dir, dir))
	w.dir = dir
	w.start(endOnly)
	for i, c := range []struct{ script, launcher, want string }{
		{"echo hello", "", "hello\r\n"},
		{"ver>nul\r\nif errorlevel 1 echo no\r\necho a^&b\r\n", "", "a&b\r\n"},
		{"rem the text\necho of it", `cmd /d /c type {{ACS::ScriptFileName|Ext(".txt")}}`, "@echo off\r\nrem the text\r\necho of it"},
		{"echo launched", "call", "launched\r\n"},
	} {
		s := w.end(w.run(int64(i), c.script, func(_ *wire.Run, j *wire.Job) { j.Launcher = c.launcher }))
		if string(s.Output) != c.want || s.State != orderly.Success {
			t.Errorf("%q by %q: %s %s with %q, want Success with %q", c.script, c.launcher, s.State, s.Code, s.Output, c.want)
		}
	}
}

// CMD-2, CMD-7, CMD-8: what cannot start, and why; the agent's own directory is where scripts run by default.
func TestWindowsRefusesWithItsCodes(t *testing.T) {
	w := newWorld(t)
	w.start(endOnly)
	for i, c := range []struct {
		change func(*wire.Job)
		code   orderly.ErrorCode
	}{
		{func(j *wire.Job) { j.WorkingDir = filepath.Join(w.dir, "missing") }, orderly.DirectoryNotExists},
		{func(j *wire.Job) { j.Username = "ann" }, orderly.UserOrPasswordInvalid},
		{func(j *wire.Job) { j.Type = orderly.RunShellScript }, orderly.CommandNotApplicable},
	} {
		s := w.end(w.run(int64(i), "echo never", func(_ *wire.Run, j *wire.Job) { c.change(j) }))
		if s.State != orderly.Invalid || s.Code != c.code || len(s.Output) > 0 {
			t.Errorf("%d: %s %s with %q, want Invalid %s", i, s.State, s.Code, s.Output, c.code)
		}
	}
	here, err := os.Getwd()
	must(t, err)
	s := w.end(w.run(10, "cd", func(_ *wire.Run, j *wire.Job) { j.WorkingDir, j.Username = "", "system" }))
	if got, want := string(s.Output), here+"\r\n"; got != want || s.State != orderly.Success {
		t.Errorf("as System: %s %s in %q, want %q", s.State, s.Code, got, want)
	}
}

// What stands for PowerShell tells how it is called: Wine has none that does anything.
func TestPowerShellIsCalledAsDocumented(t *testing.T) { // CMD-2, LA-2
	bin := t.TempDir()
	program, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(filepath.Join(bin, "powershell.exe"), program, 0o700))
	t.Setenv("PATH", bin+";"+os.Getenv("PATH"))
	w := newWorld(t)
	w.start(endOnly)
	for i, c := range []struct{ script, saved string }{
		{"Get-Date\nexit 7", "Get-Date\r\nexit 7"},
		{"'grün'", "\ufeff'grün'"},
	} {
		k := w.run(int64(i), c.script, func(_ *wire.Run, j *wire.Job) { j.Type = orderly.RunPowerShellScript })
		s := w.end(k)
		args := []string{"-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", fmt.Sprintf("t-hz0%d.ps1", i)}
		if want := fmt.Sprintf("%q %x\n", args, c.saved); string(s.Output) != want || s.State != orderly.Failed || *s.ExitCode != 7 {
			t.Errorf("%s %s with %q, want %q", s.State, s.Code, s.Output, want)
		}
	}
}

// TERM-1: with the tree all ends that a script has started, also by who is gone; without it only the script's cmd.
func TestStopEndsTree(t *testing.T) {
	w := newWorld(t)
	w.start()
	for i, mode := range []orderly.TerminationMode{orderly.KillProcessTree, orderly.KillProcess} {
		k := w.run(int64(i), hanging(aside, orphaned, ""),
			func(_ *wire.Run, j *wire.Job) { j.Termination = mode })
		pids := w.told(k, 3)
		w.send(wire.ToAgent{Stop: w.ref(k)})
		if s := w.end(k); s.State != orderly.Terminated {
			t.Errorf("%s: %s %s, want Terminated", mode, s.State, s.Code)
		}
		for _, pid := range pids {
			if runs(pid) != (mode == orderly.KillProcess) {
				t.Errorf("%s: process %d runs: %v", mode, pid, runs(pid))
			}
			kill(pid)
		}
	}
}

func TestTimeoutEndsTree(t *testing.T) { // T10
	w := newWorld(t)
	w.start()
	k := w.run(1, hanging(aside, ""), func(_ *wire.Run, j *wire.Job) {
		j.Termination, j.Timeout = orderly.KillProcessTree, 2000
	})
	if s := w.end(k); s.State != orderly.Timeout || s.Code != orderly.ExecutionTimeout {
		t.Errorf("%s %s, want Timeout", s.State, s.Code)
	}
	for _, pid := range w.told(k, 0) { // as far as they got on a busy machine
		if runs(pid) {
			t.Errorf("process %d runs", pid)
		}
	}
}

func TestKilledAgentLeavesNobody(t *testing.T) { // HND-6
	w := worldOn(t, "/")
	cmd := w.process()
	for i, mode := range []orderly.TerminationMode{orderly.KillProcessTree, orderly.KillProcess} {
		k := w.run(int64(i), hanging(orphaned, ""), func(_ *wire.Run, j *wire.Job) { j.Termination = mode })
		pids := w.told(k, 2)
		crash(cmd)
		cmd = w.process()
		if s := w.end(k); s.State != orderly.Error || s.Code != orderly.ClientRestarted || s.StartedAgo == nil {
			t.Errorf("%s: %+v, want Error/ClientRestarted with a start", mode, s)
		}
		for _, pid := range pids {
			if mode == orderly.KillProcessTree && runs(pid) {
				t.Errorf("process %d runs", pid)
			}
			kill(pid)
		}
	}
	if s := w.end(w.run(10, "echo well")); s.State != orderly.Success {
		t.Errorf("afterwards: %s %s", s.State, s.Code)
	}
	w.nothingLeft()
}

// nothingLeft waits until no script is left.
func (w *world) nothingLeft() {
	w.t.Helper()
	w.until("no script is left", func() bool {
		left, err := os.ReadDir(filepath.Join(w.dir, "work"))
		return err == nil && len(left) == 0
	})
}

// Promises 2 and 3: whenever the agent is killed, a task starts at most once, and its end arrives.
func TestKilledAtAnyMoment(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := worldOn(t, "/")
	log := filepath.Join(w.dir, "log")
	cmd := w.process()
	for round := range int64(8) {
		m := w.runMessage(round, fmt.Sprintf("echo %d.>>%s\r\necho done", round, log))
		w.to(w.hello().Link, m)
		must(t, w.nc.Flush())
		<-time.After(time.Duration(rnd.IntN(150_000)) * time.Microsecond)
		crash(cmd)
		cmd = w.process()
		h := w.hello()
		s := w.settle(h.Link, round, m)
		data, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		starts := strings.Count("\n"+string(data), fmt.Sprintf("\n%d.", round))
		if starts > 1 || starts == 0 && s.State == orderly.Success {
			t.Errorf("round %d: %d starts, end %s", round, starts, s.State)
		}
	}
}

// put sends a file, app.conf for a directory of the world's own, with changes.
func (w *world) put(seq int64, change func(*wire.File)) orderly.TaskKey {
	w.t.Helper()
	f := &wire.File{Name: "app.conf", Dir: filepath.Join(w.dir, "files"), Content: []byte("new\n")}
	change(f)
	return w.run(seq, "", func(_ *wire.Run, j *wire.Job) {
		*j = wire.Job{InvokeID: fmt.Sprint("f-hz0", seq), Timeout: 60_000, File: f}
	})
}

// SF-1, SF-3: a file takes its place, or tells why not, and nothing is left beside it. Owner, group and mode have no effect.
func TestFileTakesItsPlace(t *testing.T) {
	w := newWorld(t)
	w.start()
	dir := filepath.Join(w.dir, "files")
	for i, c := range []struct {
		change func(*wire.File)
		state  orderly.State
		code   orderly.ErrorCode
		want   string // what is there then
	}{
		{func(f *wire.File) { f.Owner, f.Group, f.Mode = "ann", "staff", "0400" }, orderly.Success, "", "new\n"},
		{func(f *wire.File) { f.Content = []byte("newer") }, orderly.Invalid, orderly.FileAlreadyExists, "new\n"},
		{func(f *wire.File) { f.Content, f.Overwrite = []byte("newer\n"), true }, orderly.Success, "", "newer\n"},
		{func(f *wire.File) { f.Name = `sub\app.conf` }, orderly.Invalid, orderly.FileNameInvalid, "newer\n"},
		{func(f *wire.File) { f.Name = "app.conf:stream" }, orderly.Invalid, orderly.FileNameInvalid, "newer\n"},
		{func(f *wire.File) { f.Name = "NUL" }, orderly.Invalid, orderly.FileNameInvalid, "newer\n"},
		{func(f *wire.File) { f.Dir = `files` }, orderly.Invalid, orderly.FilePathInvalid, "newer\n"},
		{func(f *wire.File) { f.Dir = filepath.Join(dir, "app.conf", "in a file") }, orderly.Invalid, orderly.FilePathInvalid, "newer\n"},
	} {
		s := w.end(w.put(int64(i), c.change))
		got, err := os.ReadFile(filepath.Join(dir, "app.conf"))
		must(t, err)
		if s.State != c.state || s.Code != c.code || string(got) != c.want {
			t.Errorf("%d: %s %s, %q; want %s %s, %q", i, s.State, s.Code, got, c.state, c.code, c.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
}

// A file that somebody has open stays as it is; it is replaced once they are done.
func TestFileInUseIsNotReplaced(t *testing.T) { // SF-3
	w := newWorld(t)
	w.start()
	dir := filepath.Join(w.dir, "files")
	must(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "app.conf")
	must(t, os.WriteFile(path, []byte("old"), 0o600))
	user, err := os.Open(path)
	must(t, err)
	over := func(f *wire.File) { f.Overwrite = true }
	if s := w.end(w.put(1, over)); s.State != orderly.Failed || s.Code != orderly.FileCreateFail {
		t.Errorf("while it is in use: %s %s, want Failed FileCreateFail", s.State, s.Code)
	}
	must(t, user.Close())
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("afterwards it is %q, %v, want what it was", got, err)
	}
	if s := w.end(w.put(2, over)); s.State != orderly.Success {
		t.Errorf("when nobody uses it: %s %s, want Success", s.State, s.Code)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
}

// The agent's own files are replaced though a virus scanner, or whoever asks for its status, has them open for a moment.
func TestJournalIsReplacedWhileItIsLookedAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, boot)
	must(t, j.Got(occ(1), []byte("a job")))
	scanner, err := os.Open(path)
	must(t, err)
	time.AfterFunc(200*time.Millisecond, func() { scanner.Close() })
	must(t, j.Compact())
	must(t, j.Got(occ(2), []byte("another")))
	must(t, j.Sync())
	must(t, j.Close())
	j = open(t, path, boot)
	if n := len(contents(t, j)); n != 2 {
		t.Errorf("%d tasks after it, want 2", n)
	}
	must(t, j.Close())
	if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the new file is left: %v", err)
	}
}

// Whoever can read the agent's directory has its key. Wine keeps a Unix mode only, and leaves in it what others may.
func TestDirectoryIsPrivate(t *testing.T) {
	w := newWorld(t)
	const what = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION
	sd, err := windows.GetNamedSecurityInfo(w.dir, windows.SE_FILE_OBJECT, what)
	must(t, err)
	owner, _, err := sd.Owner()
	must(t, err)
	got := sd.String()
	for _, may := range []string{"SY", owner.String()} {
		if !strings.Contains(got, "(A;OICI;FA;;;"+may+")") {
			t.Errorf("permissions %s, want all for %s", got, may)
		}
	}
	if windows.NewLazySystemDLL("ntdll").NewProc("wine_get_version").Find() == nil {
		return
	}
	if !strings.Contains(got, "D:P") || strings.Count(got, "(") > 3 {
		t.Errorf("permissions %s, want nothing for anybody else", got)
	}
}
