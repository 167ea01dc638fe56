package engine

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Recurs reports whether an invocation of the caller's keeps records of its runs (SC-7).
func (e *Engine) Recurs(ctx context.Context, c orderly.Caller, region, invokeID string) (bool, error) {
	return e.db.Recurs(ctx, c, region, invokeID)
}

// Runs lists the runs of an invocation of the caller's, each as a task that has had just that run, the
// newest first, and counts all that match.
func (e *Engine) Runs(ctx context.Context, c orderly.Caller, f store.ResultFilter, p store.Page) ([]store.Result, int, error) {
	f.Account, f.Realm = c.Account, c.Realm
	return e.db.Runs(ctx, f, p)
}
