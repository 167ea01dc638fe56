package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// varied stores an invocation whose tasks differ in all that a table can be sorted by.
func varied(t *testing.T, db *store.DB, n int) (orderly.Invocation, []orderly.Task) {
	t.Helper()
	var ids []string
	change(t, db, func(tx *store.Tx) error {
		for i := range n {
			id := fmt.Sprint("mi-", i)
			ids = append(ids, id)
			if err := tx.AddInstance(orderly.Instance{Seq: db.NextSeq(), ID: id, Account: account, Region: region, Name: fmt.Sprint("Web-", (i*7)%n), PublicKey: id, Registered: tx.Now}); err != nil {
				return err
			}
		}
		return nil
	})
	v := addInvocation(t, db, ids, nil)
	var tasks []orderly.Task
	change(t, db, func(tx *store.Tx) (err error) {
		if tasks, err = tx.InvocationTasks(v.Seq, -1, n); err != nil {
			return err
		}
		for i := range tasks {
			k := &tasks[i]
			k.State = orderly.States[i%len(orderly.States)]
			k.Output = []byte(strings.Repeat("x", i%3))
			if i%4 != 0 {
				k.Started = base(v).Add(time.Duration(i%5) * time.Second)
			}
			if !k.State.Live() {
				k.Finished = base(v).Add(time.Duration(5+i%7) * time.Second)
			}
			if code := i % 3; k.State == orderly.Failed {
				k.ExitCode = &code
			}
		}
		return tx.SaveTasks(tasks)
	})
	return v, tasks
}

// base is when the tasks of varied began.
func base(v orderly.Invocation) time.Time { return v.Created.Add(-time.Hour) }

func TestTableIsSortedAndCutIntoPages(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		const n = 40
		v, tasks := varied(t, db, n)
		now := db.Now() // an hour later
		keys := map[store.Order]func(orderly.Task) int64{
			store.ByTarget: func(k orderly.Task) int64 { return int64(k.Ordinal) },
			store.ByState:  func(k orderly.Task) int64 { return int64(slices.Index(orderly.States, k.State)) },
			store.ByStart:  func(k orderly.Task) int64 { return orderly.Millis(k.Started) },
			store.ByExitCode: func(k orderly.Task) int64 {
				if k.ExitCode == nil {
					return -1
				}
				return int64(*k.ExitCode)
			},
			store.ByDuration: func(k orderly.Task) int64 {
				switch {
				case k.Started.IsZero():
					return -1
				case k.Finished.IsZero():
					return now.Sub(k.Started).Milliseconds()
				}
				return k.Finished.Sub(k.Started).Milliseconds()
			},
		}
		for order, key := range keys {
			for _, down := range []bool{false, true} {
				want := slices.Clone(tasks)
				slices.SortFunc(want, func(a, b orderly.Task) int {
					return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.Ordinal, b.Ordinal))
				})
				if down {
					slices.Reverse(want)
				}
				var got, ordinals []int
				for _, k := range want {
					ordinals = append(ordinals, k.Ordinal)
				}
				for x := (store.Table{Invocation: v.Seq, Order: order, Descending: down, After: -1, Limit: 7}); ; {
					rows, err := db.Table(t.Context(), x)
					must(t, err)
					if len(rows) == 0 {
						break
					}
					for _, r := range rows {
						got = append(got, r.Ordinal)
					}
					x.After = got[len(got)-1]
				}
				if d := diff.Diff(ordinals, got); d != "" {
					t.Errorf("by %q, descending %v (-want +got)\n%s", order, down, d)
				}
			}
		}
		rows, err := db.Table(t.Context(), store.Table{Invocation: v.Seq, Order: store.ByName, After: -1, Limit: n})
		must(t, err)
		if len(rows) != n || !slices.IsSortedFunc(rows, func(a, b store.Row) int { return cmp.Compare(a.Name, b.Name) }) {
			t.Errorf("by name: %d rows, want %d in order", len(rows), n)
		}
	})
}

func TestTableIsFilteredAndIsOfOneInvocation(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v, _ := varied(t, db, 24)
		other := addInvocation(t, db, []string{"mi-1"}, nil)
		rows, err := db.Table(t.Context(), store.Table{Invocation: v.Seq, States: []orderly.State{orderly.Failed, orderly.Error}, After: -1, Limit: 50})
		must(t, err)
		for _, r := range rows {
			if r.State != orderly.Failed && r.State != orderly.Error || len(r.Output) > 0 {
				t.Errorf("row %+v, want failed ones without output", r)
			}
		}
		if len(rows) != 4 {
			t.Errorf("%d rows, want 4", len(rows))
		}
		for search, want := range map[string]int{"web-1": 11, "WEB-21": 1, "mi-3": 1, "nobody": 0, "%": 0} {
			if rows, err = db.Table(t.Context(), store.Table{Invocation: v.Seq, Search: search, After: -1, Limit: 50}); err != nil || len(rows) != want {
				t.Errorf("search %q: %d rows, %v; want %d", search, len(rows), err, want)
			}
		}
		if rows, err = db.Table(t.Context(), store.Table{Invocation: other.Seq, After: -1, Limit: 50}); err != nil || len(rows) != 1 {
			t.Errorf("another invocation: %d rows, %v; want 1", len(rows), err)
		}
	})
}

