package store

import (
	"context"
	"errors"
	"fmt"

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
		var last orderly.TaskKey
		err := db.Write(ctx, Mass, func(t *Tx) (err error) {
			last, more, err = t.doubtAfter(after)
			return err
		})
		if err != nil {
			return fmt.Errorf("mark the tasks of before the restore: %w", err)
		}
		after = last
	}
	return nil
}

// doubtAfter marks the next tasks after a key; there may be more after the last of them.
func (t *Tx) doubtAfter(after orderly.TaskKey) (last orderly.TaskKey, more bool, err error) {
	var marking int
	if err := t.row(`select marking from generation` + t.db.dialect.forUpdate).Scan(&marking); err != nil || marking == 0 {
		return after, false, err
	}
	tasks, err := t.unmarked(after)
	if err != nil {
		return after, false, err
	}
	if len(tasks) == 0 {
		_, err := t.exec(`update generation set marking = 0`)
		return after, false, err
	}
	var changes []Change
	for i := range tasks {
		k := &tasks[i]
		k.Doubt(t.Now)
		k.Output = nil // it stays
		if n := len(changes); n == 0 || changes[n-1].Seq != k.Invocation {
			changes = append(changes, Change{Seq: k.Invocation, Due: k.Due})
		} else if changes[n-1].Due.IsZero() {
			changes[n-1].Due = k.Due
		}
	}
	if err := t.SaveTasks(tasks); err != nil {
		return after, false, err
	}
	if err := t.Changed(changes); err != nil {
		return after, false, err
	}
	return tasks[len(tasks)-1].TaskKey, true, t.outdo(changes)
}

// unmarked finds the next live tasks after a key that are not marked yet, for a change. Those of invocations that
// were being made are never sent.
func (t *Tx) unmarked(after orderly.TaskKey) ([]orderly.Task, error) {
	rows, err := t.query(`select `+taskColumns+`, t.output from counters c cross join tasks t where c.invocation >= $1
		and c.pending + c.scheduled + c.running + c.stopping > 0 and t.invocation = c.invocation and t.live = 1 and t.incarnation <> $3
		and (t.invocation > $1 or t.ordinal > $2) order by c.invocation, t.ordinal limit $4`+forUpdateOf(t, "t"),
		after.Invocation, after.Ordinal, orderly.Past.Incarnation, doubtPiece)
	return collect(rows, err, scanTask)
}

// modifications are more than anybody makes of an invocation between a backup and its use.
const modifications = 1 << 16

// outdo gives invocations that repeat a version above those that were made of them since the backup, so that
// agents that have one of these go by what the database says (rule MIA-7).
func (t *Tx) outdo(changes []Change) error {
	rows := make([][]any, len(changes))
	for i, c := range changes {
		rows[i] = []any{c.Seq, modifications}
	}
	return t.each(`update invocations as v set version = v.version + $2 where v.seq = $1 and `+repeats, rows)
}
