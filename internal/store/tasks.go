package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

const taskColumns = `t.invocation, t.ordinal, t.instance, t.state, t.error_code, t.incarnation, t.boot, t.sent, t.sends, t.confirmed, t.asked, t.due,
	t.created, t.started, t.stopped, t.finished, t.updated, t.exit_code, t.repeats, t.report, t.total,
	t.version, t.former_boot`

// taskFields are the places that taskColumns are scanned into, and what turns them into the task.
func taskFields(t *orderly.Task) (places []any, finish func()) {
	var sent, confirmed, asked, due, created, started, stopped, finished, updated int64
	var exit sql.NullInt64
	places = []any{&t.Invocation, &t.Ordinal, &t.Instance, &t.State, &t.ErrorCode, &t.Handed.Incarnation, &t.Handed.ID, &sent, &t.Sends, &confirmed, &asked, &due,
		&created, &started, &stopped, &finished, &updated, &exit, &t.Repeats, &t.Report, &t.Total,
		&t.Version, &t.Former}
	return places, func() {
		t.Sent, t.Asked, t.Due = orderly.FromMillis(sent), orderly.FromMillis(asked), orderly.FromMillis(due)
		t.Created, t.Started, t.Stopped = orderly.FromMillis(created), orderly.FromMillis(started), orderly.FromMillis(stopped)
		t.Finished, t.Updated, t.Confirmed = orderly.FromMillis(finished), orderly.FromMillis(updated), confirmed != 0
		if exit.Valid {
			code := int(exit.Int64)
			t.ExitCode = &code
		}
	}
}

func scanTask(r *sql.Rows) (orderly.Task, error) {
	var t orderly.Task
	places, finish := taskFields(&t)
	err := r.Scan(append(places, &t.Output)...)
	finish()
	if len(t.Output) == 0 {
		t.Output = nil // SaveTasks leaves the stored output alone then
	}
	return t, err
}

// AddTasks stores new tasks.
func (t *Tx) AddTasks(tasks []orderly.Task) error {
	rows := make([][]any, len(tasks))
	for i := range tasks {
		k := &tasks[i]
		rows[i] = []any{k.Invocation, k.Ordinal, k.Instance, flag(k.State.Live()), k.State, k.ErrorCode, k.Handed.Incarnation, k.Handed.ID,
			orderly.Millis(k.Sent), k.Sends, orderly.Millis(k.Due), orderly.Millis(k.Created), orderly.Millis(k.Finished), orderly.Millis(k.Updated), k.Version, digest(k)}
	}
	err := t.each(`insert into tasks (invocation, ordinal, instance, live, state, error_code, incarnation, boot, sent, sends, confirmed, asked, due,
		created, started, stopped, finished, updated, exit_code, repeats, report, total, output, version, digest)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, $11, $12, 0, 0, $13, $14, null, 0, 0, 0, '', $15, $16)`, rows)
	if err != nil {
		return err
	}
	return t.mark(tasks)
}

// Tasks finds tasks by their keys, for a change, in the order of keys.
func (t *Tx) Tasks(keys []orderly.TaskKey) ([]orderly.Task, error) {
	var list []orderly.Task
	for _, piece := range batches(keys, 1000) {
		if len(piece) == 0 {
			continue
		}
		rows, err := t.query(`with k (invocation, ordinal) as (values ` + values(piece) + `) select ` + taskColumns + `, t.output
			from k join tasks t on t.invocation = k.invocation and t.ordinal = k.ordinal order by t.invocation, t.ordinal` + forUpdateOf(t, "t"))
		found, err := collect(rows, err, scanTask)
		if err != nil {
			return nil, err
		}
		t.see(found)
		list = append(list, found...)
	}
	return list, nil
}

// values writes keys, which are numbers, as rows.
func values(keys []orderly.TaskKey) string {
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%d,%d)", k.Invocation, k.Ordinal)
	}
	return b.String()
}

