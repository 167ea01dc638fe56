package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// schedule is an invocation that repeats on some instances.
func schedule(t *testing.T, db *store.DB, mode orderly.RepeatMode, instances ...string) orderly.Invocation {
	t.Helper()
	return addInvocation(t, db, instances, func(v *orderly.Invocation) { v.Repeat = mode })
}

// keepRuns saves runs of an invocation's n-th task.
func keepRuns(t *testing.T, db *store.DB, v orderly.Invocation, n int, runs ...orderly.Run) {
	t.Helper()
	change(t, db, func(tx *store.Tx) error {
		tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq, Ordinal: n}})
		if err != nil {
			return err
		}
		tasks[0].Runs = runs
		return tx.SaveTasks(tasks)
	})
}

func TestRunComesBackAsItWas(t *testing.T) { // SC-7, RP-2
	each(t, func(t *testing.T, db *store.DB) {
		v := schedule(t, db, orderly.Period, "mi-1", "mi-2")
		code, now := 3, orderly.FromMillis(orderly.Millis(db.Now()))
		begun := orderly.Run{Ordinal: 7, State: orderly.Running, Started: now}
		ended := orderly.Run{Ordinal: 7, State: orderly.Failed, ErrorCode: orderly.ExitCodeNonzero, Started: now, Stopped: now.Add(time.Second),
			Finished: now.Add(2 * time.Second), ExitCode: &code, Output: []byte("a\x00\xff"), Total: 1 << 40}
		f := store.ResultFilter{Account: account, Region: region, InvokeID: v.ID}
		for _, r := range []orderly.Run{begun, ended, ended} {
			keepRuns(t, db, v, 1, r)
			got, total, err := db.Runs(t.Context(), f, store.Page{Limit: 10})
			must(t, err)
			if total != 1 || len(got) != 1 {
				t.Fatalf("%d of %d runs, want the one", len(got), total)
			}
			want := orderly.Task{TaskKey: orderly.TaskKey{Invocation: v.Seq, Ordinal: 1}, Instance: "mi-2", State: r.State, ErrorCode: r.ErrorCode,
				Started: r.Started, Stopped: r.Stopped, Finished: r.Finished, ExitCode: r.ExitCode, Repeats: 7, Output: r.Output, Total: r.Total}
			if d := cmp.Diff(want, got[0].Task, cmpopts.EquateEmpty()); d != "" || got[0].Of.ID != v.ID {
				t.Errorf("of %s (-want +got)\n%s", got[0].Of.ID, d)
			}
		}
	})
}

// PG-1, PG-5 to PG-7: pages hold every run once, the newest first, whatever begins meanwhile.
func TestRunsComeInPages(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v, beside := schedule(t, db, orderly.Period, "mi-0", "mi-1"), schedule(t, db, orderly.Period, "mi-0")
		start := orderly.FromMillis(orderly.Millis(db.Now()))
		run := func(n int, second int) orderly.Run {
			return orderly.Run{Ordinal: n, State: orderly.Success, Started: start.Add(time.Duration(second) * time.Second), Finished: start.Add(time.Hour)}
		}
		keepRuns(t, db, v, 0, run(1, 10), run(2, 20), run(3, 30))
		keepRuns(t, db, v, 1, run(1, 10), run(2, 25))
		keepRuns(t, db, beside, 0, run(1, 15))
		want := []string{"0 3", "1 2", "0 2", "1 1", "0 1"}
		f := store.ResultFilter{Account: account, Region: region, InvokeID: v.ID}
		var got []string
		page := store.Page{Limit: 2}
		for n := 4; ; n++ {
			list, total, err := db.Runs(t.Context(), f, page)
			must(t, err)
			if total != len(want)+n-4 {
				t.Errorf("total %d, want %d", total, len(want)+n-4)
			}
			if len(list) == 0 {
				break
			}
			for _, r := range list {
				got = append(got, fmt.Sprint(r.Ordinal, " ", r.Repeats))
				page.After = store.Place{Seq: int64(r.Repeats), Ordinal: r.Ordinal}
			}
			keepRuns(t, db, v, 0, run(n, 10*n))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if list, _, err := db.Runs(t.Context(), f, store.Page{Limit: 1, Offset: 3}); err != nil || len(list) != 1 || list[0].Started != start.Add(30*time.Second) {
			t.Errorf("by offset: %v, %v", list, err)
		}
	})
}

