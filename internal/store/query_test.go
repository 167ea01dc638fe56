package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// taskIn makes an invocation of a mode with one task in a state.
func taskIn(t *testing.T, db *store.DB, mode orderly.RepeatMode, s orderly.State, stopped bool) orderly.Invocation {
	t.Helper()
	v := addInvocation(t, db, []string{"mi-1"}, func(v *orderly.Invocation) { v.Repeat = mode })
	change(t, db, func(tx *store.Tx) error {
		tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq}})
		if err != nil {
			return err
		}
		k := &tasks[0]
		if k.State = s; stopped {
			k.Stopped = tx.Now
		}
		return errors.Join(tx.SaveTasks(tasks), tx.Changed([]store.Change{{Seq: v.Seq, Delta: orderly.Count(s, stopped).Sub(orderly.Count(orderly.Pending, false))}}))
	})
	return v
}

// DI-3, DI-6, DR-3, DR-6: every state in every mode is found by exactly the values that it shows, in
// either vocabulary.
func TestStatusFiltersAgreeWithWhatIsShown(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, false, "mi-1")
		type shown struct {
			id               string
			aggregate, state string
			legacy           string
			timed            bool
		}
		var all []shown
		for _, mode := range []orderly.RepeatMode{orderly.Once, orderly.Period} {
			for _, s := range orderly.States {
				for _, stopped := range []bool{false, true} {
					v := taskIn(t, db, mode, s, stopped)
					c := orderly.Count(s, stopped)
					all = append(all, shown{v.ID, string(c.Status()), string(s), string(s.LegacyStatus(mode, stopped)), mode.Repeats() && s.Live()})
				}
			}
		}
		values := []string{"Finished", "Stopped", "PartialFailed", "Nonsense", "' or 1=1 --"}
		for _, s := range orderly.States {
			values = append(values, string(s))
		}
		invocations := func(f store.InvocationFilter) []string {
			f.Account, f.Region = account, region
			list, total, err := db.Invocations(t.Context(), f, store.Page{Limit: 100})
			must(t, err)
			if total != len(list) {
				t.Errorf("%+v: total %d of %d rows", f, total, len(list))
			}
			var ids []string
			for _, v := range list {
				ids = append(ids, v.ID)
			}
			return ids
		}
		results := func(f store.ResultFilter) []string {
			f.Account, f.Region = account, region
			list, _, err := db.Results(t.Context(), f, store.Page{Limit: 100})
			must(t, err)
			var ids []string
			for _, r := range list {
				ids = append(ids, r.Of.ID)
			}
			return ids
		}
		expect := func(name string, got []string, match func(shown) bool) {
			t.Helper()
			var want []string
			for _, s := range slices.Backward(all) {
				if match(s) {
					want = append(want, s.id)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s finds %d, want %d", name, len(got), len(want))
			}
		}
		for _, v := range values {
			expect("InvokeStatus "+v, invocations(store.InvocationFilter{Status: v}), func(s shown) bool { return v == s.aggregate || v == s.legacy })
			expect("InvokeStatus on an instance "+v, invocations(store.InvocationFilter{Status: v, Instance: "mi-1"}), func(s shown) bool { return v == s.state || v == s.legacy })
			expect("overall status "+v, invocations(store.InvocationFilter{Aggregate: v}), func(s shown) bool { return v == s.aggregate })                          // SW-1
			expect("older status on an instance "+v, invocations(store.InvocationFilter{Legacy: v, Instance: "mi-1"}), func(s shown) bool { return v == s.legacy }) // SW-2
			expect("InvokeRecordStatus "+v, results(store.ResultFilter{Record: v}), func(s shown) bool { return v == s.state || v == s.legacy })
			expect("InvocationStatus "+v, results(store.ResultFilter{State: v}), func(s shown) bool { return v == s.state })
		}
		for _, timed := range []bool{true, false} {
			expect(fmt.Sprint("Timed ", timed), invocations(store.InvocationFilter{Timed: &timed}), func(s shown) bool { return s.timed == timed })
		}
	})
}

func TestInvocationIsFoundByEveryFilter(t *testing.T) { // DI-1, DI-2, DI-7
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, false, "mi-1", "mi-2")
		v := addInvocation(t, db, []string{"mi-1", "mi-2"}, func(v *orderly.Invocation) {
			v.Command.ID, v.Command.Name, v.ResourceGroup, v.Tags = "c-9", "Web", "rg-9", []orderly.Tag{{Key: "a", Value: "1"}, {Key: "b"}}
		})
		addInvocation(t, db, []string{"mi-1"}, func(v *orderly.Invocation) { v.Command.Type, v.Repeat = orderly.RunBatScript, orderly.Period })
		addInvocation(t, db, []string{"mi-3"}, func(v *orderly.Invocation) { v.Account = "2" })
		for i, f := range []store.InvocationFilter{
			{ID: v.ID}, {CommandID: "c-9"}, {CommandName: "Web"}, {CommandType: "RunShellScript"}, {Instance: "mi-2"}, {ResourceGroup: "rg-9"},
			{Repeat: "Once"}, {Tags: []orderly.Tag{{Key: "b"}}}, {Tags: v.Tags},
		} {
			f.Account, f.Region = account, region
			list, total, err := db.Invocations(t.Context(), f, store.Page{Limit: 10})
			must(t, err)
			if total != 1 || len(list) != 1 || list[0].ID != v.ID {
				t.Errorf("filter %d finds %d, want %s alone", i, total, v.ID)
			}
		}
		for i, f := range []store.InvocationFilter{
			{ID: "t-x"}, {CommandName: "web"}, {Instance: "mi-9"}, {Tags: []orderly.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}},
		} {
			f.Account, f.Region = account, region
			if list, total, err := db.Invocations(t.Context(), f, store.Page{Limit: 10}); err != nil || len(list)+total != 0 {
				t.Errorf("filter %d that fits nothing finds %d, %v", i, total, err)
			}
		}
		for i, f := range []store.ResultFilter{
			{InvokeID: v.ID, Instance: "mi-1"}, {CommandID: "c-9", Instance: "mi-1"}, {ResourceGroup: "rg-9", Instance: "mi-1"}, {Tags: v.Tags, Instance: "mi-1"},
		} {
			f.Account, f.Region = account, region
			list, total, err := db.Results(t.Context(), f, store.Page{Limit: 10})
			must(t, err)
			if total != 1 || len(list) != 1 || list[0].Of.ID != v.ID || list[0].Of.Tags == nil || list[0].Instance != "mi-1" {
				t.Errorf("result filter %d finds %d, want mi-1's task of %s alone", i, total, v.ID)
			}
		}
	})
}

