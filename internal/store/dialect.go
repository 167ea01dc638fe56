package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A dialect is all in which the two databases differ.
type dialect struct {
	name       string
	oneWriter  bool
	now        string // query for the database's clock in Unix ms, "" when it is ours
	forUpdate  string // ends a select whose rows will be changed
	forShare   string // ends a select whose rows must not change until the commit
	skipLocked string // ends a select of rows that somebody else may be working on
	lateral    bool   // a join may ask for rows of the tables before it; without, tables are joined as they stand
	rowid      bool   // indexes lead to rows by a number, by which a row can be fetched too
	explain    string // before a query tells its plan
	alone      string // keeps other migrations away until the commit
	collided   func(error) bool
	taken      func(error) bool
	outage     func(*sql.Conn, error) bool                            // whether a statement failed for the database's reasons, not for what it said
	oneOf      func(column string, values any) (cond string, arg any) // for many values: one argument, however many
	each       func(t *Tx, q string, rows [][]any) error
	set        func(t *Tx, s setter, rows [][]any) error
	checkpoint func(context.Context, *DB)
}

// forUpdateOf and forShareOf end a select of several tables that locks the rows of one.
func forUpdateOf(t *Tx, alias string) string { return lockOf(t.db.dialect.forUpdate, alias) }

func forShareOf(t *Tx, alias string) string { return lockOf(t.db.dialect.forShare, alias) }

func lockOf(lock, alias string) string {
	if lock == "" {
		return ""
	}
	return lock + " of " + alias
}

// maxWAL is the size of the write-ahead log from which it is truncated, not only copied.
const maxWAL = 64 << 20

// Patience with an SQLite database that somebody else just opens or closes.
const (
	busyPatience = 30 * time.Second
	busyPause    = 5 * time.Millisecond
)

func (db *DB) openSQLite(ctx context.Context, path string) error {
	pragmas := url.Values{"_pragma": {busyTimeout(busyPatience), "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)", "cache_size(-65536)", "temp_store(MEMORY)", "foreign_keys(ON)"}}
	open := func(q url.Values, conns int) (*sql.DB, error) {
		h, err := sql.Open("sqlite", fileURL(path)+"?"+q.Encode())
		if err != nil {
			return nil, err
		}
		h.SetMaxOpenConns(conns)
		h.SetMaxIdleConns(conns)
		return h, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite gives its other files the same mode
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	write := url.Values{"_pragma": pragmas["_pragma"], "_txlock": {"immediate"}}
	if db.writes, err = open(write, 1); err != nil {
		return err
	}
	if err := connect(ctx, db.writes); err != nil {
		return err
	}
	read := url.Values{"_pragma": append([]string{"query_only(ON)", "mmap_size(2147418112)"}, pragmas["_pragma"]...)}
	if db.reads, err = open(read, 8); err != nil {
		return err
	}
	db.lists = db.reads
	db.dialect = dialect{
		name: "sqlite", oneWriter: true, rowid: true, each: eachInTurn, set: setInTurn,
		explain: `explain query plan `,
		oneOf: func(column string, values any) (string, any) {
			list, _ := json.Marshal(values) // strings and numbers always can be
			return column + ` in (select value from json_each(?))`, string(list)
		},
		collided: func(err error) bool { return sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY },
		taken: func(err error) bool {
			c := sqliteCode(err)
			return c == sqlite3.SQLITE_CONSTRAINT_UNIQUE || c == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
		},
		outage: func(_ *sql.Conn, err error) bool {
			switch sqliteCode(err) & 0xff {
			case sqlite3.SQLITE_OK, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
				return false
			}
			return true
		},
		checkpoint: func(ctx context.Context, db *DB) { checkpoint(ctx, db, path) },
	}
	return nil
}

// isPostgres reports whether a URL is one of PostgreSQL; else it is an SQLite database's, see filePath.
func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// filePath is where an SQLite database is.
func filePath(url string) string { return strings.TrimPrefix(url, "sqlite:") }

// fileURL is an SQLite database as its driver names it.
func fileURL(path string) string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}

