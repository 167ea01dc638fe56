package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/orderly-run/orderly/internal/store"
)

// Keys are the access keys of a database, for whoever may read its secret. Servers may be running on
// it: they see each change at once.
type Keys struct{ db *store.DB }

// OpenKeys opens the database that a server with the same Data, DB and SecretFile has; it makes
// none.
func OpenKeys(ctx context.Context, cfg Config) (*Keys, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	secret, err := cfg.secret()
	if err != nil {
		return nil, err
	}
	if err := cfg.database(); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, cfg.DB, store.Options{Secret: secret})
	if err != nil {
		return nil, err
	}
	return &Keys{db}, nil
}

// An AccessKey signs requests for an account.
type AccessKey = store.AccessKey

// Close lets go of the database.
func (k *Keys) Close() error { return k.db.Close() }

// List lists all keys, oldest first.
func (k *Keys) List(ctx context.Context) ([]AccessKey, error) { return k.db.Keys(ctx) }

// Create makes another key of the first account.
func (k *Keys) Create(ctx context.Context) (AccessKey, error) {
	accounts, err := k.db.Accounts(ctx)
	if err != nil {
		return AccessKey{}, err
	}
	if len(accounts) == 0 {
		return AccessKey{}, errors.New("the database has no account: start the server once")
	}
	key := NewKey(accounts[0])
	return key, k.db.Write(ctx, store.Interactive, func(tx *store.Tx) error { return tx.AddKey(key) })
}

// Disable disables a key for good.
func (k *Keys) Disable(ctx context.Context, id string) error {
	err := k.db.Write(ctx, store.Interactive, func(tx *store.Tx) error { return tx.DisableKey(id) })
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no access key %s", id)
	}
	return err
}
