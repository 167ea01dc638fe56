package engine

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Q-1, RM-5: what only checks is no invocation, also when no more can be made.
func TestDryRunTakesNoQuota(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "orderly.db"), store.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	e := New(db, nil, Config{DailyQuota: 1})
	ask := func(m orderly.RepeatMode) error {
		return db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			return e.quota(tx, orderly.Caller{Account: "1"}, Request{Region: "cn-hangzhou", Repeat: m})
		})
	}
	for _, c := range []struct {
		mode orderly.RepeatMode
		want error
	}{{orderly.DryRun, nil}, {orderly.DryRun, nil}, {orderly.Once, nil}, {orderly.Once, orderly.InvocationQuota}, {orderly.Period, orderly.InvocationQuota}, {orderly.DryRun, nil}} {
		if err := ask(c.mode); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.mode, err, c.want)
		}
	}
}
