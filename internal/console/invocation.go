package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// chosen are the states that a filter of the table of machines stands for.
var chosen = map[string][]orderly.State{
	"live":    {orderly.Pending, orderly.Scheduled, orderly.Running, orderly.Stopping},
	"success": {orderly.Success},
	"failed":  {orderly.Failed, orderly.Timeout, orderly.Error, orderly.Invalid, orderly.Aborted},
	"stopped": {orderly.Cancelled, orderly.Terminated},
}

// columns are those that the table of machines can be sorted by.
var columns = []struct {
	Order store.Order
	Name  string
}{{store.ByName, "Machine"}, {store.ByState, "State"}, {store.ByExitCode, "Exit code"}, {store.ByStart, "Started"}, {store.ByDuration, "Duration"}}

// A column is one with how to sort by it.
type column struct {
	Name, Sorted, Link string // Sorted is "", "ascending" or "descending"
}

type invocationBody struct {
	*orderly.Invocation
	Region  string
	Query   query
	Bar     []share
	Chart   chart
	Columns []column
	Rows    []machineRow
	Next    int   // ordinal; -1 when these are the last
	Times   times // when it runs next, if it is to
	Runs    []runRow
	RunNext string
	Now     time.Time
}

// A machineRow is a task as the table shows it.
type machineRow struct {
	store.Row
	Long time.Duration // it took, or takes so far; 0 before its start
	Link string
	Info string // why it ended
}

// invocation finds the one that a visit is about.
func (c *Console) invocation(v *visit) (orderly.Invocation, error) {
	return c.cfg.Engine.Invocation(v.Context(), v.caller, v.region, v.PathValue("id"))
}

// table is which tasks the URL asks for.
func (v *visit) table(seq int64) store.Table {
	q := v.query()
	x := store.Table{Invocation: seq, States: chosen[q.Get("show")], Search: q.Get("q"), After: -1, Limit: pageSize + 1, Descending: q.Get("dir") == "desc"}
	if n, err := strconv.Atoi(q.Get("after")); err == nil && n >= 0 {
		x.After = n
	}
	for _, col := range columns {
		if string(col.Order) == q.Get("sort") {
			x.Order = col.Order
		}
	}
	return x
}

// state looks at all that moves on the page of an invocation.
func (c *Console) state(ctx context.Context, v *visit, i orderly.Invocation) (b invocationBody, err error) {
	b = invocationBody{Invocation: &i, Region: v.region, Query: v.query(), Bar: bar(i.Counts), Next: -1, Now: c.cfg.Store.Now()}
	x := v.table(i.Seq)
	rows, err := c.cfg.Store.Table(ctx, x)
	if err != nil {
		return b, err
	}
	if len(rows) > pageSize {
		rows = rows[:pageSize]
		b.Next = rows[pageSize-1].Ordinal
	}
	for _, r := range rows {
		b.Rows = append(b.Rows, v.machineRow(i.ID, r, b.Now))
	}
	for _, col := range columns {
		b.Columns = append(b.Columns, b.Query.column(col.Name, col.Order, x))
	}
	if i.Repeat.Recurs() {
		return b, nil // it has no one start and no one end
	}
	const parts = 80
	end := i.Finished
	if end.IsZero() {
		end = b.Now
	}
	started, ended, err := c.cfg.Store.Pace(ctx, i.Seq, i.Created, end, parts)
	b.Chart = pace(started, ended, i.Size, end.Sub(i.Created))
	return b, err
}

// column says how a table that is sorted in some way is sorted by a column instead.
func (q query) column(name string, o store.Order, now store.Table) column {
	col := column{Name: name}
	dir := ""
	if now.Order == o {
		col.Sorted = "ascending"
		if dir = "desc"; now.Descending {
			col.Sorted, dir = "descending", ""
		}
	}
	col.Link = q.change(func(u url.Values) {
		u["sort"] = []string{string(o)}
		if delete(u, "dir"); dir != "" {
			u["dir"] = []string{dir}
		}
	})
	return col
}

