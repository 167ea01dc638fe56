package store_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/orderly-run/orderly/internal/store"
)

func TestInvocationsAreCountedByDay(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		take := func(account, region string, limit int) (ok bool) {
			change(t, db, func(tx *store.Tx) (err error) {
				ok, err = tx.TakeInvocation(account, region, limit)
				return err
			})
			return ok
		}
		for n := range 3 {
			if got, want := take(account, region, 2), n < 2; got != want {
				t.Errorf("invocation %d of 2: %t, want %t", n+1, got, want)
			}
		}
		if !take(account, "cn-beijing", 2) || !take("2", region, 2) {
			t.Error("another region, or another account, has no count of its own")
		}
		refused := errors.New("refused")
		for range 3 {
			err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
				if ok, err := tx.TakeInvocation("2", region, 2); err != nil || !ok {
					t.Errorf("what was undone counts: %t, %v", ok, err)
				}
				return refused
			})
			if !errors.Is(err, refused) {
				t.Fatal(err)
			}
		}
		beside := raw(t, url)
		if _, err := beside.ExecContext(t.Context(), `update daily_invocations set day = day - 1`); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			if got, want := take(account, region, 2), n < 2; got != want {
				t.Errorf("invocation %d of a new day: %t, want %t", n+1, got, want)
			}
		}
		if _, err := beside.ExecContext(t.Context(), `update daily_invocations set day = day + 2`); err != nil {
			t.Fatal(err)
		}
		if take(account, region, 2) {
			t.Error("a server whose clock is behind begins the day before again")
		}
	})
}

// However many servers count at once, no one comes in beyond the limit.
func TestQuotaHoldsForAllAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for range 12 {
			wg.Go(func() {
				var ok bool
				if err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) (err error) {
					ok, err = tx.TakeInvocation(account, region, 5)
					return err
				}); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if ok {
					taken++
				}
			})
		}
		wg.Wait()
		if taken != 5 {
			t.Errorf("%d were let in, want 5", taken)
		}
	})
}
