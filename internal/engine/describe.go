package engine

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Commands lists the caller's kept commands, newest first, and counts all that match.
func (e *Engine) Commands(ctx context.Context, c orderly.Caller, f store.CommandFilter, p store.Page) ([]orderly.Command, int, error) {
	f.Account, f.Realm = c.Account, c.Realm
	return e.db.Commands(ctx, f, p)
}

// Invocations lists the caller's invocations, newest first, and counts all that match.
func (e *Engine) Invocations(ctx context.Context, c orderly.Caller, f store.InvocationFilter, p store.Page) ([]orderly.Invocation, int, error) {
	f.Account, f.Realm = c.Account, c.Realm
	return e.db.Invocations(ctx, f, p)
}

// maxEmbedded is how many tasks are shown inside an invocation (rule PG-10).
const maxEmbedded = 1000

// TasksOf finds the tasks that are shown inside invocations: the first ones of each, or only those
// on one instance. Outputs are left out unless asked for; Dropped is right either way.
func (e *Engine) TasksOf(ctx context.Context, list []orderly.Invocation, instance string, output bool) (map[int64][]orderly.Task, error) {
	seqs := make([]int64, len(list))
	for i := range list {
		seqs[i] = list[i].Seq
	}
	return e.db.TasksOf(ctx, seqs, instance, maxEmbedded, output)
}

// Results lists the caller's tasks with their outputs, those of newer invocations first, and counts
// all that match.
func (e *Engine) Results(ctx context.Context, c orderly.Caller, f store.ResultFilter, p store.Page) ([]store.Result, int, error) {
	f.Account, f.Realm = c.Account, c.Realm
	return e.db.Results(ctx, f, p)
}
