package store

import (
	"context"
	"runtime"
	"time"
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

// WhileRenewed runs f while what is known of long lists is old and being found out anew.
func (db *DB) WhileRenewed(f func()) {
	for _, m := range db.marks.all() {
		m.walking.Lock()
		defer m.walking.Unlock()
		m.mu.Lock()
		m.known.took = time.Minute // it is not twice as old as it may become before f is through
		m.known.at = time.Now().Add(-m.life(m.known) * 3 / 2)
		m.mu.Unlock()
	}
	f()
}
