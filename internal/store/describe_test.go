package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A past is what a test has stored, newest first: what lists must agree with.
type past struct {
	t    *testing.T
	db   *store.DB
	rnd  *rand.Rand
	made []*deed
}

// A deed is an invocation with its tasks.
type deed struct {
	orderly.Invocation
	tasks []orderly.Task
}

func (d *deed) counts() (c orderly.Counts) {
	for i := range d.tasks {
		c = c.Add(orderly.Count(d.tasks[i].State, !d.tasks[i].Stopped.IsZero()))
	}
	return c
}

func (d *deed) on(instance string) *orderly.Task {
	for i := range d.tasks {
		if d.tasks[i].Instance == instance {
			return &d.tasks[i]
		}
	}
	return nil
}

func (d *deed) timed() bool { return d.Repeat.Repeats() && d.counts().Live() > 0 }

func (d *deed) shows(status string) bool {
	c := d.counts()
	return string(c.Status()) == status || string(c.LegacyStatus(d.Repeat)) == status
}

func (d *deed) row(k *orderly.Task, status string) bool {
	return string(k.State) == status || string(k.State.LegacyStatus(d.Repeat, !k.Stopped.IsZero())) == status
}

func (d *deed) carries(tags []orderly.Tag) bool {
	for _, g := range tags {
		if !slices.Contains(d.Tags, g) {
			return false
		}
	}
	return true
}

func fits(filter, value string) bool { return filter == "" || filter == value }

// invocations are the numbers of what f admits.
func (p *past) invocations(f store.InvocationFilter) (seqs []int64) {
	for _, d := range p.made {
		ok := fits(f.ID, d.ID) && fits(f.CommandID, d.Command.ID) && fits(f.CommandName, d.Command.Name) && fits(f.CommandType, string(d.Command.Type)) &&
			fits(f.ResourceGroup, d.ResourceGroup) && fits(f.Repeat, string(d.Repeat)) && d.carries(f.Tags) &&
			(f.Timed == nil || *f.Timed == d.timed()) && f.Account == d.Account && f.Region == d.Region
		if f.Instance != "" {
			k := d.on(f.Instance)
			ok = ok && k != nil && (f.Status == "" || d.row(k, f.Status))
		} else if f.Status != "" {
			ok = ok && d.shows(f.Status)
		}
		if ok {
			seqs = append(seqs, d.Seq)
		}
	}
	return seqs
}

// results are the keys of the tasks that f admits.
func (p *past) results(f store.ResultFilter) (keys []orderly.TaskKey) {
	for _, d := range p.made {
		if !fits(f.InvokeID, d.ID) || !fits(f.CommandID, d.Command.ID) || !fits(f.ResourceGroup, d.ResourceGroup) || !d.carries(f.Tags) ||
			f.Account != d.Account || f.Region != d.Region {
			continue
		}
		for i := range d.tasks {
			if k := &d.tasks[i]; fits(f.Instance, k.Instance) && fits(f.State, string(k.State)) && (f.Record == "" || d.row(k, f.Record)) {
				keys = append(keys, k.TaskKey)
			}
		}
	}
	return keys
}

// instances that tasks are on; the first is one of every invocation's.
var machines = []string{"mi-0", "mi-1", "mi-2", "mi-3", "mi-4", "mi-5"}

// make stores invocations of some sizes, made one second after the other from a time on, with tasks in
// random states.
func (p *past) make(from time.Time, sizes ...int) {
	p.t.Helper()
	for batch := range slices.Chunk(sizes, 100) {
		var made []*deed
		for range batch {
			made = append(made, p.deed(batch[len(made)], from))
			from = from.Add(time.Second)
		}
		must(p.t, p.db.Write(p.t.Context(), store.Mass, func(tx *store.Tx) error {
			for _, d := range made {
				if err := errors.Join(tx.AddInvocation(d.Invocation), tx.AddTasks(d.tasks)); err != nil {
					return err
				}
				if err := tx.Built(d.Seq, d.counts(), d.Repeat, time.Time{}); err != nil {
					return err
				}
			}
			return nil
		}))
		p.made = append(p.made, made...)
		p.move(made...)
	}
	slices.SortFunc(p.made, func(a, b *deed) int { return cmp.Compare(b.Seq, a.Seq) })
}

