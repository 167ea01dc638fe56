package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// maxBatch is how many reports one transaction takes.
const maxBatch = 1000

// Report applies reports. When it returns nil all of them are durable and may be acknowledged
// (REP-1): applied, kept as late results, or known to have no effect. Reports that cannot be stored
// one by one are kept raw and count as done; an error means that the database did not work.
func (e *Engine) Report(ctx context.Context, reports []orderly.Report) error {
	defer e.Received()()
	for len(reports) > maxBatch {
		if err := e.report(ctx, reports[:maxBatch]); err != nil {
			return err
		}
		reports = reports[maxBatch:]
	}
	return e.report(ctx, reports)
}

func (e *Engine) report(ctx context.Context, reports []orderly.Report) error {
	if len(reports) == 0 {
		return nil
	}
	c := newChange()
	err := e.db.Write(ctx, store.Mass, func(tx *store.Tx) error {
		c = newChange()
		return e.apply(tx, reports, c)
	})
	if err == nil {
		e.tell(c)
		return nil
	}
	if ctx.Err() != nil || errors.Is(err, store.ErrOutage) {
		return err // they come again
	}
	return e.split(ctx, reports, err)
}

// receipts knows when the reports that wait to be committed were received.
type receipts struct {
	mu   sync.Mutex
	next int
	at   map[int]time.Time
}

// Received notes that reports have been received, until the function that it returns is called: no
// deadline that came after them fires before they are committed (CLK-2). Report does so itself; it is for
// reports that wait for it.
func (e *Engine) Received() (done func()) { return e.waiting.enter(e.db.Now()) }

// enter notes reports received at a time, until the function that it returns is called.
func (r *receipts) enter(at time.Time) (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[int]time.Time{}
	}
	n := r.next
	r.next++
	r.at[n] = at
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.at, n)
	}
}

// until is the time up to which every report received is committed: now, or when the oldest that
// waits was received.
func (r *receipts) until(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range r.at {
		now = earlier(now, at)
	}
	return now
}

// split finds the report that cannot be stored among those that failed together (design: one bad
// row must not hold up the others).
func (e *Engine) split(ctx context.Context, reports []orderly.Report, cause error) error {
	if len(reports) > 1 {
		half := len(reports) / 2
		return errors.Join(e.report(ctx, reports[:half]), e.report(ctx, reports[half:]))
	}
	r := reports[0]
	err := e.db.Write(ctx, store.Mass, func(tx *store.Tx) error {
		return tx.AddRefused(r.Instance, cause.Error(), rawReport(r))
	})
	if err != nil {
		return errors.Join(cause, err) // the database as a whole does not work
	}
	e.cfg.Log.Error("report refused", "instance", r.Instance, "invocation", r.Task.Invocation, "ordinal", r.Task.Ordinal, "err", cause)
	e.count("refused", 1)
	return nil
}

// apply applies reports in one transaction, each task's in order of their numbers.
func (e *Engine) apply(tx *store.Tx, reports []orderly.Report, c *change) error {
	byTask := map[orderly.TaskKey][]orderly.Report{}
	for _, r := range reports {
		byTask[r.Task] = append(byTask[r.Task], r)
	}
	keys := make([]orderly.TaskKey, 0, len(byTask))
	for k := range byTask {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, orderly.TaskKey.Compare)
	tasks, err := tx.Tasks(keys)
	if err != nil {
		return err
	}
	plans, err := e.plansOf(tx, tasks)
	if err != nil {
		return err
	}
	var late []orderly.Report
	for _, t := range tasks {
		late = append(late, e.applyTo(t, byTask[t.TaskKey], plans[t.Invocation], tx.Now, c)...)
		delete(byTask, t.TaskKey)
	}
	for _, unknown := range byTask {
		c.effects["unknown"]++
		c.stray(unknown)
	}
	if err := addressStrays(tx, c.send); err != nil {
		return err
	}
	if err := tx.AddLate(late); err != nil {
		return err
	}
	return c.save(tx)
}

// applyTo applies the reports on one task and returns those that came late.
func (e *Engine) applyTo(t orderly.Task, reports []orderly.Report, p orderly.Plan, now time.Time, c *change) (late []orderly.Report) {
	slices.SortFunc(reports, func(a, b orderly.Report) int { return cmp.Compare(a.Number, b.Number) })
	before, news := t, false
	for i, r := range reports {
		if r.Instance != t.Instance {
			c.effects["foreign"]++ // another instance's task: no effect (REP-1)
			reports[i] = orderly.Report{}
			continue
		}
		switch t.Apply(r, p, e.cfg.Limits, now) {
		case orderly.ReportApplied:
			news = true
			c.effects["applied"]++
		case orderly.ReportLate:
			late, news = append(late, r), true // its number is kept, so that it is late once
			c.effects["late"]++
		default:
			c.effects["repeated"]++
		}
	}
	if news {
		c.note(before, t)
	}
	if !t.State.Live() {
		c.stray(reports)
	}
	return late
}
