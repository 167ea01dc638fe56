package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/orderly-run/orderly"
)

// An AccessKey signs requests for an account.
type AccessKey struct {
	ID       string
	Account  string
	Secret   string
	Disabled bool
	Created  time.Time
}

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("not found")

// AddAccount adds an account, or does nothing when it exists.
func (t *Tx) AddAccount(id string) error {
	_, err := t.exec(`insert into accounts (id, created) values ($1, $2) on conflict (id) do nothing`, id, orderly.Millis(t.Now))
	return err
}

// Accounts lists the accounts, oldest first.
func (db *DB) Accounts(ctx context.Context) ([]string, error) {
	rows, err := db.reads.QueryContext(ctx, `select id from accounts order by created, id`)
	return collect(rows, err, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
}

// AddKey adds an access key; ErrTaken when its ID exists.
func (t *Tx) AddKey(k AccessKey) error {
	_, err := t.exec(`insert into access_keys (id, account, secret, disabled, created) values ($1, $2, $3, $4, $5)`,
		k.ID, k.Account, t.db.box.seal([]byte(k.Secret), "key "+k.ID), flag(k.Disabled), orderly.Millis(t.Now))
	return err
}

// DisableKey disables a key for good; ErrNotFound when there is none.
func (t *Tx) DisableKey(id string) error {
	n, err := t.exec(`update access_keys set disabled = 1 where id = $1`, id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

const keyColumns = `id, account, secret, disabled, created`

func (db *DB) scanKey(r interface{ Scan(...any) error }) (AccessKey, error) {
	var k AccessKey
	var sealed []byte
	var disabled, created int64
	if err := r.Scan(&k.ID, &k.Account, &sealed, &disabled, &created); err != nil {
		return k, err
	}
	secret, err := db.box.open(sealed, "key "+k.ID)
	k.Secret, k.Disabled, k.Created = string(secret), disabled != 0, orderly.FromMillis(created)
	return k, err
}

// Key finds an access key; ErrNotFound when there is none.
func (db *DB) Key(ctx context.Context, id string) (AccessKey, error) {
	k, err := db.scanKey(db.reads.QueryRowContext(ctx, `select `+keyColumns+` from access_keys where id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return k, ErrNotFound
	}
	return k, err
}

// Keys lists all access keys, oldest first.
func (db *DB) Keys(ctx context.Context) ([]AccessKey, error) {
	rows, err := db.reads.QueryContext(ctx, `select `+keyColumns+` from access_keys order by created, id`)
	return collect(rows, err, func(r *sql.Rows) (AccessKey, error) { return db.scanKey(r) })
}

// SpendNonce notes that a key's nonce was used; ErrTaken when it had been used before. It is for
// calls that change something: a replay of those must be refused after a crash too.
func (db *DB) SpendNonce(ctx context.Context, key, nonce string, until time.Time) error {
	return db.Write(ctx, Interactive, func(t *Tx) error {
		_, err := t.exec(`insert into nonces (key_id, nonce, expires) values ($1, $2, $3)`, key, nonce, orderly.Millis(until))
		return err
	})
}

// A ClientToken is a remembered request that carried a client token (rules TOK-1, TOK-2).
type ClientToken struct {
	Account, Region, Operation, Token string
	Digest                            []byte // of the request's parameters
	Answer                            string
}

// tokenLife is how long client tokens are remembered (rule TOK-2).
const tokenLife = 24 * time.Hour

// Replayed finds the request that used the same token before.
func (t *Tx) Replayed(k ClientToken) (ClientToken, bool, error) {
	err := t.row(`select digest, answer from client_tokens where account = $1 and region = $2 and operation = $3 and token = $4 and created > $5`,
		k.Account, k.Region, k.Operation, k.Token, orderly.Millis(t.Now.Add(-tokenLife))).Scan(&k.Digest, &k.Answer)
	if errors.Is(err, errNothing) {
		return k, false, nil
	}
	return k, err == nil, err
}

// Remember stores a token with its answer; ErrTaken when another request did so meanwhile.
func (t *Tx) Remember(k ClientToken) error {
	if _, err := t.exec(`delete from client_tokens where account = $1 and region = $2 and operation = $3 and token = $4 and created <= $5`,
		k.Account, k.Region, k.Operation, k.Token, orderly.Millis(t.Now.Add(-tokenLife))); err != nil {
		return err
	}
	_, err := t.exec(`insert into client_tokens (account, region, operation, token, digest, answer, created) values ($1, $2, $3, $4, $5, $6, $7)`,
		k.Account, k.Region, k.Operation, k.Token, blob(k.Digest), k.Answer, orderly.Millis(t.Now))
	return err
}

// Forget removes nonces and tokens that have expired, at most limit of each; it reports whether there
// may be more.
func (t *Tx) Forget(limit int) (more bool, err error) {
	nonces, err := t.exec(`delete from nonces where (key_id, nonce) in (select key_id, nonce from nonces where expires < $1 limit $2)`,
		orderly.Millis(t.Now), limit)
	if err != nil {
		return false, err
	}
	tokens, err := t.exec(`delete from client_tokens where (account, region, operation, token) in
		(select account, region, operation, token from client_tokens where created < $1 limit $2)`,
		orderly.Millis(t.Now.Add(-tokenLife)), limit)
	return max(nonces, tokens) == int64(limit), err
}
