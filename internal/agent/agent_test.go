//go:build unix

package agent_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
)

const patience = 20 * time.Second

// A fast command sends one report (REP-3).
func TestCommandRunsToItsEnd(t *testing.T) {
	w := newWorld(t)
	w.start(func(c *agent.Config) { c.Times.Running = time.Minute })
	k := w.run(1, join("echo out", "echo err >&2", "pwd", "exit 3"), func(_ *wire.Run, j *wire.Job) { j.WorkingDir = w.dir })
	got := w.end(k)
	if got.StartedAgo == nil || got.EndedAgo == nil || *got.StartedAgo < *got.EndedAgo || *got.StartedAgo > patience.Milliseconds() {
		t.Errorf("ages = %v, %v", got.StartedAgo, got.EndedAgo)
	}
	got.StartedAgo, got.EndedAgo = nil, nil
	three, out := 3, "out\nerr\n"+w.dir+"\n"
	want := wire.Snapshot{TaskKey: k, Number: wire.EndNumber, State: orderly.Failed, Code: orderly.ExitCodeNonzero, ExitCode: &three, Output: []byte(out), Total: int64(len(out))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	w.until("acknowledged", func() bool { return len(w.reports) == 1 })
	if left, err := os.ReadDir(filepath.Join(w.dir, "work")); err != nil || len(left) > 0 {
		t.Errorf("left in work: %v, %v", left, err)
	}
}

func TestScriptsAreRunAsShDoes(t *testing.T) { // LA-2
	w := newWorld(t)
	w.start()
	t.Setenv("ORDERLY_AGENT_ACTIVATION_CODE", "secret")
	for i, c := range []struct{ script, want string }{
		{"echo hello", "hello\n"},
		{"#!/bin/cat\nhello\n", "#!/bin/cat\nhello\n"},
		{"echo $0 | sed 's,.*/,,'", "t-hz02.sh\n"}, // LA-3
		{`echo "[$ORDERLY_AGENT_ACTIVATION_CODE]"`, "[]\n"},
		{"read x; echo \"[$x]\"", "[]\n"},
		{"", ""},
	} {
		got := w.end(w.run(int64(i), c.script))
		if string(got.Output) != c.want || got.State != orderly.Success && c.script[:4] != "read" {
			t.Errorf("%q: %s %q, want Success %q", c.script, got.State, got.Output, c.want)
		}
	}
}

func TestTaskThatCannotStartIsRefused(t *testing.T) { // T2, CMD-7, CMD-8
	w := newWorld(t)
	w.start()
	for i, c := range []struct {
		name   string
		change func(*wire.Run, *wire.Job)
		want   wire.Snapshot
	}{
		{"directory", func(_ *wire.Run, j *wire.Job) { j.WorkingDir = "/no/such" }, wire.Snapshot{State: orderly.Invalid, Code: orderly.DirectoryNotExists}},
		{"user", func(_ *wire.Run, j *wire.Job) { j.Username = "no-such-user" }, wire.Snapshot{State: orderly.Invalid, Code: orderly.AccountNotExists}},
		{"type", func(_ *wire.Run, j *wire.Job) { j.Type = orderly.RunBatScript }, wire.Snapshot{State: orderly.Invalid, Code: orderly.CommandNotApplicable}},
		{"nonsense", func(r *wire.Run, _ *wire.Job) { r.Job = []byte(`[1]`) }, wire.Snapshot{State: orderly.Error, Code: orderly.ExecutionException}},
		{"late", func(r *wire.Run, _ *wire.Job) { r.Allowance = -1 }, wire.Snapshot{State: orderly.Aborted, Code: orderly.DeliveryTimeout}}, // HND-3
	} {
		got := w.end(w.run(int64(i), "true", c.change))
		if got.State != c.want.State || got.Code != c.want.Code || got.StartedAgo != nil || got.EndedAgo == nil || got.ExitCode != nil {
			t.Errorf("%s: %+v, want %s %s that never started", c.name, got, c.want.State, c.want.Code)
		}
	}
}

func TestCommandRunsAsAnotherUser(t *testing.T) { // CMD-8
	if _, err := user.Lookup("nobody"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and a user nobody")
	}
	w := newWorld(t)
	w.start()
	for i, script := range []string{"id -un", "#!/bin/sh\nid -un"} {
		got := w.end(w.run(int64(i), script, func(_ *wire.Run, j *wire.Job) { j.Username = "nobody" }))
		if string(got.Output) != "nobody\n" {
			t.Errorf("%q: %s %s %q", script, got.State, got.Code, got.Output)
		}
	}
	got := w.end(w.run(9, join("id -Gn", "cat \"$0\" >/dev/null && stat -c %U:%a \"$0\" \"${0%/*}\"", "mv \"${0%/*}\" /tmp/other 2>/dev/null || echo stays"),
		func(_ *wire.Run, j *wire.Job) { j.Username = "nobody" }))
	if want := "nogroup\nnobody:700\nroot:711\nstays\n"; string(got.Output) != want {
		t.Errorf("groups, script and its directory: %q, want %q", got.Output, want)
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "orderly-"+w.hello().Incarnation[:10]+"-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestDirectoryMustBeOpenToItsUser(t *testing.T) { // T2, CMD-7
	if u, err := user.Lookup("nobody"); err != nil || exists(u.HomeDir) || os.Geteuid() != 0 {
		t.Skip("needs root and a user nobody without a home")
	}
	w := newWorld(t)
	w.start()
	for i, c := range []struct {
		dir  string
		want orderly.ErrorCode
	}{{w.dir, orderly.DirectoryNotExists}, {"", orderly.DefaultDirNotAvailable}} {
		got := w.end(w.run(int64(i), "true", func(_ *wire.Run, j *wire.Job) { j.WorkingDir, j.Username = c.dir, "nobody" }))
		if got.State != orderly.Invalid || got.Code != c.want || got.StartedAgo != nil {
			t.Errorf("%q: %+v, want Invalid %s", c.dir, got, c.want)
		}
	}
}

// Directories of other users' scripts are in a place that everybody may write to.
func TestForeignScriptsAreSafeFromOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	w := newWorld(t)
	a := w.start()
	w.end(w.run(1, "true"))
	prefix := filepath.Join(os.TempDir(), "orderly-"+w.hello().Incarnation[:10]+"-")
	must(t, a.stop())
	bait := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bait, "kept"), nil, 0o600))
	link, theirs, ours := prefix+"link", prefix+"theirs", prefix+"ours"
	must(t, os.Symlink(bait, link))
	must(t, os.Mkdir(theirs, 0o700))
	must(t, os.Chown(theirs, 1, 1))
	must(t, os.Mkdir(ours, 0o711))
	t.Cleanup(func() { _, _ = os.Remove(link), os.Remove(theirs) })
	w.start()
	w.end(w.run(2, "true"))
	if !exists(filepath.Join(bait, "kept")) || !exists(theirs) {
		t.Error("what another user put there was followed or removed")
	}
	if exists(ours) {
		t.Error("an old script is left")
	}
}