// connect makes the first connection to a database. While another process makes it one with a write-ahead
// log, or takes the log away as the last to leave, SQLite says that it is locked without waiting.
func connect(ctx context.Context, h *sql.DB) error {
	for deadline := time.Now().Add(busyPatience); ; {
		err := h.PingContext(ctx)
		if err == nil || sqliteCode(err)&0xff != sqlite3.SQLITE_BUSY || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(busyPause):
		}
	}
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// eachInTurn runs the rows one after the other by one prepared statement.
func eachInTurn(t *Tx, q string, rows [][]any) error {
	s, err := t.tx.PrepareContext(t.ctx, q)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	for i, args := range rows {
		if _, err := s.ExecContext(t.ctx, args...); err != nil {
			if t.db.dialect.taken(err) {
				return ErrTaken
			}
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return nil
}

// checkpoint copies the write-ahead log into the database, off the writer's way, and truncates it
// when it has grown large.
func checkpoint(ctx context.Context, db *DB, path string) {
	info, err := os.Stat(path + "-wal")
	if err != nil || info.Size() < 4<<20 {
		return
	}
	mode := "PASSIVE"
	if info.Size() > maxWAL {
		mode = "TRUNCATE"
	}
	if db.turns.enter(ctx, Mass) != nil {
		return
	}
	defer db.turns.leave()
	conn, err := db.writes.Conn(ctx)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	for _, step := range []string{busyTimeout(truncatePatience), "wal_checkpoint(" + mode + ")", busyTimeout(busyPatience)} {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "pragma "+step) // busy readers: next time
	}
}

// truncatePatience is how long a checkpoint waits for readers, and every writer with it. Somebody else's may take hours.
const truncatePatience = 20 * time.Millisecond

func busyTimeout(d time.Duration) string { return fmt.Sprintf("busy_timeout(%d)", d.Milliseconds()) }

func (db *DB) openPostgres(url string, patience time.Duration) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	db.listen(cfg, patience)
	open := func(cfg *pgx.ConnConfig, conns int) *sql.DB {
		h := stdlib.OpenDB(*cfg)
		h.SetMaxOpenConns(conns)
		h.SetMaxIdleConns(conns)
		return h
	}
	db.reads = open(cfg, 16)
	db.writes = db.reads
	fixed := cfg.Copy()
	fixed.RuntimeParams["plan_cache_mode"] = "force_generic_plan" // lists are walked as they are written
	db.lists = open(fixed, 8)
	db.dialect = dialect{
		name: "postgres", lateral: true, each: eachTogether, set: setTogether,
		explain:    `explain (analyze, buffers, costs off, timing off, summary off) `,
		oneOf:      func(column string, values any) (string, any) { return column + ` = any(?)`, values },
		now:        `select (extract(epoch from clock_timestamp()) * 1000)::bigint`,
		forUpdate:  ` for update`,
		forShare:   ` for share`,
		skipLocked: ` for update skip locked`,
		alone:      `select pg_advisory_xact_lock(7306089)`,
		collided:   func(err error) bool { return pgCode(err) == "40001" || pgCode(err) == "40P01" },
		taken:      func(err error) bool { return pgCode(err) == "23505" },
		outage:     pgOutage,
	}
	return nil
}

func pgCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// pgOutage goes by the class of the server's code: the connection, its rights, resources, an
// operator's hand, the disk. Without a code the connection tells: the driver closes one that broke.
func pgOutage(c *sql.Conn, err error) bool {
	if code := pgCode(err); len(code) == 5 {
		switch code[:2] {
		case "08", "25", "28", "3D", "40", "53", "55", "57", "58", "F0", "XX":
			return true
		}
		return false
	}
	return c.Raw(func(dc any) error {
		if dc.(*stdlib.Conn).Conn().IsClosed() {
			return driver.ErrBadConn
		}
		return nil
	}) != nil
}

// eachTogether sends all rows in one go.
func eachTogether(t *Tx, q string, rows [][]any) error {
	err := t.conn.Raw(func(dc any) error {
		var b pgx.Batch
		for _, args := range rows {
			b.Queue(q, args...)
		}
		return dc.(*stdlib.Conn).Conn().SendBatch(t.ctx, &b).Close()
	})
	if err != nil && t.db.dialect.taken(err) {
		return ErrTaken
	}
	return err
}
