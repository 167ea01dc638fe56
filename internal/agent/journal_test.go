package agent_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
)

const boot = "boot-1"

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func must(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func open(t failer, path, boot string) *agent.Journal {
	t.Helper()
	j, err := agent.OpenJournal(path, boot)
	must(t, err)
	return j
}

func key(seq int64) orderly.TaskKey { return orderly.TaskKey{Invocation: seq} }

func occ(seq int64) agent.Occurrence { return nth(seq, 0) }

// nth is a run of the schedule that is task seq.
func nth(seq int64, n int) agent.Occurrence { return agent.Occurrence{TaskKey: key(seq), Run: n} }

func run(pid int) agent.Process {
	return agent.Process{PID: pid, StartTime: uint64(pid) * 1000, At: time.UnixMilli(1_700_000_000_000 + int64(pid))}
}

// A known is all a journal tells about one task.
type known struct {
	Task        agent.Task
	Job, Report string
}

func contents(t failer, j *agent.Journal) map[agent.Occurrence]known {
	t.Helper()
	all := make(map[agent.Occurrence]known)
	for _, task := range j.Tasks() {
		job, err := j.Job(task.Key)
		must(t, err)
		report, err := j.Report(task.Key)
		must(t, err)
		all[task.Key] = known{Task: task, Job: string(job), Report: string(report)}
	}
	return all
}

// life is what an agent writes about a few tasks, one record for each function.
var life = []func(*agent.Journal) error{
	func(j *agent.Journal) error { return j.Got(occ(1), []byte("job one")) },
	func(j *agent.Journal) error { return j.Starting(occ(1)) },
	func(j *agent.Journal) error {
		return j.Got(far, []byte("job two"))
	},
	func(j *agent.Journal) error { return j.Started(occ(1), run(4711)) },
	func(j *agent.Journal) error { return j.Tombstone(key(3)) },
	func(j *agent.Journal) error { return j.Ended(occ(1), []byte("report one")) },
	func(j *agent.Journal) error { return j.Tombstone(far.TaskKey) },
	func(j *agent.Journal) error { return j.Acked(occ(1)) },
	func(j *agent.Journal) error { return j.Got(occ(4), nil) },
	func(j *agent.Journal) error { return j.Ended(occ(4), []byte("report four")) },
	func(j *agent.Journal) error { return j.Scheduled(key(5), []byte("plan one")) },
	func(j *agent.Journal) error { return j.Starting(nth(5, 1)) },
	func(j *agent.Journal) error { return j.Started(nth(5, 1), run(4712)) },
	func(j *agent.Journal) error { return j.Scheduled(key(5), []byte("plan two")) },
	func(j *agent.Journal) error { return j.Ended(nth(5, 1), []byte("run one")) },
	func(j *agent.Journal) error { return j.Starting(nth(5, 2)) },
	func(j *agent.Journal) error { return j.Acked(nth(5, 1)) },
	func(j *agent.Journal) error { return j.Ended(nth(5, 2), []byte("run two")) },
	func(j *agent.Journal) error { return j.Scheduled(key(6), []byte("short")) },
	func(j *agent.Journal) error { return j.Starting(nth(6, 1)) },
	func(j *agent.Journal) error { return j.Tombstone(key(6)) },
	func(j *agent.Journal) error { return j.Ended(nth(6, 1), []byte("killed")) },
	func(j *agent.Journal) error { return j.Acked(occ(6)) },
}

var far = agent.Occurrence{TaskKey: orderly.TaskKey{Invocation: 1 << 60, Ordinal: 7}}

// A moment is a file length and what the journal knew then.
type moment struct {
	length int
	known  map[agent.Occurrence]known
}

// sample writes a life to path and returns the moments of it, from the empty journal on.
func sample(t failer, path string) (file []byte, moments []moment) {
	t.Helper()
	j := open(t, path, boot)
	note := func() {
		var err error
		file, err = os.ReadFile(path)
		must(t, err)
		moments = append(moments, moment{len(file), contents(t, j)})
	}
	note()
	for _, write := range life {
		must(t, write(j))
		note()
	}
	must(t, j.Close())
	return file, moments
}

// at returns what must be known when only the first n bytes of a sample are whole.
func at(moments []moment, n int) map[agent.Occurrence]known {
	known := map[agent.Occurrence]known{}
	for _, m := range moments {
		if m.length <= n {
			known = m.known
		}
	}
	return known
}

func TestJournalKeepsWhatItWasTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, boot)
	first := j.Incarnation()
	must(t, j.Close())
	_, moments := sample(t, path)
	j = open(t, path, boot)
	defer func() { must(t, j.Close()) }()
	if first == "" || j.Incarnation() != first || j.Copied() {
		t.Errorf("incarnation = %q, copied = %v; want %q, false", j.Incarnation(), j.Copied(), first)
	}
	want := map[agent.Occurrence]known{
		far:       {Job: "job two", Task: agent.Task{Key: far, Phase: agent.Got, Stopped: true}},
		occ(3):    {Task: agent.Task{Key: occ(3), Stopped: true}},
		occ(4):    {Report: "report four", Task: agent.Task{Key: occ(4), Phase: agent.Ended}},
		occ(5):    {Job: "plan two", Task: agent.Task{Key: occ(5), Phase: agent.Got, Scheduled: true, Runs: 2, RanNow: true}},
		nth(5, 2): {Report: "run two", Task: agent.Task{Key: nth(5, 2), Phase: agent.Ended}},
	}
	if diff := cmp.Diff(want, contents(t, j)); diff != "" {
		t.Errorf("known after reopening (-want +got):\n%s", diff)
	}
	if got := moments[4].known[occ(1)].Task; got.Phase != agent.Started || got.Process != run(4711) {
		t.Errorf("started task = %+v, want its run", got)
	}
	if task, ok := j.Task(occ(1)); ok {
		t.Errorf("acknowledged task is still known: %+v", task)
	}
}

