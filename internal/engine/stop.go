package engine

import (
	"context"
	"errors"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// StopInvocation stops an invocation on some of its instances, or on all when none is named
// (STOP-1 to STOP-6). It does not wait for the kills.
func (e *Engine) StopInvocation(ctx context.Context, c orderly.Caller, region, id string, instances []string) error {
	if err := e.CheckRegion(region); err != nil {
		return err
	}
	var v orderly.Invocation
	var at time.Time // of the call, on all its instances (STOP-4)
	if err := e.db.Write(ctx, store.Interactive, func(tx *store.Tx) (err error) {
		at = tx.Now
		if v, err = tx.FindInvocation(c, region, id); errors.Is(err, store.ErrNotFound) {
			return orderly.InvocationUnknown
		}
		return err
	}); err != nil {
		return err
	}
	if len(instances) > 0 {
		_, err := e.stopSome(ctx, v, at, func(tx *store.Tx) ([]orderly.Task, error) {
			tasks, err := tx.TasksOn(v.Seq, instances)
			if err == nil && len(tasks) < distinct(instances) {
				err = orderly.InstanceNotInTask
			}
			return tasks, err
		})
		return err
	}
	for after := -1; ; {
		last, err := e.stopSome(ctx, v, at, func(tx *store.Tx) ([]orderly.Task, error) {
			return tx.InvocationTasks(v.Seq, after, maxBatch)
		})
		if err != nil || last < 0 {
			return err
		}
		after = last
	}
}

func distinct(ids []string) int {
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	return len(seen)
}

// stopSome stops the tasks that find finds, in one transaction, as of a time; it returns the last
// ordinal found, -1 for none.
func (e *Engine) stopSome(ctx context.Context, v orderly.Invocation, at time.Time, find func(*store.Tx) ([]orderly.Task, error)) (last int, err error) {
	var c *change
	err = e.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		c, last = newChange(), -1
		tasks, err := find(tx)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			last = t.Ordinal
			before := t
			if !t.Stop(at, v.Plan(), e.cfg.Limits) {
				continue
			}
			c.note(before, t)
			if t.State == orderly.Stopping {
				c.send = append(c.send, message(SendStop, &t, &v, at))
			}
		}
		if err := e.address(tx, c.send); err != nil {
			return err
		}
		return c.save(tx)
	})
	if err != nil {
		return -1, err
	}
	e.tell(c)
	return last, nil
}

// Release ends the live tasks of an instance that is gone, in a transaction of the caller's (MI-7); of
// very many as many as a transaction may hold. ReleaseRest ends the others.
func (e *Engine) Release(tx *store.Tx, instance string, code orderly.ErrorCode) error {
	more, err := e.releasePiece(tx, instance, code)
	if err != nil || !more {
		return err
	}
	return tx.Leaving(instance)
}

// ReleaseRest ends what Release left. Should it not come to that, a server does when it keeps house.
func (e *Engine) ReleaseRest(ctx context.Context, instance string, code orderly.ErrorCode) error {
	for more := true; more; {
		err := e.db.Write(ctx, store.Interactive, func(tx *store.Tx) (err error) {
			if more, err = e.releasePiece(tx, instance, code); err != nil || more {
				return err
			}
			return tx.Left(instance)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// releaseLeavers ends what others have left of instances that are gone.
func (e *Engine) releaseLeavers(ctx context.Context) error {
	gone, err := e.db.Leavers(ctx)
	for _, id := range gone {
		err = errors.Join(err, e.ReleaseRest(ctx, id, orderly.InstanceDeregistered))
	}
	return err
}

// releasePiece returns whether there may be more.
func (e *Engine) releasePiece(tx *store.Tx, instance string, code orderly.ErrorCode) (more bool, err error) {
	tasks, err := tx.LiveTasksOf(instance, pieceSize)
	if err != nil {
		return false, err
	}
	plans, err := e.plansOf(tx, tasks)
	if err != nil {
		return false, err
	}
	c := newChange()
	for _, t := range tasks {
		before := t
		if t.Release(code, tx.Now, plans[t.Invocation]) {
			c.note(before, t)
		}
	}
	return len(tasks) == pieceSize, c.save(tx)
}
