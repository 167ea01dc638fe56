package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/store"
)

func TestKeyIsFoundAndDisabled(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		must(t, db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			if err := tx.AddAccount("1"); err != nil {
				return err
			}
			return tx.AddKey(store.AccessKey{ID: "k", Account: "1", Secret: "s"})
		}))
		must(t, db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.DisableKey("k") }))
		k, err := db.Key(t.Context(), "k")
		must(t, err)
		if k.Account != "1" || k.Secret != "s" || !k.Disabled {
			t.Errorf("Key = %+v, want a disabled key of account 1 with its secret", k)
		}
		if _, err := db.Key(t.Context(), "x"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Key of an unknown ID = %v, want ErrNotFound", err)
		}
	})
}

func TestNonceIsSpentOnce(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		until := db.Now().Add(time.Minute)
		must(t, db.SpendNonce(t.Context(), "k", "n", until))
		if err := db.SpendNonce(t.Context(), "k", "n", until); !errors.Is(err, store.ErrTaken) {
			t.Errorf("second SpendNonce = %v, want ErrTaken", err)
		}
		must(t, db.SpendNonce(t.Context(), "other", "n", until))
	})
}
