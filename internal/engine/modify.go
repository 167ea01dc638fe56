package engine

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/schedule"
	"github.com/orderly-run/orderly/internal/store"
)

// A Modification says what is to change of an invocation that repeats (MIA-2). What is not given stays.
type Modification struct {
	Region, InvokeID string
	Content          []byte // nil when it is not given
	EnableParameter  *bool  // false when it is not given and Content is
	Parameters       string // JSON object
	Frequency        string // without effect unless the mode is Period
	Instances        []string

	values map[string]string
	times  schedule.Expression
}

// ModifyInvocation changes what an invocation that repeats runs, and when, and adds instances to it. It
// returns the ID of its command, a new one when the content changed (MIA-5). Runs that go on end as they
// began, and what ran before stays in the history (MIA-7, MIA-9).
//
// The change is in the database, and every instance on its way to it, when this returns.
func (e *Engine) ModifyInvocation(ctx context.Context, c orderly.Caller, m Modification, r Repetition) (commandID string, err error) {
	if err := e.CheckRegion(m.Region); err != nil {
		return "", err
	}
	if err := e.checkModification(&m, r); err != nil {
		return "", err
	}
	x := &modifying{}
	id, again, err := e.Once(ctx, c, m.Region, r, func(tx *store.Tx) (string, error) {
		x = &modifying{engine: e, change: newChange()}
		return x.begin(tx, c, m)
	})
	if err == nil && again {
		x, err = e.modified(ctx, c, m)
	}
	if err != nil {
		return "", err
	}
	e.tell(x.change)
	for ctx = context.WithoutCancel(ctx); err == nil && x.next < x.v.Size; {
		err = x.step(ctx)
	}
	return id, err
}

// modified is a modification that was made before, with the agents that it has not come to still to be told. One
// of an invocation that is gone is nothing.
func (e *Engine) modified(ctx context.Context, c orderly.Caller, m Modification) (*modifying, error) {
	v, err := e.db.Invocation(ctx, c, m.Region, m.InvokeID)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return &modifying{engine: e, change: newChange(), v: v}, err
}

// checkModification finds what is wrong with the form of a modification, and reads it.
func (e *Engine) checkModification(m *Modification, r Repetition) (err error) {
	if err := r.check(); err != nil {
		return err
	}
	if len(m.Instances) > e.cfg.MaxTargets {
		return orderly.TargetsTooMany
	}
	if m.values, err = orderly.DecodeParameters(m.Parameters, e.cfg.Command.Parameters); err != nil {
		return err
	}
	if err := orderly.CheckParameterKeys(m.values); err != nil {
		return err
	}
	if m.Frequency != "" {
		if m.times, err = schedule.Parse(m.Frequency); err != nil {
			return badFrequency(err)
		}
	}
	return nil
}

// A modifying is a modification in work.
type modifying struct {
	engine *Engine
	change *change
	v      orderly.Invocation
	next   int // the ordinal of the first task whose agent is still to hear of it
}

// begin changes the invocation, and as many of its tasks as fit into one transaction.
func (x *modifying) begin(tx *store.Tx, c orderly.Caller, m Modification) (commandID string, err error) {
	before, err := tx.FindInvocation(c, m.Region, m.InvokeID)
	if errors.Is(err, store.ErrNotFound) {
		return "", orderly.InvocationUnknown
	}
	if err != nil {
		return "", err
	}
	tasks, err := tx.InvocationTasks(before.Seq, -1, pieceSize)
	if err != nil {
		return "", err
	}
	if x.v, err = tx.LockInvocation(c, m.Region, m.InvokeID); err != nil {
		return "", err
	}
	added, err := x.added(tx, c, m)
	if err != nil {
		return "", err
	}
	if err := x.check(added); err != nil {
		return "", err
	}
	content := x.v.Command.Content
	if err := x.edit(m); err != nil {
		return "", err
	}
	if !bytes.Equal(content, x.v.Command.Content) {
		if err := x.replaceCommand(tx, c); err != nil {
			return "", err
		}
	}
	if err := x.retell(tx, tasks); err != nil {
		return "", err
	}
	return x.v.Command.ID, x.add(tx, added)
}

// check finds whether the invocation can be modified (MIA-1), and can have more instances (MIA-8).
func (x *modifying) check(added []store.Target) error {
	switch {
	case !x.v.Repeat.Repeats():
		return orderly.RunsOnce
	case x.v.Counts.Live() == 0:
		return orderly.InvocationOver
	case len(added) > 0 && x.v.Size+len(added) > x.engine.cfg.MaxTargets:
		return orderly.TargetsTooMany
	}
	for _, g := range added {
		if !x.v.Fits(g.OS) {
			return orderly.InstanceMismatch
		}
	}
	return nil
}

// added finds the instances that are not among the invocation's (MIA-8).
func (x *modifying) added(tx *store.Tx, c orderly.Caller, m Modification) ([]store.Target, error) {
	target := orderly.Target{Instances: slices.Compact(slices.Sorted(slices.Values(m.Instances)))}
	if len(target.Instances) == 0 {
		return nil, nil
	}
	found, err := tx.Targets(c.Account, m.Region, target, len(target.Instances))
	if err != nil {
		return nil, err
	}
	if len(found) < len(target.Instances) || slices.ContainsFunc(found, func(g store.Target) bool {
		return g.ResourceGroup != "" && x.v.ResourceGroup != "" && g.ResourceGroup != x.v.ResourceGroup
	}) {
		return nil, orderly.InstanceUnknown
	}
	tasks, err := tx.TasksOn(x.v.Seq, target.Instances)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, t := range tasks {
		there[t.Instance] = true
	}
	return slices.DeleteFunc(inOrder(found, unique(m.Instances)), func(g store.Target) bool { return there[g.ID] }), nil
}