// Nothing of the agent's own environment reaches a command but what tells time zone and language.
func TestEnvironmentIsNotTheAgents(t *testing.T) {
	t.Setenv("DATABASE_PASSWORD", "secret")
	t.Setenv("ORDERLY_AGENT_ACTIVATION_CODE", "secret")
	t.Setenv("LC_ALL", "C")
	w := newWorld(t)
	w.start()
	got := string(w.end(w.run(1, "env")).Output)
	if strings.Contains(got, "secret") || !strings.Contains(got, "LC_ALL=C\n") || !strings.Contains(got, "\nPATH=/usr/local/") {
		t.Errorf("environment = %q", got)
	}
}

// What stands for PowerShell here is an sh that is called pwsh.
func TestPowerShellRunsWhereItIsInstalled(t *testing.T) { // CMD-2, LA-2
	w := newWorld(t)
	w.start()
	powerShell := func(_ *wire.Run, j *wire.Job) { j.Type = orderly.RunPowerShellScript }
	if got := w.end(w.run(1, "echo hello", powerShell)); got.State != orderly.Invalid || got.Code != orderly.CommandNotApplicable {
		t.Errorf("without it: %s %s, want Invalid CommandNotApplicable", got.State, got.Code)
	}
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "pwsh"), []byte("#!/bin/sh\nwhile [ \"$1\" != -File ]; do shift; done\necho \"$2\" | sed 's,.*/,,'\nexec sh \"$2\"\n"), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if got := w.end(w.run(2, "echo hello; exit 3", powerShell)); string(got.Output) != "t-hz02.ps1\nhello\n" || *got.ExitCode != 3 {
		t.Errorf("with it: %+v", got)
	}
}

