package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

// maxRuns is how many runs of a schedule on one machine are kept, the newest.
const maxRuns = 10_000

// saveRuns stores the records of runs that tasks have had since they were read.
func (t *Tx) saveRuns(tasks []orderly.Task) error {
	var rows, many [][]any
	for i := range tasks {
		k := &tasks[i]
		for _, r := range k.Runs {
			rows = append(rows, []any{k.Invocation, k.Ordinal, r.Ordinal, k.Instance, r.State, r.ErrorCode, orderly.Millis(r.Started),
				orderly.Millis(r.Stopped), orderly.Millis(r.Finished), exitCode(r.ExitCode), r.Total, blob(r.Output)})
			if r.Ordinal > maxRuns {
				many = append(many, []any{k.Invocation, k.Ordinal, maxRuns})
			}
		}
	}
	err := t.each(`insert into runs (invocation, ordinal, run, instance, state, error_code, started, stopped, finished, exit_code, total, output)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (invocation, ordinal, run) do update set
		state = excluded.state, error_code = excluded.error_code, started = excluded.started, stopped = excluded.stopped,
		finished = excluded.finished, exit_code = excluded.exit_code, total = excluded.total, output = excluded.output`, rows)
	if err != nil {
		return err
	}
	return t.each(`delete from runs where invocation = $1 and ordinal = $2 and run <= (select max(n.run) from runs n where n.invocation = $1 and n.ordinal = $2) - $3`, many)
}

// A RunKey names a run of a schedule on a machine.
type RunKey struct {
	orderly.TaskKey
	Run int64
}

// OldRuns finds at most limit runs that ended before a time and are not the newest of their machine.
func (db *DB) OldRuns(ctx context.Context, before time.Time, limit int) ([]RunKey, error) {
	rows, err := db.reads.QueryContext(ctx, `select r.invocation, r.ordinal, r.run from runs r where r.finished > 0 and r.finished < $1
		and exists (select 1 from runs n where n.invocation = r.invocation and n.ordinal = r.ordinal and n.run > r.run) order by r.finished limit $2`,
		orderly.Millis(before), limit)
	return collect(rows, err, func(r *sql.Rows) (k RunKey, err error) { return k, r.Scan(&k.Invocation, &k.Ordinal, &k.Run) })
}

// DropRuns removes runs.
func (t *Tx) DropRuns(keys []RunKey) error {
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.Invocation, k.Ordinal, k.Run}
	}
	return t.each(`delete from runs where invocation = $1 and ordinal = $2 and run = $3`, rows)
}

// runWhere is the filter for runs: those of one invocation, whose statuses are their own (rule LG-4).
func (f ResultFilter) runWhere() where {
	var w where
	w.add("v.building = 0")
	w.add("v.account = ?", f.Account)
	w.add("v.region = ?", shelved(f.Realm, f.Region))
	w.add("v.id = ?", f.InvokeID)
	w.eq("v.command", f.CommandID)
	w.eq("r.instance", f.Instance)
	w.eq("v.resource_group", f.ResourceGroup)
	w.eq("r.state", f.State)
	if f.Record != "" {
		w.add(runStatus(f.Record))
	}
	w.tagged(TaggedInvocation, "v.id", f.Tags)
	return w
}

// runStatus is the condition that a run shows a status of either vocabulary (rule DR-3). The text is
// one of ours or is replaced by a condition that nothing meets.
func runStatus(status string) string {
	names := []string{"''"}
	for _, s := range orderly.States {
		if string(s) == status || string(s.LegacyStatus(orderly.Once, false)) == status {
			names = append(names, "'"+string(s)+"'")
		}
	}
	return "r.state in (" + strings.Join(names, ", ") + ")"
}

const runRows = `invocations v join runs r on r.invocation = v.seq`

// Runs lists the runs of the tasks of one invocation, each as a task that has just that run, the newest
// first (rule PG-1), and counts all that match. The place of one is its ordinal among its task's and that
// of the task.
func (db *DB) Runs(ctx context.Context, f ResultFilter, p Page) ([]Result, int, error) {
	w := f.runWhere()
	total, err := db.count(ctx, runRows, w)
	if err != nil {
		return nil, 0, err
	}
	if p.After != (Place{}) {
		w.add(`(r.started, r.ordinal, r.run) < (select p.started, p.ordinal, p.run from runs p where p.invocation = v.seq and p.ordinal = ? and p.run = ?)`,
			p.After.Ordinal, p.After.Seq)
	}
	rows, err := db.reads.QueryContext(ctx, `select r.invocation, r.ordinal, r.run, r.instance, r.state, r.error_code, r.started, r.stopped,
		r.finished, r.exit_code, r.total, r.output from `+runRows+w.String()+
		` order by r.started desc, r.ordinal desc, r.run desc limit `+w.arg(p.Limit)+` offset `+w.arg(p.Offset), w.args...)
	tasks, err := collect(rows, err, scanRun)
	if err != nil {
		return nil, 0, err
	}
	list, err := db.withInvocations(ctx, tasks)
	return list, total, err
}

func scanRun(r *sql.Rows) (orderly.Task, error) {
	var t orderly.Task
	var started, stopped, finished int64
	var exit sql.NullInt64
	err := r.Scan(&t.Invocation, &t.Ordinal, &t.Repeats, &t.Instance, &t.State, &t.ErrorCode, &started, &stopped, &finished, &exit, &t.Total, &t.Output)
	t.Started, t.Stopped, t.Finished = orderly.FromMillis(started), orderly.FromMillis(stopped), orderly.FromMillis(finished)
	if exit.Valid {
		code := int(exit.Int64)
		t.ExitCode = &code
	}
	return t, err
}

// Recurs reports whether an invocation keeps records of its runs; false too when there is none.
func (db *DB) Recurs(ctx context.Context, by orderly.Caller, region, id string) (bool, error) {
	var mode orderly.RepeatMode
	err := db.reads.QueryRowContext(ctx, `select repeat_mode from invocations where id = $1 and account = $2 and region = $3 and building = 0`,
		id, by.Account, shelved(by.Realm, region)).Scan(&mode)
	if errors.Is(err, errNothing) {
		return false, nil
	}
	return mode.Recurs(), err
}

// EndedSchedules finds which of some tasks repeat and have ended.
func (t *Tx) EndedSchedules(keys []orderly.TaskKey) ([]orderly.TaskKey, error) {
	var list []orderly.TaskKey
	for _, piece := range batches(keys, 1000) {
		if len(piece) == 0 {
			continue
		}
		rows, err := t.query(`with k (invocation, ordinal) as (values ` + values(piece) + `) select t.invocation, t.ordinal
			from k join tasks t on t.invocation = k.invocation and t.ordinal = k.ordinal join invocations v on v.seq = t.invocation
			where t.live = 0 and ` + repeats + ` order by t.invocation, t.ordinal`)
		found, err := collect(rows, err, func(r *sql.Rows) (k orderly.TaskKey, err error) { return k, r.Scan(&k.Invocation, &k.Ordinal) })
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}
