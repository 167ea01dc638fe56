package agent

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/orderly-run/orderly"
)

// ErrJournalInUse is returned when another process, or this one, has the journal open.
var ErrJournalInUse = errors.New("journal is in use by another agent")

// compactFrom is the size below which a journal is never rewritten.
const compactFrom = 1 << 20

// An Occurrence names what starts and ends as one: a task, or one run of a schedule.
type Occurrence struct {
	orderly.TaskKey
	Run int // 1 for a schedule's first run; 0 for a task as such
}

// A Phase is how far a task came. It never goes back.
type Phase int8

const (
	Unseen   Phase = iota // its stop came, itself it did not
	Got                   // it was taken up, or is a schedule that is held
	Starting              // its process may or may not have been started
	Started               // its process was started
	Ended                 // its final report is ready and not acknowledged
)

// A Process identifies a process that was started.
type Process struct {
	PID       int
	StartTime uint64    // the kernel's, as proc tells it
	At        time.Time // the agent's wall clock, in ms
}

// A Task is what the journal knows of one task, or one run of a schedule, that the server has not
// acknowledged as final.
type Task struct {
	Key       Occurrence
	Phase     Phase
	Stopped   bool    // it has a tombstone: it must not be started any more
	Rebooted  bool    // Got to Started: the machine was booted again since, so no process is left
	Exec      string  // Starting only: the name that a container engine has for what it may have been asked to start
	Process   Process // Started only
	Stripped  bool    // Ended only: the output was taken from the report because the spool was full
	Scheduled bool    // Got to Started: it is a schedule
	Runs      int     // of a schedule: the ordinal of the newest run that the journal ever had
	RanNow    bool    // of a schedule: a run was started since the machine booted
}

// A Journal is the agent's one log: what it was given, what it started and what came of it, so that
// after a crash nothing starts twice and no result is lost. Records reach the page cache before a
// method returns and thus survive the agent's death; a power cut may take the last ones, but it also
// changes the boot id. An open journal belongs to one process. All methods may be called at any
// time by anyone.
type Journal struct {
	path   string
	boot   string
	copied bool
	lock   *os.File

	mu          sync.Mutex
	file        *os.File
	size        int64
	compactAt   int64
	incarnation string
	tasks       map[Occurrence]*entry
	runs        int   // how many of them are runs of schedules
	clock       int64 // orders entries
	live        int64 // bytes that a compaction would keep, about
	spool       int64 // bytes of reports
	jobs        int64 // bytes of jobs and schedules
	broken      error // set while the file's end is in an unknown state
	buf         []byte
}

// An entry is a task in memory; job and report stay in the file.
type entry struct {
	Task
	boot   string // under which it got to its phase
	ranIn  string // of a schedule: the boot under which its newest run was started; "" for none or an earlier one
	order  int64  // when it came, or ended
	job    span
	report span
}

// A span is a part of the file.
type span struct{ off, len int64 }

// Incarnation is the random name this journal got when it was made. The server hands tasks to an
// incarnation and repeats them to no other.
func (j *Journal) Incarnation() string { return j.incarnation }

// Copied tells whether opening found another agent's journal, copied here with its directory, and
// began anew under a new incarnation.
func (j *Journal) Copied() bool { return j.copied }

// Got records that a task was taken up, with everything needed to run it.
func (j *Journal) Got(o Occurrence, job []byte) error {
	return j.advance(Got, record{kind: kindGot, key: o, body: job})
}

// Scheduled records a schedule that the agent holds from now on, with everything needed to run it,
// or what replaces that. The boot that counts is the first one's.
func (j *Journal) Scheduled(key orderly.TaskKey, plan []byte) error {
	return j.advance(Starting, record{kind: kindPlan, key: whole(key), body: plan})
}

// Starting records that the process of a task, or of a schedule's next run, will be started next.
func (j *Journal) Starting(o Occurrence) error {
	return j.advance(Starting, record{kind: kindStarting, key: o})
}

// Exec records, for a task that is Starting, under what name a container engine will be asked next to start its
// process.
func (j *Journal) Exec(o Occurrence, name string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(record{kind: kindExec, key: o, body: []byte(name)})
}

// Started records which process was started.
func (j *Journal) Started(o Occurrence, p Process) error {
	return j.advance(Started, record{kind: kindStarted, key: o, body: p.append(nil)})
}

