package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// pieceSize is how many tasks one transaction adds.
const pieceSize = 1000

// A building is an invocation on its way into the database.
type building struct {
	engine  *Engine
	v       orderly.Invocation
	targets []store.Target
	known   []store.Target // found before the first transaction, when there may be many
	next    int            // the first target without a task
	counts  orderly.Counts
	due     time.Time
	handed  []Message
}

// survey finds the targets of a large invocation outside of any transaction, which would keep
// everybody else from writing. What changes until the end is put right by show.
func (b *building) survey(ctx context.Context, c orderly.Caller, q Request) (err error) {
	if !q.Target.All() && len(q.Target.Instances) <= pieceSize {
		return nil
	}
	b.known, err = b.engine.db.Targets(ctx, c.Account, q.Region, q.Target, b.engine.maxTargets(q))
	return err
}

// reset makes b new for another try of its first transaction.
func (b *building) reset() { *b = building{engine: b.engine, known: b.known} }

// large reports whether b takes more than one transaction.
func (b *building) large() bool { return len(b.targets) > pieceSize }

// begin creates the invocation and freezes its targets (TGT-3).
func (b *building) begin(tx *store.Tx, c orderly.Caller, q Request, command func(*store.Tx) (orderly.Command, error)) error {
	cmd, err := command(tx)
	if err != nil {
		return err
	}
	if err := orderly.CheckUser(cmd.Type, q.Username, q.PasswordName); err != nil {
		return err
	}
	params, err := cmd.ParseParameters(q.Parameters)
	if err != nil {
		return err
	}
	if err := cmd.CheckRendered(params, b.engine.cfg.Command); err != nil {
		return err
	}
	if b.targets = b.known; b.targets == nil {
		if b.targets, err = tx.Targets(c.Account, q.Region, q.Target, b.engine.maxTargets(q)); err != nil {
			return err
		}
	}
	if err := b.engine.checkTargets(b.targets, q, cmd.Type); err != nil {
		return err
	}
	b.targets = inOrder(b.targets, q.Target.Instances)
	seq := b.engine.db.NextSeq()
	b.v = orderly.Invocation{
		Seq: seq, ID: orderly.NewID(orderly.InvocationPrefix, q.Region, seq), Account: c.Account, Region: q.Region,
		Command: cmd, KeepCommand: q.KeepCommand, Parameters: params, Repeat: q.Repeat, Frequency: q.Frequency, Termination: q.Termination,
		Username: q.Username, WindowsPasswordName: q.PasswordName, ResourceGroup: q.ResourceGroup, Tags: q.Tags,
		Delivery: b.engine.cfg.Delivery, WaitForAway: q.Delivery != nil,
		CallerKey: c.KeyID, SourceIP: c.SourceIP, Size: len(b.targets), Created: tx.Now,
	}
	if q.Delivery != nil {
		b.v.Delivery = *q.Delivery
	}
	if err := tx.Invoked(cmd.ID); err != nil {
		return err
	}
	return tx.AddInvocation(b.v)
}

// maxTargets is how many instances a request may select.
func (e *Engine) maxTargets(q Request) int {
	if q.Target.All() {
		return e.cfg.MaxAll
	}
	return e.cfg.MaxTargets
}

// checkTargets refuses a request when one of the instances found does not fit.
func (e *Engine) checkTargets(found []store.Target, q Request, t orderly.CommandType) error {
	switch {
	case len(found) < len(q.Target.Instances):
		return orderly.InstanceUnknown // TGT-2
	case len(found) == 0:
		return orderly.TargetTagsMatchNothing
	case len(found) > e.maxTargets(q):
		return orderly.TargetsTooMany
	}
	for _, g := range found {
		if !t.Fits(g.OS) {
			return orderly.InstanceMismatch // CMD-2
		}
		if g.ResourceGroup != "" && q.ResourceGroup != "" && g.ResourceGroup != q.ResourceGroup {
			return orderly.ResourceGroupUnknown // TGT-4
		}
	}
	return nil
}

// inOrder puts targets into the order of the request's list (PG-1).
func inOrder(found []store.Target, ids []string) []store.Target {
	if len(ids) == 0 {
		return found
	}
	byID := make(map[string]store.Target, len(found))
	for _, g := range found {
		byID[g.ID] = g
	}
	list := make([]store.Target, len(ids))
	for i, id := range ids {
		list[i] = byID[id]
	}
	return list
}

