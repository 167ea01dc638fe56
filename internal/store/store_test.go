package store_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
)

var secret = bytes.Repeat([]byte{7}, 32)

// each runs a promise on every backend.
func each(t *testing.T, promise func(t *testing.T, db *store.DB)) {
	t.Helper()
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "orderly.db") },
		"postgres": func(t *testing.T) string { return pgtest.DSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), url(t), store.Options{Secret: secret})
			must(t, err)
			t.Cleanup(func() { must(t, db.Close()) })
			promise(t, db)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
