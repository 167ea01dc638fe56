package engine

import (
	"context"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Sizes of what retention does in one transaction, a few milliseconds' work.
const (
	retireBatch = 25  // invocations that are hidden
	dropBatch   = 250 // rows that are removed
)

// A retention is what is to be looked at and removed still. It is for one goroutine.
type retention struct {
	owners []store.Owner
	drop   bool // there may be hidden invocations
}

// retain removes records that are kept no longer (RET-1), some with every look for deadlines: for half
// the time until the next one, in short transactions behind everybody else's. Now and then it is told
// to look for what has become overdue.
func (e *Engine) retain(ctx context.Context, look bool) {
	var err error
	if look && len(e.keeping.owners) == 0 {
		e.keeping.owners, err = e.db.Owners(ctx)
		e.keeping.drop = true // what another server began
	}
	begin := time.Now()
	for more := true; more && err == nil && ctx.Err() == nil && time.Since(begin) < e.cfg.Sweep/2; {
		more, err = e.keeping.step(ctx, e)
	}
	if err != nil && ctx.Err() == nil {
		e.cfg.Log.Error("retention", "err", err)
		e.keeping = retention{}
	}
}

// step hides or removes some records; it reports whether there may be more to do.
func (k *retention) step(ctx context.Context, e *Engine) (more bool, err error) {
	if k.drop {
		return true, e.db.Write(ctx, store.Mass, func(tx *store.Tx) (err error) {
			k.drop, err = tx.DropRetired(dropBatch)
			return err
		})
	}
	if len(k.owners) == 0 {
		return false, nil
	}
	overdue, err := e.db.Overdue(ctx, k.owners[0], e.policy(k.owners[0].Realm()), retireBatch)
	if err != nil || len(overdue) == 0 {
		k.owners = k.owners[1:]
		return true, err
	}
	k.drop = true
	return true, e.db.Write(ctx, store.Mass, func(tx *store.Tx) error { return tx.Retire(overdue) })
}

// policy is for how long the records of a realm are kept.
func (e *Engine) policy(realm string) store.Retention {
	if realm == orderly.FileRealm {
		return store.Retention{Before: e.db.Now().Add(-e.cfg.RetainFiles), Records: e.cfg.FileRecords}
	}
	return store.Retention{Before: e.db.Now().Add(-e.cfg.Retain), Records: e.cfg.Records}
}