// EXI-2: what an exit code asks for is done when the server has the result, and if this agent is set to do it.
func TestExitCodesControlPower(t *testing.T) {
	w := newWorld(t)
	done := filepath.Join(w.dir, "done")
	tell := func(what string) []string { return []string{"sh", "-c", "echo " + what + " >> " + done} }
	set := func(c *agent.Config) {
		c.Times.Running = time.Minute // one report each
		c.Power = agent.Power{Off: tell("off"), Reboot: tell("reboot")}
	}
	a := w.start()
	for code := range int64(3) {
		w.end(w.run(code, fmt.Sprintf("exit %d", 193+code)))
	}
	must(t, a.stop())
	w.set(func() { w.silent = true })
	a = w.start(set)
	k := w.run(10, "exit 193")
	if s := w.end(k); s.State != orderly.Failed || s.Code != orderly.ExitCodeNonzero || *s.ExitCode != 193 {
		t.Errorf("%+v, want Failed with 193", s)
	}
	n := 0
	w.set(func() { n = w.count(k, orderly.Failed) })
	w.until("told again", func() bool { return w.count(k, orderly.Failed) > n })
	if exists(done) {
		t.Error("it was done before the server had the result")
	}
	w.set(func() { w.silent = false })
	w.until("powered off", func() bool { return exists(done) })
	w.end(w.run(11, "exit 194"))
	var got []byte
	w.until("booted again", func() bool { got, _ = os.ReadFile(done); return len(got) > len("off\n") })
	if string(got) != "off\nreboot\n" {
		t.Errorf("done: %q, want off, reboot", got)
	}
	w.set(func() { w.silent = true })
	k = w.run(12, "exit 194")
	w.end(k)
	must(t, a.stop())
	w.set(func() { w.silent, w.reports = false, nil })
	w.start(set)
	w.end(k)
	w.end(w.run(13, "exit 1"))
	w.end(w.run(14, "exit 1")) // by now the end of 12 was acknowledged
	if got, _ = os.ReadFile(done); string(got) != "off\nreboot\n" {
		t.Errorf("done: %q, want nothing for what an agent before had run", got)
	}
}

// OUT-3: pieces with absolute offsets while it runs; OUT-2: the last 24 576 bytes at the end.
func TestOutputGrowsWhileRunning(t *testing.T) {
	w := newWorld(t)
	w.start()
	gate := filepath.Join(w.dir, "gate")
	k := w.run(1, join("echo one", "while ! [ -e "+gate+" ]; do sleep 0.01; done", "head -c 30000 /dev/zero | tr '\\0' x; echo; echo two"))
	first := w.state(k, orderly.Running)
	w.until("first piece", func() bool {
		return slices.ContainsFunc(w.snapshots(k), func(s wire.Snapshot) bool { return string(s.Output) == "one\n" && s.Offset == 0 })
	})
	must(t, os.WriteFile(gate, nil, 0o600))
	end := w.end(k)
	if want := int64(4 + 30000 + 1 + 4); end.Total != want || len(end.Output) != orderly.MaxOutput || !bytes.HasSuffix(end.Output, []byte("xx\ntwo\n")) {
		t.Errorf("end: total = %d, %d bytes; want %d, %d", end.Total, len(end.Output), want, orderly.MaxOutput)
	}
	if first.Number <= wire.AcceptedNumber || first.StartedAgo == nil {
		t.Errorf("first = %+v", first)
	}
	w.set(func() {
		last := int64(0)
		told := map[int64]string{}
		for _, s := range w.snapshots(k) {
			text := fmt.Sprint(s.State, s.Offset, len(s.Output))
			if before, again := told[s.Number]; again && before == text {
				continue // a message that was sent once more
			}
			told[s.Number] = text
			if s.Number <= last || len(s.Output) > 8<<10 && s.State == orderly.Running {
				t.Errorf("number %d follows %d, with %d bytes", s.Number, last, len(s.Output))
			}
			last = s.Number
		}
	})
}