// tasksWhere finds at most limit tasks for a change, in the order of keys.
func (t *Tx) tasksWhere(w where, limit int, lock string) ([]orderly.Task, error) {
	q := `select ` + taskColumns + `, t.output from tasks t` + w.String() + ` order by t.invocation, t.ordinal limit ` + w.arg(limit) + lock
	rows, err := t.query(q, w.args...)
	list, err := collect(rows, err, scanTask)
	t.see(list)
	return list, err
}

// LiveTasks finds the unfinished tasks of instances, for a change.
func (t *Tx) LiveTasks(instances []string) ([]orderly.Task, error) {
	var list []orderly.Task
	for _, piece := range batches(instances, 1000) {
		if len(piece) == 0 {
			continue
		}
		var w where
		w.add("t.live = 1")
		w.in("t.instance", piece)
		w.add("exists (select 1 from invocations v where v.seq = t.invocation and v.building = 0)")
		found, err := t.tasksWhere(w, 1<<20, t.db.dialect.forUpdate)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// LiveTasksOf finds at most limit unfinished tasks of an instance, for a change.
func (t *Tx) LiveTasksOf(instance string, limit int) ([]orderly.Task, error) {
	var w where
	w.add("t.live = 1")
	w.add("t.instance = ?", instance)
	w.add("exists (select 1 from invocations v where v.seq = t.invocation and v.building = 0)")
	return t.tasksWhere(w, limit, t.db.dialect.forUpdate)
}

// InvocationTasks finds the tasks of one invocation after an ordinal, for a change.
func (t *Tx) InvocationTasks(seq int64, after, limit int) ([]orderly.Task, error) {
	var w where
	w.add("t.invocation = ?", seq)
	w.add("t.ordinal > ?", after)
	return t.tasksWhere(w, limit, t.db.dialect.forUpdate)
}

// DueTasks finds the tasks of some invocations that fell due, for a change; those that somebody else
// is changing just now are left out. They come in no order, which would lead SQLite away from their index.
func (t *Tx) DueTasks(seqs []int64, at time.Time, limit int) ([]orderly.Task, error) {
	w := t.db.dueTasks(seqs, at)
	rows, err := t.query(`select `+taskColumns+`, t.output from tasks t`+w.String()+` limit `+w.arg(limit)+t.db.dialect.skipLocked, w.args...)
	list, err := collect(rows, err, scanTask)
	t.see(list)
	return list, err
}

func (db *DB) dueTasks(seqs []int64, at time.Time) (w where) {
	oneOf(&w, &db.dialect, "t.invocation", seqs)
	w.add("t.due > 0")
	w.add("t.due <= ?", orderly.Millis(at))
	return w
}

// TasksOn finds the tasks of an invocation on instances, for a change.
func (t *Tx) TasksOn(seq int64, instances []string) ([]orderly.Task, error) {
	var w where
	w.add("t.invocation = ?", seq)
	w.in("t.instance", instances)
	return t.tasksWhere(w, len(instances), t.db.dialect.forUpdate)
}

// What SaveTasks sets, and by what: the columns that no index has but that of what is due, and the others.
var (
	taskKeys  = columns("invocation bigint, ordinal bigint")
	taskPlain = columns(`incarnation text, boot text, sent bigint, sends bigint, confirmed bigint, asked bigint, due bigint, started bigint,
		finished bigint, updated bigint, repeats bigint, report bigint, total bigint, version bigint, former_boot text`)
	taskIndexed = columns("live bigint, state text, error_code text, stopped bigint, exit_code bigint, digest bigint")
	taskOutput  = columns("output bytea")
)

// An image is what indexes have of a task that is live.
type image struct {
	state   orderly.State
	code    orderly.ErrorCode
	stopped int64
	exit    any
}

func imageOf(k *orderly.Task) image {
	return image{k.State, k.ErrorCode, orderly.Millis(k.Stopped), exitCode(k.ExitCode)}
}

// see keeps the images of tasks as they were read for a change.
func (t *Tx) see(tasks []orderly.Task) {
	if t.seen == nil {
		t.seen = make(map[orderly.TaskKey]image, len(tasks))
	}
	for i := range tasks {
		t.seen[tasks[i].TaskKey] = imageOf(&tasks[i])
	}
}

// SaveTasks stores what has changed of tasks that this transaction read, each once, with their runs; a nil
// Output stays as it is stored. SQLite writes to every index of a column that is set, also to what it was, so
// those of tasks whose image is the same are not.
func (t *Tx) SaveTasks(tasks []orderly.Task) error {
	var same, quiet, full [][]any
	for i := range tasks {
		k := &tasks[i]
		row := []any{k.Invocation, k.Ordinal, k.Handed.Incarnation, k.Handed.ID, orderly.Millis(k.Sent), k.Sends, flag(k.Confirmed), orderly.Millis(k.Asked),
			orderly.Millis(k.Due), orderly.Millis(k.Started), orderly.Millis(k.Finished), orderly.Millis(k.Updated), k.Repeats, k.Report, k.Total, k.Version, k.Former}
		if k.Output == nil && k.State.Live() && t.seen[k.TaskKey] == imageOf(k) {
			same = append(same, row)
			continue
		}
		row = append(row, flag(k.State.Live()), k.State, k.ErrorCode, orderly.Millis(k.Stopped), exitCode(k.ExitCode), digest(k))
		if k.Output == nil {
			quiet = append(quiet, row)
		} else {
			full = append(full, append(row, k.Output))
		}
	}
	for _, s := range []struct {
		sets []column
		rows [][]any
	}{{taskPlain, same}, {slices.Concat(taskPlain, taskIndexed), quiet}, {slices.Concat(taskPlain, taskIndexed, taskOutput), full}} {
		if err := t.set(setter{"tasks", taskKeys, s.sets}, s.rows); err != nil {
			return err
		}
	}
	if err := t.mark(tasks); err != nil {
		return err
	}
	return t.saveRuns(tasks)
}

// digest tells outputs of ended tasks apart. A task that was read without output has none.
func digest(k *orderly.Task) int64 {
	if k.State.Live() {
		return 0
	}
	sum := sha256.Sum256(k.Output)
	return max(1, int64(binary.BigEndian.Uint64(sum[:])>>1)) // 0 says that there is none
}

// exitCode is one as it is stored.
func exitCode(code *int) any {
	if code == nil {
		return nil
	}
	return *code
}

// AddLate keeps an end that was reported after its task had ended (rule LATE-2); one that is there
// already stays as it is. Of the runs of a schedule on one machine the newest are kept, as in its history.
func (t *Tx) AddLate(list []orderly.Report) error {
	rows, many := make([][]any, len(list)), [][]any{}
	for i, r := range list {
		rows[i] = []any{r.Task.Invocation, r.Task.Ordinal, r.Number, r.Instance, r.State, r.ErrorCode, orderly.Millis(r.Started),
			orderly.Millis(r.Finished), orderly.Millis(t.Now), exitCode(r.ExitCode), r.Total, blob(r.Output)}
		if r.Number > maxLate {
			many = append(many, []any{r.Task.Invocation, r.Task.Ordinal, maxLate})
		}
	}
	err := t.each(`insert into late_results (invocation, ordinal, report, instance, state, error_code, started, finished, received, exit_code, total, output)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (invocation, ordinal, report) do nothing`, rows)
	if err != nil {
		return err
	}
	return t.each(`delete from late_results where invocation = $1 and ordinal = $2 and report <= (select max(n.report) from late_results n where n.invocation = $1 and n.ordinal = $2) - $3`, many)
}

// maxLate is how far the numbers of late results of a task may be apart: the run is above their lower 32 bits.
const maxLate = int64(maxRuns) << 32

// maxRefused is how many reports that could not be stored are kept.
const maxRefused = 10_000

// AddRefused keeps a report that could not be stored, raw, dropping the oldest past a bound.
func (t *Tx) AddRefused(instance, cause string, raw []byte) error {
	if _, err := t.exec(`insert into refused_reports (seq, instance, received, cause, raw) values ($1, $2, $3, $4, $5)`,
		t.db.NextSeq(), instance, orderly.Millis(t.Now), cause, raw); err != nil {
		return err
	}
	_, err := t.exec(fmt.Sprintf(`delete from refused_reports where seq <= (select seq from refused_reports order by seq desc limit 1 offset %d)`, maxRefused))
	return err
}