func TestRunsAreFiltered(t *testing.T) { // DR-3, DR-6, LG-1, LG-4
	each(t, func(t *testing.T, db *store.DB) {
		v := schedule(t, db, orderly.EveryReboot, "mi-0", "mi-1")
		for i, s := range []orderly.State{orderly.Success, orderly.Failed, orderly.Timeout, orderly.Error, orderly.Terminated, orderly.Stopping} {
			keepRuns(t, db, v, 0, orderly.Run{Ordinal: i + 1, State: s, Started: v.Created})
		}
		keepRuns(t, db, v, 1, orderly.Run{Ordinal: 1, State: orderly.Running, Started: v.Created})
		mine := store.ResultFilter{Account: account, Region: region, InvokeID: v.ID}
		for name, c := range map[string]struct {
			edit func(*store.ResultFilter)
			want int
		}{
			"all":                        {func(*store.ResultFilter) {}, 7},
			"finished":                   {func(f *store.ResultFilter) { f.Record = "Finished" }, 2},
			"timed out or broken":        {func(f *store.ResultFilter) { f.Record = "Failed" }, 3}, // and the state of that name
			"stopped":                    {func(f *store.ResultFilter) { f.Record = "Stopped" }, 1},
			"stopping":                   {func(f *store.ResultFilter) { f.Record = "Stopping" }, 1},
			"running":                    {func(f *store.ResultFilter) { f.Record = "Running" }, 1},
			"by a state in the old name": {func(f *store.ResultFilter) { f.Record = "Success" }, 1},
			"no row has parts":           {func(f *store.ResultFilter) { f.Record = "PartialFailed" }, 0},
			"no such status":             {func(f *store.ResultFilter) { f.Record = "x' or '1'='1" }, 0},
			"by state":                   {func(f *store.ResultFilter) { f.State = "Timeout" }, 1},
			"both":                       {func(f *store.ResultFilter) { f.Record, f.State = "Finished", "Timeout" }, 0},
			"by instance":                {func(f *store.ResultFilter) { f.Instance = "mi-1" }, 1},
			"another account":            {func(f *store.ResultFilter) { f.Account = "2" }, 0},
			"another region":             {func(f *store.ResultFilter) { f.Region = "x" }, 0},
			"another command":            {func(f *store.ResultFilter) { f.CommandID = "c-9" }, 0},
			"another tag":                {func(f *store.ResultFilter) { f.Tags = []orderly.Tag{{Key: "a"}} }, 0},
			"unknown":                    {func(f *store.ResultFilter) { f.InvokeID = "t-x" }, 0},
			"none named":                 {func(f *store.ResultFilter) { f.InvokeID = "" }, 0},
		} {
			f := mine
			c.edit(&f)
			list, total, err := db.Runs(t.Context(), f, store.Page{Limit: 10})
			must(t, err)
			if len(list) != c.want || total != c.want {
				t.Errorf("%s: %d of %d, want %d", name, len(list), total, c.want)
			}
		}
	})
}

func TestWhatKeepsRuns(t *testing.T) { // DR-2
	each(t, func(t *testing.T, db *store.DB) {
		for _, mode := range []orderly.RepeatMode{orderly.Once, orderly.DryRun, orderly.NextRebootOnly, orderly.Period, orderly.EveryReboot} {
			v := schedule(t, db, mode, "mi-1")
			if got, err := db.Recurs(t.Context(), orderly.Caller{Account: account}, region, v.ID); err != nil || got != mode.Recurs() {
				t.Errorf("%s: %t, %v", mode, got, err)
			}
			if got, err := db.Recurs(t.Context(), orderly.Caller{Account: "2"}, region, v.ID); err != nil || got {
				t.Errorf("%s, to another account: %t, %v", mode, got, err)
			}
		}
		if got, err := db.Recurs(context.Background(), orderly.Caller{Account: account}, region, "t-x"); err != nil || got {
			t.Errorf("unknown: %t, %v", got, err)
		}
	})
}

