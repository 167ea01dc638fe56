package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/orderly-run/orderly"
)

// A box seals what only servers may read.
type box struct{ aead cipher.AEAD }

func newBox(secret []byte) (*box, error) {
	if len(secret) != 32 {
		return nil, fmt.Errorf("the secret that seals keys has %d bytes, not 32", len(secret))
	}
	b, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(b)
	if err != nil {
		return nil, err
	}
	return &box{aead}, nil
}

// seal encrypts plain for the row named by context.
func (b *box) seal(plain []byte, context string) []byte {
	nonce := make([]byte, b.aead.NonceSize())
	rand.Read(nonce)
	return b.aead.Seal(nonce, nonce, plain, []byte(context))
}

func (b *box) open(sealed []byte, context string) ([]byte, error) {
	n := b.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("sealed value is too short")
	}
	plain, err := b.aead.Open(nil, sealed[:n], sealed[n:], []byte(context))
	if err != nil {
		return nil, fmt.Errorf("unseal %s: is this the secret file that the database was made with? %w", context, err)
	}
	return plain, nil
}

// Seal makes a text that only servers of this database can read back, by Unseal.
func (db *DB) Seal(plain []byte) string {
	return base64.StdEncoding.EncodeToString(db.box.seal(plain, "sealed text"))
}

// Unseal reads what Seal made.
func (db *DB) Unseal(sealed string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	return db.box.open(raw, "sealed text")
}

// Secret is the secret that all servers on this database share under a name: the stored one, or
// what make returns, stored now. Of several servers that start at once one wins.
func (db *DB) Secret(ctx context.Context, name string, make func() ([]byte, error)) ([]byte, error) {
	var plain []byte
	err := db.Write(ctx, Interactive, func(t *Tx) error {
		var sealed []byte
		err := t.row(`select sealed from secrets where name = $1`, name).Scan(&sealed)
		if err == nil {
			plain, err = db.box.open(sealed, "secret "+name)
			return err
		}
		if !errors.Is(err, errNothing) {
			return err
		}
		if plain, err = make(); err != nil {
			return err
		}
		_, err = t.exec(`insert into secrets (name, sealed, created) values ($1, $2, $3)`,
			name, db.box.seal(plain, "secret "+name), orderly.Millis(t.Now))
		return err
	})
	if errors.Is(err, ErrTaken) {
		return db.Secret(ctx, name, make)
	}
	if err != nil {
		return nil, fmt.Errorf("shared secret %s: %w", name, err)
	}
	return plain, nil
}
