package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/jackc/pgx/v5"
	sqlite3 "modernc.org/sqlite/lib"
)

// Backup writes all that an SQLite database holds at one moment into a new file that only its owner may read. Servers may be
// using the database. The file is complete and on disk when it has its name; one that exists is not replaced.
func Backup(ctx context.Context, url, file string) error {
	h, err := openFile(filePath(url), "mode=rw&_pragma="+busyTimeout(busyPatience))
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }()
	var version int
	if err := h.QueryRowContext(ctx, `select max(version) from schema_version`).Scan(&version); err != nil {
		return fmt.Errorf("%s: %w", filePath(url), err)
	}
	return create(file, func(_ *os.File, part string) error {
		if _, err := h.ExecContext(ctx, `vacuum into ?`, part); err != nil {
			return err
		}
		return date(ctx, part)
	})
}

// date has a copy of a database say that it is one: what is live in it is doubted by whoever opens it first, also when nobody
// says that it was restored.
func date(ctx context.Context, copied string) error {
	h, err := openFile(copied, "mode=rw")
	if err != nil {
		return err
	}
	var knows int // one that a former version wrote does not
	err = h.QueryRowContext(ctx, `select count(*) from sqlite_master where type = 'table' and name = 'generation'`).Scan(&knows)
	if err == nil && knows > 0 {
		_, err = h.ExecContext(ctx, `update generation set marking = 1; update presence set link = '' where link <> ''`)
	}
	return errors.Join(err, h.Close())
}

// PutBack makes the SQLite database url of a file that Backup wrote: it never is there without being Restored. A
// database that exists is not replaced.
func PutBack(ctx context.Context, file, url string, o Options) (r Restoration, err error) {
	path := filePath(url)
	for _, f := range []string{file + "-wal", path + "-wal", path + "-shm"} {
		if info, err := os.Stat(f); err == nil && (info.Size() > 0 || f != file+"-wal") {
			return r, fmt.Errorf("there is a %s: it belongs to a database that is in use, or was not closed", f)
		}
	}
	err = create(path, func(f *os.File, part string) (err error) {
		if err := copyInto(f, file); err != nil {
			return err
		}
		db, err := Open(ctx, part, o)
		if err != nil {
			return err
		}
		r, err = db.Restored(ctx)
		return errors.Join(err, db.Close())
	})
	return r, err
}

func copyInto(to *os.File, file string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	_, err = io.Copy(to, from)
	return err
}

// create makes a file that only its owner may read: under another name, until write has written it and it is on disk.
func create(file string, write func(f *os.File, part string) error) error {
	if err := missing(file); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".part-*") // of mode 0600
	if err != nil {
		return err
	}
	part := f.Name()
	defer func() { _ = os.Remove(part) }() // unless it has its name
	if err = write(f, part); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := missing(file); err != nil {
		return err
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(file))
}

// missing refuses a file that exists.
func missing(file string) error {
	_, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		return fmt.Errorf("there is a %s already, which is not replaced", file)
	}
	return err
}

// syncDirectory has the names in a directory on disk.
func syncDirectory(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it keeps them by itself
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ErrInUse says that somebody else has a database open.
var ErrInUse = errors.New("the database is in use: stop all servers first")

// Alone finds, as ErrInUse, whether somebody else has a database open just now. On SQLite a server always has; on PostgreSQL
// anybody's session counts.
func Alone(ctx context.Context, url string) error {
	if isPostgres(url) {
		return aloneOnPostgres(ctx, url)
	}
	h, err := openFile(filePath(url), "mode=rw&_pragma=busy_timeout(0)&_pragma=locking_mode(EXCLUSIVE)&_txlock=exclusive")
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }()
	tx, err := h.BeginTx(ctx, nil)
	if sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY {
		return ErrInUse
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filePath(url), err)
	}
	return tx.Rollback()
}

func aloneOnPostgres(ctx context.Context, url string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	var others int
	err = c.QueryRow(ctx, `select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
		and backend_type = 'client backend'`).Scan(&others)
	if err == nil && others > 0 {
		err = fmt.Errorf("%w (it has %d other sessions)", ErrInUse, others)
	}
	return err
}

// openFile makes a handle of an SQLite database.
func openFile(path, query string) (*sql.DB, error) {
	h, err := sql.Open("sqlite", fileURL(path)+"?"+query)
	if err == nil {
		h.SetMaxOpenConns(1)
	}
	return h, err
}
