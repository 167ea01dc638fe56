package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/orderly-run/orderly"
)

// A Session is somebody who signed in with an access key.
type Session struct {
	ID            string // not what the browser holds, from which it is made
	KeyID         string
	Account       string // of the key
	Created, Seen time.Time
}

// AddSession begins a session now, and forgets at most 1000 that were not used since a time.
func (t *Tx) AddSession(id, keyID string, idleSince time.Time) error {
	if _, err := t.exec(`delete from sessions where id in (select id from sessions where seen < $1 limit 1000)`, orderly.Millis(idleSince)); err != nil {
		return err
	}
	_, err := t.exec(`insert into sessions (id, key_id, created, seen) values ($1, $2, $3, $3)`, id, keyID, orderly.Millis(t.Now))
	return err
}

// Session finds a session whose key is enabled; ErrNotFound when there is none.
func (db *DB) Session(ctx context.Context, id string) (Session, error) {
	s := Session{ID: id}
	var created, seen int64
	err := db.reads.QueryRowContext(ctx, `select s.key_id, k.account, s.created, s.seen from sessions s
		join access_keys k on k.id = s.key_id where s.id = $1 and k.disabled = 0`, id).Scan(&s.KeyID, &s.Account, &created, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return s, ErrNotFound
	}
	s.Created, s.Seen = orderly.FromMillis(created), orderly.FromMillis(seen)
	return s, err
}

// SessionUsed notes that a session is used now.
func (t *Tx) SessionUsed(id string) error {
	_, err := t.exec(`update sessions set seen = $2 where id = $1`, id, orderly.Millis(t.Now))
	return err
}

// EndSession ends a session; one that is over stays so.
func (t *Tx) EndSession(id string) error {
	_, err := t.exec(`delete from sessions where id = $1`, id)
	return err
}

// KeysOf lists the access keys of an account, oldest first.
func (db *DB) KeysOf(ctx context.Context, account string) ([]AccessKey, error) {
	rows, err := db.reads.QueryContext(ctx, `select `+keyColumns+` from access_keys where account = $1 order by created, id`, account)
	return collect(rows, err, func(r *sql.Rows) (AccessKey, error) { return db.scanKey(r) })
}

// DisableKeyOf disables a key of an account for good, with all sessions that began with it. ErrNotFound
// when the account has no such key, ErrTaken when it has no other that is enabled.
func (t *Tx) DisableKeyOf(account, id string) error {
	if err := t.LockAccount(account); err != nil { // who disables another one at once counts after us
		return err
	}
	var found, others int
	err := t.row(`select count(*) from access_keys where account = $1 and id = $2`, account, id).Scan(&found)
	if err == nil && found == 0 {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	if err := t.row(`select count(*) from access_keys where account = $1 and id <> $2 and disabled = 0`, account, id).Scan(&others); err != nil {
		return err
	}
	if others == 0 {
		return ErrTaken
	}
	if _, err := t.exec(`delete from sessions where key_id = $1`, id); err != nil {
		return err
	}
	return t.DisableKey(id)
}
