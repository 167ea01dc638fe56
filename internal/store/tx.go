package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/orderly-run/orderly"
)

// A Tx is one transaction. It is for the function that Write gave it to, in that call only.
type Tx struct {
	db   *DB
	conn *sql.Conn // PostgreSQL only
	tx   *sql.Tx
	ctx  context.Context
	Now  time.Time // on the store's clock, the same for the whole transaction
	seen map[orderly.TaskKey]image
}

// ErrTaken says that a row with the same key exists.
var ErrTaken = errors.New("key is taken")

// ErrOutage says that the database itself does not work now: what was asked of it may be fine.
var ErrOutage = errors.New("the database is out of order")

// errNothing says that a statement found no row.
var errNothing = sql.ErrNoRows

// retries is how often a transaction that collided with another is tried.
const retries = 8

// Write runs f in a transaction and commits it. f may run more than once, so it must leave nothing
// behind outside the transaction but plain assignments. When Write returns nil the change is durable.
func (db *DB) Write(ctx context.Context, c Class, f func(*Tx) error) error {
	for try := 1; ; try++ {
		err := db.write(ctx, c, f)
		if err == nil || try == retries || !db.dialect.collided(err) {
			if errors.Is(err, ErrOutage) && ctx.Err() == nil {
				db.broken.Store(db.Now().UnixMilli())
			}
			return err
		}
	}
}

func (db *DB) write(ctx context.Context, c Class, f func(*Tx) error) (err error) {
	if db.dialect.oneWriter {
		if err := db.turns.enter(ctx, c); err != nil {
			return err
		}
		defer db.turns.leave()
	}
	conn, err := db.writes.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%w: connect: %w", ErrOutage, err)
	}
	defer func() { _ = conn.Close() }()
	defer func(began time.Time) { db.observe(c, time.Since(began)) }(time.Now())
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%w: begin: %w", ErrOutage, err)
	}
	defer tx.Rollback()
	t := &Tx{db: db, conn: conn, tx: tx, ctx: ctx, Now: db.Now()}
	if err := f(t); err != nil {
		if db.dialect.outage(conn, err) {
			err = fmt.Errorf("%w: %w", ErrOutage, err)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: commit: %w", ErrOutage, err)
	}
	return nil
}

// exec runs q once and tells how many rows it changed.
func (t *Tx) exec(q string, args ...any) (int64, error) {
	r, err := t.tx.ExecContext(t.ctx, q, args...)
	if err != nil {
		if t.db.dialect.taken(err) {
			return 0, ErrTaken
		}
		return 0, err
	}
	return r.RowsAffected()
}

// each runs q for every row of arguments. On PostgreSQL all of them travel together.
func (t *Tx) each(q string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	return t.db.dialect.each(t, q, rows)
}

func (t *Tx) query(q string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(t.ctx, q, args...)
}

func (t *Tx) row(q string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(t.ctx, q, args...)
}

// collect reads all rows of a query by scan.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// blob is a byte string as it is stored: none is an empty one.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// flag is a boolean as it is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
