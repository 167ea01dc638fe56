package store_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Every field of a task that can change is stored, whatever else changes with it, and no other task's.
func TestSavedTasksAreReadBack(t *testing.T) {
	at, code := orderly.FromMillis(1_700_000_000_123), 7
	edits := []func(*orderly.Task){
		func(k *orderly.Task) {},
		func(k *orderly.Task) { k.Handed = orderly.Boot{Incarnation: "i", ID: "b"} },
		func(k *orderly.Task) { k.Sent, k.Sends = at, 3 },
		func(k *orderly.Task) { k.Confirmed, k.Version, k.Former = true, 4, "f" },
		func(k *orderly.Task) { k.Asked, k.Due = at, at.Add(time.Second) },
		func(k *orderly.Task) { k.Started, k.Updated, k.Finished = at, at.Add(time.Minute), at.Add(time.Hour) },
		func(k *orderly.Task) { k.Repeats, k.Report, k.Total = 5, 6, 7 },
		func(k *orderly.Task) { k.State = orderly.Running },
		func(k *orderly.Task) { k.ErrorCode = orderly.ClientRestarted },
		func(k *orderly.Task) { k.Stopped = at },
		func(k *orderly.Task) { k.ExitCode = &code },
		func(k *orderly.Task) { k.Output = []byte("out\x00put") },
		func(k *orderly.Task) { k.State, k.ExitCode, k.Finished = orderly.Success, new(int), at },
		func(k *orderly.Task) { k.State, k.Output = orderly.Failed, []byte{} },
	}
	each(t, func(t *testing.T, db *store.DB) {
		var ids []string
		for i := range edits {
			ids = append(ids, fmt.Sprintf("mi-%02d", i))
		}
		addInstances(t, db, false, ids...)
		v := addInvocation(t, db, ids, nil)
		for round := range edits { // each edit follows each other one
			var want []orderly.Task
			must(t, db.Write(t.Context(), store.Mass, func(tx *store.Tx) (err error) {
				if want, err = tx.InvocationTasks(v.Seq, -1, len(edits)); err != nil {
					return err
				}
				for i := range want {
					if want[i].State.Live() {
						edits[(i+round)%len(edits)](&want[i])
					}
				}
				return tx.SaveTasks(want)
			}))
			for i := range want {
				if len(want[i].Output) == 0 {
					want[i].Output = nil
				}
			}
			must(t, db.Write(t.Context(), store.Mass, func(tx *store.Tx) error {
				got, err := tx.InvocationTasks(v.Seq, -1, len(edits))
				for i := range got {
					if !reflect.DeepEqual(got[i], want[i]) {
						t.Errorf("round %d, task %d is\n%+v, want\n%+v", round, i, got[i], want[i])
					}
				}
				return err
			}))
		}
	})
}