func TestJournalEndsBeforeACut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	file, moments := sample(t, path)
	for n := len(file); n >= 0; n-- { // downwards, as a cut in the head makes a new file
		must(t, os.WriteFile(path, file[:n], 0o600))
		checkDamaged(t, path, at(moments, n), fmt.Sprintf("cut at %d", n))
	}
}

func TestJournalEndsBeforeAWrongByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	file, moments := sample(t, path)
	for n := len(file) - 1; n >= 0; n-- {
		damaged := bytes.Clone(file)
		damaged[n] ^= 0x10
		must(t, os.WriteFile(path, damaged, 0o600))
		checkDamaged(t, path, at(moments, n), fmt.Sprintf("byte %d changed", n))
	}
}

func TestJournalEndsBeforeZeros(t *testing.T) { // what a power cut leaves of a grown file
	path := filepath.Join(t.TempDir(), "journal")
	file, moments := sample(t, path)
	for _, n := range []int{1, 8, 9, 4096} {
		must(t, os.WriteFile(path, append(bytes.Clone(file), make([]byte, n)...), 0o600))
		checkDamaged(t, path, at(moments, len(file)), fmt.Sprintf("%d zeros", n))
	}
}

// checkDamaged opens a damaged journal, and again after something was written to it.
func checkDamaged(t failer, path string, want map[agent.Occurrence]known, what string) {
	t.Helper()
	j := open(t, path, boot)
	if diff := cmp.Diff(want, contents(t, j)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
	must(t, j.Got(occ(99), []byte("later")))
	want = maps.Clone(want)
	want[occ(99)] = known{Job: "later", Task: agent.Task{Key: occ(99), Phase: agent.Got}}
	incarnation := j.Incarnation()
	must(t, j.Close())
	j = open(t, path, boot)
	if diff := cmp.Diff(want, contents(t, j)); diff != "" || j.Incarnation() != incarnation {
		t.Fatalf("%s, then written and reopened (-want +got):\n%s", what, diff)
	}
	must(t, j.Close())
}

func FuzzJournal(f *testing.F) {
	f.Add(uint16(0), []byte("not a journal"))
	f.Add(uint16(0), []byte{})
	f.Add(uint16(90), []byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint16(1000), []byte{1, 0, 0, 0, 1, 2, 3, 4, 'g'})
	f.Add(uint16(120), bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, offset uint16, damage []byte) {
		path := filepath.Join(t.TempDir(), "journal")
		file, moments := sample(t, path)
		begin := min(int(offset), len(file))
		damaged := append(bytes.Clone(file[:begin]), damage...)
		if len(damaged) < len(file) {
			damaged = append(damaged, file[len(damaged):]...)
		}
		same := 0 // bytes before the first that differs
		for same < min(len(file), len(damaged)) && file[same] == damaged[same] {
			same++
		}
		must(t, os.WriteFile(path, damaged, 0o600))
		checkDamaged(t, path, at(moments, same), "damaged")
	})
}