func TestTimeLimitKills(t *testing.T) { // T10, TERM-1
	w := newWorld(t)
	w.start()
	for i, tree := range []bool{false, true} {
		pidFile := filepath.Join(w.dir, fmt.Sprint(i))
		k := w.run(int64(i), "sleep 100 & echo $! > "+pidFile+"; wait", func(_ *wire.Run, j *wire.Job) {
			j.Timeout = 300
			if tree {
				j.Termination = orderly.KillProcessTree
			}
		})
		got := w.end(k)
		if got.State != orderly.Timeout || got.Code != orderly.ExecutionTimeout || got.ExitCode == nil || *got.ExitCode != 137 {
			t.Errorf("tree %v: %+v, want Timeout with 137", tree, got)
		}
		if pid := readPID(t, pidFile); alive(pid) == tree {
			t.Errorf("tree %v: child lives: %v", tree, alive(pid))
		} else if !tree {
			killPID(pid)
		}
	}
}

// HND-5: never started, killed, ended: each has its answer.
func TestStop(t *testing.T) {
	w := newWorld(t)
	w.start()
	t.Run("before it came", func(t *testing.T) {
		w.set(func() { w.silent = true })
		k := key(1)
		w.send(wire.ToAgent{Stop: w.ref(k)})
		if s := w.end(k); s.State != orderly.Cancelled || s.StartedAgo != nil || s.Run != wire.OverRun || !s.Last {
			t.Errorf("%+v, want Cancelled, whatever it was", s)
		}
		w.run(1, "echo > "+w.dir+"/ran")
		n := 0
		w.set(func() { n = w.count(k, orderly.Cancelled); w.silent = false })
		w.until("again", func() bool { return w.count(k, orderly.Cancelled) > n })
		if exists(w.dir + "/ran") {
			t.Error("it was run")
		}
	})
	t.Run("while it runs", func(t *testing.T) { // T16
		k := w.run(2, "echo so far; exec sleep 100")
		w.until("output", func() bool { return strings.Contains(string(outputs(w, k)), "so far\n") })
		w.send(wire.ToAgent{Stop: w.ref(k)})
		if s := w.end(k); s.State != orderly.Terminated || s.Code != "" || *s.ExitCode != 137 || string(s.Output) != "so far\n" {
			t.Errorf("%+v, want Terminated", s)
		}
	})
	t.Run("after it ended", func(t *testing.T) { // T17
		w := newWorld(t)
		w.set(func() { w.silent = true })
		w.start(endOnly)
		k := w.run(3, "exit 0")
		w.end(k)
		w.send(wire.ToAgent{Stop: w.ref(k)})
		w.set(func() { w.silent = false })
		probe := w.run(4, "exit 0")
		w.end(probe)
		w.set(func() {
			if n := w.count(k, orderly.Success); n == 0 || n != len(w.snapshots(k)) {
				t.Errorf("%+v, want Success only", w.snapshots(k))
			}
		})
	})
	t.Run("of another life", func(t *testing.T) {
		ref := w.ref(key(5))
		ref.Boot = "boot-0"
		w.send(wire.ToAgent{Stop: ref})
		w.end(w.run(6, "exit 0"))
		w.set(func() {
			if s := w.snapshots(key(5)); len(s) > 0 {
				t.Errorf("%+v, want no answer", s)
			}
		})
	})
}