func (v *visit) machineRow(invocation string, r store.Row, now time.Time) machineRow {
	m := machineRow{Row: r, Link: v.in("invocations", invocation, "on", r.Instance), Info: r.ErrorCode.Info()}
	if m.Name == "" {
		m.Name = r.Instance
	}
	switch {
	case r.Started.IsZero():
	case r.Finished.IsZero():
		m.Long = max(0, now.Sub(r.Started).Truncate(time.Second))
	default:
		m.Long = r.Finished.Sub(r.Started)
	}
	return m
}

func (c *Console) invocationPage(v *visit) error {
	i, err := c.invocation(v)
	if err != nil {
		return err
	}
	b, err := c.state(v.Context(), v, i)
	if err != nil {
		return err
	}
	if i.Repeat.Repeats() && i.Counts.Live() > 0 {
		if b.Times, err = c.nextTimes(i.Repeat, i.Frequency); err != nil {
			b.Times = times{} // of a newer server
		}
	}
	if i.Repeat.Recurs() {
		if err := c.runs(v, &b); err != nil {
			return err
		}
	}
	return c.show(v, http.StatusOK, "invocation", &frame{Title: title(i), Nav: "invocations", Same: sameInvocation(v.region, i.ID)}, b)
}

// title is what an invocation is called: by its command's name, or by what it runs.
func title(i orderly.Invocation) string {
	if i.Command.Name != "" {
		return i.Command.Name
	}
	if l := firstLine(i.Command.Content); l != "" {
		return l
	}
	return i.ID
}

// invocationLive sends what changes on the page of an invocation.
func (c *Console) invocationLive(v *visit) error {
	if _, err := c.invocation(v); err != nil {
		return err
	}
	v.URL.Path = v.in("invocations", v.PathValue("id")) // of the page that links in it are of
	return c.stream(v, func(ctx context.Context) ([]event, bool, error) {
		i, err := c.invocation(v)
		if err != nil {
			return nil, false, err
		}
		b, err := c.state(ctx, v, i)
		if err != nil {
			return nil, false, err
		}
		var list []event
		for _, part := range []string{"state", "rows", "chart"} {
			html, err := c.part("invocation", part, b)
			if err != nil {
				return nil, false, err
			}
			list = append(list, event{part, html})
		}
		return list, i.Counts.Live() == 0, nil
	})
}

// A runRow is one run of a schedule on one machine.
type runRow struct {
	store.Result
	Name string
	Long time.Duration
}

// runs finds the runs of what repeats, the newest first.
func (c *Console) runs(v *visit, b *invocationBody) error {
	p := store.Page{Limit: pageSize + 1}
	if _, err := fmt.Sscanf(b.Query.Get("run"), "%d.%d", &p.After.Ordinal, &p.After.Seq); err != nil {
		p.After = store.Place{} // from the start
	}
	list, _, err := c.cfg.Engine.Runs(v.Context(), v.caller, store.ResultFilter{Region: v.region, InvokeID: b.ID}, p)
	if err != nil {
		return err
	}
	if len(list) > pageSize {
		list = list[:pageSize]
		last := list[pageSize-1]
		b.RunNext = b.Query.With("run", fmt.Sprintf("%d.%d", last.Ordinal, last.Repeats))
	}
	var ids []string
	for _, r := range list {
		ids = append(ids, r.Instance)
	}
	names, err := c.cfg.Store.NamesOf(v.Context(), ids)
	if err != nil {
		return err
	}
	for _, r := range list {
		row := runRow{Result: r, Name: names[r.Instance]}
		if !r.Finished.IsZero() {
			row.Long = r.Finished.Sub(r.Started)
		}
		b.Runs = append(b.Runs, row)
	}
	return nil
}

func (c *Console) stopPage(v *visit) error {
	i, err := c.invocation(v)
	if err != nil {
		return err
	}
	k := i.Counts
	var facts []string
	for _, f := range []struct {
		n           int
		before, end string
	}{
		{k.Running, "What runs now on ", " is killed."},
		{k.Pending + k.Scheduled, "On ", " it does not start any more."},
		{k.Total() - k.Live(), "On ", " it has ended; that stays as it is."},
	} {
		if f.n > 0 {
			facts = append(facts, f.before+plural(f.n, "machine")+f.end)
		}
	}
	if i.Repeat.Repeats() {
		facts = append(facts, "It does not run again by itself.")
	}
	return c.show(v, http.StatusOK, "confirm", &frame{Title: "Stop " + title(i), Nav: "invocations", Same: sameStop(v.region, i.ID)}, confirm{
		Question: "Stop this invocation?", About: title(i), Facts: facts, Verb: "Stop on " + plural(k.Live(), "machine"), Danger: true, Back: v.in("invocations", i.ID),
	})
}

