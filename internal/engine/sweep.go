package engine

import (
	"context"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Run looks after what falls due until ctx ends: deadlines, messages to send again, and what has
// expired. Any number of servers do so at once.
func (e *Engine) Run(ctx context.Context) error {
	tick := time.NewTicker(e.cfg.Sweep)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n%240 == 0 {
			e.housekeep(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for e.sweep(ctx) {
		}
		e.retain(ctx, n%240 == 0)
	}
}

// housekeep removes what nobody needs any more, in small steps.
func (e *Engine) housekeep(ctx context.Context) {
	if err := e.releaseLeavers(ctx); err != nil && ctx.Err() == nil {
		e.cfg.Log.Error("end the tasks of instances that are gone", "err", err)
	}
	for more := true; more && ctx.Err() == nil; {
		err := e.db.Write(ctx, store.Mass, func(tx *store.Tx) (err error) {
			unbuilt, err := tx.DropUnbuilt(tx.Now.Add(-e.cfg.Building), maxBatch)
			if err != nil {
				return err
			}
			more, err = tx.Forget(maxBatch)
			more = more || unbuilt
			return err
		})
		if err != nil {
			e.cfg.Log.Error("housekeeping", "err", err)
			return
		}
	}
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = e.dropRuns(ctx); err != nil {
			e.cfg.Log.Error("housekeeping of runs", "err", err)
			return
		}
	}
}

// dropRuns removes some runs of schedules, live ones too, that ended longer ago than records are kept; the
// newest of each machine stays. It reports whether there may be more.
func (e *Engine) dropRuns(ctx context.Context) (more bool, err error) {
	old, err := e.db.OldRuns(ctx, e.db.Now().Add(-e.cfg.Retain), dropBatch)
	if err != nil || len(old) == 0 {
		return false, err
	}
	return len(old) == dropBatch, e.db.Write(ctx, store.Mass, func(tx *store.Tx) error { return tx.DropRuns(old) })
}

// maxSwept is how many invocations one transaction of a sweep looks at.
const maxSwept = 100

// sweep handles some invocations with tasks that fell due; it reports whether to go on at once. What
// fell due after the oldest report that waits to be committed waits too: the report may say what the
// deadline is about (CLK-2).
func (e *Engine) sweep(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	now := e.waiting.until(e.db.Now())
	if due, err := e.db.AnyDue(ctx, now); err != nil || !due {
		return false
	}
	c, send, err := e.fireDue(ctx, store.Mass, func(tx *store.Tx) (work, error) {
		seqs, err := tx.DueInvocations(now, maxSwept)
		return work{seqs: seqs, due: now, now: now}, err
	})
	if err != nil {
		e.cfg.Log.Error("sweep", "err", err)
		return false
	}
	e.tell(c)
	e.send(send)
	return len(c.saved) > 0
}

// work is what a look at invocations is about: their tasks that were due at a time, as of now.
type work struct {
	seqs     []int64
	due, now time.Time
}

// fireDue handles, in one transaction, the tasks that pick says; none when it names no invocation. The
// messages are to be sent.
func (e *Engine) fireDue(ctx context.Context, class store.Class, pick func(*store.Tx) (work, error)) (c *change, send []Message, err error) {
	err = e.db.Write(ctx, class, func(tx *store.Tx) error {
		c, send = newChange(), nil
		w, err := pick(tx)
		if err != nil || len(w.seqs) == 0 {
			return err
		}
		if send, err = e.fire(tx, w, c); err != nil {
			return err
		}
		return tx.Redue(w.seqs)
	})
	return c, send, err
}

// fire decides about tasks that fell due.
func (e *Engine) fire(tx *store.Tx, w work, c *change) ([]Message, error) {
	now := w.now
	tasks, err := tx.DueTasks(w.seqs, w.due, pieceSize)
	if err != nil {
		return nil, err
	}
	plans, err := e.plansOf(tx, tasks)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(tasks))
	for i := range tasks {
		ids[i] = tasks[i].Instance
	}
	presence, err := tx.Presences(ids)
	if err != nil {
		return nil, err
	}
	var asking []request
	for _, t := range tasks {
		before, plan := t, plans[t.Invocation]
		p, member := presence[t.Instance]
		if !member && t.Release(orderly.InstanceDeregistered, now, plan) { // it left while the invocation was built
			c.note(before, t)
			continue
		}
		verdict := t.Fire(now, e.contact(p, now), plan, e.cfg.Limits)
		c.note(before, t)
		if kind, ok := asked(verdict); ok && (kind == SendProbe || p.Boot == t.Handed) {
			asking = append(asking, request{t, kind, p.Link})
		}
	}
	if err := c.save(tx); err != nil {
		return nil, err
	}
	return e.messages(tx, asking, now)
}

// A request is what an agent is to be asked about a task.
type request struct {
	task orderly.Task
	kind MessageKind
	link string
}

// messages writes requests out. Only those that hand a task over need its invocation, which may be large.
func (e *Engine) messages(tx *store.Tx, asking []request, now time.Time) ([]Message, error) {
	var seqs []int64
	for _, r := range asking {
		if r.kind == SendRun {
			seqs = append(seqs, r.task.Invocation)
		}
	}
	slices.Sort(seqs)
	of, err := tx.InvocationsBySeq(slices.Compact(seqs))
	if err != nil {
		return nil, err
	}
	send := make([]Message, len(asking))
	for i, r := range asking {
		v := of[r.task.Invocation]
		send[i] = message(r.kind, &r.task, &v, now)
		send[i].Link = r.link
	}
	return send, e.name(tx, send)
}

// contact is what is known of an agent at the moment of a decision. An outage of the servers or the
// database counts like one of the link (LATE-1).
func (e *Engine) contact(p orderly.Presence, now time.Time) orderly.Contact {
	c := orderly.Contact{Up: p.Link != "", Boot: p.Boot, Since: p.LinkedAt, Seen: p.Heartbeat, Fresh: p.Fresh(now, e.cfg.Limits.Fresh)}
	if h := e.healthySince(); h.After(c.Since) {
		c.Since = h
	}
	return c
}
