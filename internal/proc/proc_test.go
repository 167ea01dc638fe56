//go:build unix

package proc_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/internal/proc"
)

const patience = 20 * time.Second

func sh(script string) proc.Spec {
	return proc.Spec{Path: "sh", Args: []string{"-c", script}}
}

func TestOutputIsMergedInOrder(t *testing.T) { // OUT-1
	p := start(t, sh("echo one; echo two >&2; echo three; cat"))
	r := wait(t, p)
	if got, want := output(p), "one\ntwo\nthree\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
	if !r.HasCode || r.ExitCode != 0 || r.TimedOut || r.Stopped {
		t.Errorf("result = %+v, want exit code 0 and nothing else", r)
	}
	if r.Ended.Before(r.Started) {
		t.Errorf("ended %v before it started %v", r.Ended, r.Started)
	}
}

func TestExitCodeIsTheProcesss(t *testing.T) { // EXI-1
	for script, want := range map[string]int{
		"exit 0":        0,
		"exit 7":        7,
		"kill -TERM $$": 128 + 15,
		"kill -KILL $$": 128 + 9,
	} {
		r := wait(t, start(t, sh(script)))
		if !r.HasCode || r.ExitCode != want || r.Stopped || r.TimedOut {
			t.Errorf("%q: result = %+v, want its own exit code %d", script, r, want)
		}
	}
}

func TestLastOutputIsKept(t *testing.T) { // OUT-2
	spec := sh("i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done")
	spec.Keep = 20
	p := start(t, spec)
	wait(t, p)
	data, total := p.Output()
	if got, want := string(data), "ne 998\nline 999\n"; !strings.HasSuffix(got, want) || len(got) != 20 {
		t.Errorf("output = %q, want the last 20 bytes", got)
	}
	if want := int64(10*7 + 90*8 + 900*9); total != want {
		t.Errorf("total = %d, want %d", total, want)
	}
}

func TestOutputGrowsWhileRunning(t *testing.T) { // OUT-3
	p := start(t, sh("echo early; exec sleep 100"))
	eventually(t, "output while running", func() bool { return output(p) == "early\n" })
	p.Stop()
	wait(t, p)
	if got := output(p); got != "early\n" { // OUT-4
		t.Errorf("output after the stop = %q, want what was there before", got)
	}
}

func TestFloodKeepsMemoryBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := start(t, sh("exec yes"))
	eventually(t, "1 GB of output", func() bool { return p.Written() > 1<<30 }) // a look that takes no memory
	p.Stop()
	wait(t, p)
	runtime.ReadMemStats(&after)
	if data, _ := p.Output(); len(data) != 24576 {
		t.Errorf("kept %d bytes, want 24576", len(data))
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("allocated %d bytes for 1 GB of output", grown)
	}
	if live := int64(after.HeapInuse) - int64(before.HeapInuse); live > 8<<20 {
		t.Errorf("heap grew by %d bytes", live)
	}
}

func TestTimeoutKills(t *testing.T) { // TERM-1
	for _, tree := range []bool{false, true} {
		spec := sh("echo begun; sleep 5; echo never")   // without tree the sleep outlives the test
		spec.Timeout, spec.KillTree = time.Second, tree // time enough for a busy machine to say something
		p := start(t, spec)
		r := wait(t, p)
		if !r.TimedOut || r.Stopped || r.ExitCode != 128+9 || !r.HasCode {
			t.Errorf("tree %v: result = %+v, want timed out with 137", tree, r)
		}
		if got := output(p); got != "begun\n" { // OUT-4
			t.Errorf("tree %v: output = %q, want what came before", tree, got)
		}
		if d := r.Ended.Sub(r.Started); d < spec.Timeout || d > patience/2 {
			t.Errorf("tree %v: it ran %v, want %v", tree, d, spec.Timeout)
		}
	}
}

func TestStopIsIdempotentAndLateStopIsNothing(t *testing.T) {
	p := start(t, sh("exec sleep 100"))
	p.Stop()
	p.Stop()
	if r := wait(t, p); !r.Stopped || r.TimedOut {
		t.Errorf("result = %+v, want stopped", r)
	}
	p = start(t, sh("exit 3"))
	wait(t, p)
	p.Stop()
	if r := p.Wait(); r.Stopped || r.ExitCode != 3 {
		t.Errorf("result after a late stop = %+v, want its own end", r)
	}
}

// kill ends a process that a test has left behind; it may be gone.
func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

func TestProcessModeLeavesDescendantsAndDoesNotWaitForThem(t *testing.T) { // TERM-1
	p := start(t, sh("sleep 100 & echo $! >&2; exec sleep 101"))
	eventually(t, "the child's number", func() bool { return strings.HasSuffix(output(p), "\n") })
	child, err := strconv.Atoi(strings.TrimSpace(output(p)))
	if err != nil {
		t.Fatal(err)
	}
	defer kill(child)
	p.Stop()
	if r := wait(t, p); !r.Stopped {
		t.Errorf("result = %+v, want stopped", r)
	}
	if err := syscall.Kill(child, 0); err != nil {
		t.Errorf("the child is gone (%v), want it alive", err)
	}
}

