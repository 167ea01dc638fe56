package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

// Invocation finds an invocation that a caller knows of, with its tags; ErrNotFound when there is none.
func (db *DB) Invocation(ctx context.Context, by orderly.Caller, region, id string) (orderly.Invocation, error) {
	v, err := scanInvocation(db.reads.QueryRowContext(ctx, `select `+invocationColumns+`, `+counterColumns+` from `+invocationRows+
		` where v.id = $1 and v.account = $2 and v.region = $3 and v.building = 0`, id, by.Account, shelved(by.Realm, region)))
	if errors.Is(err, sql.ErrNoRows) {
		return v, ErrNotFound
	}
	if err != nil {
		return v, err
	}
	list := []orderly.Invocation{v}
	err = db.tagInvocations(ctx, list)
	return list[0], err
}

// An Order is what a table of tasks is sorted by.
type Order string

// The orders; the zero value is that of the invocation's targets.
const (
	ByTarget   Order = ""
	ByName     Order = "name"
	ByState    Order = "state"
	ByExitCode Order = "exit"
	ByStart    Order = "started"
	ByDuration Order = "duration"
)

// A Table says which tasks of an invocation are shown, and in which order; empty fields admit all.
type Table struct {
	Invocation int64
	States     []orderly.State
	Search     string // in the machine's name and ID
	Order      Order
	Descending bool
	After      int // ordinal of the row before the first; -1 for none
	Limit      int
}

// A Row is a task without its output, with the name of its machine.
type Row struct {
	orderly.Task
	Name string
}

// by is the expression that a table is sorted by; T and I are the tables.
func (o Order) by(now time.Time, w *where) string {
	switch o {
	case ByName:
		return "coalesce(I.name, T.instance)"
	case ByState:
		var b strings.Builder
		for n, s := range orderly.States {
			fmt.Fprintf(&b, " when '%s' then %d", s, n)
		}
		return "case T.state" + b.String() + " end"
	case ByExitCode:
		return "coalesce(T.exit_code, -1)"
	case ByStart:
		return "T.started"
	case ByDuration:
		return "case when T.started = 0 then -1 when T.finished = 0 then cast(" + w.arg(orderly.Millis(now)) + " as bigint) - T.started else T.finished - T.started end"
	}
	return "T.ordinal"
}

// Table lists tasks of an invocation. A row's place is its ordinal: what it is sorted by is read anew for
// the next page, so that one that changed meanwhile is at most seen twice.
func (db *DB) Table(ctx context.Context, x Table) ([]Row, error) {
	var w where
	w.add("t.invocation = ?", x.Invocation)
	if len(x.States) > 0 {
		among(&w, "t.state", x.States)
	}
	if x.Search != "" {
		s := strings.ToLower(x.Search)
		w.add("(replace(lower(i.name), ?, '') <> lower(i.name) or t.instance = ?)", s, x.Search)
	}
	expr := x.Order.by(db.Now(), &w)
	by := strings.NewReplacer("T.", "t.", "I.", "i.").Replace(expr)
	op, dir := ">", "asc"
	if x.Descending {
		op, dir = "<", "desc"
	}
	if x.After >= 0 {
		before := strings.NewReplacer("T.", "b.", "I.", "j.").Replace(expr)
		w.add("("+by+", t.ordinal) "+op+" (select "+before+", b.ordinal from tasks b left join instances j on j.id = b.instance where b.invocation = ? and b.ordinal = ?)",
			x.Invocation, x.After)
	}
	rows, err := db.reads.QueryContext(ctx, `select `+taskColumns+`, coalesce(i.name, '') from tasks t left join instances i on i.id = t.instance`+w.String()+
		fmt.Sprintf(` order by %s %s, t.ordinal %s limit `, by, dir, dir)+w.arg(x.Limit), w.args...)
	return collect(rows, err, scanRow)
}

func scanRow(r *sql.Rows) (x Row, err error) {
	places, finish := taskFields(&x.Task)
	err = r.Scan(append(places, &x.Name)...)
	finish()
	return x, err
}

