package engine

import (
	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// quota takes from the caller's quotas what a request for an invocation needs, when all else about it
// is right (ERR-1): a place for the command that it keeps, and one of the invocations of the day. What
// only checks, is no invocation. A request whose transaction fails has taken nothing.
func (e *Engine) quota(tx *store.Tx, c orderly.Caller, q Request) error {
	if q.KeepCommand && q.Command.ID == "" { // RunCommand, which has stored it
		if err := e.commandQuota(tx, c, q.Region); err != nil {
			return err
		}
	}
	if e.cfg.DailyQuota == 0 || q.Repeat == orderly.DryRun {
		return nil
	}
	ok, err := tx.TakeInvocation(c.Account, q.Region, e.cfg.DailyQuota)
	if err == nil && !ok {
		err = orderly.InvocationQuota
	}
	return err
}

// commandQuota finds whether a caller has more kept commands in a region than it may, after one was
// added. Each realm has its own quota.
func (e *Engine) commandQuota(tx *store.Tx, c orderly.Caller, region string) error {
	if err := tx.LockAccount(c.Account); err != nil {
		return err
	}
	n, err := tx.CountCommands(c, region)
	if err == nil && n > e.cfg.CommandQuota {
		err = orderly.CommandQuota
	}
	return err
}
