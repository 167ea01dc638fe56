package store

import (
	"fmt"
	"slices"
	"strings"
)

// A setter updates rows of a table, each named by its keys and at most once.
type setter struct {
	table      string
	keys, sets []column
}

// A column has the type that both databases know it by.
type column struct{ name, kind string }

// columns reads names with their types, "seq bigint, id text".
func columns(list string) []column {
	var all []column
	for c := range strings.SplitSeq(list, ",") {
		name, kind, _ := strings.Cut(strings.TrimSpace(c), " ")
		all = append(all, column{name, kind})
	}
	return all
}

// set updates a row for every row of values: those of the keys, then those of the columns that are set.
func (t *Tx) set(s setter, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	return t.db.dialect.set(t, s, rows)
}

// setInTurn updates the rows one after the other by one prepared statement.
func setInTurn(t *Tx, s setter, rows [][]any) error {
	nth := func(after int) func(int, string) string {
		return func(i int, name string) string { return fmt.Sprintf("%s = $%d", name, after+i+1) }
	}
	return eachInTurn(t, `update `+s.table+` set `+clauses(s.sets, ", ", nth(len(s.keys)))+` where `+clauses(s.keys, " and ", nth(0)), rows)
}

// setTogether updates all rows by one statement with an array for each column: PostgreSQL starts one execution, not one
// for each row.
func setTogether(t *Tx, s setter, rows [][]any) error {
	all := slices.Concat(s.keys, s.sets)
	same := func(_ int, name string) string { return name + " = n." + name }
	_, err := t.exec(`update `+s.table+` o set `+clauses(s.sets, ", ", same)+
		` from unnest(`+clauses(all, ", ", func(i int, _ string) string { return fmt.Sprintf("$%d::%s[]", i+1, all[i].kind) })+`)
		n (`+clauses(all, ", ", func(_ int, name string) string { return name })+`)
		where `+clauses(s.keys, " and ", func(_ int, name string) string { return "o." + name + " = n." + name }), transposed(rows)...)
	return err
}

// clauses writes something about each column.
func clauses(columns []column, separator string, about func(i int, name string) string) string {
	words := make([]string, len(columns))
	for i, c := range columns {
		words[i] = about(i, c.name)
	}
	return strings.Join(words, separator)
}

// transposed turns rows into columns.
func transposed(rows [][]any) []any {
	columns := make([]any, len(rows[0]))
	for i := range columns {
		values := make([]any, len(rows))
		for j, row := range rows {
			values[j] = row[i]
		}
		columns[i] = values
	}
	return columns
}