func (p *past) of(list ...string) string { return list[p.rnd.IntN(len(list))] }

// deed is an invocation that is not stored yet.
func (p *past) deed(size int, at time.Time) *deed {
	seq := at.UnixMilli()<<20 | int64(p.rnd.IntN(1<<19))
	d := &deed{Invocation: orderly.Invocation{
		Seq: seq, ID: orderly.NewID("t", region, seq), Account: p.of(account, account, account, account, "2"), Region: p.of(region, region, region, region, "cn-beijing"),
		Command: orderly.Command{ID: p.of("c-1", "c-1", "c-1", "c-2"), Name: p.of("a", "A", "a b", ""),
			Type: orderly.CommandType(p.of("RunShellScript", "RunBatScript")), Content: []byte("true")},
		Repeat: orderly.RepeatMode(p.of("Once", "Once", "Once", "Period", "EveryReboot", "NextRebootOnly")), ResourceGroup: p.of("", "rg-1"),
		Size: size, Created: at,
	}}
	for _, g := range []orderly.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: p.of("", "2")}} {
		if p.rnd.IntN(3) > 0 {
			d.Tags = append(d.Tags, g)
		}
	}
	owner := map[bool]string{true: "", false: "-of-others"}[d.Account == account && d.Region == region]
	for n := range size {
		instance := fmt.Sprint("mi-x", n)
		if n < len(machines) {
			instance = machines[n]
		}
		d.tasks = append(d.tasks, orderly.NewTask(&d.Invocation, n, instance+owner, at))
		if p.rnd.IntN(20) == 0 {
			d.tasks[n].State = orderly.Aborted
		}
	}
	return d
}

// move brings live tasks of invocations into random states.
func (p *past) move(list ...*deed) {
	p.t.Helper()
	must(p.t, p.db.Write(p.t.Context(), store.Mass, func(tx *store.Tx) error {
		var changed []orderly.Task
		var changes []store.Change
		for _, d := range list {
			before := d.counts()
			for i := range d.tasks {
				k := &d.tasks[i]
				if !k.State.Live() || p.rnd.IntN(8) == 0 {
					continue
				}
				k.State = orderly.Success
				if p.rnd.IntN(2) == 0 {
					k.State = orderly.States[p.rnd.IntN(len(orderly.States))]
				}
				if p.rnd.IntN(4) == 0 {
					k.Stopped = tx.Now
				}
				changed = append(changed, *k)
			}
			changes = append(changes, store.Change{Seq: d.Seq, Delta: d.counts().Sub(before)})
		}
		return errors.Join(tx.SaveTasks(changed), tx.Changed(changes))
	}))
}

// filter is a random filter on invocations, with about n conditions.
func (p *past) filter(n int) store.InvocationFilter {
	f := store.InvocationFilter{Account: account, Region: region}
	yes, no := true, false
	for range n {
		switch p.rnd.IntN(11) {
		case 0:
			f.ID = p.made[p.rnd.IntN(len(p.made))].ID
		case 1:
			f.CommandID = p.of("c-1", "c-2", "c-3")
		case 2:
			f.CommandName = p.of("a", "A", "a b", "b")
		case 3:
			f.CommandType = p.of("RunShellScript", "RunBatScript", "RunPython")
		case 4:
			f.Instance = p.of(append(machines, "mi-1-of-others", "mi-none")...)
		case 5:
			f.ResourceGroup = p.of("rg-1", "rg-2")
		case 6:
			f.Repeat = p.of("Once", "Period", "EveryReboot", "DryRun")
		case 7, 8:
			f.Status = p.status()
		case 9:
			f.Timed = []*bool{&yes, &no}[p.rnd.IntN(2)]
		case 10:
			f.Tags = append(f.Tags, orderly.Tag{Key: p.of("a", "b"), Value: p.of("1", "2", "")})
		}
	}
	return f
}

func (p *past) status() string {
	list := []string{"Finished", "Stopped", "PartialFailed", "Nonsense"}
	for _, s := range orderly.States {
		list = append(list, string(s))
	}
	return p.of(list...)
}

