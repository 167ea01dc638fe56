package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/orderly-run/orderly"
)

func (t *Tx) addTags(kind Kind, resource, account, region string, tags []orderly.Tag) error {
	rows := make([][]any, len(tags))
	for i, g := range tags {
		rows[i] = []any{kind, resource, g.Key, g.Value, account, region}
	}
	return t.each(addTag, rows)
}

// addTag adds a tag; one of an invocation knows what invocations are listed by.
const addTag = `insert into tags (kind, resource, name, value, account, region, seq, timed) values ($1, $2, $3, $4, $5, $6,
	coalesce((select v.seq from invocations v where v.id = $2 and $1 = 'invocation'), 0),
	coalesce((select v.timed from invocations v where v.id = $2 and $1 = 'invocation'), 0))`

// tagsOf finds the tags of resources of one kind, by resource.
func (db *DB) tagsOf(ctx context.Context, kind Kind, ids []string) (map[string][]orderly.Tag, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	q, args := tagQuery(kind, ids)
	rows, err := db.reads.QueryContext(ctx, q, args...)
	return collectTags(rows, err)
}

// tagsOf finds the tags of one resource.
func (t *Tx) tagsOf(kind Kind, id string) ([]orderly.Tag, error) {
	q, args := tagQuery(kind, []string{id})
	rows, err := t.query(q, args...)
	found, err := collectTags(rows, err)
	return found[id], err
}

func tagQuery(kind Kind, ids []string) (string, []any) {
	var w where
	w.add("kind = ?", kind)
	w.in("resource", ids)
	return `select resource, name, value from tags` + w.String() + ` order by resource, name`, w.args
}

func collectTags(rows *sql.Rows, err error) (map[string][]orderly.Tag, error) {
	found := map[string][]orderly.Tag{}
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id string
		var g orderly.Tag
		err := r.Scan(&id, &g.Key, &g.Value)
		found[id] = append(found[id], g)
		return struct{}{}, err
	})
	return found, err
}

// A where gathers the conditions of a query, numbering its arguments as they come.
type where struct {
	conds []string
	args  []any
}

// add adds a condition, whose ? stand for args.
func (w *where) add(cond string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		cond = strings.Replace(cond, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	w.conds = append(w.conds, cond)
}

// eq adds a condition unless value is empty, which means that any will do.
func (w *where) eq(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

func (w *where) in(column string, values []string) { among(w, column, values) }

// among adds the condition that a column has one of some values.
func among[T any](w *where, column string, values []T) {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	w.add(column+" in ("+strings.TrimSuffix(strings.Repeat("?,", len(values)), ",")+")", args...)
}

// oneOf is among for very many values. It is for queries that have the values to begin with: what it costs
// to prepare them does not grow with the values, but the database does not know how many there are.
func oneOf[T int64 | string](w *where, d *dialect, column string, values []T) {
	cond, arg := d.oneOf(column, values)
	w.add(cond, arg)
}

// tagged adds a condition for each tag that the resource must carry.
func (w *where) tagged(kind Kind, resource string, tags []orderly.Tag) {
	for _, g := range tags {
		w.add("exists (select 1 from tags g where g.kind = ? and g.resource = "+resource+" and g.name = ? and g.value = ?)", kind, g.Key, g.Value)
	}
}

// arg adds an argument that stands outside the conditions and returns its name.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " where " + strings.Join(w.conds, " and ")
}

// The types of the domain that lists are read by.
type (
	Page  = orderly.Page
	Place = orderly.Place
)

// maxCount is how far rows are counted (rule PG-7).
const maxCount = 100_000

// count counts the rows of a query, up to maxCount.
func (db *DB) count(ctx context.Context, from string, w where) (int, error) {
	var n int
	err := db.reads.QueryRowContext(ctx, fmt.Sprintf(`select count(*) from (select 1 from %s%s limit %d) counted`, from, w.String(), maxCount), w.args...).Scan(&n)
	return n, err
}
