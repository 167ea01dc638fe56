package engine

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// LateResults lists late results of an invocation of the caller's, those received last first, and
// counts all that match (LATE-2).
func (e *Engine) LateResults(ctx context.Context, c orderly.Caller, f store.LateFilter, p store.Page) ([]store.LateResult, int, error) {
	f.Account, f.Realm = c.Account, c.Realm
	return e.db.Late(ctx, f, p)
}
