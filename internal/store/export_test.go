package store

import (
	"context"
	"runtime"
)

// MaxRuns is how many runs are kept.
const MaxRuns = maxRuns

// WritePragma reads a setting of the connection that writes, on SQLite.
func (db *DB) WritePragma(ctx context.Context, name string) (value string, err error) {
	return value, db.writes.QueryRowContext(ctx, "pragma "+name).Scan(&value)
}

// AwaitQueue returns when n writers of a class wait for their turn.
func (db *DB) AwaitQueue(c Class, n int) {
	for {
		db.turns.mu.Lock()
		waiting := len(db.turns.waiting[c])
		db.turns.mu.Unlock()
		if waiting >= n {
			return
		}
		runtime.Gosched()
	}
}

// ForgetMarks makes lists count all of their rows again.
func (db *DB) ForgetMarks() {
	db.marks.mu.Lock()
	defer db.marks.mu.Unlock()
	db.marks.lists = nil
}

// BeImpatient finds every walk along a list slow.
func (db *DB) BeImpatient() { db.marks.patience = 0 }

// Checkpoint is what Run does now and then on SQLite.
func (db *DB) Checkpoint(ctx context.Context) { db.dialect.checkpoint(ctx, db) }
