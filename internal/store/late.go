package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/orderly-run/orderly"
)

// A LateFilter says of which invocation to list the late results, and of which of its instances;
// Instance may be empty for all. What is not the account's, or not in the region, is not there.
type LateFilter struct {
	Account, Realm, Region, InvokeID string
	Instance                         string
}

// A LateResult is an end that was reported after its task, or its run of one, had ended (rule LATE-2).
type LateResult struct {
	orderly.Report
	Received time.Time
}

func (f LateFilter) where() where {
	var w where
	w.add("v.building = 0")
	w.add("v.account = ?", f.Account)
	w.add("v.region = ?", shelved(f.Realm, f.Region))
	w.add("v.id = ?", f.InvokeID)
	w.eq("l.instance", f.Instance)
	return w
}

const lateRows = `invocations v join late_results l on l.invocation = v.seq`

// Late lists late results of an invocation and counts all that match: those received last first; of
// those received at once, in the order of its targets, the last run first. The place of one is its
// number and the ordinal of its task.
func (db *DB) Late(ctx context.Context, f LateFilter, p Page) ([]LateResult, int, error) {
	w := f.where()
	total, err := db.count(ctx, lateRows, w)
	if err != nil {
		return nil, 0, err
	}
	if p.After != (Place{}) {
		w.add(`(l.received, -l.ordinal, l.report) <
			(select p.received, -p.ordinal, p.report from late_results p where p.invocation = v.seq and p.ordinal = ? and p.report = ?)`,
			p.After.Ordinal, p.After.Seq)
	}
	rows, err := db.reads.QueryContext(ctx, `select l.invocation, l.ordinal, l.report, l.instance, l.state, l.error_code, l.started, l.finished,
		l.received, l.exit_code, l.total, l.output from `+lateRows+w.String()+
		` order by l.received desc, l.ordinal, l.report desc limit `+w.arg(p.Limit)+` offset `+w.arg(p.Offset), w.args...)
	list, err := collect(rows, err, scanLate)
	return list, total, err
}

func scanLate(r *sql.Rows) (LateResult, error) {
	var l LateResult
	var started, finished, received int64
	var exit sql.NullInt64
	err := r.Scan(&l.Task.Invocation, &l.Task.Ordinal, &l.Number, &l.Instance, &l.State, &l.ErrorCode, &started, &finished,
		&received, &exit, &l.Total, &l.Output)
	l.Started, l.Finished, l.Received = orderly.FromMillis(started), orderly.FromMillis(finished), orderly.FromMillis(received)
	if exit.Valid {
		code := int(exit.Int64)
		l.ExitCode = &code
	}
	return l, err
}
