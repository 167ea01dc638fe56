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
		if v, err = tx.FindInvocation(c.Account, region, id); errors.Is(err, store.ErrNotFound) {
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
	var send []Message
	err = e.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		c, send, last = newChange(), nil, -1
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
				send = append(send, Message{Instance: t.Instance, Kind: SendStop, Task: t.TaskKey, Boot: t.Handed})
			}
		}
		if err := e.address(tx, send); err != nil {
			return err
		}
		return c.save(tx)
	})
	if err != nil {
		return -1, err
	}
	e.tell(c)
	e.send(send)
	return last, nil
}

// address fills in the links of messages; those that nobody is there to get keep none.
func (e *Engine) address(tx *store.Tx, list []Message) error {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].Instance
	}
	now, err := tx.Presences(ids)
	for i := range list {
		if p := now[list[i].Instance]; p.Boot == list[i].Boot {
			list[i].Link = p.Link
		}
	}
	return err
}

// name fills in the names of instances in run messages whose commands may ask for them (ENV-1).
func (e *Engine) name(tx *store.Tx, list []Message) error {
	var ids []string
	for i := range list {
		if m := &list[i]; m.Kind == SendRun && m.Of.Command.EnableParameter {
			ids = append(ids, m.Instance)
		}
	}
	names, err := tx.Names(ids)
	for i := range list {
		list[i].Name = names[list[i].Instance]
	}
	return err
}

// send gives messages that have someone to go to, and can still be taken up, to the link.
func (e *Engine) send(list []Message) {
	there := list[:0]
	for _, m := range list {
		if m.Link != "" && (m.Kind != SendRun || m.Allowed > 0) {
			there = append(there, m)
		}
	}
	if len(there) > 0 {
		e.link.Send(there)
	}
}

// Release ends all live tasks of an instance that is gone, in a transaction of the caller's (MI-7).
func (e *Engine) Release(tx *store.Tx, instance string, code orderly.ErrorCode) error {
	tasks, err := tx.LiveTasks([]string{instance})
	if err != nil {
		return err
	}
	c := newChange()
	for _, t := range tasks {
		before := t
		if t.Release(code, tx.Now) {
			c.note(before, t)
		}
	}
	return c.save(tx)
}