func TestExpire(t *testing.T) { // AB-1
	w := newWorld(t)
	w.start(func(c *agent.Config) { c.AtOnce = 1 })
	runs := w.run(1, "exec sleep 100")
	waits := w.run(2, "true")
	w.state(runs, orderly.Running)
	if s := w.state(waits, orderly.Pending); s.Number != wire.AcceptedNumber {
		t.Errorf("accepted: %+v", s)
	}
	for _, k := range []orderly.TaskKey{waits, key(3)} {
		w.send(wire.ToAgent{Expire: w.ref(k)})
		if s := w.end(k); s.State != orderly.Aborted {
			t.Errorf("%v: %+v, want Aborted", k, s)
		}
	}
	n := 0
	w.set(func() { n = w.count(runs, orderly.Running) })
	w.send(wire.ToAgent{Expire: w.ref(runs)})
	w.until("told again that it runs", func() bool { return w.count(runs, orderly.Running) > n })
	w.send(wire.ToAgent{Stop: w.ref(runs)})
	w.end(runs)
}

// Promise 2: at most once, whatever is repeated, also after the end was acknowledged.
func TestRedeliveryDoesNotRunTwice(t *testing.T) {
	w := newWorld(t)
	w.start()
	count := filepath.Join(w.dir, "count")
	k := w.run(1, "echo x >> "+count)
	for range 3 {
		w.run(1, "echo x >> "+count)
	}
	w.end(k)
	w.end(w.run(2, "true")) // by now the end was acknowledged
	w.run(1, "echo x >> "+count)
	w.end(w.run(3, "true"))
	other := w.run(4, "echo x >> "+count, func(r *wire.Run, _ *wire.Job) { r.Boot = "another" }) // HND-4
	w.run(5, "echo x >> "+count, func(r *wire.Run, _ *wire.Job) { r.Incarnation = "another" })
	w.end(w.run(6, "true"))
	w.set(func() {
		if s := w.snapshots(other); len(s) > 0 {
			t.Errorf("%+v, want nothing of another's task", s)
		}
	})
	if got, err := os.ReadFile(count); err != nil || string(got) != "x\n" {
		t.Errorf("runs: %q, %v; want one", got, err)
	}
}

func TestNothingStartsBeforeWelcome(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.deaf = true })
	w.start()
	ran := filepath.Join(w.dir, "ran")
	k := w.run(1, "echo > "+ran)
	late := w.run(2, "true", func(r *wire.Run, _ *wire.Job) { r.Allowance = 1 })
	w.until("hellos again", func() bool { return len(w.hellos) >= 4 })
	if exists(ran) {
		t.Error("it ran before the welcome")
	}
	w.set(func() { w.deaf = false })
	if s := w.end(k); s.State != orderly.Success {
		t.Errorf("%+v, want Success", s)
	}
	if s := w.end(late); s.State != orderly.Aborted || s.Code != orderly.DeliveryTimeout { // HND-3
		t.Errorf("%+v, want Aborted", s)
	}
}

func TestReportsAreSentUntilAcknowledged(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.silent = true })
	w.start(endOnly)
	k := w.run(1, "echo hello")
	w.end(k)
	w.until("three times", func() bool { return len(w.snapshots(k)) >= 3 })
	for i := range 300 {
		script := "true"
		if i%10 == 0 {
			script = "head -c 24576 /dev/zero" // eight of these are too much for one message
		}
		w.run(int64(10+i), script)
	}
	last := w.run(400, "true")
	w.set(func() {
		for _, r := range w.reports {
			if r.Number != 1 {
				t.Errorf("message %d is under way beside the first", r.Number)
			}
		}
		w.silent = false
	})
	w.end(last)
	w.until("all", func() bool {
		for i := range 300 {
			if w.count(key(int64(10+i)), orderly.Success) == 0 {
				return false
			}
		}
		return true
	})
}

// An ended task is part of what the agent holds until its end is acknowledged.
func TestHelloAccountsForTasks(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.silent = true })
	a := w.start(endOnly)
	if h := w.hello(); h.Digest != "" || h.Version != wire.Version || h.Boot != boot {
		t.Errorf("first hello = %+v", h)
	}
	k := w.run(1, "true")
	w.end(k)
	must(t, a.stop())
	w.set(func() { w.welcome.Tasks = true })
	w.start()
	w.until("the list", func() bool { return len(w.hellos) > 0 && w.hellos[len(w.hellos)-1].Listed })
	w.set(func() {
		want := wire.Digest([]orderly.TaskKey{k})
		for _, h := range w.hellos {
			if h.Digest != want || h.Listed && !slices.Equal(h.Tasks, []orderly.TaskKey{k}) {
				t.Errorf("hello = %+v, want digest %s", h, want)
			}
		}
	})
}

