package store

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// A list is what a describe operation shows: invocations, the newest first, or tasks, those of one
// invocation in the order of its targets (rule PG-1). It is a walk through its steps as they stand, so
// that no database is tempted to start elsewhere: the first step is one range of one index, in order,
// and each other is asked for every row of those before it.
type list struct {
	steps   []step
	seq     string // column of the first step that has the number of the invocation
	ordinal string // t.ordinal, or "" when invocations are listed
	at      string // what a task is fetched by; "" for its key
	args    []any
	settled bool // what is in it stays in it, and only new invocations come; see marks
}

// A step is a table, of which a list takes the rows that meet conditions.
type step struct {
	table string // with its alias
	keep  string // columns that are asked for later
	order string // column in whose order the rows come; "" for a single row
	conds []string
}

// alias is how conditions call the table of a step.
func (s *step) alias() string { return s.table[strings.LastIndexByte(s.table, ' ')+1:] }

// then adds a step, which conditions can be added to until the next one comes.
func (l *list) then(s step) *step {
	l.steps = append(l.steps, s)
	return &l.steps[len(l.steps)-1]
}

func (l *list) first() *step { return &l.steps[0] }

// step is the one with an alias, nil when there is none.
func (l *list) step(alias string) *step {
	for i := range l.steps {
		if l.steps[i].alias() == alias {
			return &l.steps[i]
		}
	}
	return nil
}

// add adds a condition to a step, whose ? stand for args.
func (l *list) add(s *step, cond string, args ...any) {
	for _, a := range args {
		cond = strings.Replace(cond, "?", l.arg(a), 1)
	}
	s.conds = append(s.conds, cond)
}

// arg adds an argument and returns its name.
func (l *list) arg(v any) string {
	l.args = append(l.args, v)
	return fmt.Sprintf("$%d", len(l.args))
}

// key tells lists with different rows apart.
func (l *list) key() string { return fmt.Sprintf("%v %#v", l.steps, l.args) }

// A span is a part of a list.
type span struct {
	after Place // zero for the start
	above int64 // only invocations with higher numbers
	skip  int
	limit int
}

// onward is how many ordinals are read over to find a place inside an invocation. From one that lies
// deeper the rest of the invocation and the others are two walks.
const onward = 1000

// whole is an ordinal after all of an invocation.
const whole = math.MaxInt32

// walk writes the query for the places in a span, in order; the columns are seq, ordinal and, when l says, at.
func (l *list) walk(d *dialect, s span) (q string, args []any) {
	need := s.limit
	if s.skip > 0 {
		need += max(s.skip, stretch) // few texts of one query
	}
	if l.ordinal != "" && s.after.Ordinal > onward && s.after.Ordinal != whole {
		return l.forked(d, s, need)
	}
	b := l.within(s)
	if s.skip == 0 {
		return b.rows(d, need) + b.order() + fmt.Sprintf(" limit %d", need), b.args
	}
	if !d.lateral {
		return b.rows(d, need) + b.order() + fmt.Sprintf(" limit %d offset ", s.limit) + b.arg(s.skip), b.args
	}
	return b.limited(d, need) + fmt.Sprintf(" order by 1 desc, 2 limit %d offset ", s.limit) + b.arg(s.skip), b.args
}

// within is l with the bounds of a span.
func (l *list) within(s span) list {
	b := l.copy()
	if s.above != 0 {
		b.add(b.first(), b.seq+" > ?", s.above)
	}
	switch {
	case s.after == Place{}:
	case l.ordinal == "" || s.after.Ordinal == whole:
		b.add(b.first(), b.seq+" < ?", s.after.Seq)
	default:
		b.add(b.first(), b.seq+" <= ?", s.after.Seq)
		b.add(b.step("t"), "("+b.seq+" < ? or t.ordinal > ?)", s.after.Seq, s.after.Ordinal)
	}
	return b
}

// limited selects the first places. Here a limit that is known before the arguments are keeps a
// database from planning for many.
func (l *list) limited(d *dialect, need int) string {
	at := ""
	if l.at != "" {
		at = ", at"
	}
	return "select seq, ordinal" + at + " from (" + l.rows(d, need) + l.order() + fmt.Sprintf(" limit %d) w", need)
}

// forked is walk from a place deep inside an invocation.
func (l *list) forked(d *dialect, s span, need int) (q string, args []any) {
	rest := l.copy()
	rest.add(rest.first(), rest.seq+" = ?", s.after.Seq)
	rest.add(rest.step("t"), "t.ordinal > ?", s.after.Ordinal)
	others := l.copy()
	others.args = rest.args // which begin with those of l
	others.add(others.first(), others.seq+" < ?", s.after.Seq)
	return rest.limited(d, need) + " union all " + others.limited(d, need) +
		fmt.Sprintf(" order by 1 desc, 2 limit %d offset ", s.limit) + others.arg(s.skip), others.args
}

// copy is a list whose conditions can be added to.
func (l *list) copy() list {
	c := *l
	c.steps = make([]step, len(l.steps))
	for i, s := range l.steps {
		c.steps[i] = s
		c.steps[i].conds = append([]string(nil), s.conds...)
	}
	c.args = append([]any(nil), l.args...)
	return c
}

func (l *list) order() string {
	if l.ordinal == "" {
		return " order by 1 desc"
	}
	return " order by 1 desc, 2"
}

// rows selects all places of a list, in no order. At most need of them are of one invocation.
func (l *list) rows(d *dialect, need int) string {
	ordinal := l.ordinal
	if ordinal == "" {
		ordinal = "0"
	}
	conds := l.steps[0].conds
	from := l.steps[0].table
	for i := 1; i < len(l.steps); i++ {
		s := &l.steps[i]
		if !d.lateral {
			from += " cross join " + s.table
			conds = append(conds[:len(conds):len(conds)], s.conds...)
			continue
		}
		from += " cross join lateral (select " + s.keep + " from " + s.table + " where " + strings.Join(s.conds, " and ")
		if s.order == "" {
			from += " limit 1"
		} else {
			from += fmt.Sprintf(" order by %s limit %d", s.order, need)
		}
		from += ") " + s.alias()
	}
	columns := l.seq + " as seq, " + ordinal + " as ordinal"
	if l.at != "" {
		columns += ", " + l.at + " as at"
	}
	return "select " + columns + " from " + from + " where " + strings.Join(conds, " and ")
}

// tally counts the rows in a span, of which skip is not looked at.
func (db *DB) tally(ctx context.Context, l list, s span) (n int, err error) {
	q, args := l.count(&db.dialect, s)
	return n, db.lists.QueryRowContext(ctx, q, args...).Scan(&n)
}

// count writes the query for how many rows are in a span. They are walked in order, so that few rows at the
// start of a long list are found by its index: a database that need not keep to the order may read the whole
// table for them.
func (l *list) count(d *dialect, s span) (q string, args []any) {
	b := l.within(s)
	return "select count(*) from (" + b.rows(d, s.limit) + fmt.Sprintf(" order by 1 desc limit %d) w", s.limit), b.args
}