// Pace counts how many tasks of an invocation had started, and how many had ended, at the ends of equal
// parts of the time between two times.
func (db *DB) Pace(ctx context.Context, seq int64, from, to time.Time, parts int) (started, ended []int, err error) {
	width := max(1, (to.Sub(from).Milliseconds()+int64(parts)-1)/int64(parts))
	rows, err := db.reads.QueryContext(ctx, `select 0, (started - $2) / $3, count(*) from tasks where invocation = $1 and started > 0 group by 2
		union all select 1, (finished - $2) / $3, count(*) from tasks where invocation = $1 and finished > 0 group by 2`, seq, orderly.Millis(from), width)
	counts := [2][]int{make([]int, parts), make([]int, parts)}
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var which, part, n int
		err := r.Scan(&which, &part, &n)
		counts[which][min(max(part, 0), parts-1)] += n
		return struct{}{}, err
	})
	for _, c := range counts {
		for i := 1; i < len(c); i++ {
			c[i] += c[i-1]
		}
	}
	return counts[0], counts[1], err
}

// An OutputGroup is the ended tasks of an invocation that ended alike and wrote the same.
type OutputGroup struct {
	First     orderly.Task // one of them, with its output
	Tasks     int
	Instances []string // of the first few
}

// fewOf is how many instances a group names.
const fewOf = 4

// ended are the states of tasks that will not change any more.
var ended = slices.DeleteFunc(slices.Clone(orderly.States), orderly.State.Live)

// alikeBy is the column by which the outputs of an invocation are told apart: their digests, or themselves
// when one ended before there were digests.
func (db *DB) alikeBy(ctx context.Context, seq int64) (column string, err error) {
	var w where
	w.add("invocation = ?", seq)
	w.add("digest = 0")
	among(&w, "state", ended)
	var old bool
	err = db.reads.QueryRowContext(ctx, `select exists (select 1 from tasks`+w.String()+`)`, w.args...).Scan(&old)
	if old {
		return "output", err
	}
	return "digest", err
}

// A sameness is the ended tasks that ended alike and wrote the same, by the ordinals of the first few.
type sameness struct {
	tasks    int
	ordinals []int
}

// samenesses groups the ended tasks of an invocation, in the order of its targets. Outputs without digests are
// looked at one by one, for all of them together may be more than memory holds.
func (db *DB) samenesses(ctx context.Context, seq int64) (list []sameness, err error) {
	column, err := db.alikeBy(ctx, seq)
	if err != nil {
		return nil, err
	}
	var w where
	w.add("invocation = ?", seq)
	among(&w, "state", ended)
	rows, err := db.reads.QueryContext(ctx, `select ordinal, state || ' ' || error_code || ' ' || coalesce(cast(exit_code as text), ''), `+column+` from tasks`+
		w.String()+` order by ordinal`, w.args...)
	at, hash := map[[sha256.Size]byte]int{}, sha256.New()
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var ordinal int
		var end, output sql.RawBytes
		if err := r.Scan(&ordinal, &end, &output); err != nil {
			return struct{}{}, err
		}
		hash.Reset()
		hash.Write(end)
		hash.Write([]byte{0})
		hash.Write(output)
		key := [sha256.Size]byte(hash.Sum(nil))
		n, ok := at[key]
		if !ok {
			n = len(list)
			at[key] = n
			list = append(list, sameness{})
		}
		g := &list[n]
		if g.tasks++; g.tasks <= fewOf {
			g.ordinals = append(g.ordinals, ordinal)
		}
		return struct{}{}, nil
	})
	return list, err
}

// OutputGroups groups the ended tasks of an invocation, the largest groups first, at most limit, and counts
// all groups. Only the outputs that it returns are read, but for those that ended before there were digests.
func (db *DB) OutputGroups(ctx context.Context, seq int64, limit int) (list []OutputGroup, total int, err error) {
	groups, err := db.samenesses(ctx, seq)
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(groups, func(a, b sameness) int { return cmp.Compare(b.tasks, a.tasks) })
	for _, g := range groups[:min(limit, len(groups))] {
		x, err := db.taskAt(ctx, orderly.TaskKey{Invocation: seq, Ordinal: g.ordinals[0]})
		if err != nil {
			return nil, 0, err
		}
		of, err := db.instancesAt(ctx, seq, g.ordinals)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, OutputGroup{First: x.Task, Tasks: g.tasks, Instances: of})
	}
	return list, len(groups), nil
}