func TestEndDoesNotWaitForOutputHeldOpen(t *testing.T) {
	p := start(t, sh("head -c 60000 /dev/zero; sleep 100 & echo $!"))
	begin := time.Now()
	r := wait(t, p)
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	data, total := p.Output()
	number := strings.TrimSpace(strings.TrimLeft(string(data), "\x00"))
	child, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("end of the output = %q, want a process number", number)
	}
	defer kill(child)
	if want := int64(60000 + len(number) + 1); total != want || r.ExitCode != 0 {
		t.Errorf("total = %d, exit code = %d; want %d and 0", total, r.ExitCode, want)
	}
}

func TestFloodingSurvivorDoesNotDelayTheEnd(t *testing.T) {
	dir := t.TempDir()
	spec := sh("yes & echo $! > pid; exit 4")
	spec.Dir = dir
	r := wait(t, start(t, spec))
	if r.ExitCode != 4 {
		t.Errorf("result = %+v, want exit code 4", r)
	}
	// Its output is closed, so it dies of its next write.
	b, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "yes ended by SIGPIPE", func() bool { return !runs(pid) })
}

// runs tells whether a process runs; a dead one nobody has reaped does not.
func runs(pid int) bool {
	out, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	out = bytes.TrimSpace(out)
	return len(out) > 0 && out[0] != 'Z'
}

func TestStartTellsWhyNot(t *testing.T) { // CMD-7, CMD-8
	noUser, noDir, noProgram := sh("true"), sh("true"), sh("true")
	noUser.Username = "no-such-user-here"
	noDir.Dir = filepath.Join(t.TempDir(), "missing")
	noProgram.Path = "/no/such/program"
	if _, err := proc.Start(noUser); !errors.Is(err, proc.ErrNoSuchUser) {
		t.Errorf("unknown user: %v, want ErrNoSuchUser", err)
	}
	if _, err := proc.Start(noDir); !errors.Is(err, proc.ErrNoSuchDir) {
		t.Errorf("missing directory: %v, want ErrNoSuchDir", err)
	}
	if _, err := proc.Start(noProgram); err == nil || errors.Is(err, proc.ErrNoSuchDir) || errors.Is(err, proc.ErrNoSuchUser) {
		t.Errorf("missing program: %v, want another error", err)
	}
}

func TestDirAndEnvAreGiven(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	spec := sh(`echo "$PWD" "$GREETING" "${ORDERLY_TASK:+marked}"`)
	spec.Dir, spec.Env = dir, []string{"GREETING=hello", "PATH=" + os.Getenv("PATH")}
	p := start(t, spec)
	wait(t, p)
	if got, want := output(p), dir+" hello marked\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}

func TestDefaultDirIsHome(t *testing.T) { // CMD-7
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, sh("pwd -P"))
	wait(t, p)
	home, err := filepath.EvalSymlinks(u.HomeDir)
	if err != nil {
		t.Fatal(err)
	}
	if got := output(p); got != home+"\n" {
		t.Errorf("working directory = %q, want %q", got, home)
	}
}

// asDaemon is a script that runs as another user, if this machine lets us.
func asDaemon(t *testing.T, script string) (proc.Spec, *user.User) {
	t.Helper()
	u, err := user.Lookup("daemon")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and a user daemon")
	}
	spec := sh(script)
	spec.Username = u.Username
	return spec, u
}

func TestRunsAsAnotherUser(t *testing.T) { // CMD-8
	spec, u := asDaemon(t, `echo $(id -u) $(id -g) $(id -G) $HOME $USER $LOGNAME; pwd`)
	p := start(t, spec)
	wait(t, p)
	want := strings.Join([]string{u.Uid, u.Gid, u.Gid, u.HomeDir, "daemon", "daemon\n" + u.HomeDir + "\n"}, " ")
	if got := output(p); got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}

