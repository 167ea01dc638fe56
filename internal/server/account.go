package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

// KeyFile is where, in the data directory, the first access key is kept.
const KeyFile = "access-key.json"

// random32 makes a secret.
func random32() ([]byte, error) {
	b := make([]byte, 32)
	_, err := rand.Read(b)
	return b, err
}

// readSecret reads the file that seals keys, or makes it.
func readSecret(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if secret, err = random32(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	_, err = f.Write(secret)
	return secret, errors.Join(err, f.Sync(), f.Close())
}

// firstAccount finds the first account, and makes it with one key on an empty database.
func (s *Server) firstAccount(ctx context.Context) (First, error) {
	f := First{KeyFile: filepath.Join(s.cfg.Data, KeyFile)}
	accounts, err := s.db.Accounts(ctx)
	if err != nil {
		return f, err
	}
	if len(accounts) > 0 {
		f.Account = accounts[0]
		return f, s.givenKey(ctx, f.Account)
	}
	if f.Account, err = newAccountID(); err != nil {
		return f, err
	}
	f.Key = store.AccessKey{ID: s.cfg.AccessKeyID, Secret: s.cfg.AccessKeySecret, Account: f.Account}
	if f.Key.ID == "" {
		f.Key = NewKey(f.Account)
	}
	err = s.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		if err := tx.AddAccount(f.Account); err != nil {
			return err
		}
		return tx.AddKey(f.Key)
	})
	if err != nil {
		return f, fmt.Errorf("make the first account: %w", err)
	}
	return f, writeKey(f.KeyFile, f.Key)
}

// givenKey adds the key that the configuration sets, unless the account has it.
func (s *Server) givenKey(ctx context.Context, account string) error {
	if s.cfg.AccessKeyID == "" {
		return nil
	}
	k, err := s.db.Key(ctx, s.cfg.AccessKeyID)
	switch {
	case err == nil && k.Secret != s.cfg.AccessKeySecret:
		return fmt.Errorf("access key %s exists with another secret", k.ID)
	case err == nil:
		return nil
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return s.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		return tx.AddKey(store.AccessKey{ID: s.cfg.AccessKeyID, Secret: s.cfg.AccessKeySecret, Account: account})
	})
}

// newAccountID makes an account's 16 digits.
func newAccountID() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(9_000_000_000_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprint(n.Int64() + 1_000_000_000_000_000), nil
}

// NewKey makes an access key of an account.
func NewKey(account string) store.AccessKey {
	return store.AccessKey{ID: "OK" + rand.Text()[:22], Secret: rand.Text() + rand.Text()[:4], Account: account}
}

// keyFile is the content of KeyFile.
type keyFile struct {
	AccessKeyID     string `json:"accessKeyId"`
	AccessKeySecret string `json:"accessKeySecret"`
	Account         string `json:"account"`
}

func writeKey(path string, k store.AccessKey) error {
	text, err := json.MarshalIndent(keyFile{k.ID, k.Secret, k.Account}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// keys lets rpc look up access keys.
type keys struct{ db *store.DB }

func (k keys) AccessKey(ctx context.Context, id string) (rpc.Key, error) {
	key, err := k.db.Key(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return rpc.Key{}, rpc.KeyUnknown
	}
	return rpc.Key{ID: key.ID, Account: key.Account, Secret: key.Secret, Disabled: key.Disabled}, err
}

func (k keys) SpendNonce(ctx context.Context, keyID, nonce string, until time.Time) error {
	err := k.db.SpendNonce(ctx, keyID, nonce, until)
	if errors.Is(err, store.ErrTaken) {
		return rpc.NonceUsed
	}
	return err
}
