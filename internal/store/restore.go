package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/orderly-run/orderly"
)

// A Restoration is what was found in a database that was restored from a backup.
type Restoration struct {
	Generation int // of the database from now on, 1 for one that never was restored
	Tasks      int // that are asked about, and never sent
	Machines   int // that are asked
}

// Restored raises the generation of a database that was put back to what it was at an earlier time. Its live tasks are of an
// older generation then: Doubt has said so of each of them before any server has the database. Nobody else may be using it; see
// Alone. What it began and could not finish is finished by the next Open.
func (db *DB) Restored(ctx context.Context) (r Restoration, err error) {
	if err := db.fits(ctx); err != nil {
		return r, err
	}
	err = db.Write(ctx, Interactive, func(t *Tx) error {
		if err := t.row(`update generation set number = number + 1, marking = 1 returning number`).Scan(&r.Generation); err != nil {
			return err
		}
		return t.UnlinkAll()
	})
	if err == nil {
		err = db.doubt(ctx)
	}
	if err != nil {
		return r, err
	}
	err = db.reads.QueryRowContext(ctx, `select count(*), count(distinct instance) from tasks where live = 1 and incarnation = $1`,
		orderly.Past.Incarnation).Scan(&r.Tasks, &r.Machines)
	return r, err
}

// fits finds whether the secret is that of the database.
func (db *DB) fits(ctx context.Context) error {
	var name string
	var sealed []byte
	err := db.reads.QueryRowContext(ctx, `select name, sealed from secrets order by name limit 1`).Scan(&name, &sealed)
	if errors.Is(err, errNothing) {
		return nil
	}
	if err == nil {
		_, err = db.box.open(sealed, "secret "+name)
	}
	return err
}

// doubtPiece is how many tasks one transaction marks.
const doubtPiece = 500

// doubt marks the live tasks of older generations, unless that is done. Of several servers that open a database
// one comes first to each of them.
func (db *DB) doubt(ctx context.Context) error {
	var marking int
	if err := db.reads.QueryRowContext(ctx, `select marking from generation`).Scan(&marking); err != nil || marking == 0 {
		return err
	}
	for after, more := (orderly.TaskKey{}), true; more; {
		var next orderly.TaskKey
		err := db.Write(ctx, Mass, func(t *Tx) (err error) {
			next, err = t.doubtAfter(after)
			return err
		})
		if err != nil {
			return fmt.Errorf("mark the tasks of before the restore: %w", err)
		}
		after, more = next, next != after
	}
	return nil
}

// doubtAfter marks the next tasks after a key and returns the one to go on behind, which is the same when there is no more.
func (t *Tx) doubtAfter(after orderly.TaskKey) (next orderly.TaskKey, err error) {
	var marking int
	if err := t.row(`select marking from generation` + t.db.dialect.forUpdate).Scan(&marking); err != nil || marking == 0 {
		return after, err
	}
	tasks, next, err := t.unmarked(after)
	if err != nil {
		return after, err
	}
	if next == after {
		_, err := t.exec(`update generation set marking = 0`)
		return after, err
	}
	var invocations, dues [][]any
	for i := range tasks {
		k := &tasks[i]
		k.Doubt(t.Now)
		k.Output = nil // it stays
		if i == 0 || tasks[i-1].Invocation != k.Invocation {
			invocations = append(invocations, []any{k.Invocation, modifications})
		}
		if !k.Due.IsZero() {
			dues = append(dues, []any{k.Invocation, orderly.Millis(k.Due)})
		}
	}
	if err := t.SaveTasks(tasks); err != nil {
		return after, err
	}
	if err := t.each(`update counters set next_due = $2 where invocation = $1 and (next_due = 0 or next_due > $2)`, dues); err != nil {
		return after, err
	}
	// So an agent that has a version which was made after the backup goes by what the database says (rule MIA-7).
	return next, t.each(`update invocations as v set version = v.version + $2 where v.seq = $1 and `+repeats, invocations)
}

// modifications are more than anybody makes of an invocation between a backup and its use.
const modifications = 1 << 16

// unmarked finds, for a change, the next live tasks after a key that are not marked yet, and the key to go on behind. It goes from
// invocation to invocation, so that each step is cheap also while PostgreSQL knows nothing yet of the rows that came back. What
// was being made is left out: it is never sent.
func (t *Tx) unmarked(after orderly.TaskKey) (tasks []orderly.Task, next orderly.TaskKey, err error) {
	var rest where
	rest.add("t.invocation = ?", after.Invocation)
	rest.add("t.ordinal > ?", after.Ordinal)
	if tasks, err = t.unmarkedWhere(rest, doubtPiece); err != nil {
		return nil, after, err
	}
	if n := len(tasks); n > 0 {
		return tasks, tasks[n-1].TaskKey, nil
	}
	seqs, large, err := t.unfinished(after.Invocation)
	if err != nil || len(seqs) == 0 {
		return nil, after, err
	}
	next = orderly.TaskKey{Invocation: seqs[len(seqs)-1], Ordinal: math.MaxInt32}
	if large {
		next.Ordinal = -1
		return nil, next, nil
	}
	var all where
	oneOf(&all, &t.db.dialect, "t.invocation", seqs)
	tasks, err = t.unmarkedWhere(all, math.MaxInt32)
	return tasks, next, err
}

func (t *Tx) unmarkedWhere(w where, limit int) ([]orderly.Task, error) {
	w.add("t.live + 0 = 1") // not by the index of all that are live
	w.add("t.incarnation <> ?", orderly.Past.Incarnation)
	return t.tasksWhere(w, limit, t.db.dialect.forUpdate)
}

// unfinished finds the next invocations that have live tasks: as many as have a piece of these together, or a large one alone.
func (t *Tx) unfinished(after int64) (seqs []int64, large bool, err error) {
	rows, err := t.query(`select invocation, pending + scheduled + running + stopping from counters where invocation > $1
		and pending + scheduled + running + stopping > 0 order by invocation limit $2`, after, doubtPiece)
	found, err := collect(rows, err, func(r *sql.Rows) (c [2]int64, err error) { return c, r.Scan(&c[0], &c[1]) })
	live := int64(0)
	for _, c := range found {
		if live += c[1]; live > doubtPiece && len(seqs) > 0 {
			return seqs, false, err
		}
		seqs = append(seqs, c[0])
	}
	return seqs, live > doubtPiece, err
}
