package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/orderly-run/orderly"
)

// An InvocationFilter says which invocations to list; empty fields admit all (rules DI-1 to DI-7).
type InvocationFilter struct {
	Account, Region                                                          string
	ID, CommandID, CommandName, CommandType, Instance, ResourceGroup, Repeat string
	Status                                                                   string // of either vocabulary; of the instance, when one is given (DI-6)
	Timed                                                                    *bool  // DI-3
	Tags                                                                     []orderly.Tag
}

// live is the condition that an invocation is unfinished.
const live = `v.status in ('Pending', 'Scheduled', 'Running', 'Stopping')`

const repeats = `v.repeat_mode in ('Period', 'NextRebootOnly', 'EveryReboot')`

func (f InvocationFilter) where() where {
	var w where
	w.add("v.building = 0")
	w.add("v.account = ?", f.Account)
	w.add("v.region = ?", f.Region)
	w.eq("v.id", f.ID)
	w.eq("v.command", f.CommandID)
	w.eq("v.command_name", f.CommandName)
	w.eq("v.command_type", f.CommandType)
	w.eq("v.resource_group", f.ResourceGroup)
	w.eq("v.repeat_mode", f.Repeat)
	w.tagged(TaggedInvocation, "v.id", f.Tags)
	if f.Timed != nil && *f.Timed {
		w.add(repeats + " and " + live)
	} else if f.Timed != nil {
		w.add("not (" + repeats + " and " + live + ")")
	}
	switch {
	case f.Instance != "":
		w.onInstance(f.Instance, f.Status)
	case f.Status != "":
		w.add("(v.status = ? or v.legacy_status = ?)", f.Status, f.Status)
	}
	return w
}

// onInstance admits invocations with a task on an instance, in a status of either vocabulary.
func (w *where) onInstance(instance, status string) {
	if status == "" {
		w.add("exists (select 1 from tasks t where t.instance = ? and t.invocation = v.seq)", instance)
		return
	}
	w.add("exists (select 1 from tasks t where t.instance = ? and t.invocation = v.seq and ("+taskStatus(status)+"))", instance)
}

// taskStatus is the condition that a task shows a status of either vocabulary (rules LG-1, LG-2,
// DR-3). The text is one of ours or is replaced by a condition that nothing meets.
func taskStatus(status string) string {
	once, stopped := map[orderly.LegacyStatus][]string{}, map[orderly.LegacyStatus][]string{}
	alone := map[orderly.LegacyStatus][]string{}
	for _, s := range orderly.States {
		q := "'" + string(s) + "'"
		l := s.LegacyStatus(orderly.Once, false)
		once[l] = append(once[l], q)
		l = s.LegacyStatus(orderly.Period, false)
		alone[l] = append(alone[l], q)
		l = s.LegacyStatus(orderly.Period, true)
		stopped[l] = append(stopped[l], q)
	}
	conds := []string{"1 = 0"}
	if s, ok := orderly.ParseState(status); ok {
		conds = append(conds, "t.state = '"+string(s)+"'")
	}
	add := func(when string, states []string) {
		if len(states) > 0 {
			conds = append(conds, "("+when+" and t.state in ("+strings.Join(states, ", ")+"))")
		}
	}
	l := orderly.LegacyStatus(status)
	add("not "+repeats, once[l])
	add(repeats+" and t.stopped = 0", alone[l])
	add(repeats+" and t.stopped > 0", stopped[l])
	return strings.Join(conds, " or ")
}

// Invocations lists invocations, newest first, and counts all that match.
func (db *DB) Invocations(ctx context.Context, f InvocationFilter, p Page) ([]orderly.Invocation, int, error) {
	w := f.where()
	total, err := db.count(ctx, "invocations v", w)
	if err != nil {
		return nil, 0, err
	}
	rows, err := db.page(ctx, `select `+invocationColumns+`, `+counterColumns+` from `+invocationRows, "v.seq", w, p)
	list, err := collect(rows, err, func(r *sql.Rows) (orderly.Invocation, error) { return scanInvocation(r) })
	if err != nil {
		return nil, 0, err
	}
	return list, total, db.tagInvocations(ctx, list)
}

func (db *DB) tagInvocations(ctx context.Context, list []orderly.Invocation) error {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	tags, err := db.tagsOf(ctx, TaggedInvocation, ids)
	for i := range list {
		list[i].Tags = tags[list[i].ID]
	}
	return err
}

