package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// pieceSize is how many tasks one transaction adds, or hands over: a few milliseconds' work, so that
// others get their turns (design: no transaction over 1000 rows or 20 ms).
const pieceSize = 500

// A building is an invocation on its way into the database.
type building struct {
	engine  *Engine
	v       orderly.Invocation
	targets []store.Target
	known   []store.Target // found before the first transaction, when there may be many
	next    int            // the first target without a task
	counts  orderly.Counts
	due     time.Time
	send    []Message
}

// survey finds the targets of a large invocation outside of any transaction, which would keep
// everybody else from writing. What changes until the end is put right by show.
func (b *building) survey(ctx context.Context, c orderly.Caller, q Request) (err error) {
	if !q.Target.All() && len(q.Target.Instances) <= pieceSize {
		return nil
	}
	b.known, err = b.engine.db.Targets(ctx, c.Account, q.Region, q.Target, b.engine.maxTargets(q))
	if len(b.known) <= pieceSize {
		b.known = nil // it will be shown at once, so its links are looked at under lock
	}
	return err
}

// reset makes b new for another try of its first transaction.
func (b *building) reset() { *b = building{engine: b.engine, known: b.known} }

// large reports whether b takes more than one transaction.
func (b *building) large() bool { return len(b.targets) > pieceSize }

// begin creates the invocation, and the command when it is new, and freezes its targets (TGT-3).
func (b *building) begin(tx *store.Tx, c orderly.Caller, q Request) error {
	cmd, err := b.engine.command(tx, c, q)
	if err != nil {
		return err
	}
	if err := b.find(tx, c, q); err != nil {
		return err
	}
	prefix := orderly.FilePrefix
	if q.File == nil {
		if err := b.settle(tx, c, q, &cmd); err != nil {
			return err
		}
		prefix = orderly.InvocationPrefix
	}
	seq := b.engine.db.NextSeq()
	b.v = orderly.Invocation{
		Seq: seq, ID: orderly.NewID(prefix, q.Region, seq), Account: c.Account, Region: q.Region,
		Command: cmd, File: q.File, KeepCommand: q.KeepCommand, Parameters: q.values, Repeat: q.Repeat, Frequency: q.Frequency, Termination: q.Termination,
		Username: q.Username, WindowsPasswordName: q.PasswordName, ContainerID: q.ContainerID, ContainerName: q.ContainerName, ResourceGroup: q.ResourceGroup, Tags: q.Tags,
		Delivery: b.engine.cfg.Delivery, WaitForAway: q.Delivery != nil,
		CallerKey: c.KeyID, SourceIP: c.SourceIP, Size: len(b.targets), Created: tx.Now,
	}
	if q.Delivery != nil {
		b.v.Delivery = *q.Delivery
	}
	if err := tx.AddInvocation(b.v); err != nil {
		return err
	}
	if q.File != nil {
		return nil // the quotas are about commands
	}
	return b.engine.quota(tx, c, q)
}

// settle finds whether a command suits the request and its targets, stores it when it is new, and counts
// that it is invoked.
func (b *building) settle(tx *store.Tx, c orderly.Caller, q Request, cmd *orderly.Command) error {
	v := orderly.Invocation{Command: *cmd, ContainerID: q.ContainerID, ContainerName: q.ContainerName}
	for _, g := range b.targets {
		if !v.Fits(g.OS) {
			return orderly.InstanceMismatch
		}
	}
	if err := b.engine.suits(cmd, q); err != nil {
		return err
	}
	if cmd.ID == "" {
		if _, err := b.engine.addCommand(tx, c, cmd); err != nil {
			return err
		}
	}
	return tx.Invoked(cmd.ID)
}

// maxTargets is how many instances a request may select.
func (e *Engine) maxTargets(q Request) int {
	switch {
	case q.File != nil:
		return e.cfg.FileTargets
	case q.Target.All():
		return e.cfg.MaxAll
	}
	return orDefault(q.MaxNamed, e.cfg.MaxTargets)
}

// find finds the targets, all of which must exist where the request looks for them.
func (b *building) find(tx *store.Tx, c orderly.Caller, q Request) (err error) {
	if err := orderly.CheckResourceGroup(q.ResourceGroup); err != nil {
		return err
	}
	limit := b.engine.maxTargets(q)
	if b.targets = b.known; b.targets == nil {
		if b.targets, err = tx.Targets(c.Account, q.Region, q.Target, limit); err != nil {
			return err
		}
	}
	switch {
	case len(b.targets) < len(q.Target.Instances):
		return orderly.InstanceUnknown // TGT-2
	case len(b.targets) == 0:
		return orderly.TargetTagsMatchNothing
	case len(b.targets) > limit:
		return orderly.TargetsTooMany
	}
	for _, g := range b.targets {
		if g.ResourceGroup != "" && q.ResourceGroup != "" && g.ResourceGroup != q.ResourceGroup {
			return orderly.ResourceGroupUnknown // TGT-4
		}
	}
	b.targets = inOrder(b.targets, q.Target.Instances)
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
	end := min(len(b.targets), b.next+pieceSize)
	tasks := make([]orderly.Task, 0, end-b.next)
	for ; b.next < end; b.next++ {
		t := b.task(b.next, tx.Now)
		b.counts = b.counts.Add(orderly.Count(t.State, false))
		b.due = earlier(b.due, t.Due)
		tasks = append(tasks, t)
	}
	if err := tx.AddTasks(tasks); err != nil {
		return err
	}
	if b.large() {
		return nil
	}
	return b.show(tx)
}