func TestReconnect(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.hello()
	gate := filepath.Join(w.dir, "gate")
	k := w.run(1, join("while ! [ -e "+gate+" ]; do sleep 0.01; done", "echo done"))
	w.state(k, orderly.Running)
	w.stopBus()
	must(t, os.WriteFile(gate, nil, 0o600)) // it ends while nobody is there
	n := len(w.hellos)
	w.startBus()
	if s := w.end(k); string(s.Output) != "done\n" {
		t.Errorf("%+v", s)
	}
	w.set(func() {
		if len(w.hellos) == n || w.hellos[n].Link != w.hellos[0].Link {
			t.Errorf("hellos = %+v, want another of the same link", w.hellos)
		}
	})
	w.end(w.run(2, "true"))
}

func TestBeats(t *testing.T) { // HB-2
	w := newWorld(t)
	w.set(func() { w.welcome.Heartbeat = 50 })
	w.start()
	w.until("beats", func() bool { return len(w.beats) >= 3 })
	w.set(func() {
		if w.beats[0].Link != w.hellos[0].Link {
			t.Errorf("beat of %q, want %q", w.beats[0].Link, w.hellos[0].Link)
		}
	})
}

func TestProbeIsAnswered(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.send(wire.ToAgent{Probe: true})
	w.until("a beat", func() bool { return len(w.beats) > 0 })
}

func TestGoodbye(t *testing.T) {
	for reason, want := range map[string]error{wire.ByeDeregistered: agent.ErrDeregistered, wire.ByeVersion: agent.ErrVersion} {
		w := newWorld(t)
		w.set(func() { w.bye = reason })
		if err := w.start().wait(); !errors.Is(err, want) {
			t.Errorf("%s: Run = %v, want %v", reason, err, want)
		}
	}
}

func TestRivalIsGivenTime(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.bye = wire.ByeDuplicate })
	w.start()
	w.hello()
	w.until("no connection but ours", func() bool { return w.bus.NumClients() == 1 })
	w.set(func() { w.bye, w.hellos = "", nil })
	w.end(w.run(1, "true"))
}

// HND-6: told to end, the agent kills what runs and says so before it goes.
func TestLeavingEndsCommands(t *testing.T) {
	w := newWorld(t)
	a := w.start(func(c *agent.Config) { c.AtOnce, c.Times.Leave = 1, patience })
	k := w.run(1, "echo so far; exec sleep 100")
	waits := w.run(2, "true")
	w.until("output", func() bool { return strings.Contains(string(outputs(w, k)), "so far\n") }) // perhaps sent twice
	w.state(waits, orderly.Pending)
	must(t, a.stop())
	if s := w.end(k); s.State != orderly.Error || s.Code != orderly.ClientRestarted || string(s.Output) != "so far\n" || s.ExitCode != nil {
		t.Errorf("%+v, want Error/ClientRestarted", s)
	}
	w.start()
	if s := w.end(waits); s.State != orderly.Success {
		t.Errorf("what waited: %+v, want Success", s)
	}
}

