package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed schema/*.sql
var schema embed.FS

// migrate brings the schema forward, each step in a transaction of its own. A database from a newer
// version is refused: this program does not know what it may write there.
func (db *DB) migrate(ctx context.Context) error {
	files, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		return err
	}
	for {
		done, err := db.step(ctx, files)
		if err != nil || done {
			return err
		}
	}
}

// step does the next migration; it reports whether there is none left.
func (db *DB) step(ctx context.Context, files []string) (done bool, err error) {
	err = db.Write(ctx, Interactive, func(t *Tx) error {
		if db.dialect.alone != "" { // two servers may start at once
			if _, err := t.exec(db.dialect.alone); err != nil {
				return err
			}
		}
		if _, err := t.exec(`create table if not exists schema_version (version bigint not null)`); err != nil {
			return err
		}
		var at int
		if err := t.row(`select coalesce(max(version), 0) from schema_version`).Scan(&at); err != nil {
			return err
		}
		if at > len(files) {
			return fmt.Errorf("the database has version %d of the schema, this program knows up to %d: it was written by a newer version of Orderly, use that one", at, len(files))
		}
		if done = at == len(files); done {
			return nil
		}
		return t.apply(files[at], at+1)
	})
	return done, err
}

func (t *Tx) apply(file string, version int) error {
	text, err := schema.ReadFile(file)
	if err != nil {
		return err
	}
	for s := range strings.SplitSeq(withoutComments(string(text)), ";") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if _, err := t.exec(s); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	_, err = t.exec(`insert into schema_version (version) values ($1)`, version)
	return err
}

// withoutComments removes -- comments, which may hold semicolons.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		code, _, found := strings.Cut(line, "--")
		b.WriteString(code)
		if found {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