// unique is a list without repetitions.
func unique(ids []string) (list []string) {
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id], list = true, append(list, id)
		}
	}
	return list
}

// edit changes the invocation's content, parameters and times.
func (x *modifying) edit(m Modification) error {
	v, cmd := &x.v, x.v.Command
	if m.Content != nil {
		cmd.Content, cmd.EnableParameter = m.Content, false
	}
	if m.EnableParameter != nil {
		cmd.EnableParameter = *m.EnableParameter
	}
	values := m.values
	if m.Parameters == "" {
		values = stillTaken(&cmd, v.Parameters)
	}
	if cmd.EnableParameter {
		if _, err := orderly.ParameterNames(cmd.Content); err != nil {
			return err
		}
	}
	if err := cmd.Takes(values); err != nil {
		return err
	}
	if err := cmd.CheckRendered(values, x.engine.cfg.Command); err != nil {
		return err
	}
	frequency := v.Frequency
	if m.Frequency != "" && v.Repeat == orderly.Period {
		frequency = m.Frequency
		if err := m.times.CheckTimeout(cmd.Timeout, x.engine.db.Now()); err != nil {
			return badFrequency(err) // MIA-9
		}
	}
	edited := frequency != v.Frequency || !maps.Equal(values, v.Parameters) ||
		cmd.EnableParameter != v.Command.EnableParameter || !bytes.Equal(cmd.Content, v.Command.Content)
	v.Command, v.Parameters, v.Frequency = cmd, values, frequency
	if edited {
		v.Version++
	}
	return nil
}

// stillTaken are the values that a changed command still takes.
func stillTaken(cmd *orderly.Command, values map[string]string) map[string]string {
	names, err := orderly.ParameterNames(cmd.Content)
	if !cmd.EnableParameter || err != nil {
		return nil
	}
	kept := maps.Clone(values)
	maps.DeleteFunc(kept, func(key, _ string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, key) })
	})
	return kept
}

// replaceCommand makes a command of the new content (MIA-5); the one before goes unless it is kept.
func (x *modifying) replaceCommand(tx *store.Tx, c orderly.Caller) error {
	cmd := &x.v.Command
	former := cmd.ID
	cmd.Kept, cmd.InvokeTimes = x.v.KeepCommand, 0
	cmd.Region, cmd.ResourceGroup, cmd.Tags = x.v.Region, x.v.ResourceGroup, nil
	if _, err := x.engine.addCommand(tx, c, cmd); err != nil {
		return err
	}
	if err := tx.Invoked(cmd.ID); err != nil {
		return err
	}
	if !cmd.Kept {
		return tx.DropUnkept([]string{former})
	}
	return x.engine.commandQuota(tx, c, cmd.Region)
}

// retell has the agents of tasks told of the change (MIA-7), or of one before that did not come to all of them.
func (x *modifying) retell(tx *store.Tx, tasks []orderly.Task) error {
	for _, t := range tasks {
		x.next = t.Ordinal + 1
		if t.Version >= x.v.Version { // a newer modification may have come to it first
			continue
		}
		before := t
		if t.Modify(x.v.Version, tx.Now, x.v.Plan(), x.engine.cfg.Limits) {
			x.change.send = append(x.change.send, message(SendRun, &t, &x.v, tx.Now))
		}
		if t.Version != before.Version {
			x.change.note(before, t)
		}
	}
	if err := x.engine.address(tx, x.change.send); err != nil {
		return err
	}
	return x.engine.name(tx, x.change.send)
}

// add adds the shares of instances, and stores all that changed.
func (x *modifying) add(tx *store.Tx, targets []store.Target) error {
	d := &store.Change{Seq: x.v.Seq}
	if old := x.change.deltas[x.v.Seq]; old != nil {
		d = old
	}
	var tasks []orderly.Task
	for _, g := range targets {
		t := x.engine.share(&x.v, x.v.Size, &g, tx.Now)
		if m, ok := x.engine.hand(&t, &x.v, &g, tx.Now); ok {
			x.change.send = append(x.change.send, m)
		}
		x.v.Size++
		d.Delta, d.Due = d.Delta.Add(orderly.Count(t.State, false)), earlier(d.Due, t.Due)
		tasks = append(tasks, t)
	}
	x.change.deltas[x.v.Seq] = d
	if err := tx.AddTasks(tasks); err != nil {
		return err
	}
	if err := tx.SaveInvocation(x.v); err != nil {
		return err
	}
	return x.change.save(tx)
}

// step has the agents of the next tasks told, in a transaction of their own. When it does not come to
// all of them, the others hear of the change when they say hello, or when it is asked for again.
func (x *modifying) step(ctx context.Context) error {
	y := *x
	err := x.engine.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		y = *x
		y.change, y.next = newChange(), x.v.Size
		tasks, err := tx.InvocationTasks(x.v.Seq, x.next-1, pieceSize)
		if err != nil {
			return err
		}
		if err := y.retell(tx, tasks); err != nil {
			return err
		}
		return y.change.save(tx)
	})
	if err != nil {
		return err
	}
	*x = y
	x.engine.tell(x.change)
	return nil
}
