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

// A Phase is how far a task came. It never goes back.
type Phase int8

const (
	Unseen   Phase = iota // its stop came, itself it did not
	Got                   // it was taken up
	Starting              // its process may or may not have been started
	Started               // its process was started
	Ended                 // its final report is ready and not acknowledged
)

// A Run identifies a process that was started.
type Run struct {
	PID       int
	StartTime uint64    // the kernel's, as proc tells it
	At        time.Time // the agent's wall clock, in ms
}

// A Task is what the journal knows of one task that the server has not acknowledged as final.
type Task struct {
	Key      orderly.TaskKey
	Phase    Phase
	Stopped  bool // it has a tombstone: it must not be started any more
	Rebooted bool // Got to Started: the machine was booted again since, so no process is left
	Run      Run  // Started only
	Stripped bool // Ended only: the output was taken from the report because the spool was full
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
	tasks       map[orderly.TaskKey]*entry
	clock       int64 // orders entries
	live        int64 // bytes that a compaction would keep, about
	spool       int64 // bytes of reports
	broken      error // set when the file's end is in an unknown state
	buf         []byte
}

// An entry is a task in memory; job and report stay in the file.
type entry struct {
	Task
	boot   string // under which it got to its phase
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
func (j *Journal) Got(key orderly.TaskKey, job []byte) error {
	return j.advance(Got, record{kind: kindGot, key: key, body: job})
}

// Starting records that the task's process will be started next.
func (j *Journal) Starting(key orderly.TaskKey) error {
	return j.advance(Starting, record{kind: kindStarting, key: key})
}

// Started records which process was started.
func (j *Journal) Started(key orderly.TaskKey, run Run) error {
	return j.advance(Started, record{kind: kindStarted, key: key, body: run.append(nil)})
}

// Ended records a task's final report. From then on the job is no longer kept. Of several, the
// first counts.
func (j *Journal) Ended(key orderly.TaskKey, report []byte) error {
	return j.advance(Ended, record{kind: kindEnded, key: key, body: report})
}

// Tombstone records that a task must not be started any more, whether it is known already or not.
func (j *Journal) Tombstone(key orderly.TaskKey) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.tasks[key]; e != nil && e.Stopped {
		return nil
	}
	return j.append(record{kind: kindTombstone, key: key})
}

// Acked records that the server knows the task's end, and forgets the task.
func (j *Journal) Acked(key orderly.TaskKey) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.tasks[key] == nil {
		return nil
	}
	if err := j.append(record{kind: kindAcked, key: key}); err != nil {
		return err
	}
	j.compactIfWorthwhile()
	return nil
}

// advance writes r unless the task has come to phase, or further, before.
func (j *Journal) advance(phase Phase, r record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.tasks[r.key]; e != nil && e.Phase >= phase {
		return nil
	}
	return j.append(r)
}

// Sync returns when all records are safe from a power cut.
func (j *Journal) Sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

// Task returns what is known of a task, and whether anything is.
func (j *Journal) Task(key orderly.TaskKey) (Task, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.tasks[key]
	if !ok {
		return Task{Key: key}, false
	}
	return e.view(j.boot), true
}

// Tasks returns all tasks, first those that have not ended, then the others in the order of their
// ends.
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
	return t
}

func (e *entry) running() bool { return e.Phase >= Got && e.Phase <= Started }

// Job returns what Got was given, or nil when the task has ended or never came.
func (j *Journal) Job(key orderly.TaskKey) ([]byte, error) {
	return j.read(key, func(e *entry) span { return e.job })
}

// Report returns a task's final report, or nil when it has not ended.
func (j *Journal) Report(key orderly.TaskKey) ([]byte, error) {
	return j.read(key, func(e *entry) span { return e.report })
}

func (j *Journal) read(key orderly.TaskKey, part func(*entry) span) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.tasks[key]
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
	if r.kind == kindAcked {
		if e != nil {
			j.live -= e.cost()
			j.spool -= e.report.len
			delete(j.tasks, r.key)
		}
		return nil
	}
	if e == nil {
		e = &entry{Task: Task{Key: r.key}, order: j.tick()}
	}
	changed := *e
	if err := changed.apply(r, body, boot); err != nil {
		return err
	}
	if changed.Phase == Ended && e.Phase != Ended {
		changed.order = j.tick()
	}
	if j.tasks[r.key] == e {
		j.live -= e.cost()
		j.spool -= e.report.len
	}
	j.live += changed.cost()
	j.spool += changed.report.len
	j.tasks[r.key] = &changed
	return nil
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
	case phase <= e.Phase && r.kind != kindStripped:
		return nil
	}
	e.Phase, e.boot = phase, boot
	switch r.kind {
	case kindGot:
		e.job = body
	case kindStarted:
		return e.Run.parse(r.body)
	case kindEnded, kindStripped:
		e.job, e.Run, e.report = span{}, Run{}, body
		e.Stripped = r.kind == kindStripped
	}
	return nil
}

func (r *Run) parse(b []byte) error {
	pid, n := binary.Uvarint(b)
	start, m := binary.Uvarint(b[max(n, 0):])
	if n <= 0 || m <= 0 {
		return errMalformed
	}
	at, k := binary.Varint(b[n+m:])
	if k <= 0 {
		return errMalformed
	}
	*r = Run{PID: int(pid), StartTime: start, At: time.UnixMilli(at)}
	return nil
}

// cost is about what e takes in a compacted file.
func (e *entry) cost() int64 {
	const record = 24
	return record*4 + e.job.len + e.report.len
}
