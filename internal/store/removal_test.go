package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// ended stores an invocation of a command that is not kept, of which some tasks, a late result and a
// record of a run are kept, and which ended some time ago.
func ended(t *testing.T, db *store.DB, beside *sql.DB, ago time.Duration, instances ...string) orderly.Invocation {
	t.Helper()
	v := addInvocation(t, db, instances, func(v *orderly.Invocation) {
		v.Tags, v.Command = []orderly.Tag{{Key: "k", Value: "v"}}, orderly.Command{ID: "c-" + v.ID, Seq: v.Seq, Account: account, Region: region}
	})
	change(t, db, func(tx *store.Tx) error {
		tasks, err := tx.InvocationTasks(v.Seq, -1, 1000)
		if err != nil {
			return err
		}
		for i := range tasks {
			tasks[i].State = []orderly.State{orderly.Success, orderly.Aborted}[i%2]
			tasks[i].Runs = []orderly.Run{{Ordinal: 1, State: orderly.Success}, {Ordinal: 2, State: orderly.Success}}
		}
		delta := orderly.Counts{Pending: -len(tasks), Success: (len(tasks) + 1) / 2, Broken: len(tasks) / 2}
		return errors.Join(tx.SaveTasks(tasks), tx.Changed([]store.Change{{Seq: v.Seq, Delta: delta}}), tx.AddCommand(v.Command),
			tx.AddLate([]orderly.Report{{Task: orderly.TaskKey{Invocation: v.Seq}, Instance: instances[0], Number: 7, State: orderly.Failed}}))
	})
	exec(t, beside, `update invocations set finished = $2 where seq = $1`, v.Seq, orderly.Millis(db.Now().Add(-ago)))
	return v
}

// leftovers counts the rows of all tables that have some of an invocation.
func leftovers(t *testing.T, beside *sql.DB) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	for _, table := range []string{"tasks", "invocations", "counters", "tags", "standings", "late_results", "runs", "commands"} {
		var n int64
		must(t, beside.QueryRowContext(t.Context(), `select count(*) from `+table).Scan(&n))
		if n > 0 {
			found[table] = n
		}
	}
	return found
}

// RET-1: what is removed leaves nothing, also when two servers remove it at once.
func TestRetiredInvocationsLeaveNothing(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db, beside := open(t, url), raw(t, url)
		var list []int64
		for range 5 {
			list = append(list, ended(t, db, beside, time.Hour, "mi-1", "mi-2", "mi-3").Seq)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := db.Write(t.Context(), store.Mass, func(tx *store.Tx) error { return tx.Retire(list) }); err != nil {
					t.Error(err)
				}
				for more := true; more; {
					err := db.Write(t.Context(), store.Mass, func(tx *store.Tx) (err error) {
						more, err = tx.DropRetired(4)
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		change(t, db, func(tx *store.Tx) error { // of those that each left to another
			for more := true; more; {
				var err error
				if more, err = tx.DropRetired(1000); err != nil {
					return err
				}
			}
			return nil
		})
		if got := leftovers(t, beside); len(got) > 0 {
			t.Errorf("left: %v", got)
		}
	})
}

// Design 2b rule 17: no transaction of retention is a large one, and nobody sees an invocation of which a
// part is gone.
func TestRetiredInvocationsGoInSmallPieces(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db, beside := open(t, url), raw(t, url)
		var instances []string
		for n := range 60 {
			instances = append(instances, fmt.Sprint("mi-", n))
		}
		addInstances(t, db, false, instances...)
		v := ended(t, db, beside, time.Hour, instances...)
		ended(t, db, beside, time.Hour, "mi-1")
		live := addInvocation(t, db, []string{"mi-1"}, nil)
		change(t, db, func(tx *store.Tx) error { return tx.Retire([]int64{v.Seq, live.Seq}) }) // of which one is live
		sum := func() (n int64) {
			for _, rows := range leftovers(t, beside) {
				n += rows
			}
			return n
		}
		const limit = 10
		pieces := 0
		for more := true; more; pieces++ {
			for _, f := range []store.ResultFilter{{}, {Instance: "mi-1"}, {State: "Aborted"}, {Tags: v.Tags}} {
				f.Account, f.Region = account, region
				list, total, err := db.Results(t.Context(), f, store.Page{Limit: 100})
				must(t, err)
				if len(list) != total || slices.ContainsFunc(list, func(r store.Result) bool { return r.Of.ID == v.ID }) {
					t.Fatalf("%+v shows %d of %d rows, some of which are being removed", f, len(list), total)
				}
			}
			before := sum()
			change(t, db, func(tx *store.Tx) (err error) {
				more, err = tx.DropRetired(limit)
				return err
			})
			if gone := before - sum(); gone > limit+10 { // the last one takes what is one row for the whole with it
				t.Fatalf("one piece removes %d rows, want about %d", gone, limit)
			}
		}
		if pieces < 180/limit {
			t.Errorf("%d pieces", pieces)
		}
		want := map[string]int64{"tasks": 2, "invocations": 2, "counters": 2, "tags": 1, "standings": 8, "late_results": 1, "runs": 2, "commands": 1}
		got := leftovers(t, beside)
		delete(got, "standings")
		delete(want, "standings")
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("what is not to go (-want +got)\n%s", d)
		}
	})
}

// RET-1: by age from the end, and beyond a count by who ended first; live ones stay, and each owner's
// records count for themselves.
func TestOverdueInvocationsAreThoseThatEndedFirst(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db, beside := open(t, url), raw(t, url)
		live := addInvocation(t, db, []string{"mi-1"}, nil) // older than all others
		exec(t, beside, `update invocations set created = 1 where seq = $1`, live.Seq)
		third := ended(t, db, beside, 1*time.Hour, "mi-1")
		first := ended(t, db, beside, 5*time.Hour, "mi-1")
		second := ended(t, db, beside, 3*time.Hour, "mi-1")
		addInvocation(t, db, []string{"mi-1"}, func(v *orderly.Invocation) { v.Region = "cn-beijing" })
		addInvocation(t, db, []string{"mi-1"}, func(v *orderly.Invocation) { v.Account = "2" })
		owners, err := db.Owners(t.Context())
		must(t, err)
		if want := []store.Owner{{Account: account, Region: "cn-beijing"}, {Account: account, Region: region}, {Account: "2", Region: region}}; !slices.Equal(owners, want) {
			t.Errorf("owners = %v, want %v", owners, want)
		}
		for _, c := range []struct {
			age            time.Duration
			records, limit int
			want           []int64
		}{
			{10 * time.Hour, 100, 10, nil},
			{4 * time.Hour, 100, 10, []int64{first.Seq}},
			{2 * time.Hour, 100, 10, []int64{first.Seq, second.Seq}},
			{2 * time.Hour, 100, 1, []int64{first.Seq}},
			{10 * time.Hour, 4, 10, nil},
			{10 * time.Hour, 3, 10, []int64{first.Seq}},
			{10 * time.Hour, 2, 10, []int64{first.Seq, second.Seq}},
			{10 * time.Hour, 1, 10, []int64{first.Seq, second.Seq, third.Seq}},
			{10 * time.Hour, 1, 2, []int64{first.Seq, second.Seq}},
		} {
			got, err := db.Overdue(t.Context(), store.Owner{Account: account, Region: region}, store.Retention{Before: db.Now().Add(-c.age), Records: c.records}, c.limit)
			must(t, err)
			if !slices.Equal(got, c.want) {
				t.Errorf("older than %v or beyond %d: %v, want %v", c.age, c.records, got, c.want)
			}
		}
	})
}