func TestJournalOfAnotherIsNotContinued(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "journal"), filepath.Join(dir, "copy")
	file, _ := sample(t, path)
	must(t, os.WriteFile(other, file, 0o600))

	original, clone := open(t, path, boot), open(t, other, boot)
	defer func() { must(t, original.Close()) }()
	if !clone.Copied() || clone.Incarnation() == original.Incarnation() || clone.Incarnation() == "" {
		t.Errorf("copy: copied = %v, incarnation %q; want a new one", clone.Copied(), clone.Incarnation())
	}
	if got := clone.Tasks(); len(got) != 0 {
		t.Errorf("copy knows %v, want nothing", got)
	}
	if original.Copied() || len(original.Tasks()) == 0 {
		t.Errorf("original: copied = %v, %d tasks; want it unchanged", original.Copied(), len(original.Tasks()))
	}
	incarnation := clone.Incarnation()
	must(t, clone.Close())
	clone = open(t, other, boot)
	defer func() { must(t, clone.Close()) }()
	if clone.Copied() || clone.Incarnation() != incarnation {
		t.Errorf("copy reopened: copied = %v, incarnation %q; want %q", clone.Copied(), clone.Incarnation(), incarnation)
	}
}

func TestJournalSurvivesReboot(t *testing.T) {
	dir := t.TempDir()
	path, moved := filepath.Join(dir, "journal"), filepath.Join(dir, "moved")
	j := open(t, path, boot)
	must(t, j.Got(occ(1), []byte("before")))
	must(t, j.Started(occ(2), run(2)))
	must(t, j.Ended(occ(3), []byte("report")))
	incarnation := j.Incarnation()
	must(t, j.Close())

	// A restored disk has another inode under another boot: this is no copy of a living agent.
	file, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(moved, file, 0o600))
	j = open(t, moved, "boot-2")
	must(t, j.Got(occ(4), []byte("after")))
	for _, how := range []string{"opened", "reopened", "compacted", "compacted and reopened"} {
		if j.Incarnation() != incarnation || j.Copied() {
			t.Errorf("%s: incarnation = %q, copied = %v; want %q, false", how, j.Incarnation(), j.Copied(), incarnation)
		}
		for seq, want := range map[int64]bool{1: true, 2: true, 3: false, 4: false} {
			if got, ok := j.Task(occ(seq)); got.Rebooted != want || !ok {
				t.Errorf("%s: task %d rebooted = %v, want %v", how, seq, got.Rebooted, want)
			}
		}
		if how == "reopened" {
			must(t, j.Compact())
			continue
		}
		must(t, j.Close())
		j = open(t, moved, "boot-2")
	}
	must(t, j.Close())
}

// A schedule knows whether it ran under this boot, and how often it ever did, when all of that is
// acknowledged and gone (RM-4, RP-2).
func TestJournalRemembersRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, boot)
	must(t, j.Scheduled(key(1), []byte("plan")))
	for n := range 3 {
		must(t, j.Starting(nth(1, n+1)))
		must(t, j.Ended(nth(1, n+1), []byte("run")))
		must(t, j.Acked(nth(1, n+1)))
	}
	must(t, j.Starting(nth(1, 4)))
	check := func(when, boot string, ranNow bool, runs int) {
		t.Helper()
		want := agent.Task{Key: occ(1), Phase: agent.Got, Scheduled: true, Rebooted: boot != "boot-1", RanNow: ranNow, Runs: runs}
		for _, how := range []string{"", ", compacted", ", reopened"} {
			if how == ", compacted" {
				must(t, j.Compact())
			}
			if how == ", reopened" {
				must(t, j.Close())
				j = open(t, path, boot)
			}
			if got, _ := j.Task(occ(1)); got != want {
				t.Errorf("%s%s: %+v, want %+v", when, how, got, want)
			}
		}
	}
	check("at first", boot, true, 4)
	must(t, j.Close())
	j = open(t, path, "boot-2")
	check("rebooted", "boot-2", false, 4)
	must(t, j.Ended(nth(1, 4), []byte("interrupted"))) // which is no run of this boot
	must(t, j.Scheduled(key(1), []byte("new plan")))
	check("told and renewed", "boot-2", false, 4)
	must(t, j.Starting(nth(1, 5)))
	check("after another run", "boot-2", true, 5)
	must(t, j.Close())
}