func TestEndedSchedules(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		once, again := schedule(t, db, orderly.Once, "mi-1"), schedule(t, db, orderly.NextRebootOnly, "mi-1", "mi-2")
		keys := []orderly.TaskKey{{Invocation: once.Seq}, {Invocation: again.Seq}, {Invocation: again.Seq, Ordinal: 1}, {Invocation: 5, Ordinal: 5}}
		change(t, db, func(tx *store.Tx) error {
			tasks, err := tx.Tasks([]orderly.TaskKey{keys[0], keys[2]})
			if err != nil {
				return err
			}
			for i := range tasks {
				tasks[i].State = orderly.Aborted
			}
			return tx.SaveTasks(tasks)
		})
		change(t, db, func(tx *store.Tx) error {
			got, err := tx.EndedSchedules(keys)
			if !slices.Equal(got, []orderly.TaskKey{keys[2]}) {
				t.Errorf("got %v, want %v", got, keys[2])
			}
			return err
		})
	})
}

// What a task must remember of its schedule survives (MIA-7, HND-4).
func TestVersionAndFormerBootAreKept(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-1"}, func(v *orderly.Invocation) { v.Repeat, v.Version = orderly.EveryReboot, 0 })
		change(t, db, func(tx *store.Tx) error {
			tasks, err := tx.TasksOn(v.Seq, []string{"mi-1"})
			if err == nil {
				tasks[0].Version, tasks[0].Former = 3, "boot-9"
				err = tx.SaveTasks(tasks)
			}
			return err
		})
		change(t, db, func(tx *store.Tx) error {
			tasks, err := tx.TasksOn(v.Seq, []string{"mi-1"})
			if err == nil && (tasks[0].Version != 3 || tasks[0].Former != "boot-9") {
				t.Errorf("task = %+v", tasks[0])
			}
			return err
		})
	})
}

// Of very many runs the newest are kept, of each machine for itself.
func TestRunsAreKeptUpToANumber(t *testing.T) { // RET-1
	each(t, func(t *testing.T, db *store.DB) {
		v := schedule(t, db, orderly.Period, "mi-1", "mi-2")
		kept := func(n int) (ordinals []int) {
			list, _, err := db.Runs(t.Context(), store.ResultFilter{Account: account, Region: region, InvokeID: v.ID, Instance: fmt.Sprint("mi-", n+1)}, store.Page{Limit: 10})
			must(t, err)
			for _, r := range list {
				ordinals = append(ordinals, r.Repeats)
			}
			slices.Sort(ordinals)
			return ordinals
		}
		run := func(ordinal int) orderly.Run {
			return orderly.Run{Ordinal: ordinal, State: orderly.Success, Started: db.Now(), Finished: db.Now()}
		}
		keepRuns(t, db, v, 1, run(1))
		keepRuns(t, db, v, 0, run(1), run(2), run(store.MaxRuns))
		if got, want := kept(0), []int{1, 2, store.MaxRuns}; !slices.Equal(got, want) {
			t.Errorf("kept are %v, want %v", got, want)
		}
		keepRuns(t, db, v, 0, run(store.MaxRuns+1), run(2*store.MaxRuns))
		keepRuns(t, db, v, 0, run(store.MaxRuns+2), run(store.MaxRuns)) // that come late
		if got, want := kept(0), []int{store.MaxRuns + 1, store.MaxRuns + 2, 2 * store.MaxRuns}; !slices.Equal(got, want) {
			t.Errorf("kept are %v, want %v", got, want)
		}
		if got, want := kept(1), []int{1}; !slices.Equal(got, want) {
			t.Errorf("of another machine %v are kept, want %v", got, want)
		}
	})
}