// Ended records a final report. From then on the job is no longer kept. Of several, the first counts.
func (j *Journal) Ended(o Occurrence, report []byte) error {
	return j.advance(Ended, record{kind: kindEnded, key: o, body: report})
}

// Tombstone records that a task must not be started any more, whether it is known already or not.
func (j *Journal) Tombstone(key orderly.TaskKey) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.tasks[whole(key)]; e != nil && e.Stopped {
		return nil
	}
	return j.append(record{kind: kindTombstone, key: whole(key)})
}

// Acked records that the server knows the end, and forgets it; with a schedule all that is left of
// its runs.
func (j *Journal) Acked(o Occurrence) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.tasks[o] == nil {
		return nil
	}
	if err := j.append(record{kind: kindAcked, key: o}); err != nil {
		return err
	}
	j.compactIfWorthwhile()
	return nil
}

// whole is a task as such.
func whole(key orderly.TaskKey) Occurrence { return Occurrence{TaskKey: key} }

// advance writes r unless the task has come to phase, or further, before.
func (j *Journal) advance(phase Phase, r record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.tasks[r.key]; e != nil && e.Phase >= phase {
		return nil
	}
	return j.append(r)
}

// Sync returns when all records are safe from a power cut. Meanwhile others may write.
func (j *Journal) Sync() error {
	j.mu.Lock()
	file := j.file
	j.mu.Unlock()
	err := file.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil && file == j.file { // one that was compacted meanwhile is safe
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

// Task returns what is known of a task or run, and whether anything is.
func (j *Journal) Task(o Occurrence) (Task, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.tasks[o]
	if !ok {
		return Task{Key: o}, false
	}
	return e.view(j.boot), true
}

// Tasks returns all tasks and runs, first those that have not ended, in the order in which they came,
// then the others in the order of their ends.
func (j *Journal) Tasks() []Task {
	j.mu.Lock()
	defer j.mu.Unlock()
	tasks := make([]Task, 0, len(j.tasks))
	for _, e := range j.sorted() {
		tasks = append(tasks, e.view(j.boot))
	}
	return tasks
}

func (j *Journal) sorted() []*entry {
	return slices.SortedFunc(maps.Values(j.tasks), func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.order, b.order))
	})
}

func (e *entry) rank() int {
	if e.Phase == Ended {
		return 1
	}
	return 0
}

func (e *entry) view(boot string) Task {
	t := e.Task
	t.Rebooted = e.running() && e.boot != boot
	t.RanNow = e.Scheduled && e.ranIn == boot
	return t
}

func (e *entry) running() bool { return e.Phase >= Got && e.Phase <= Started }

// Job returns what Got or Scheduled was given, or nil when the task has ended or never came, and of
// a run, which has nothing of its own.
func (j *Journal) Job(o Occurrence) ([]byte, error) {
	return j.read(o, func(e *entry) span { return e.job })
}

// Report returns a final report, or nil when there is none yet.
func (j *Journal) Report(o Occurrence) ([]byte, error) {
	return j.read(o, func(e *entry) span { return e.report })
}

func (j *Journal) read(o Occurrence, part func(*entry) span) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.tasks[o]
	if !ok || part(e).off == 0 {
		return nil, nil
	}
	return j.load(part(e))
}

func (j *Journal) load(s span) ([]byte, error) {
	b := make([]byte, s.len)
	if _, err := j.file.ReadAt(b, s.off); err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	return b, nil
}

// Spool is how many bytes the reports take that wait for acknowledgement.
func (j *Journal) Spool() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.spool
}

// Jobs is how many bytes the jobs take that wait or run, and the schedules.
func (j *Journal) Jobs() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.jobs
}

// Shrink takes the output from reports, the oldest first and each once, until the spool is not
// above limit or no output is left. strip returns a report without its output. Shrink returns how
// many reports it changed; that the spool is still above limit is no error.
func (j *Journal) Shrink(limit int64, strip func(report []byte) []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	changed := 0
	for _, e := range j.sorted() {
		if j.spool <= limit {
			break
		}
		if e.Phase != Ended || e.Stripped {
			continue
		}
		report, err := j.load(e.report)
		if err != nil {
			return changed, err
		}
		if err := j.append(record{kind: kindStripped, key: e.Key, body: strip(report)}); err != nil {
			return changed, err
		}
		changed++
	}
	j.compactIfWorthwhile()
	return changed, nil
}

// Close gives the journal up to whoever opens it next.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.file.Close(), j.lock.Close())
}

