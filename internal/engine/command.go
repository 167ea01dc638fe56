package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A Repetition is what a request says about being sent again (rules TOK-1, TOK-2).
type Repetition struct {
	Operation string
	Token     string // ClientToken, "" for none
	Digest    []byte // of all parameters of the operation
}

func (r Repetition) check() error { return orderly.CheckClientToken(r.Token) }

// CheckRegion finds whether a region exists.
func (e *Engine) CheckRegion(region string) error {
	if !slices.Contains(e.cfg.Regions, region) {
		return orderly.RegionUnknown
	}
	return nil
}

// Once runs make in a transaction unless the request was answered before; it returns the answer,
// and whether it is that of the request before.
func (e *Engine) Once(ctx context.Context, c orderly.Caller, region string, r Repetition, make func(*store.Tx) (string, error)) (answer string, again bool, err error) {
	if err := r.check(); err != nil {
		return "", false, err
	}
	err = e.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		again = false
		k := store.ClientToken{Account: c.Account, Region: region, Operation: r.Operation, Token: r.Token, Digest: r.Digest}
		if r.Token != "" {
			before, found, err := tx.Replayed(k)
			if err != nil {
				return err
			}
			if found {
				answer, again = before.Answer, true
				return sameRequest(before, r)
			}
		}
		if answer, err = make(tx); err != nil || r.Token == "" {
			return err
		}
		k.Answer = answer
		return tx.Remember(k)
	})
	if errors.Is(err, store.ErrTaken) && r.Token != "" {
		return "", false, orderly.ClientTokenInWork
	}
	return answer, again, err
}

func sameRequest(before store.ClientToken, r Repetition) error {
	if string(before.Digest) != string(r.Digest) {
		return orderly.ClientTokenMismatch
	}
	return nil
}

// CreateCommand stores a command that is kept and returns its ID.
func (e *Engine) CreateCommand(ctx context.Context, c orderly.Caller, cmd orderly.Command, r Repetition) (string, error) {
	if err := e.CheckRegion(cmd.Region); err != nil {
		return "", err
	}
	if err := cmd.Check(e.cfg.Command); err != nil {
		return "", err
	}
	if err := orderly.CheckTags(cmd.Tags); err != nil {
		return "", err
	}
	id, _, err := e.Once(ctx, c, cmd.Region, r, func(tx *store.Tx) (string, error) {
		cmd.Kept = true
		id, err := e.addCommand(tx, c, &cmd)
		if err != nil {
			return "", err
		}
		return id, e.commandQuota(tx, c, cmd.Region)
	})
	return id, err
}

// addCommand stores a new command. Whether the account may keep one more is for the caller to ask.
func (e *Engine) addCommand(tx *store.Tx, c orderly.Caller, cmd *orderly.Command) (string, error) {
	cmd.Account, cmd.Realm = c.Account, c.Realm
	cmd.Seq, cmd.Created = e.db.NextSeq(), tx.Now
	cmd.ID = orderly.NewID(orderly.CommandPrefix, cmd.Region, cmd.Seq)
	return cmd.ID, tx.AddCommand(*cmd)
}

// ModifyCommand changes a kept command (rule MOD-1). Invocations made from it before keep what they were
// created with (MOD-2).
func (e *Engine) ModifyCommand(ctx context.Context, c orderly.Caller, region, id string, edit orderly.CommandEdit) error {
	if err := e.CheckRegion(region); err != nil {
		return err
	}
	if err := edit.Check(e.cfg.Command); err != nil {
		return err
	}
	return e.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		cmd, err := e.kept(tx, c, region, id)
		if err != nil {
			return err
		}
		edit.Apply(&cmd)
		return tx.SaveCommand(cmd)
	})
}

// kept finds a kept command of the caller, for a change.
func (e *Engine) kept(tx *store.Tx, c orderly.Caller, region, id string) (orderly.Command, error) {
	cmd, err := tx.Command(c, region, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !cmd.Kept {
		return cmd, orderly.CommandUnknown
	}
	return cmd, err
}

// DeleteCommand removes a command that no unfinished invocation uses (rules DEL-1, DEL-2).
func (e *Engine) DeleteCommand(ctx context.Context, c orderly.Caller, region, id string) error {
	if err := e.CheckRegion(region); err != nil {
		return err
	}
	return e.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		if _, err := e.kept(tx, c, region, id); err != nil {
			return err
		}
		used, err := tx.InUse(id)
		if err != nil {
			return err
		}
		if used {
			return orderly.CommandInUse
		}
		return tx.DeleteCommand(id)
	})
}