// results is a random filter on tasks, with about n conditions.
func (p *past) resultFilter(n int) store.ResultFilter {
	f := store.ResultFilter{Account: account, Region: region}
	for range n {
		switch p.rnd.IntN(8) {
		case 0:
			f.InvokeID = p.made[p.rnd.IntN(len(p.made))].ID
		case 1:
			f.CommandID = p.of("c-1", "c-2", "c-3")
		case 2:
			f.Instance = p.of(append(machines, "mi-1-of-others", "mi-none")...)
		case 3:
			f.ResourceGroup = p.of("rg-1", "rg-2")
		case 4, 5:
			f.Record = p.status()
		case 6:
			f.State = p.status()
		case 7:
			f.Tags = append(f.Tags, orderly.Tag{Key: p.of("a", "b"), Value: p.of("1", "2", "")})
		}
	}
	return f
}

// pages are some pages of a list of n rows: the first, the last, one near a mark, any, and one past the
// end.
func (p *past) pages(n int) (offsets []int) {
	for _, at := range []int{0, n - 7, n + 2000, p.rnd.IntN(n + 1), 1000*p.rnd.IntN(n/1000+1) + p.rnd.IntN(3) - 1} {
		if at >= 0 && (at <= n || at == n+2000) {
			offsets = append(offsets, at)
		}
	}
	return offsets
}

// part is a page of a list.
func part[T any](list []T, offset int) []T {
	offset = min(offset, len(list))
	return list[offset:min(offset+pageSize, len(list))]
}

const pageSize = 50

// checkInvocations compares pages of a list, by offset and by place, with what was stored.
func (p *past) checkInvocations(f store.InvocationFilter) {
	p.t.Helper()
	want := p.invocations(f)
	for _, at := range p.pages(len(want)) {
		pages := []store.Page{{Limit: pageSize, Offset: at}}
		if at > 0 && at <= len(want) {
			pages = append(pages, store.Page{Limit: pageSize, After: store.Place{Seq: want[at-1]}})
		}
		for _, page := range pages {
			list, total, err := p.db.Invocations(p.t.Context(), f, page)
			must(p.t, err)
			var got []int64
			for i, v := range list {
				got = append(got, v.Seq)
				if len(want) > at+i && want[at+i] == v.Seq {
					p.checkInvocation(v)
				}
			}
			if !slices.Equal(got, part(want, at)) || total != len(want) {
				p.t.Fatalf("%+v, %+v: %v of %d, want %v of %d", f, page, got, total, part(want, at), len(want))
			}
		}
	}
}

func (p *past) checkInvocation(v orderly.Invocation) {
	p.t.Helper()
	i := slices.IndexFunc(p.made, func(d *deed) bool { return d.Seq == v.Seq })
	if want := p.made[i]; v.Counts != want.counts() || v.Timed() != want.timed() || len(v.Tags) != len(want.Tags) {
		p.t.Fatalf("%s has %+v, want %+v", v.ID, v.Counts, want.counts())
	}
}

// checkResults does the same with tasks.
func (p *past) checkResults(f store.ResultFilter) {
	p.t.Helper()
	want := p.results(f)
	for _, at := range p.pages(len(want)) {
		pages := []store.Page{{Limit: pageSize, Offset: at}}
		if at > 0 && at <= len(want) {
			pages = append(pages, store.Page{Limit: pageSize, After: store.Place{Seq: want[at-1].Invocation, Ordinal: want[at-1].Ordinal}})
		}
		for _, page := range pages {
			list, total, err := p.db.Results(p.t.Context(), f, page)
			must(p.t, err)
			var got []orderly.TaskKey
			for _, r := range list {
				got = append(got, r.TaskKey)
				if r.Of.Seq != r.Invocation {
					p.t.Fatalf("%+v belongs to %d", r.TaskKey, r.Of.Seq)
				}
			}
			if !slices.Equal(got, part(want, at)) || total != len(want) {
				p.t.Fatalf("%+v, %+v: %v of %d, want %v of %d", f, page, got, total, part(want, at), len(want))
			}
		}
	}
}