// apply changes the tasks in memory as r says; body is where r's body lies in the file. boot is the
// one under which r was written.
func (j *Journal) apply(r record, body span, boot string) error {
	e := j.tasks[r.key]
	switch {
	case r.kind == kindAcked:
		j.drop(r.key)
		return nil
	case r.kind == kindRuns:
		return j.recount(e, r.body, boot)
	case e == nil:
		e = &entry{Task: Task{Key: r.key}, order: j.tick()}
	}
	changed := *e
	if err := changed.apply(r, body, boot); err != nil {
		return err
	}
	if changed.Phase == Ended && e.Phase != Ended {
		changed.order = j.tick()
	}
	j.remove(r.key)
	j.insert(&changed)
	if s := j.tasks[whole(r.key.TaskKey)]; r.key.Run > 0 && r.kind != kindStripped && s != nil && s.Scheduled {
		s.count(r.key.Run, changed.Phase != Ended, boot)
	}
	return nil
}

// drop forgets o, and with a schedule its runs.
func (j *Journal) drop(o Occurrence) {
	j.remove(o)
	if o.Run > 0 || j.runs == 0 {
		return
	}
	for other := range j.tasks {
		if other.TaskKey == o.TaskKey {
			j.remove(other)
		}
	}
}

func (j *Journal) insert(e *entry) {
	j.tasks[e.Key] = e
	j.live += e.cost()
	j.spool += e.report.len
	j.jobs += e.job.len
	if e.Key.Run > 0 {
		j.runs++
	}
}

// remove undoes insert; without one before it does nothing.
func (j *Journal) remove(o Occurrence) {
	e := j.tasks[o]
	if e == nil {
		return
	}
	delete(j.tasks, o)
	j.live -= e.cost()
	j.spool -= e.report.len
	j.jobs -= e.job.len
	if o.Run > 0 {
		j.runs--
	}
}

// recount takes over what a compaction has noted of the runs of a schedule.
func (j *Journal) recount(e *entry, body []byte, boot string) error {
	runs, now, err := parseRuns(body)
	if err != nil || e == nil || !e.Scheduled {
		return err
	}
	e.Runs, e.ranIn = runs, ""
	if now {
		e.ranIn = boot
	}
	return nil
}

// count notes a run of the schedule e; only one that was started, or may have been, matters to the
// boot.
func (e *entry) count(run int, started bool, boot string) {
	if run < e.Runs {
		return
	}
	e.Runs = run
	if started {
		e.ranIn = boot
	}
}

func (j *Journal) tick() int64 {
	j.clock++
	return j.clock
}

// apply leaves e as it is when r would lead it back.
func (e *entry) apply(r record, body span, boot string) error {
	phase := phases[r.kind]
	switch {
	case r.kind == kindTombstone:
		e.Stopped = true
		return nil
	case r.kind == kindExec && e.Phase == Starting:
		e.Exec = string(r.body)
		return nil
	case r.kind == kindPlan && e.Phase == Got: // what replaces it changes nothing else
		e.job, e.Scheduled = body, true
		return nil
	case phase <= e.Phase && r.kind != kindStripped:
		return nil
	}
	e.Phase, e.boot = phase, boot
	switch r.kind {
	case kindGot, kindPlan:
		e.job, e.Scheduled = body, r.kind == kindPlan
	case kindStarted:
		e.Exec = ""
		return e.Process.parse(r.body)
	case kindEnded, kindStripped:
		e.job, e.Exec, e.Process, e.report = span{}, "", Process{}, body
		e.Stripped = r.kind == kindStripped
		e.Scheduled, e.Runs, e.ranIn = false, 0, ""
	}
	return nil
}

func (p *Process) parse(b []byte) error {
	pid, n := binary.Uvarint(b)
	start, m := binary.Uvarint(b[max(n, 0):])
	if n <= 0 || m <= 0 {
		return errMalformed
	}
	at, k := binary.Varint(b[n+m:])
	if k <= 0 {
		return errMalformed
	}
	*p = Process{PID: int(pid), StartTime: start, At: time.UnixMilli(at)}
	return nil
}

// parseRuns reads how many runs a schedule had, and whether the newest was under the head's boot.
func parseRuns(b []byte) (runs int, now bool, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || len(b) != size+1 {
		return 0, false, errMalformed
	}
	return int(n), b[size] == 1, nil
}

// cost is about what e takes in a compacted file.
func (e *entry) cost() int64 {
	const record = 24
	return record*4 + e.job.len + e.report.len
}