// piece adds the next tasks, each handed already when its instance has a link (HND-1), and shows
// the invocation when they were the last.
func (b *building) piece(tx *store.Tx) error {
	p, l := b.v.Plan(), b.engine.cfg.Limits
	end := min(len(b.targets), b.next+pieceSize)
	tasks := make([]orderly.Task, 0, end-b.next)
	counts, due, handed := b.counts, b.due, b.handed
	for i := b.next; i < end; i++ {
		g := &b.targets[i]
		t := orderly.NewTask(&b.v, i, g.ID, tx.Now)
		switch {
		case g.Presence.Link != "":
			t.Hand(g.Presence.Boot, tx.Now, p, l)
			handed = append(handed, b.message(t, g.Name, g.Presence.Link))
		case b.v.WaitForAway || g.Presence.Fresh(tx.Now, l.Fresh):
			t.Await(p, l)
		default:
			t.Release(orderly.InstanceNotRunning, tx.Now) // T3
		}
		counts = counts.Add(orderly.Count(t.State, false))
		due = earlier(due, t.Due)
		tasks = append(tasks, t)
	}
	if err := tx.AddTasks(tasks); err != nil {
		return err
	}
	if end == len(b.targets) && !b.large() {
		if err := b.show(tx, counts, due); err != nil {
			return err
		}
	}
	b.next, b.counts, b.due, b.handed = end, counts, due, handed
	return nil
}

func (b *building) message(t orderly.Task, name, link string) Message {
	return Message{Instance: t.Instance, Link: link, Task: t.TaskKey, Boot: t.Handed, Allowed: b.v.Delivery, Of: &b.v, Name: name}
}

// show makes the invocation visible.
func (b *building) show(tx *store.Tx, counts orderly.Counts, due time.Time) error {
	if err := tx.Built(b.v.Seq, counts, b.v.Repeat, due); err != nil {
		return err
	}
	if counts.Live() == 0 && !b.v.KeepCommand {
		return tx.DropUnkept([]string{b.v.Command.ID})
	}
	return nil
}

// finish adds what did not fit into the first transaction and sends the tasks.
func (b *building) finish(ctx context.Context) error {
	for b.next < len(b.targets) {
		if err := b.engine.db.Write(ctx, store.Interactive, b.piece); err != nil {
			return fmt.Errorf("build invocation %s: %w", b.v.ID, err)
		}
	}
	if b.large() {
		if err := b.engine.db.Write(ctx, store.Interactive, b.settle); err != nil {
			return fmt.Errorf("complete invocation %s: %w", b.v.ID, err)
		}
	}
	b.send()
	return nil
}

// settle shows a large invocation. Links that came and went while it was built were not told of it,
// so its tasks, none of which was sent yet, are handed to the links there are now.
func (b *building) settle(tx *store.Tx) error {
	now, err := tx.Contacts(b.v.Seq)
	if err != nil {
		return err
	}
	counts, due := b.counts, b.due
	var handed []Message
	var changed []orderly.Task
	p, l := b.v.Plan(), b.engine.cfg.Limits
	for _, c := range now {
		t := c.Task
		switch {
		case c.Deregistered:
			t.Handed = orderly.Boot{}
			t.Release(orderly.InstanceDeregistered, tx.Now)
		case c.Presence.Link != "" && c.Presence.Boot != t.Handed:
			t.Hand(c.Presence.Boot, tx.Now, p, l)
		}
		if t.State.Live() && c.Presence.Link != "" {
			handed = append(handed, b.message(t, c.Name, c.Presence.Link))
		}
		if t.Handed != c.Task.Handed || t.State != c.Task.State {
			changed = append(changed, t)
			counts = counts.Add(orderly.Count(t.State, false).Sub(orderly.Count(c.Task.State, false)))
			due = earlier(due, t.Due)
		}
	}
	if err := tx.SaveTasks(changed); err != nil {
		return err
	}
	b.handed = handed
	return b.show(tx, counts, due)
}

// earlier is the earlier of two times, of which the zero time means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// send hands the tasks to the links.
func (b *building) send() {
	b.engine.plans.put(b.v.Seq, b.v.Plan())
	if f := b.engine.cfg.Observe.Created; f != nil {
		f(len(b.targets))
	}
	b.engine.link.Send(b.handed)
}

// answer is what the caller is told, in the form in which it is remembered for repetitions.
func (b *building) answer() string {
	text, err := json.Marshal(Answer{InvokeID: b.v.ID, CommandID: b.v.Command.ID})
	if err != nil {
		panic(err) // two strings
	}
	return string(text)
}