func TestAccountHasAllItsGroups(t *testing.T) { // CMD-8
	const name, group = "orderly-test", "orderly-test-more"
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, command := range []string{"groupadd " + group, "useradd -m -s /bin/bash -G " + group + " " + name} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Skipf("no such tool here: %v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("sh", "-c", "userdel -r "+name+"; groupdel "+group).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	spec := sh("id -Gn; echo $SHELL; pwd")
	spec.Username = name
	p := start(t, spec)
	wait(t, p)
	if got, want := output(p), name+" "+group+"\n/bin/bash\n/home/"+name+"\n"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}

func TestEnvironmentIsThatOfALogin(t *testing.T) {
	t.Setenv("DATABASE_PASSWORD", "secret")
	t.Setenv("LC_ALL", "C")
	t.Setenv("TZ", "Asia/Shanghai")
	t.Setenv("HOME", "/elsewhere")
	env := func(spec proc.Spec) map[string]string {
		p := start(t, spec)
		wait(t, p)
		vars := map[string]string{}
		for line := range strings.Lines(output(p)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			vars[name] = value
		}
		for _, name := range []string{"ORDERLY_TASK", "PWD", "OLDPWD", "SHLVL", "_", "LANG", "LANGUAGE"} {
			delete(vars, name)
		}
		return vars
	}
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	got := env(sh("env"))
	path := "/usr/local/bin:/usr/bin:/bin"
	if own.Uid == "0" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	want := map[string]string{
		"HOME": own.HomeDir, "USER": own.Username, "LOGNAME": own.Username, "SHELL": got["SHELL"], "PATH": path, "LC_ALL": "C", "TZ": "Asia/Shanghai",
	}
	if diff := cmp.Diff(want, got); diff != "" || got["SHELL"] == "" {
		t.Errorf("our own environment (-want +got):\n%s", diff)
	}
	spec, u := asDaemon(t, "env")
	want = map[string]string{
		"HOME": u.HomeDir, "USER": "daemon", "LOGNAME": "daemon", "SHELL": "/usr/sbin/nologin", "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "Asia/Shanghai",
	}
	if diff := cmp.Diff(want, env(spec)); diff != "" {
		t.Errorf("daemon's environment (-want +got):\n%s", diff)
	}
}

func TestDirectoryMustBeOpenToItsUser(t *testing.T) { // CMD-7
	spec, _ := asDaemon(t, "true")
	spec.Dir = t.TempDir() // whose parents are ours alone
	for what, err := range map[string]error{"Check": proc.Check(spec), "Start": startError(spec)} {
		if !errors.Is(err, proc.ErrNoSuchDir) {
			t.Errorf("%s in a directory that its user may not enter = %v, want ErrNoSuchDir", what, err)
		}
	}
	if spec.Dir = "/"; proc.Check(spec) != nil {
		t.Errorf("Check in / = %v, want nil", proc.Check(spec))
	}
	secret := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(secret, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if spec.Path = secret; startError(spec) == nil || errors.Is(startError(spec), proc.ErrNoSuchDir) {
		t.Errorf("Start of a program that its user may not execute = %v, want another error", startError(spec))
	}
}

func TestHomeMustBeThere(t *testing.T) { // CMD-7
	spec, _ := asDaemon(t, "true")
	if u, err := user.Lookup("nobody"); err != nil || exists(u.HomeDir) {
		t.Skip("needs a user nobody without a home")
	}
	spec.Username = "nobody"
	for what, err := range map[string]error{"Check": proc.Check(spec), "Start": startError(spec)} {
		if !errors.Is(err, proc.ErrNoHome) {
			t.Errorf("%s for a user without a home = %v, want ErrNoHome", what, err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A user of a directory service is found by getent and id, which stand in for one here.
func TestUserOfADirectoryIsFound(t *testing.T) { // CMD-8
	bin := t.TempDir()
	for name, script := range map[string]string{
		"getent": `test "$1 $2 $3" = "passwd -- jane" && echo "jane:x:12345:1:Jane:/tmp:/bin/zsh"`,
		"id":     `test "$1 $2 $3" = "-G -- jane" && echo 1 2`,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	got, err := proc.FindAccount("jane")
	want := proc.Account{Name: "jane", UID: 12345, GID: 1, Groups: []uint32{1, 2}, Home: "/tmp", Shell: "/bin/zsh"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("FindAccount: %v (-want +got):\n%s", err, diff)
	}
	if _, err := proc.FindAccount("joe"); !errors.Is(err, proc.ErrNoSuchUser) {
		t.Errorf("FindAccount of an unknown user = %v, want ErrNoSuchUser", err)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		p := start(t, sh("sleep 0.01 & exit 1"))
		wait(t, p)
		p = start(t, sh("exec sleep 100"))
		p.Stop()
		wait(t, p)
	}
	eventually(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}

// tag returns an environment with a value in it by which the test finds a process's descendants,
// independent of how proc does.
func tag() (env []string, value string) {
	value = "PROBE=" + rand.Text()
	return append(os.Environ(), value), value
}

func BenchmarkTrue(b *testing.B) {
	for b.Loop() {
		p, err := proc.Start(sh("true"))
		if err != nil {
			b.Fatal(err)
		}
		if r := p.Wait(); r.ExitCode != 0 {
			b.Fatalf("result = %+v", r)
		}
	}
}

func BenchmarkFlood(b *testing.B) {
	const size = 256 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		p, err := proc.Start(sh("exec head -c " + strconv.Itoa(size) + " /dev/zero"))
		if err != nil {
			b.Fatal(err)
		}
		p.Wait()
		if _, total := p.Output(); total != size {
			b.Fatalf("total = %d, want %d", total, size)
		}
	}
}
