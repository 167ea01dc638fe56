package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// over runs a command on instances to its end, some time ago.
func (h *house) over(ago time.Duration, q engine.Request) string {
	h.t.Helper()
	id := h.start(q)
	for _, k := range h.tasks(id) {
		h.tell(report(k, 9, orderly.Success))
	}
	h.raw(`update invocations set finished = $1 where id = $2`, h.db.Now().Add(-ago).UnixMilli(), id)
	return id
}

// ids are those of the invocations that there are, newest first.
func (h *house) ids() (ids []string) {
	h.t.Helper()
	list, _, err := h.Invocations(context.Background(), caller, store.InvocationFilter{Region: region}, store.Page{Limit: 100})
	must(h.t, err)
	for _, v := range list {
		ids = append(ids, v.ID)
	}
	return ids
}

// RET-1: age counts from the end, and live ones are never dropped.
func TestInvocationsAreKeptForAWhileAfterTheirEnd(t *testing.T) {
	cfg := fast(1)
	cfg.Retain = time.Hour
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		live := h.start(request("mi-1"))
		h.raw(`update invocations set created = 1 where id = $1`, live)
		gone := h.over(61*time.Minute, request("mi-1"))
		kept := h.over(59*time.Minute, request("mi-1"))
		h.raw(`update invocations set created = 1 where id = $1`, kept)
		h.run()
		h.await("record is dropped", func() bool { return h.number(`select count(*) from invocations where id = $1`, gone) == 0 })
		if got := h.ids(); !slices.Equal(got, []string{kept, live}) {
			t.Errorf("left: %v, want %v and %v", got, kept, live)
		}
		if n := h.number(`select count(*) from tasks`); n != 2 {
			t.Errorf("%d tasks are left, want 2", n)
		}
	})
}

// RET-1: beyond the count the oldest that have ended go first.
func TestInvocationsBeyondTheCountGo(t *testing.T) {
	cfg := fast(1)
	cfg.Records = 3
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		live := h.start(request("mi-1"))
		h.over(3*time.Minute, request("mi-1"))
		second := h.over(1*time.Minute, request("mi-1"))
		h.over(4*time.Minute, request("mi-1"))
		first := h.over(2*time.Minute, request("mi-1"))
		h.run()
		h.await("records are dropped", func() bool { return h.number(`select count(*) from invocations`) <= 3 })
		if got := h.ids(); !slices.Equal(got, []string{first, second, live}) {
			t.Errorf("left: %v, want %v, %v, %v", got, first, second, live)
		}
	})
}

// Whoever wants to write something meanwhile does not wait for all of it.
func TestRetentionLetsOthersWrite(t *testing.T) {
	cfg := fast(1)
	cfg.Retain, cfg.Sweep = time.Hour, 20*time.Millisecond
	eachWith(t, cfg, func(t *testing.T, h *house) {
		var ids []string
		for n := range 100 {
			ids = append(ids, fmt.Sprintf("mi-%d", n))
		}
		h.register(ids...)
		h.connect(boot, ids...)
		for range 30 {
			h.over(2*time.Hour, request(ids...))
		}
		h.run()
		left := []int{3000}
		for end := time.Now().Add(20 * time.Second); left[len(left)-1] > 0 && time.Now().Before(end); {
			h.change(func(tx *store.Tx) error { return tx.AddAccount(fmt.Sprint("account-", len(left))) })
			left = append(left, h.number(`select count(*) from tasks`))
		}
		if numbers := slices.Compact(slices.Clone(left)); len(numbers) < 3 || numbers[len(numbers)-1] > 0 { // the first, the last, and one on the way
			t.Errorf("no interactive write came in between: %v tasks were left", left)
		}
	})
}

// Runs that ended long ago go though their schedule lives; what a machine did last stays.
func TestOldRunsOfLiveSchedulesGo(t *testing.T) { // RET-1, SC-7
	cfg := fast(1)
	cfg.Retain = time.Hour
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2")
		h.connect(boot, "mi-1", "mi-2")
		id := h.start(every("mi-1", "mi-2"))
		for _, k := range h.tasks(id) {
			h.tell(report(k, 1, orderly.Pending))
			for n := range 3 {
				h.tell(turn(k, n+1, 2, orderly.Running))
				h.tell(turn(k, n+1, 1<<31, orderly.Success))
			}
		}
		old, live := h.db.Now().Add(-61*time.Minute).UnixMilli(), `select count(*) from runs`
		h.raw(`update runs set finished = $1 where run < 3 and ordinal = 0`, old)
		h.raw(`update runs set finished = $1 where ordinal = 1`, old)
		h.run()
		h.await("old runs go", func() bool { return h.number(live) <= 2 })
		if n := h.number(live + ` where run = 3`); n != 2 || h.number(live) != 2 {
			t.Errorf("%d of the newest runs are left, %d in all; want 2 and 2", n, h.number(live))
		}
		for _, k := range h.tasks(id) {
			if k.State != orderly.Scheduled || k.Repeats != 3 {
				t.Errorf("task = %+v, want it Scheduled after its third run", k)
			}
		}
	})
}