func TestPaceCountsUpToTheSize(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v, tasks := varied(t, db, 40)
		started, ended, err := db.Pace(t.Context(), v.Seq, base(v), base(v).Add(12*time.Second), 12)
		must(t, err)
		for part := range 12 {
			var s, e int
			end := base(v).Add(time.Duration(part+1) * time.Second)
			for _, k := range tasks {
				if !k.Started.IsZero() && k.Started.Before(end) {
					s++
				}
				if !k.Finished.IsZero() && k.Finished.Before(end) {
					e++
				}
			}
			if started[part] != s || ended[part] != e {
				t.Errorf("after %d s %d had started and %d ended, want %d and %d", part+1, started[part], ended[part], s, e)
			}
		}
	})
}

// checkGroups looks at the groups of TestOutputsAreGroupedByHowItEndedAndWhatItWrote.
func checkGroups(t *testing.T, db *store.DB, seq int64) {
	t.Helper()
	groups, total, err := db.OutputGroups(t.Context(), seq, 2)
	must(t, err)
	if total != 4 || len(groups) != 2 || groups[0].Tasks != 4 || groups[1].Tasks != 3 || string(groups[1].First.Output) != "same\n" || groups[1].First.Ordinal != 4 {
		t.Errorf("OutputGroups = %+v of %d, want 4 and 3 of 4 groups", groups, total)
	}
	if !slices.Equal(groups[0].Instances, []string{"mi-0", "mi-1", "mi-2", "mi-3"}) || !slices.Equal(groups[1].Instances, []string{"mi-4", "mi-5", "mi-6"}) {
		t.Errorf("the groups are of %v and %v", groups[0].Instances, groups[1].Instances)
	}
	alike, err := db.Alike(t.Context(), seq, 5, 4, 10)
	must(t, err)
	if len(alike) != 2 || alike[0].Ordinal != 5 || alike[1].Ordinal != 6 {
		t.Errorf("Alike = %+v, want 5 and 6", alike)
	}
}

func TestOutputsAreGroupedByHowItEndedAndWhatItWrote(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		var ids []string
		for i := range 9 {
			ids = append(ids, fmt.Sprint("mi-", i))
		}
		addInstances(t, db, false, ids...)
		v := addInvocation(t, db, ids, nil)
		change(t, db, func(tx *store.Tx) error {
			tasks, err := tx.InvocationTasks(v.Seq, -1, 9)
			if err != nil {
				return err
			}
			one := 1
			for i := range tasks {
				k := &tasks[i]
				switch {
				case i < 4:
					k.State, k.Output = orderly.Success, []byte("same\n")
				case i < 7:
					k.State, k.Output, k.ExitCode = orderly.Failed, []byte("same\n"), &one
				case i == 8:
					k.State, k.ErrorCode = orderly.Error, orderly.ExecutionInterrupted
				case i == 7:
					k.State, k.Output = orderly.Success, []byte("\x00other")
				}
			}
			return tx.SaveTasks(tasks)
		})
		old := raw(t, url)
		for _, undigested := range []string{"", "ordinal in (1, 5, 7)", "ordinal >= 0"} { // that ended before there were digests
			if undigested != "" {
				exec(t, old, `update tasks set digest = 0 where `+undigested)
			}
			checkGroups(t, db, v.Seq)
		}
		if k, err := db.TaskOn(t.Context(), v.Seq, "mi-7"); err != nil || string(k.Output) != "\x00other" || k.Ordinal != 7 {
			t.Errorf("TaskOn = %+v, %v", k, err)
		}
		if _, err := db.TaskOn(t.Context(), v.Seq, "mi-99"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("TaskOn a stranger = %v, want ErrNotFound", err)
		}
		for unknown, want := range map[bool][]string{false: {"mi-4", "mi-5", "mi-6"}, true: {"mi-4", "mi-5", "mi-6", "mi-8"}} {
			if on, err := db.FailedOn(t.Context(), v.Seq, unknown, 10); err != nil || !slices.Equal(on, want) {
				t.Errorf("FailedOn, unknown %v = %v, %v; want %v", unknown, on, err, want)
			}
		}
	})
}

func TestInvocationIsItsOwners(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-1"}, func(v *orderly.Invocation) { v.Tags = []orderly.Tag{{Key: "k", Value: "v"}} })
		got, err := db.Invocation(t.Context(), orderly.Caller{Account: account}, region, v.ID)
		must(t, err)
		if got.Seq != v.Seq || len(got.Tags) != 1 {
			t.Errorf("Invocation = %+v, want %d with its tag", got, v.Seq)
		}
		for _, by := range []orderly.Caller{{Account: "2"}, {Account: account, Realm: "swas"}} {
			if _, err := db.Invocation(t.Context(), by, region, v.ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Invocation of %+v = %v, want ErrNotFound", by, err)
			}
		}
	})
}
