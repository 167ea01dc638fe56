package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// lateResult is an end of a task of v.
func lateResult(v orderly.Invocation, ordinal int, number int64) orderly.Report {
	return orderly.Report{Task: orderly.TaskKey{Invocation: v.Seq, Ordinal: ordinal}, Instance: fmt.Sprint("mi-", ordinal), Number: number, State: orderly.Success}
}

// keepLate stores late results in one transaction and tells when that was, to the millisecond.
func keepLate(t *testing.T, db *store.DB, list ...orderly.Report) (received time.Time) {
	t.Helper()
	change(t, db, func(tx *store.Tx) error {
		received = orderly.FromMillis(orderly.Millis(tx.Now))
		return tx.AddLate(list)
	})
	return received
}

// laterOn waits until the store's clock shows another millisecond.
func laterOn(db *store.DB) {
	for start := orderly.Millis(db.Now()); orderly.Millis(db.Now()) <= start; {
	}
}

func TestLateResultComesBackAsItWas(t *testing.T) { // LATE-2
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-0"}, nil)
		code, now := 3, orderly.FromMillis(orderly.Millis(db.Now()))
		full := lateResult(v, 0, 7<<32|1<<31)
		full.State, full.ErrorCode, full.ExitCode = orderly.Failed, orderly.ExitCodeNonzero, &code
		full.Started, full.Finished, full.Output, full.Total = now.Add(-time.Minute), now, []byte("a\x00\xff"), 1<<40
		bare := lateResult(v, 0, 2)
		bare.State = orderly.Error
		received := keepLate(t, db, bare, full)
		f := store.LateFilter{Account: account, Region: region, InvokeID: v.ID}
		got, total, err := db.Late(t.Context(), f, store.Page{Limit: 10})
		must(t, err)
		want := []store.LateResult{{Report: full, Received: received}, {Report: bare, Received: received}}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" || total != 2 {
			t.Errorf("total %d, want 2; (-want +got)\n%s", total, d)
		}
	})
}

// PG-5 to PG-7: pages hold every late result once, those received last first, whatever comes
// meanwhile.
func TestLateResultsComeInPages(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-0", "mi-1", "mi-2"}, nil)
		beside := addInvocation(t, db, []string{"mi-0"}, nil)
		keepLate(t, db, lateResult(v, 0, 1), lateResult(v, 2, 1), lateResult(v, 1, 1), lateResult(v, 1, 2), lateResult(beside, 0, 9))
		laterOn(db)
		keepLate(t, db, lateResult(v, 2, 5<<32), lateResult(v, 2, 4<<32))
		laterOn(db)
		keepLate(t, db, lateResult(v, 0, 2))
		want := []string{"0 2", fmt.Sprint("2 ", 5<<32), fmt.Sprint("2 ", 4<<32), "0 1", "1 2", "1 1", "2 1"}
		f := store.LateFilter{Account: account, Region: region, InvokeID: v.ID}
		var got []string
		page := store.Page{Limit: 2}
		for n := int64(0); ; n++ {
			list, total, err := db.Late(t.Context(), f, page)
			must(t, err)
			if want := 7 + int(n); total != want {
				t.Errorf("total %d, want %d", total, want)
			}
			if len(list) == 0 {
				break
			}
			for _, l := range list {
				got = append(got, fmt.Sprint(l.Task.Ordinal, " ", l.Number))
				page.After = store.Place{Seq: l.Number, Ordinal: l.Task.Ordinal}
			}
			laterOn(db)
			keepLate(t, db, lateResult(v, 1, 100+n)) // newer ones do not shift what follows
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestLateResultsAreTheirOwnersAlone(t *testing.T) { // DI-1
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-0", "mi-1"}, nil)
		keepLate(t, db, lateResult(v, 0, 1), lateResult(v, 1, 1))
		hidden := unbuilt(t, db, "token")
		keepLate(t, db, lateResult(hidden, 0, 1))
		for _, c := range []struct {
			filter store.LateFilter
			want   int
		}{
			{store.LateFilter{Account: account, Region: region, InvokeID: v.ID}, 2},
			{store.LateFilter{Account: account, Region: region, InvokeID: v.ID, Instance: "mi-1"}, 1},
			{store.LateFilter{Account: account, Region: region, InvokeID: v.ID, Instance: "mi-9"}, 0},
			{store.LateFilter{Account: account, Region: region, InvokeID: "t-unknown"}, 0},
			{store.LateFilter{Account: account, Region: region}, 0},
			{store.LateFilter{Account: "2", Region: region, InvokeID: v.ID}, 0},
			{store.LateFilter{Account: account, Region: "elsewhere", InvokeID: v.ID}, 0},
			{store.LateFilter{Account: account, Region: region, InvokeID: hidden.ID}, 0},
		} {
			list, total, err := db.Late(t.Context(), c.filter, store.Page{Limit: 10})
			must(t, err)
			if len(list) != c.want || total != c.want {
				t.Errorf("%+v finds %d of %d, want %d", c.filter, len(list), total, c.want)
			}
		}
	})
}

// Of very many late results of a schedule on a machine the newest are kept: a stolen identity can report as many runs as it likes.
func TestLateResultsAreKeptUpToANumber(t *testing.T) { // LATE-2, RET-1
	each(t, func(t *testing.T, db *store.DB) {
		v := schedule(t, db, orderly.Period, "mi-0", "mi-1")
		kept := func(ordinal int) (runs []int64) {
			list, _, err := db.Late(t.Context(), store.LateFilter{Account: account, Region: region, InvokeID: v.ID, Instance: fmt.Sprint("mi-", ordinal)}, store.Page{Limit: 10})
			must(t, err)
			for _, l := range list {
				runs = append(runs, l.Number>>32)
			}
			slices.Sort(runs)
			return runs
		}
		of := func(ordinal, run int) orderly.Report { return lateResult(v, ordinal, int64(run)<<32|1<<31) }
		keepLate(t, db, of(1, 1), of(0, 1), of(0, 2), of(0, store.MaxRuns))
		if got, want := kept(0), []int64{1, 2, store.MaxRuns}; !slices.Equal(got, want) {
			t.Errorf("kept are those of runs %v, want %v", got, want)
		}
		keepLate(t, db, of(0, store.MaxRuns+1), of(0, 2*store.MaxRuns))
		if got, want := kept(0), []int64{store.MaxRuns + 1, 2 * store.MaxRuns}; !slices.Equal(got, want) {
			t.Errorf("kept are those of runs %v, want %v", got, want)
		}
		if got, want := kept(1), []int64{1}; !slices.Equal(got, want) {
			t.Errorf("of another machine those of runs %v are kept, want %v", got, want)
		}
	})
}
