package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

// ExplainInvocations tells how the database finds a page of invocations.
func (db *DB) ExplainInvocations(ctx context.Context, f InvocationFilter, p Page) (string, error) {
	return db.explainList(ctx, f.list(), p)
}

// ExplainResults tells how the database finds a page of tasks.
func (db *DB) ExplainResults(ctx context.Context, f ResultFilter, p Page) (string, error) {
	return db.explainList(ctx, f.list(), p)
}

func (db *DB) explainList(ctx context.Context, l list, p Page) (string, error) {
	s, err := db.survey(ctx, l)
	if err != nil {
		return "", err
	}
	q, args := l.walk(&db.dialect, s.page(p))
	rows, err := db.explain(ctx, q, args...)
	if err != nil {
		return "", err
	}
	q, args = l.count(&db.dialect, span{above: max(1, s.top), limit: maxCount})
	fresh, err := db.explain(ctx, q, args...)
	return rows + "\n\ncount of newer rows:\n" + fresh, err
}

// ExplainDue tells how the database finds what is due: an invocation, and tasks of it.
func (db *DB) ExplainDue(ctx context.Context, at time.Time) (invocations, tasks string, err error) {
	if invocations, err = db.explain(ctx, dueInvocations+` order by next_due limit 100`, orderly.Millis(at)); err != nil {
		return "", "", err
	}
	w := db.dueTasks([]int64{0, 1}, at)
	tasks, err = db.explain(ctx, `select `+taskColumns+`, t.output from tasks t`+w.String()+` limit 1000`, w.args...)
	return invocations, tasks, err
}

// explain tells the plan of a query; where it can, with what it took.
func (db *DB) explain(ctx context.Context, q string, args ...any) (string, error) {
	rows, err := db.lists.QueryContext(ctx, db.dialect.explain+q, args...)
	lines, err := collect(rows, err, func(r *sql.Rows) (string, error) {
		columns, err := r.Columns()
		if err != nil {
			return "", err
		}
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		err = r.Scan(places...)
		return fmt.Sprint(values[len(values)-1]), err // the last one is for people
	})
	return strings.Join(lines, "\n"), err
}