// Design rule 8: outputs go, oldest first, ends stay; then new work is refused.
func TestFullSpool(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.silent = true })
	small := func(c *agent.Config) {
		endOnly(c)
		c.Spool, c.AtOnce = 50_000, 1
	}
	a := w.start(small)
	for i := range 3 {
		w.run(int64(i), "head -c 15000 /dev/zero | tr '\\0' x")
	}
	mark := filepath.Join(w.dir, "mark")
	w.run(3, ": > "+mark+"; exec sleep 100") // starts when the others have ended
	w.until("the last one runs", func() bool { return exists(mark) })
	must(t, a.stop())
	w.set(func() { w.silent, w.reports = false, nil })
	a = w.start(small)
	for i, want := range []int{0, 15000, 15000} {
		s := w.end(key(int64(i)))
		if s.State != orderly.Success || s.Total != 15000 || len(s.Output) != want {
			t.Errorf("%d: %s with %d of %d bytes, want Success with %d of 15000", i, s.State, len(s.Output), s.Total, want)
		}
	}
	w.end(key(3))
	must(t, a.stop())

	w.set(func() { w.silent = true })
	w.start(endOnly, func(c *agent.Config) { c.Spool = 10 })
	w.end(w.run(10, "true"))
	refused := w.run(11, ": > "+w.dir+"/ran")
	w.set(func() { w.silent = false })
	if s := w.end(refused); s.State != orderly.Invalid || s.Code != orderly.ClientDiskFull || exists(w.dir+"/ran") {
		t.Errorf("%+v, want Invalid/ClientDiskFull; ran: %v", s, exists(w.dir+"/ran"))
	}
	w.end(w.run(12, "true")) // there is room again
	w.set(func() {
		if w.count(key(12), orderly.Success) == 0 {
			t.Errorf("%+v, want Success", w.snapshots(key(12)))
		}
	})
}

func TestCopyOfAMachineIsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.config()
	c.Root = root(t, "machine-2")
	if _, err := agent.New(c); !errors.Is(err, agent.ErrCopied) {
		t.Errorf("New on another machine = %v, want ErrCopied", err)
	}
	c.Root = t.TempDir() // nothing can be read: nothing is known against it
	if _, err := agent.New(c); err != nil {
		t.Errorf("New = %v", err)
	}
	c.Dir = t.TempDir()
	if _, err := agent.New(c); !errors.Is(err, agent.ErrUnregistered) {
		t.Errorf("New without a registration = %v, want ErrUnregistered", err)
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	w := newWorld(t)
	w.start()
	k := w.run(1, "ls -ld \"$0\" \"${0%/*}\" \"${0%/*/*}\" | cut -c 2-10")
	if got := string(w.end(k).Output); got != "rwx------\nrwx------\nrwx------\n" {
		t.Errorf("script, its directory and work have modes %q", strings.Fields(got))
	}
	entries, err := os.ReadDir(w.dir)
	must(t, err)
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readPID(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	must(t, err)
	return pid
}

// alive reports whether a process runs; one that nobody has waited for yet does not.
func alive(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // not every system has it
	return syscall.Kill(pid, 0) == nil && !bytes.Contains(stat, []byte(") Z "))
}

// killPID ends a process that a test has left behind.
func killPID(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// A server that knows of parts gets a long list in parts, each of which says between which tasks it is whole.
func TestListComesInParts(t *testing.T) {
	w := newWorld(t)
	j := open(t, filepath.Join(w.dir, "journal"), boot)
	var want []orderly.TaskKey
	for seq := range int64(7) {
		must(t, j.Ended(occ(seq), wire.Encode(struct{ State orderly.State }{orderly.Success})))
		want = append(want, key(seq))
	}
	must(t, j.Close())
	w.set(func() { w.silent, w.welcome.Tasks, w.welcome.Part = true, true, 3 })
	w.start()
	w.until("reports, which follow the welcome", func() bool { return len(w.reports) > 0 })
	w.set(func() {
		parts := map[orderly.TaskKey]wire.Hello{} // by what they are behind; each may be told again
		for _, h := range w.hellos {
			if h.Digest != wire.Digest(want) || len(h.Tasks) > 3 {
				t.Errorf("hello = %+v, want at most 3 tasks", h)
			}
			switch {
			case !h.Listed:
			case h.After == nil:
				parts[orderly.TaskKey{}] = h
			default:
				parts[*h.After] = h
			}
		}
		var got []orderly.TaskKey
		for at := new(orderly.TaskKey); at != nil && len(got) <= len(want); at = parts[*at].Upto {
			got = append(got, parts[*at].Tasks...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
	})
}

// state waits for a snapshot of a task in a state.
func (w *world) state(key orderly.TaskKey, state orderly.State) (s wire.Snapshot) {
	w.t.Helper()
	w.until(fmt.Sprintf("%v %s", key, state), func() bool {
		for _, s = range w.snapshots(key) {
			if s.State == state {
				return true
			}
		}
		return false
	})
	return s
}
