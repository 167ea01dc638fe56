package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

const commandColumns = `seq, id, account, region, name, description, type, content, working_dir, timeout, enable_parameter, launcher,
	resource_group, kept, invoke_times, created`

func scanCommand(r interface{ Scan(...any) error }) (orderly.Command, error) {
	var c orderly.Command
	var timeout, enable, kept, created int64
	err := r.Scan(&c.Seq, &c.ID, &c.Account, &c.Region, &c.Name, &c.Description, &c.Type, &c.Content, &c.WorkingDir, &timeout, &enable, &c.Launcher,
		&c.ResourceGroup, &kept, &c.InvokeTimes, &created)
	c.Realm, c.Region = unshelved(c.Region)
	c.Timeout, c.EnableParameter, c.Kept, c.Created = time.Duration(timeout)*time.Millisecond, enable != 0, kept != 0, orderly.FromMillis(created)
	return c, err
}

// AddCommand stores a new command with its tags.
func (t *Tx) AddCommand(c orderly.Command) error {
	c.Region = shelved(c.Realm, c.Region)
	if _, err := t.exec(`insert into commands (`+commandColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		c.Seq, c.ID, c.Account, c.Region, c.Name, c.Description, c.Type, blob(c.Content), c.WorkingDir, c.Timeout.Milliseconds(), flag(c.EnableParameter), c.Launcher,
		c.ResourceGroup, flag(c.Kept), c.InvokeTimes, orderly.Millis(c.Created)); err != nil {
		return err
	}
	return t.addTags(TaggedCommand, c.ID, c.Account, c.Region, c.Tags)
}

// Command finds a command that a caller knows of, for a change; ErrNotFound when there is none.
func (t *Tx) Command(by orderly.Caller, region, id string) (orderly.Command, error) {
	c, err := scanCommand(t.row(`select `+commandColumns+` from commands where id = $1 and account = $2 and region = $3`+t.db.dialect.forUpdate,
		id, by.Account, shelved(by.Realm, region)))
	if errors.Is(err, errNothing) {
		return c, ErrNotFound
	}
	return c, err
}

// SaveCommand stores what can change of a command (rule MOD-1).
func (t *Tx) SaveCommand(c orderly.Command) error {
	_, err := t.exec(`update commands set name = $2, description = $3, working_dir = $4, timeout = $5, launcher = $6 where id = $1`,
		c.ID, c.Name, c.Description, c.WorkingDir, c.Timeout.Milliseconds(), c.Launcher)
	return err
}

// CountCommands counts the kept commands that a caller knows of in a region, for the quota.
func (t *Tx) CountCommands(by orderly.Caller, region string) (n int, err error) {
	return n, t.row(`select count(*) from commands where account = $1 and region = $2 and kept = 1`, by.Account, shelved(by.Realm, region)).Scan(&n)
}

// Invoked counts one more invocation made from a command (rule DC-2).
func (t *Tx) Invoked(command string) error {
	_, err := t.exec(`update commands set invoke_times = invoke_times + 1 where id = $1`, command)
	return err
}

// InUse reports whether an invocation of a command is unfinished (rule DEL-1).
func (t *Tx) InUse(command string) (bool, error) {
	var n int
	err := t.row(`select count(*) from (select 1 from invocations where command = $1 and finished = 0 limit 1) live`, command).Scan(&n)
	return n > 0, err
}

// DeleteCommand removes a command and its tags; its invocations stay (rule DEL-2).
func (t *Tx) DeleteCommand(id string) error {
	if _, err := t.exec(`delete from tags where kind = $1 and resource = $2`, TaggedCommand, id); err != nil {
		return err
	}
	_, err := t.exec(`delete from commands where id = $1`, id)
	return err
}

// DropUnkept removes commands that were not to be kept, once their invocation is over (rule KEEP-1).
func (t *Tx) DropUnkept(ids []string) error {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{id}
	}
	err := t.each(`delete from commands where id = $1 and kept = 0`, rows)
	return err
}

// A CommandFilter says which kept commands to list; empty fields admit all. Name and Description
// may begin or end with * (rule DC-1).
type CommandFilter struct {
	Account, Realm, Region                                string // of these none admits all
	ID, ExactName, Name, Description, Type, ResourceGroup string
	Tags                                                  []orderly.Tag
}

// Commands lists kept commands, newest first, and counts all that match.
func (db *DB) Commands(ctx context.Context, f CommandFilter, p Page) ([]orderly.Command, int, error) {
	var w where
	w.add("account = ?", f.Account)
	w.add("region = ?", shelved(f.Realm, f.Region))
	w.add("kept = 1")
	w.eq("id", f.ID)
	w.eq("name", f.ExactName)
	w.wild("name", f.Name)
	w.wild("description", f.Description)
	w.eq("type", f.Type)
	w.eq("resource_group", f.ResourceGroup)
	w.tagged(TaggedCommand, "id", f.Tags)
	total, err := db.count(ctx, "commands", w)
	if err != nil {
		return nil, 0, err
	}
	rows, err := db.page(ctx, `select `+commandColumns+` from commands`, "seq", w, p)
	list, err := collect(rows, err, func(r *sql.Rows) (orderly.Command, error) { return scanCommand(r) })
	if err != nil {
		return nil, 0, err
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	tags, err := db.tagsOf(ctx, TaggedCommand, ids)
	for i := range list {
		list[i].Tags = tags[list[i].ID]
	}
	return list, total, err
}

// wild adds a condition for a text that may begin or end with *; "" admits all.
func (w *where) wild(column, pattern string) {
	if cond, args := wildcard(column, pattern); cond != "" {
		w.add(cond, args...)
	}
}

// wildcard is the condition that a column is like a text that may begin or end with *, "" when any
// is. It compares by position and length, for "like" minds the case on one database and not on the
// other.
func wildcard(column, pattern string) (cond string, args []any) {
	text := strings.Trim(pattern, "*")
	open, closed := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*")
	switch {
	case text == "":
		return "", nil
	case open && closed:
		return "replace(" + column + ", ?, '') <> " + column, []any{text}
	case closed:
		return "substr(" + column + ", 1, length(cast(? as text))) = cast(? as text)", []any{text, text}
	case open:
		return "substr(" + column + ", length(" + column + ") - length(cast(? as text)) + 1) = cast(? as text) and length(" + column + ") >= length(cast(? as text))",
			[]any{text, text, text}
	}
	return column + " = ?", []any{text}
}