// task is the share of the n-th target. In a large invocation nothing is handed before all of it is
// there: links that come and go meanwhile are told nothing of it, and it may yet come to nothing.
func (b *building) task(n int, now time.Time) orderly.Task {
	g := &b.targets[n]
	t := b.engine.share(&b.v, n, g, now)
	if b.large() {
		if t.State.Live() {
			t.Due = now
		}
		return t
	}
	if m, ok := b.engine.hand(&t, &b.v, g, now); ok {
		b.send = append(b.send, m)
	}
	return t
}

// share is the task of an instance in an invocation. It is over at once when the instance is not there
// and need not be waited for (T3).
func (e *Engine) share(v *orderly.Invocation, n int, g *store.Target, now time.Time) orderly.Task {
	t := orderly.NewTask(v, n, g.ID, now)
	if g.Presence.Link == "" && t.State == orderly.Pending && !v.WaitForAway && !g.Presence.Expected(now, e.cfg.Limits.Fresh) {
		t.Release(orderly.InstanceNotRunning, now, v.Plan())
	}
	return t
}

// hand hands a new task to the link that its instance has (HND-1); without one the task waits.
func (e *Engine) hand(t *orderly.Task, v *orderly.Invocation, g *store.Target, now time.Time) (m Message, ok bool) {
	if !t.State.Live() {
		return m, false
	}
	if g.Presence.Link == "" {
		t.Await(v.Plan(), e.cfg.Limits)
		return m, false
	}
	t.Hand(g.Presence.Boot, now, v.Plan(), e.cfg.Limits)
	m = message(SendRun, t, v, now)
	m.Name, m.Link = g.Name, g.Presence.Link
	return m, true
}

// show makes the invocation visible.
func (b *building) show(tx *store.Tx) error {
	if err := tx.Built(b.v.Seq, b.counts, b.v.Repeat, b.due); err != nil {
		return err
	}
	if b.counts.Live() == 0 && !b.v.KeepCommand {
		return tx.DropUnkept([]string{b.v.Command.ID})
	}
	return nil
}

// finish adds what did not fit into the first transaction and sends the tasks.
func (b *building) finish(ctx context.Context) error {
	for b.next < len(b.targets) {
		if err := b.step(ctx, (*building).piece); err != nil {
			return fmt.Errorf("build invocation %s: %w", b.v.ID, err)
		}
	}
	if b.large() {
		if err := b.step(ctx, (*building).show); err != nil {
			return fmt.Errorf("complete invocation %s: %w", b.v.ID, err)
		}
	}
	b.engine.plans.put(b.v.Seq, b.v.Plan())
	if f := b.engine.cfg.Observe.Created; f != nil {
		f(len(b.targets))
	}
	if b.large() {
		b.engine.handOver(ctx, &b.v)
	}
	b.engine.send(b.send)
	return nil
}

// step does one more part of the work in a transaction; b has moved on when that is committed.
func (b *building) step(ctx context.Context, part func(*building, *store.Tx) error) error {
	var next building
	err := b.engine.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		if err := tx.Building(b.v.Seq); err != nil {
			return err
		}
		next = *b
		return part(&next, tx)
	})
	if err == nil {
		*b = next
	}
	return err
}

// handOver hands the tasks of a large invocation, which all fell due when it was shown, to the links
// there are now, piece by piece. It is not needed for anything but speed: the sweep of any server does
// the same with what is left when this one dies. What falls due meanwhile, as those sent first may have
// to be sent again, is left to the sweep.
func (e *Engine) handOver(ctx context.Context, v *orderly.Invocation) {
	shown := e.db.Now()
	for more := true; more && ctx.Err() == nil; {
		c, send, err := e.fireDue(ctx, store.Interactive, func(tx *store.Tx) (work, error) {
			return work{seqs: []int64{v.Seq}, due: shown, now: tx.Now}, nil
		})
		if err != nil {
			e.cfg.Log.Error("hand over", "invocation", v.ID, "err", err)
			return
		}
		e.tell(c)
		e.send(send)
		more = len(c.saved) == pieceSize
	}
}

// earlier is the earlier of two times, of which the zero time means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// answer is what the caller is told, in the form in which it is remembered for repetitions.
func (b *building) answer() string {
	text, err := json.Marshal(Answer{InvokeID: b.v.ID, CommandID: b.v.Command.ID})
	if err != nil {
		panic(err) // two strings
	}
	return string(text)
}