func TestTasksOfShowsOutputOnlyWhenAsked(t *testing.T) { // DI-2, DI-8, PG-10
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-1", "mi-2", "mi-3"}, nil)
		code := 3
		var saved orderly.Task
		change(t, db, func(tx *store.Tx) error {
			tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq, Ordinal: 2}})
			if err != nil {
				return err
			}
			k := &tasks[0]
			k.Output, k.Total, k.ExitCode, k.Repeats, k.Report = []byte("a\x00ü\xff"), 100, &code, 1, 7
			k.Handed, k.Sent, k.Sends, k.Confirmed, k.Asked = orderly.Boot{Incarnation: "i", ID: "b"}, tx.Now, 2, true, tx.Now
			k.Started, k.Stopped, k.Finished = tx.Now.Add(time.Second), tx.Now.Add(2*time.Second), tx.Now.Add(3*time.Second)
			saved = *k
			return tx.SaveTasks(tasks)
		})
		for _, output := range []bool{true, false} {
			got, err := db.TasksOf(t.Context(), []int64{v.Seq}, "mi-3", 1, output) // an instance beyond the limit is shown
			must(t, err)
			want := saved
			if !output {
				want.Output = nil
			}
			k := got[v.Seq][0]
			if k.Dropped() != 95 {
				t.Errorf("with output %v Dropped = %d, want 95", output, k.Dropped())
			}
			if k.Total = saved.Total; len(k.Output) == 0 {
				k.Output = nil
			}
			if d := cmp.Diff(want, k); d != "" {
				t.Errorf("with output %v (-want +got)\n%s", output, d)
			}
		}
		got, err := db.TasksOf(t.Context(), []int64{v.Seq}, "", 2, false)
		must(t, err)
		if list := got[v.Seq]; len(list) != 2 || list[0].Instance != "mi-1" || list[1].Instance != "mi-2" {
			t.Errorf("the first two tasks = %+v, want those of mi-1 and mi-2", list)
		}
	})
}

// A change of state that brings no output leaves the stored one alone.
func TestOutputStaysWhenNoneIsSaved(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-1"}, nil)
		for _, output := range [][]byte{[]byte("kept"), nil} {
			change(t, db, func(tx *store.Tx) error {
				tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq}})
				tasks[0].Output, tasks[0].Total = output, 4
				return errors.Join(err, tx.SaveTasks(tasks))
			})
		}
		list, _, err := db.Results(t.Context(), store.ResultFilter{Account: account, Region: region}, store.Page{Limit: 1})
		must(t, err)
		if string(list[0].Output) != "kept" {
			t.Errorf("Output = %q, want kept", list[0].Output)
		}
	})
}

func TestLateResultIsKeptOnce(t *testing.T) { // LATE-2
	each(t, func(t *testing.T, db *store.DB) {
		code := 1
		r := orderly.Report{Task: orderly.TaskKey{Invocation: 5, Ordinal: 2}, Instance: "mi-1", Number: 3, State: orderly.Failed, ErrorCode: "E", Started: db.Now(),
			Finished: db.Now().Add(time.Second), ExitCode: &code, Output: []byte("late"), Total: 9}
		other := orderly.Report{Task: r.Task, Instance: "mi-1", Number: 4, State: orderly.Error}
		for range 2 {
			change(t, db, func(tx *store.Tx) error { return tx.AddLate([]orderly.Report{r, other}) })
		}
		got, err := db.LateResults(t.Context(), 5, 10)
		must(t, err)
		if len(got) != 2 {
			t.Fatalf("%d late results, want 2", len(got))
		}
		if d := cmp.Diff(r, got[0]); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	})
}

func TestRefusedReportsAreBounded(t *testing.T) { // design 2b rule 11
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		const bound = 10_000
		_, err := raw(t, url).ExecContext(t.Context(), `with recursive n (i) as (select 1 union all select i + 1 from n where i < 10050)
			insert into refused_reports (seq, instance, received, cause, raw) select i, 'mi-1', 0, 'c', '' from n`)
		must(t, err)
		change(t, db, func(tx *store.Tx) error { return tx.AddRefused("mi-2", "newest", bytes.Repeat([]byte{0}, 10)) })
		var n, oldest, newest int
		must(t, raw(t, url).QueryRowContext(t.Context(), `select count(*), min(seq), sum(case when cause = 'newest' then 1 else 0 end) from refused_reports`).Scan(&n, &oldest, &newest))
		if n != bound || newest != 1 || oldest != 52 {
			t.Errorf("%d kept, the oldest %d, %d of the newest; want %d, 52, 1", n, oldest, newest, bound)
		}
	})
}