// A journal that an agent wrote which knew of no schedules is read as it was.
func TestOldJournalIsRead(t *testing.T) {
	data, err := os.ReadFile("testdata/journal-before-schedules")
	must(t, err)
	path := filepath.Join(t.TempDir(), "journal")
	must(t, os.WriteFile(path, data, 0o600))
	j := open(t, path, boot)
	if j.Incarnation() != "3UY3VLLZPVQ4Y22GM3ITYA27HJ" || j.Copied() {
		t.Errorf("incarnation = %s, copied %v", j.Incarnation(), j.Copied())
	}
	want := map[agent.Occurrence]known{
		occ(1): {Job: `{"type":"RunShellScript"}`, Task: agent.Task{Key: occ(1), Phase: agent.Started, Rebooted: true, Process: run(4711)}},
		far:    {Job: `{"type":"RunShellScript","dir":"/"}`, Task: agent.Task{Key: far, Phase: agent.Got, Rebooted: true}},
		occ(3): {Task: agent.Task{Key: occ(3), Stopped: true}},
		occ(4): {Report: `{"state":"Failed","ended":1700000008000}`, Task: agent.Task{Key: occ(4), Phase: agent.Ended, Stripped: true}},
		occ(5): {Report: `{"state":"Failed","ended":1700000008000}`, Task: agent.Task{Key: occ(5), Phase: agent.Ended, Stripped: true}},
	}
	if diff := cmp.Diff(want, contents(t, j)); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	must(t, j.Close())
}

func TestJournalHasOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, boot)
	if _, err := agent.OpenJournal(path, boot); !errors.Is(err, agent.ErrJournalInUse) {
		t.Errorf("second open = %v, want ErrJournalInUse", err)
	}
	must(t, j.Compact())
	if _, err := agent.OpenJournal(path, boot); !errors.Is(err, agent.ErrJournalInUse) {
		t.Errorf("second open after compaction = %v, want ErrJournalInUse", err)
	}
	out, err := helper(path).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte(agent.ErrJournalInUse.Error())) {
		t.Errorf("open by another process = %v: %s, want ErrJournalInUse", err, out)
	}
	must(t, j.Close())
	if out, err := helper(path).CombinedOutput(); err != nil {
		t.Errorf("open by another process after Close = %v: %s", err, out)
	}
}

// helper is this test program, opening the journal as another process.
func helper(path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestOpenInAnotherProcess$")
	cmd.Env = append(os.Environ(), "AGENT_TEST_JOURNAL="+path)
	return cmd
}

func TestOpenInAnotherProcess(t *testing.T) {
	path := os.Getenv("AGENT_TEST_JOURNAL")
	if path == "" {
		t.Skip("runs in the process that TestJournalHasOneOwner starts")
	}
	must(t, open(t, path, boot).Close())
}

func TestJournalIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	sample(t, path)
	must(t, os.Chmod(path, 0o644))
	j := open(t, path, boot)
	defer func() { must(t, j.Close()) }()
	check := func(when string) {
		files, err := os.ReadDir(dir)
		must(t, err)
		for _, f := range files {
			info, err := f.Info()
			must(t, err)
			if got := info.Mode().Perm(); got != 0o600 {
				t.Errorf("%s: %s has mode %o, want 600", when, f.Name(), got)
			}
		}
	}
	check("opened")
	must(t, j.Compact())
	check("compacted")
}

func TestJournalStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, boot)
	must(t, j.Got(occ(1), []byte("kept")))
	report := bytes.Repeat([]byte("x"), 24<<10)
	for seq := range int64(500) {
		must(t, j.Got(occ(seq+2), report))
		must(t, j.Ended(occ(seq+2), report))
		must(t, j.Acked(occ(seq+2)))
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Size() > 2<<20 {
		t.Errorf("24 MB of acknowledged records take %d bytes", info.Size())
	}
	must(t, j.Close())
	j = open(t, path, boot)
	defer func() { must(t, j.Close()) }()
	if got := contents(t, j); len(got) != 1 || got[occ(1)].Job != "kept" {
		t.Errorf("known = %v, want the one task", got)
	}
}

func TestSpoolDropsOldestOutputFirst(t *testing.T) { // promise 3: end records are never dropped
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, boot)
	for _, seq := range []int64{5, 3, 4} { // the order of their ends counts
		must(t, j.Got(occ(seq), nil))
		must(t, j.Ended(occ(seq), fmt.Appendf(nil, "end %d with output", seq)))
	}
	if got, want := j.Spool(), int64(3*len("end 5 with output")); got != want {
		t.Errorf("spool = %d, want %d", got, want)
	}
	strip := func(report []byte) []byte { return report[:len("end 5")] }
	for _, step := range []struct {
		limit   int64
		changed int
		want    []string
	}{
		{60, 0, []string{"end 5 with output", "end 3 with output", "end 4 with output"}},
		{50, 1, []string{"end 5", "end 3 with output", "end 4 with output"}},
		{50, 0, []string{"end 5", "end 3 with output", "end 4 with output"}},
		{0, 2, []string{"end 5", "end 3", "end 4"}},
		{0, 0, []string{"end 5", "end 3", "end 4"}},
	} {
		changed, err := j.Shrink(step.limit, strip)
		must(t, err)
		must(t, j.Close())
		j = open(t, path, boot)
		var got []string
		for _, task := range j.Tasks() {
			report, err := j.Report(task.Key)
			must(t, err)
			got = append(got, string(report))
			if stripped := len(report) == len("end 5"); task.Stripped != stripped {
				t.Errorf("limit %d: task %d stripped = %v, want %v", step.limit, task.Key.Invocation, task.Stripped, stripped)
			}
		}
		if diff := cmp.Diff(step.want, got); diff != "" || changed != step.changed {
			t.Errorf("limit %d: changed %d, want %d; reports (-want +got):\n%s", step.limit, changed, step.changed, diff)
		}
	}
	must(t, j.Close())
}

func BenchmarkJournalTask(b *testing.B) {
	j := open(b, filepath.Join(b.TempDir(), "journal"), boot)
	defer func() { must(b, j.Close()) }()
	job, report := bytes.Repeat([]byte("j"), 300), bytes.Repeat([]byte("r"), 200)
	for seq := int64(0); b.Loop(); seq++ {
		must(b, j.Got(occ(seq), job))
		must(b, j.Starting(occ(seq)))
		must(b, j.Started(occ(seq), run(1)))
		must(b, j.Ended(occ(seq), report))
		must(b, j.Acked(occ(seq)))
	}
}

// HND-6: the name of what a container engine was asked to start is kept until its process is known.
func TestExecsAreRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, boot)
	for n := range int64(3) {
		must(t, j.Got(occ(n), []byte("job")))
		must(t, j.Starting(occ(n)))
		must(t, j.Exec(occ(n), fmt.Sprint("exec-", n)))
	}
	must(t, j.Started(occ(1), agent.Process{PID: 7, StartTime: 8, At: time.UnixMilli(9)}))
	must(t, j.Ended(occ(2), []byte("report")))
	check := func(when string) {
		t.Helper()
		for n, want := range []string{"exec-0", "", ""} {
			if got, ok := j.Task(occ(int64(n))); !ok || got.Exec != want || got.Phase != agent.Phase(int(agent.Starting)+n) {
				t.Errorf("%s: %+v, want exec %q", when, got, want)
			}
		}
	}
	check("at once")
	must(t, j.Compact())
	check("compacted")
	must(t, j.Close())
	j = open(t, path, boot)
	check("opened again")
	must(t, j.Close())
}