func (c *Console) stop(v *visit) error {
	if err := c.cfg.Engine.StopInvocation(v.Context(), v.caller, v.region, v.PathValue("id"), nil); err != nil {
		return err
	}
	return v.to(v.in("invocations", v.PathValue("id")))
}

func (c *Console) retryPage(v *visit) error {
	i, err := c.invocation(v)
	if err != nil {
		return err
	}
	known, err := c.cfg.Store.FailedOn(v.Context(), i.Seq, false, i.Size)
	if err != nil {
		return err
	}
	all, err := c.cfg.Store.FailedOn(v.Context(), i.Seq, true, i.Size)
	if err != nil {
		return err
	}
	f := confirm{
		Question: "Run this again where it failed?", About: title(i), Verb: "Run on " + plural(len(known), "machine"), Back: v.in("invocations", i.ID), Token: rand.Text(),
		Facts: []string{
			"The same script with the same parameters, as it was then, runs now, as a new invocation.",
			"Where its time was over it may have done a part of its work already.",
			"Machines that have left the fleet are left out.",
		},
	}
	if n := len(all) - len(known); n > 0 {
		f.Option = "Also on " + plural(n, "machine") + " of which nobody knows what became of it: it may run twice there"
	}
	return c.show(v, http.StatusOK, "confirm", &frame{Title: "Retry " + title(i), Nav: "invocations", Same: sameRetry(v.region, i.ID)}, f)
}

func (c *Console) retry(v *visit) error {
	of := engine.Retried{Region: v.region, InvokeID: v.PathValue("id"), Unknown: v.PostFormValue("option") != ""}
	a, err := c.cfg.Engine.Retry(v.Context(), v.caller, of, engine.Repetition{Operation: "RunCommand", Token: v.PostFormValue("token"), Digest: fmt.Append(nil, of)})
	if err != nil {
		return err
	}
	return v.to(v.in("invocations", a.InvokeID))
}

type outputBody struct {
	*orderly.Invocation
	Region  string
	Machine machineRow
	Live    bool
}

// output finds the task of an invocation on a machine.
func (c *Console) output(ctx context.Context, v *visit) (b outputBody, err error) {
	i, err := c.invocation(v)
	if err != nil {
		return b, err
	}
	b.Invocation = &i
	r, err := c.cfg.Store.TaskOn(ctx, b.Seq, v.PathValue("instance"))
	if errors.Is(err, store.ErrNotFound) {
		err = orderly.InstanceNotInTask
	}
	b.Region, b.Machine, b.Live = v.region, v.machineRow(b.ID, r, c.cfg.Store.Now()), r.State.Live()
	return b, err
}

func (c *Console) outputPage(v *visit) error {
	b, err := c.output(v.Context(), v)
	if err != nil {
		return err
	}
	return c.show(v, http.StatusOK, "output", &frame{Title: b.Machine.Name + ": " + title(*b.Invocation), Nav: "invocations",
		Same: sameOutput(v.region, b.ID, b.Machine.Instance)}, b)
}

// outputLive sends what a machine prints while it runs.
func (c *Console) outputLive(v *visit) error {
	if _, err := c.output(v.Context(), v); err != nil {
		return err
	}
	return c.stream(v, func(ctx context.Context) ([]event, bool, error) {
		b, err := c.output(ctx, v)
		if err != nil {
			return nil, false, err
		}
		var list []event
		for _, part := range []string{"facts", "text"} {
			html, err := c.part("output", part, b)
			if err != nil {
				return nil, false, err
			}
			list = append(list, event{part, html})
		}
		return list, !b.Live, nil
	})
}
