package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// BenchmarkTooManyTargets is what it costs the engine to refuse a list that is too long (TGT-1). Its
// database is closed: it is not asked.
func BenchmarkTooManyTargets(b *testing.B) {
	db, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "orderly.db"), store.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		b.Fatal(err)
	}
	e := engine.New(db, &kept{}, engine.Config{})
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{101, 100_000} {
		q := request(names(n)...)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := e.RunCommand(b.Context(), caller, q, engine.Repetition{}); !errors.Is(err, orderly.TargetsTooMany) {
					b.Fatal(err)
				}
			}
		})
	}
}
