package store

import (
	"context"
	"database/sql"

	"github.com/orderly-run/orderly"
)

// An InvocationFilter says which invocations to list; empty fields admit all (rules DI-1 to DI-7), but
// for those of the first line.
type InvocationFilter struct {
	Account, Realm, Region                                                   string
	ID, CommandID, CommandName, CommandType, Instance, ResourceGroup, Repeat string
	Status                                                                   string // of either vocabulary; of the instance, when one is given (DI-6)
	Aggregate                                                                string // status of all its tasks together (SW-1)
	Legacy                                                                   string // of the instance, which must be given (SW-2)
	Timed                                                                    *bool  // DI-3
	Tags                                                                     []orderly.Tag
}

// Invocations lists invocations, newest first, and counts all that match.
func (db *DB) Invocations(ctx context.Context, f InvocationFilter, p Page) ([]orderly.Invocation, int, error) {
	l := f.list()
	s, err := db.survey(ctx, l)
	if err != nil {
		return nil, 0, err
	}
	var w where
	q := ""
	q, w.args = l.walk(&db.dialect, s.page(p))
	w.add("v.seq = w.seq and v.account = ? and v.region = ?", f.Account, shelved(f.Realm, f.Region))
	rows, err := db.lists.QueryContext(ctx, `select `+invocationColumns+`, `+counterColumns+` from (`+q+`) w cross join `+invocationRows+w.String()+
		` order by v.seq desc`, w.args...)
	list, err := collect(rows, err, func(r *sql.Rows) (orderly.Invocation, error) { return scanInvocation(r) })
	if err != nil {
		return nil, 0, err
	}
	return list, s.total, db.tagInvocations(ctx, list)
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
	among(&w, "t.invocation", seqs)
	if instance != "" {
		w.add("t.instance = ?", instance)
	} else {
		w.add("t.ordinal < ?", limit)
	}
	what := "''"
	if output {
		what = "t.output"
	}
	rows, err := db.lists.QueryContext(ctx, `select `+taskColumns+`, length(t.output), `+what+` from tasks t`+w.String()+` order by t.invocation, t.ordinal`, w.args...)
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
	Account, Realm, Region                       string // of these none admits all
	InvokeID, CommandID, Instance, ResourceGroup string
	Record                                       string // of either vocabulary
	State                                        string
	Tags                                         []orderly.Tag
}

// A Result is a task with the invocation that it belongs to.
type Result struct {
	orderly.Task
	Of orderly.Invocation // without its counts
}

// Results lists tasks with their outputs, those of newer invocations first and those of one in the
// order of its targets (rule PG-1), and counts all that match.
func (db *DB) Results(ctx context.Context, f ResultFilter, p Page) ([]Result, int, error) {
	l := f.list()
	s, err := db.survey(ctx, l)
	if err != nil {
		return nil, 0, err
	}
	found := `t.invocation = w.seq and t.ordinal = w.ordinal`
	if db.dialect.rowid {
		l.at, found = "t.rowid", `t.rowid = w.at`
	}
	q, args := l.walk(&db.dialect, s.page(p))
	for try := 1; ; try++ {
		rows, err := db.lists.QueryContext(ctx, `select `+taskColumns+`, t.output from (`+q+`) w cross join tasks t
			where `+found+` order by t.invocation desc, t.ordinal`, args...)
		tasks, err := collect(rows, err, scanTask)
		if err != nil {
			return nil, 0, err
		}
		list, err := db.withInvocations(ctx, tasks)
		if err != nil || len(list) == len(tasks) || try == retries {
			return list, s.total, err
		}
	}
}

// withInvocations gives tasks their invocations, leaving out those whose invocation was removed
// meanwhile.
func (db *DB) withInvocations(ctx context.Context, tasks []orderly.Task) ([]Result, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	var w where
	w.add("v.building = 0")
	among(&w, "v.seq", invocationsOf(tasks))
	rows, err := db.lists.QueryContext(ctx, `select `+invocationColumns+`, 0, 0, 0, 0, 0, 0, 0, 0, 0 from invocations v`+w.String(), w.args...)
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
	var list []Result
	for _, t := range tasks {
		if v, ok := bySeq[t.Invocation]; ok {
			list = append(list, Result{t, v})
		}
	}
	return list, nil
}

// invocationsOf lists the numbers of tasks' invocations, each once; tasks of one stand together.
func invocationsOf(tasks []orderly.Task) []int64 {
	var seqs []int64
	for i := range tasks {
		if n := len(seqs); n == 0 || seqs[n-1] != tasks[i].Invocation {
			seqs = append(seqs, tasks[i].Invocation)
		}
	}
	return seqs
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