// check compares what lists show, under every kind of filter and under random ones, with what was
// stored.
func (p *past) check(filters int) {
	p.t.Helper()
	for i := range filters {
		p.checkInvocations(p.filter(i % 4))
		p.checkResults(p.resultFilter(i % 4))
	}
}

// sizes are those of n invocations; every second hundred begins with a larger one.
func sizes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = 1 + i%5
		if i%200 == 100 {
			list[i] = 1200
		}
	}
	return list
}

// DI-1 to DI-7, DR-1, DR-3, DR-5, DR-6, PG-1, PG-2, PG-7: long lists are exact at any depth, by number
// and by token, also when rows have come, gone, and changed their statuses.
func TestLongListsAgreeWithAScan(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	each(t, func(t *testing.T, db *store.DB) {
		p := &past{t: t, db: db, rnd: rand.New(rand.NewPCG(seed, 0))}
		addInstances(t, db, false, machines...)
		start := db.Now().Add(-24 * time.Hour)
		p.make(start, sizes(1700)...)
		p.check(32)
		p.make(start.Add(20*time.Hour), sizes(20)...) // older than the newest marks: not settled, says the rule
		db.ForgetMarks()
		db.BeImpatient()
		for range 30 {
			p.move(p.made[p.rnd.IntN(len(p.made))])
		}
		p.check(32)
		p.make(db.Now(), 1, 2, 3)
		everything := store.InvocationFilter{Account: account, Region: region}
		p.checkInvocations(everything) // newer rows are counted at once
		p.checkResults(store.ResultFilter{Account: account, Region: region})
		p.checkResults(store.ResultFilter{Account: account, Region: region, CommandID: "c-1"})
	})
}

// manyPending makes so many invocations with a pending task that lists of them have marks.
func manyPending(t *testing.T, db *store.DB) *past {
	p := &past{t: t, db: db, rnd: rand.New(rand.NewPCG(1, 2))}
	for n := range 1100 {
		d := p.deed(1, db.Now().Add(time.Duration(n-10_000)*time.Second))
		d.Account, d.Region, d.tasks[0].State = account, region, orderly.Pending
		p.made = append(p.made, d)
	}
	must(t, db.Write(t.Context(), store.Mass, func(tx *store.Tx) error {
		for _, d := range p.made {
			if err := errors.Join(tx.AddInvocation(d.Invocation), tx.AddTasks(d.tasks), tx.Built(d.Seq, d.counts(), d.Repeat, time.Time{})); err != nil {
				return err
			}
		}
		return nil
	}))
	return p
}

// Who reads a long list while it is being counted again has what was known before.
func TestNobodyWaitsForACount(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		made := len(manyPending(t, db).made)
		counted := make(chan int, 1)
		count := func() {
			_, total, err := db.Invocations(t.Context(), store.InvocationFilter{Account: account, Region: region, Status: "Pending"}, store.Page{Limit: 1})
			if err != nil {
				t.Error(err)
			}
			counted <- total
		}
		count()
		<-counted
		db.WhileRenewed(func() {
			go count()
			select {
			case got := <-counted:
				if got != made {
					t.Errorf("%d pending, want %d", got, made)
				}
			case <-time.After(10 * time.Second):
				t.Error("a reader waits")
			}
		})
	})
}

// What long lists are known for is not older than a second for long (PG-7).
func TestLongListsAreCountedAgain(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		p := manyPending(t, db)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() {
			defer close(ran)
			_ = db.Run(ctx) // which marks them ahead of time
		}()
		defer func() { stop(); <-ran }()
		pending := func() int {
			_, total, err := db.Invocations(ctx, store.InvocationFilter{Account: account, Region: region, Status: "Pending"}, store.Page{Limit: 1})
			must(t, err)
			return total
		}
		if got := pending(); got != len(p.made) {
			t.Fatalf("%d pending, want %d", got, len(p.made))
		}
		p.move(p.made[:50]...)
		want := len(p.invocations(store.InvocationFilter{Account: account, Region: region, Status: "Pending"}))
		for deadline := time.Now().Add(20 * time.Second); pending() != want; {
			if time.Now().After(deadline) {
				t.Fatalf("still %d pending, want %d", pending(), want)
			}
		}
	})
}
