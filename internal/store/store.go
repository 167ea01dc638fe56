// Package store keeps everything that must survive: SQLite in one file, or PostgreSQL, behind one
// type with one schema and one text for each statement.
//
// Changes go through [DB.Write]: when it has returned nil the change is on disk. On SQLite there is
// one writer with two queues, interactive calls before mass work; on PostgreSQL transactions that
// collide are tried again.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A Class says which queue a change waits in.
type Class int

// The classes of change.
const (
	Interactive Class = iota // somebody waits for the answer
	Mass                     // reports, presence, sweeps
)

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	dialect dialect
	reads   *sql.DB
	writes  *sql.DB // the same as reads on PostgreSQL
	lists   *sql.DB // the same as reads on SQLite; plans do not depend on arguments there
	turns   turnstile
	clock   clock
	broken  atomic.Int64 // Unix ms of the last failed write, 0 for none
	silence atomic.Int64 // ns that PostgreSQL may be silent, 0 for any
	seqMu   sync.Mutex
	lastSeq int64
	box     *box
	marks   marks
	observe func(Class, time.Duration)
}

// Options are how a database is opened.
type Options struct {
	Secret []byte // 32 bytes that seal what only servers may read; see Seal

	// Observe is told of each transaction that changes something: its class and how long it took from its
	// begin to the end of its commit, without the wait for its turn. It must not block.
	Observe func(Class, time.Duration)

	// Patience is how long PostgreSQL may be silent, when it is asked for something, before a connection to it counts as
	// dead; 30 s. Bringing the schema up to date may take longer.
	Patience time.Duration
}

// Open opens a database, bringing its schema up to date. url is postgres://… or the path of an
// SQLite file. A database written by a newer version is refused.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	box, err := newBox(o.Secret)
	if err != nil {
		return nil, err
	}
	db := &DB{box: box, marks: marks{patience: slow}, observe: o.Observe}
	if db.observe == nil {
		db.observe = func(Class, time.Duration) {}
	}
	if isPostgres(url) {
		err = db.openPostgres(url, o.Patience)
	} else {
		err = db.openSQLite(ctx, filePath(url))
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := db.prepare(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	db.silence.Store(int64(cmp.Or(o.Patience, maxSilence)))
	return db, nil
}

func (db *DB) prepare(ctx context.Context) error {
	if err := db.migrate(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	if err := db.measureClock(ctx); err != nil {
		return err
	}
	return db.doubt(ctx)
}

// Close ends all connections.
func (db *DB) Close() error {
	err := db.reads.Close()
	for _, other := range []*sql.DB{db.writes, db.lists} {
		if other != db.reads {
			err = errors.Join(err, other.Close())
		}
	}
	return err
}

// Run keeps the database in shape until ctx ends: it measures the clock, keeps what is known of long
// lists fresh and, on SQLite, moves the write-ahead log into the file.
func (db *DB) Run(ctx context.Context) error {
	tick, often := time.NewTicker(time.Second), time.NewTicker(shortLife/4)
	defer tick.Stop()
	defer often.Stop()
	for n := 1; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-often.C:
			db.remark(ctx)
		case <-tick.C:
			if db.dialect.checkpoint != nil {
				db.dialect.checkpoint(ctx, db)
			}
			if n++; n%30 == 0 || db.dialect.now == "" {
				_ = db.measureClock(ctx) // Ready tells
			}
		}
	}
}

// Now is the time on the store's clock, which all deadlines and rows are on (rule CLK-1).
func (db *DB) Now() time.Time {
	return db.clock.at(time.Now()).Truncate(time.Millisecond).UTC()
}

// maxOffset is how far a server's clock may be from the store's (rule CLK-1).
const maxOffset = 5 * time.Second

// Ready reports why the database cannot be used now.
func (db *DB) Ready(ctx context.Context) error {
	if off := time.Until(db.Now()).Abs(); off > maxOffset && db.dialect.now != "" {
		return fmt.Errorf("the clock is %v from the database's", off)
	}
	var one int
	return db.reads.QueryRowContext(ctx, `select 1`).Scan(&one)
}

// BrokenUntil is when a write last failed for a reason of the database's own; zero for never. The
// time before it counts as an outage (rule LATE-1).
func (db *DB) BrokenUntil() time.Time {
	if ms := db.broken.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func (db *DB) measureClock(ctx context.Context) error {
	if db.dialect.now == "" {
		db.clock.follow(time.Now())
		return nil
	}
	before := time.Now()
	var ms int64
	if err := db.reads.QueryRowContext(ctx, db.dialect.now).Scan(&ms); err != nil {
		return fmt.Errorf("measure the database's clock: %w", err)
	}
	db.clock.set(before.Add(time.Since(before)/2), time.UnixMilli(ms))
	return nil
}

// NextSeq makes the number of a new invocation, command, activation or instance: milliseconds of
// creation << 20 | counter (rule ID-5). The counter starts at random, so that servers do not meet.
func (db *DB) NextSeq() int64 {
	db.seqMu.Lock()
	defer db.seqMu.Unlock()
	seq := db.Now().UnixMilli()<<20 | int64(rand.IntN(1<<19))
	if seq <= db.lastSeq {
		seq = db.lastSeq + 1
	}
	db.lastSeq = seq
	return seq
}
