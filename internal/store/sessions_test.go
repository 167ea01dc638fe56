package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/store"
)

func TestSessionEndsWithItsKey(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		change(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.AddAccount("1"), tx.AddAccount("2"), tx.AddKey(store.AccessKey{ID: "a", Account: "1"}),
				tx.AddKey(store.AccessKey{ID: "b", Account: "1"}), tx.AddKey(store.AccessKey{ID: "c", Account: "2"}))
		})
		change(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.AddSession("s-a", "a", time.Time{}), tx.AddSession("s-b", "b", time.Time{}))
		})
		got, err := db.Session(t.Context(), "s-a")
		must(t, err)
		if got.KeyID != "a" || got.Account != "1" || got.Created.IsZero() || !got.Seen.Equal(got.Created) {
			t.Errorf("Session = %+v, want that of key a of account 1, begun now", got)
		}
		for id, want := range map[string]error{"c": store.ErrNotFound, "x": store.ErrNotFound, "a": nil, "b": store.ErrTaken} {
			if id == "b" {
				continue // after a
			}
			if err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.DisableKeyOf("1", id) }); !errors.Is(err, want) {
				t.Errorf("DisableKeyOf(%s) = %v, want %v", id, err, want)
			}
		}
		if err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.DisableKeyOf("1", "b") }); !errors.Is(err, store.ErrTaken) {
			t.Errorf("DisableKeyOf the last key = %v, want ErrTaken", err)
		}
		if _, err := db.Session(t.Context(), "s-a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Session of a disabled key = %v, want ErrNotFound", err)
		}
		keys, err := db.KeysOf(t.Context(), "1")
		must(t, err)
		if len(keys) != 2 || !keys[0].Disabled || keys[1].Disabled {
			t.Errorf("KeysOf = %+v, want a, disabled, and b", keys)
		}
		change(t, db, func(tx *store.Tx) error { return tx.DisableKey("b") }) // as orderly key disable does
		if _, err := db.Session(t.Context(), "s-b"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Session of a key that was disabled elsewhere = %v, want ErrNotFound", err)
		}
	})
}

// Two who each disable the other's key at once do not lock their account out.
func TestLastKeyOfAnAccountStays(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		change(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.AddAccount("1"), tx.AddKey(store.AccessKey{ID: "a", Account: "1"}), tx.AddKey(store.AccessKey{ID: "b", Account: "1"}))
		})
		second := make(chan error, 1)
		change(t, db, func(tx *store.Tx) error {
			if err := tx.DisableKeyOf("1", "a"); err != nil {
				return err
			}
			go func() {
				second <- db.Write(context.Background(), store.Interactive, func(tx *store.Tx) error { return tx.DisableKeyOf("1", "b") })
			}()
			select { // it must not be over before this is
			case err := <-second:
				second <- err
			case <-time.After(time.Second):
			}
			return nil
		})
		if err := <-second; !errors.Is(err, store.ErrTaken) {
			t.Errorf("DisableKeyOf beside another = %v, want ErrTaken", err)
		}
	})
}

func TestSessionsAreForgottenAndEnded(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		change(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.AddAccount("1"), tx.AddKey(store.AccessKey{ID: "a", Account: "1"}), tx.AddSession("old", "a", time.Time{}), tx.AddSession("kept", "a", time.Time{}))
		})
		change(t, db, func(tx *store.Tx) error { return tx.AddSession("new", "a", tx.Now.Add(time.Hour)) })
		for _, id := range []string{"old", "kept"} {
			if _, err := db.Session(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Session %s = %v, want ErrNotFound: it was not used for long", id, err)
			}
		}
		before, err := db.Session(t.Context(), "new")
		must(t, err)
		change(t, db, func(tx *store.Tx) error {
			tx.Now = tx.Now.Add(time.Minute)
			return tx.SessionUsed("new")
		})
		after, err := db.Session(t.Context(), "new")
		must(t, err)
		if !after.Seen.After(before.Seen) || !after.Created.Equal(before.Created) {
			t.Errorf("used: %+v, want it seen after %+v", after, before)
		}
		change(t, db, func(tx *store.Tx) error { return tx.EndSession("new") })
		if _, err := db.Session(t.Context(), "new"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("ended Session = %v, want ErrNotFound", err)
		}
	})
}
