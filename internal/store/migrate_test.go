package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
)

// What describe operations search by is the same for rows that were there before it as for new ones.
func TestMigrationFindsOldInvocations(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	eachURL(t, func(t *testing.T, url string) {
		p := &past{t: t, db: open(t, url), rnd: rnd}
		p.make(p.db.Now().Add(-time.Hour), 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 30)
		p.move(p.made...)
		old := t.TempDir() + "/old.db"
		if strings.HasPrefix(url, "postgres") {
			old = pgtest.DSN(t)
		}
		from, to := raw(t, url), raw(t, old)
		before(t, to, "003")
		for _, table := range []string{"invocations", "tasks", "counters", "tags"} {
			copyRows(t, from, to, table)
		}
		open(t, old)
		for _, q := range []string{
			`select account, region, kind, value, seq from standings order by account, region, kind, value, seq`,
			`select seq, timed from invocations order by seq`,
			`select invocation, next_due from counters order by invocation`,
			`select resource, name, value, seq, timed from tags order by resource, name`,
		} {
			if d := cmp.Diff(rows(t, from, q), rows(t, to, q)); d != "" {
				t.Errorf("%s (-kept +filled)\n%s", q, d)
			}
		}
	})
}

// A version is the place of its file among the others: each has the number that follows.
func TestVersionsAreNumbered(t *testing.T) {
	files, err := os.ReadDir("schema")
	must(t, err)
	for i, f := range files {
		if want := fmt.Sprintf("%03d_", i+1); !strings.HasPrefix(f.Name(), want) {
			t.Errorf("%s comes in place %d, want a name that begins with %s", f.Name(), i+1, want)
		}
	}
}

// Tasks that a former version left live when their instance had gone are found and ended.
func TestMigrationFindsTasksOfWhoHasLeft(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		addInstances(t, db, false, "mi-1", "mi-2", "mi-3")
		addInvocation(t, db, []string{"mi-1", "mi-2"}, nil)
		change(t, db, func(tx *store.Tx) error { return errors.Join(tx.Deregistered("mi-1"), tx.Deregistered("mi-3")) })
		old := t.TempDir() + "/old.db"
		if strings.HasPrefix(url, "postgres") {
			old = pgtest.DSN(t)
		}
		from, to := raw(t, url), raw(t, old)
		before(t, to, "009")
		for _, table := range []string{"instances", "invocations", "tasks"} {
			copyRows(t, from, to, table)
		}
		left, err := open(t, old).Leavers(t.Context())
		must(t, err)
		if d := cmp.Diff([]string{"mi-1"}, left); d != "" {
			t.Errorf("who left (-want +got)\n%s", d)
		}
	})
}

// before brings an empty database to the version before a file of the schema.
func before(t *testing.T, db *sql.DB, file string) {
	t.Helper()
	files, err := os.ReadDir("schema")
	must(t, err)
	exec(t, db, `create table schema_version (version bigint not null)`)
	for i, f := range files {
		if f.Name() >= file {
			return
		}
		text, err := os.ReadFile("schema/" + f.Name())
		must(t, err)
		var code strings.Builder
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "--")
			code.WriteString(line + "\n")
		}
		for q := range strings.SplitSeq(code.String(), ";") {
			if strings.TrimSpace(q) != "" {
				exec(t, db, q)
			}
		}
		exec(t, db, fmt.Sprintf(`insert into schema_version (version) values (%d)`, i+1))
	}
}

func exec(t *testing.T, db *sql.DB, q string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), q, args...); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

// moved are columns that stood elsewhere in the past, and where they are found now.
var moved = map[string]string{"invocations.next_due": `(select coalesce(max(c.next_due), 0) from counters c where c.invocation = seq)`}

// copyRows copies the columns that a table of the past has.
func copyRows(t *testing.T, from, to *sql.DB, table string) {
	t.Helper()
	columns := columnsOf(t, to, table)
	marks, sources := make([]string, len(columns)), make([]string, len(columns))
	for i, name := range columns {
		marks[i], sources[i] = fmt.Sprintf("$%d", i+1), name
		if elsewhere, ok := moved[table+"."+name]; ok {
			sources[i] = elsewhere
		}
	}
	names := strings.Join(columns, ", ")
	for _, row := range rows(t, from, `select `+strings.Join(sources, ", ")+` from `+table) {
		exec(t, to, `insert into `+table+` (`+names+`) values (`+strings.Join(marks, ", ")+`)`, row...)
	}
}

func columnsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	r, err := db.QueryContext(t.Context(), `select * from `+table+` where 1 = 0`)
	must(t, err)
	defer r.Close()
	columns, err := r.Columns()
	must(t, err)
	must(t, r.Err())
	return columns
}

// rows are all rows of a query.
func rows(t *testing.T, db *sql.DB, q string) (list [][]any) {
	t.Helper()
	r, err := db.QueryContext(t.Context(), q)
	must(t, err)
	defer r.Close()
	columns, err := r.Columns()
	must(t, err)
	for r.Next() {
		row := make([]any, len(columns))
		places := make([]any, len(columns))
		for i := range row {
			places[i] = &row[i]
		}
		must(t, r.Scan(places...))
		for i, v := range row {
			if b, ok := v.([]byte); ok {
				row[i] = slices.Clone(b)
			}
		}
		list = append(list, row)
	}
	must(t, r.Err())
	return list
}
