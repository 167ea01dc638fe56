package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/orderly-run/orderly/internal/store"
)

// A Copy is a backup that was made.
type Copy struct {
	Database   string // that it is of
	SecretFile string // without which it is of no use
	Bytes      int64
}

// Backup writes a copy of the SQLite database of a server with the same Data and DB, which may be running, into a new file.
func Backup(ctx context.Context, cfg Config, file string) (Copy, error) {
	if err := cfg.complete(); err != nil {
		return Copy{}, err
	}
	if cfg.remoteDB() {
		return Copy{}, fmt.Errorf("the database is PostgreSQL's, and so is the tool for its backup: pg_dump --format=custom --file=%s %s", quoted(file), quoted(withoutPassword(cfg.DB)))
	}
	if err := cfg.database(); err != nil {
		return Copy{}, err
	}
	if err := store.Backup(ctx, cfg.DB, file); err != nil {
		return Copy{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return Copy{}, err
	}
	return Copy{cfg.fileDB(), cfg.SecretFile, info.Size()}, nil
}

// A Restoration is what Restore has found.
type Restoration struct {
	store.Restoration
	Database string
}

// Restore makes a backup the database of a server with the same Data, DB and SecretFile, which must not be running. A file of
// "" says that it is that already. The database's live tasks are asked about from then on, and not sent.
func Restore(ctx context.Context, cfg Config, file string) (Restoration, error) {
	if err := cfg.complete(); err != nil {
		return Restoration{}, err
	}
	r := Restoration{Database: withoutPassword(cfg.DB)}
	if file != "" && cfg.remoteDB() {
		return r, fmt.Errorf("the database is PostgreSQL's, and so is the tool for its restore: pg_restore --clean --if-exists --single-transaction --dbname=%s %s; then: orderly restore, without a file",
			quoted(r.Database), quoted(file))
	}
	secret, err := cfg.secret()
	if err != nil {
		return r, err
	}
	o := store.Options{Secret: secret}
	if file == "" {
		r.Restoration, err = raise(ctx, cfg, o)
	} else {
		r.Restoration, err = store.PutBack(ctx, file, cfg.DB, o)
	}
	return r, err
}

// raise notes that a database was restored.
func raise(ctx context.Context, cfg Config, o store.Options) (r store.Restoration, err error) {
	if err := cfg.database(); err != nil {
		return r, err
	}
	if err := store.Alone(ctx, cfg.DB); err != nil {
		return r, err
	}
	db, err := store.Open(ctx, cfg.DB, o)
	if err != nil {
		return r, err
	}
	r, err = db.Restored(ctx)
	return r, errors.Join(err, db.Close())
}

// secret reads the file that seals keys, which must be there.
func (c *Config) secret() ([]byte, error) {
	if err := there(c.SecretFile); err != nil {
		return nil, err
	}
	return os.ReadFile(c.SecretFile)
}

// remoteDB reports whether the database is none of SQLite's, which are files.
func (c *Config) remoteDB() bool { return strings.Contains(c.DB, "://") }

// fileDB is where the database is that is a file.
func (c *Config) fileDB() string { return strings.TrimPrefix(c.DB, "sqlite:") }

// database refuses a database that is a file and does not exist.
func (c *Config) database() error {
	if c.remoteDB() {
		return nil
	}
	return there(c.fileDB())
}

// there refuses a file of a server that does not exist.
func there(file string) error {
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s: start the server once, or say where it has its data", file)
	}
	return err
}

// withoutPassword is the URL of a database as it may be shown.
func withoutPassword(db string) string {
	u, err := url.Parse(db)
	if err != nil || u.Scheme == "" || u.User == nil {
		return db
	}
	u.User = url.User(u.User.Username())
	return u.String()
}

// quoted is an argument as a shell takes it.
func quoted(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:@%+,=", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