// TasksOf finds, for each of some invocations, its first tasks in the order of its targets, at most
// limit of each; all of them on one instance, when that is given. Outputs are left out unless asked
// for (rules DI-2, DI-8, PG-10).
func (db *DB) TasksOf(ctx context.Context, seqs []int64, instance string, limit int, output bool) (map[int64][]orderly.Task, error) {
	found := map[int64][]orderly.Task{}
	if len(seqs) == 0 {
		return found, nil
	}
	var w where
	w.add("t.invocation in (" + join(seqs) + ")")
	w.add("t.ordinal < ?", limit)
	w.eq("t.instance", instance)
	if instance != "" {
		w = where{}
		w.add("t.instance = ?", instance)
		w.add("t.invocation in (" + join(seqs) + ")")
	}
	what := "''"
	if output {
		what = "t.output"
	}
	rows, err := db.reads.QueryContext(ctx, `select `+taskColumns+`, length(t.output), `+what+` from tasks t`+w.String()+` order by t.invocation, t.ordinal`, w.args...)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var t orderly.Task
		var kept int64
		places, finish := taskFields(&t)
		err := r.Scan(append(places, &kept, &t.Output)...)
		finish()
		if !output {
			t.Total -= kept // Dropped keeps its value without the output
		}
		found[t.Invocation] = append(found[t.Invocation], t)
		return struct{}{}, err
	})
	return found, err
}

// A ResultFilter says which tasks to list; empty fields admit all (rules DR-1 to DR-6).
type ResultFilter struct {
	Account, Region                              string
	InvokeID, CommandID, Instance, ResourceGroup string
	Record                                       string // of either vocabulary
	State                                        string
	Tags                                         []orderly.Tag
}

// A Result is a task with the invocation that it belongs to.
type Result struct {
	orderly.Task
	Of orderly.Invocation
}

func (f ResultFilter) where() where {
	var w where
	w.add("v.building = 0")
	w.add("v.account = ?", f.Account)
	w.add("v.region = ?", f.Region)
	w.eq("v.id", f.InvokeID)
	w.eq("v.command", f.CommandID)
	w.eq("t.instance", f.Instance)
	w.eq("v.resource_group", f.ResourceGroup)
	w.eq("t.state", f.State)
	if f.Record != "" {
		w.add("(" + taskStatus(f.Record) + ")")
	}
	w.tagged(TaggedInvocation, "v.id", f.Tags)
	return w
}

// Results lists tasks with their outputs, those of newer invocations first and those of one in the
// order of its targets (rule PG-1), and counts all that match.
func (db *DB) Results(ctx context.Context, f ResultFilter, p Page) ([]Result, int, error) {
	w := f.where()
	total, err := db.count(ctx, `invocations v join tasks t on t.invocation = v.seq`, w)
	if err != nil {
		return nil, 0, err
	}
	if p.After != (Place{}) {
		w.add("(v.seq < ? or v.seq = ? and t.ordinal > ?)", p.After.Seq, p.After.Seq, p.After.Ordinal)
	}
	q := `select ` + taskColumns + `, t.output from invocations v join tasks t on t.invocation = v.seq` + w.String() +
		` order by v.seq desc, t.ordinal limit ` + w.arg(p.Limit) + ` offset ` + w.arg(p.Offset)
	rows, err := db.reads.QueryContext(ctx, q, w.args...)
	tasks, err := collect(rows, err, scanTask)
	if err != nil {
		return nil, 0, err
	}
	list, err := db.withInvocations(ctx, tasks)
	return list, total, err
}

func (db *DB) withInvocations(ctx context.Context, tasks []orderly.Task) ([]Result, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	seqs := make([]int64, len(tasks))
	for i := range tasks {
		seqs[i] = tasks[i].Invocation
	}
	rows, err := db.reads.QueryContext(ctx, `select `+invocationColumns+`, `+counterColumns+` from `+invocationRows+` where v.seq in (`+join(seqs)+`)`)
	of, err := collect(rows, err, func(r *sql.Rows) (orderly.Invocation, error) { return scanInvocation(r) })
	if err != nil {
		return nil, err
	}
	if err := db.tagInvocations(ctx, of); err != nil {
		return nil, err
	}
	bySeq := map[int64]orderly.Invocation{}
	for _, v := range of {
		bySeq[v.Seq] = v
	}
	list := make([]Result, len(tasks))
	for i := range tasks {
		list[i] = Result{tasks[i], bySeq[tasks[i].Invocation]}
	}
	return list, nil
}

// LateResults lists the ends that were reported after the tasks of an invocation had ended, oldest
// first, at most limit (rule LATE-2).
func (db *DB) LateResults(ctx context.Context, seq int64, limit int) ([]orderly.Report, error) {
	rows, err := db.reads.QueryContext(ctx, `select invocation, ordinal, report, instance, state, error_code, started, finished, exit_code, total, output
		from late_results where invocation = $1 order by received, ordinal limit $2`, seq, limit)
	return collect(rows, err, func(r *sql.Rows) (orderly.Report, error) {
		var l orderly.Report
		var started, finished int64
		var exit sql.NullInt64
		err := r.Scan(&l.Task.Invocation, &l.Task.Ordinal, &l.Number, &l.Instance, &l.State, &l.ErrorCode, &started, &finished, &exit, &l.Total, &l.Output)
		l.Started, l.Finished = orderly.FromMillis(started), orderly.FromMillis(finished)
		if exit.Valid {
			code := int(exit.Int64)
			l.ExitCode = &code
		}
		return l, err
	})
}
