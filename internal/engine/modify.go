package engine

import (
	"context"
	"errors"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

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
	cmd, err := tx.Command(c.Account, region, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !cmd.Kept {
		return cmd, orderly.CommandUnknown
	}
	return cmd, err
}