// instancesAt are the instances of tasks, in the order of their ordinals.
func (db *DB) instancesAt(ctx context.Context, seq int64, ordinals []int) ([]string, error) {
	var w where
	w.add("invocation = ?", seq)
	among(&w, "ordinal", ordinals)
	rows, err := db.reads.QueryContext(ctx, `select instance from tasks`+w.String()+` order by ordinal`, w.args...)
	return collect(rows, err, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
}

// Alike lists the tasks of an invocation that ended as one of them did and wrote the same, after an
// ordinal.
func (db *DB) Alike(ctx context.Context, seq int64, ordinal, after, limit int) ([]Row, error) {
	column, err := db.alikeBy(ctx, seq)
	if err != nil {
		return nil, err
	}
	var w where
	w.add("g.invocation = ?", seq)
	w.add("g.ordinal = ?", ordinal)
	w.add("o.ordinal > ?", after)
	among(&w, "o.state", ended)
	same := `select o.ordinal from tasks g join tasks o on o.invocation = g.invocation and o.state = g.state and o.error_code = g.error_code
		and coalesce(o.exit_code, -1) = coalesce(g.exit_code, -1) and o.` + column + ` = g.` + column + w.String() + ` order by o.ordinal limit ` + w.arg(limit)
	rows, err := db.reads.QueryContext(ctx, `select `+taskColumns+`, coalesce(i.name, '') from tasks t left join instances i on i.id = t.instance
		where t.invocation = `+w.arg(seq)+` and t.ordinal in (`+same+`) order by t.ordinal`, w.args...)
	return collect(rows, err, scanRow)
}

// TaskOn finds the task of an invocation on an instance, with its output; ErrNotFound when there is none.
func (db *DB) TaskOn(ctx context.Context, seq int64, instance string) (Row, error) {
	return db.oneTask(ctx, "t.invocation = $1 and t.instance = $2", seq, instance)
}

func (db *DB) taskAt(ctx context.Context, k orderly.TaskKey) (Row, error) {
	return db.oneTask(ctx, "t.invocation = $1 and t.ordinal = $2", k.Invocation, k.Ordinal)
}

func (db *DB) oneTask(ctx context.Context, cond string, args ...any) (x Row, err error) {
	places, finish := taskFields(&x.Task)
	err = db.reads.QueryRowContext(ctx, `select `+taskColumns+`, coalesce(i.name, ''), t.output from tasks t left join instances i on i.id = t.instance
		where `+cond, args...).Scan(append(places, &x.Name, &x.Output)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	finish()
	return x, err
}

// failed are the states of tasks that did not do what they should.
var failed = []orderly.State{orderly.Failed, orderly.Timeout, orderly.Error, orderly.Invalid, orderly.Aborted}

// FailedOn lists the instances of the fleet on which an invocation failed, in the order of its targets,
// at most limit; those of which nobody knows what became of it only when unknown is set.
func (db *DB) FailedOn(ctx context.Context, seq int64, unknown bool, limit int) ([]string, error) {
	var w where
	w.add("t.invocation = ?", seq)
	among(&w, "t.state", failed)
	if !unknown {
		w.add("t.error_code <> ?", orderly.ExecutionInterrupted)
	}
	rows, err := db.reads.QueryContext(ctx, `select t.instance from tasks t join instances i on i.id = t.instance and i.deregistered = 0`+w.String()+
		` order by t.ordinal limit `+w.arg(limit), w.args...)
	return collect(rows, err, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
}

// NamesOf finds the names of instances, also of those that have left the fleet.
func (db *DB) NamesOf(ctx context.Context, ids []string) (map[string]string, error) {
	found := map[string]string{}
	if len(ids) == 0 {
		return found, nil
	}
	var w where
	w.in("id", ids)
	rows, err := db.reads.QueryContext(ctx, `select id, name from instances`+w.String(), w.args...)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id, name string
		err := r.Scan(&id, &name)
		found[id] = name
		return struct{}{}, err
	})
	return found, err
}
