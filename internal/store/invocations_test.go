package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

func TestInvocationComesBackAsItWas(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		want := addInvocation(t, db, []string{"mi-1"}, func(v *orderly.Invocation) {
			v.Command = orderly.Command{ID: "c-1", Name: "n", Description: "d", Type: orderly.RunShellScript, Content: []byte{0, 'x', 255}, WorkingDir: "/w",
				Timeout: 90 * time.Second, EnableParameter: true, Launcher: "sh"}
			v.KeepCommand, v.Parameters, v.Frequency = true, map[string]string{"a": "ü\""}, "f"
			v.Username, v.WindowsPasswordName, v.ContainerID, v.ContainerName = "u", "p", "ci", "cn"
			v.ResourceGroup, v.Tags = "rg-1", []orderly.Tag{{Key: "k", Value: "v"}}
			v.WaitForAway, v.CallerKey, v.SourceIP = true, "key", "1.2.3.4"
		})
		want.Counts = orderly.Counts{Pending: 1}
		got, total, err := db.Invocations(t.Context(), store.InvocationFilter{Account: account, Region: region}, store.Page{Limit: 10})
		must(t, err)
		if d := cmp.Diff([]orderly.Invocation{want}, got); d != "" || total != 1 {
			t.Errorf("total %d, want 1; (-want +got)\n%s", total, d)
		}
	})
}

func TestInvocationIsHiddenUntilBuilt(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, true, "mi-1")
		v := unbuilt(t, db, "token-1")
		seen := func() (listed, results, live int) {
			list, total, err := db.Invocations(t.Context(), store.InvocationFilter{Account: account, Region: region, ID: v.ID}, store.Page{Limit: 10})
			must(t, err)
			_, rows, err := db.Results(t.Context(), store.ResultFilter{Account: account, Region: region}, store.Page{Limit: 10})
			must(t, err)
			change(t, db, func(tx *store.Tx) error {
				tasks, err := tx.LiveTasks([]string{"mi-1"})
				live = len(tasks)
				return err
			})
			return len(list) + total, rows, live
		}
		if a, b, c := seen(); a+b+c != 0 {
			t.Errorf("before Built %d, %d, %d of it are seen, want nothing", a, b, c)
		}
		if hidden, err := db.Unbuilt(t.Context(), v.ID); err != nil || !hidden {
			t.Errorf("Unbuilt = %v, %v; want true", hidden, err)
		}
		change(t, db, func(tx *store.Tx) error { return tx.Built(v.Seq, orderly.Counts{Pending: 1}, v.Repeat, tx.Now) })
		if a, b, c := seen(); a != 2 || b != 25 || c != 1 {
			t.Errorf("after Built %d, %d, %d of it are seen, want 2, 25, 1", a, b, c)
		}
		change(t, db, func(tx *store.Tx) error {
			_, err := tx.DropUnbuilt(tx.Now.Add(time.Hour), 10)
			return err
		})
		if a, _, _ := seen(); a != 2 {
			t.Error("DropUnbuilt removed a built invocation")
		}
	})
}

// unbuilt stores an invocation of a command that is not kept, with 25 tasks and a client token, and
// does not complete it.
func unbuilt(t *testing.T, db *store.DB, token string) orderly.Invocation {
	t.Helper()
	seq := db.NextSeq()
	v := orderly.Invocation{Seq: seq, ID: orderly.NewID("t", region, seq), Account: account, Region: region, Repeat: orderly.Once,
		Command: orderly.Command{ID: "c-" + token, Seq: seq, Account: account, Region: region}, Tags: []orderly.Tag{{Key: "k", Value: "v"}}}
	change(t, db, func(tx *store.Tx) error {
		v.Created = tx.Now
		tasks := []orderly.Task{orderly.NewTask(&v, 0, "mi-1", tx.Now)}
		for n := 1; n < 25; n++ {
			tasks = append(tasks, orderly.NewTask(&v, n, "mi-x", tx.Now))
		}
		return errors.Join(tx.AddCommand(v.Command), tx.AddInvocation(v), tx.AddTasks(tasks),
			tx.Remember(store.ClientToken{Account: account, Region: region, Operation: "RunCommand", Token: token, Digest: []byte{1}, Answer: `{"InvokeID":"` + v.ID + `"}`}))
	})
	return v
}

// Two servers clean up at once; nothing of the invocation stays, and its client token can be used
// again (TOK-2).
func TestDropUnbuiltLeavesNothing(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		gone, other := unbuilt(t, db, "token-1"), unbuilt(t, db, "token-2")
		kept := addInvocation(t, db, []string{"mi-1"}, nil)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for more := true; more; {
					err := db.Write(t.Context(), store.Mass, func(tx *store.Tx) (err error) {
						if more, err = tx.DropUnbuilt(tx.Now.Add(time.Second), 7); err == nil && !more {
							more, err = tx.DropRetired(7)
						}
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		var tasks, invocations, tags, tokens, commands int
		must(t, raw(t, url).QueryRowContext(t.Context(), `select (select count(*) from tasks), (select count(*) from invocations), (select count(*) from tags),
			(select count(*) from client_tokens), (select count(*) from commands)`).Scan(&tasks, &invocations, &tags, &tokens, &commands))
		if got := []int{tasks, invocations, tags, tokens, commands}; !slices.Equal(got, []int{1, 1, 0, 0, 0}) {
			t.Errorf("tasks, invocations, tags, tokens, commands = %v, want those of %s alone", got, kept.ID)
		}
		for _, v := range []orderly.Invocation{gone, other} { // its maker was only slow
			for name, late := range map[string]func(*store.Tx) error{
				"Building": func(tx *store.Tx) error { return tx.Building(v.Seq) },
				"Built":    func(tx *store.Tx) error { return tx.Built(v.Seq, orderly.Counts{Pending: 25}, v.Repeat, tx.Now) },
			} {
				if err := db.Write(t.Context(), store.Interactive, late); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s after DropUnbuilt = %v, want ErrNotFound", name, err)
				}
			}
		}
	})
}

// A maker that was slow, or stood still, cannot complete an invocation of which a part is removed already, and its
// client token is free at once (TOK-2).
func TestHalfDroppedInvocationIsNotCompleted(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v := unbuilt(t, db, "token-1")
		change(t, db, func(tx *store.Tx) error {
			_, err := tx.DropUnbuilt(tx.Now.Add(time.Second), 7)
			return err
		})
		if err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.Building(v.Seq) }); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Building after a part of DropUnbuilt = %v, want ErrNotFound", err)
		}
		change(t, db, func(tx *store.Tx) error {
			_, found, err := tx.Replayed(store.ClientToken{Account: account, Region: region, Operation: "RunCommand", Token: "token-1"})
			if found {
				t.Error("the token still leads to what is being removed")
			}
			return err
		})
	})
}

// Design 2b rule 11, AG-6: what an invocation shows without a scan is what a scan would show.
func TestCountersEqualTheRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		const invocations, size, workers, steps = 4, 30, 6, 60
		var seqs []int64
		for range invocations {
			var ids []string
			for n := range size {
				ids = append(ids, fmt.Sprintf("mi-%d", n))
			}
			seqs = append(seqs, addInvocation(t, db, ids, nil).Seq)
		}
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, uint64(w)))
				for range steps {
					if err := shuffle(t.Context(), db, rnd, seqs, size); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		compareCounters(t, db, seqs, size)
	})
}

// shuffle moves some tasks of some invocations to other states and dues.
func shuffle(ctx context.Context, db *store.DB, rnd *rand.Rand, seqs []int64, size int) error {
	var keys []orderly.TaskKey
	for range 1 + rnd.IntN(12) {
		keys = append(keys, orderly.TaskKey{Invocation: seqs[rnd.IntN(len(seqs))], Ordinal: rnd.IntN(size)})
	}
	slices.SortFunc(keys, orderly.TaskKey.Compare)
	keys = slices.Compact(keys)
	states := orderly.States[:4] // live, so that no invocation ends
	next, due := states[rnd.IntN(len(states))], time.Duration(1+rnd.IntN(1000))*time.Second
	return db.Write(ctx, store.Mass, func(tx *store.Tx) error {
		tasks, err := tx.Tasks(keys)
		if err != nil {
			return err
		}
		changes := map[int64]*store.Change{}
		for i := range tasks {
			k := &tasks[i]
			ch := changes[k.Invocation]
			if ch == nil {
				ch = &store.Change{Seq: k.Invocation}
				changes[k.Invocation] = ch
			}
			was := orderly.Count(k.State, false)
			k.State, k.Due = next, tx.Now.Add(due)
			ch.Delta = ch.Delta.Add(orderly.Count(k.State, false).Sub(was))
			if ch.Due.IsZero() || k.Due.Before(ch.Due) {
				ch.Due = k.Due
			}
		}
		var list []store.Change
		for _, ch := range changes {
			list = append(list, *ch)
		}
		return errors.Join(tx.SaveTasks(tasks), tx.Changed(list))
	})
}

func compareCounters(t *testing.T, db *store.DB, seqs []int64, size int) {
	t.Helper()
	list, _, err := db.Invocations(t.Context(), store.InvocationFilter{Account: account, Region: region}, store.Page{Limit: 50})
	must(t, err)
	tasks, err := db.TasksOf(t.Context(), seqs, "", size, false)
	must(t, err)
	for _, v := range list {
		var want orderly.Counts
		var due time.Time
		for _, k := range tasks[v.Seq] {
			want = want.Add(orderly.Count(k.State, !k.Stopped.IsZero()))
			if due.IsZero() || !k.Due.IsZero() && k.Due.Before(due) {
				due = k.Due
			}
		}
		if v.Counts != want || want.Total() != size {
			t.Errorf("counters %+v, rows %+v", v.Counts, want)
		}
		shown, _, err := db.Invocations(t.Context(), store.InvocationFilter{Account: account, Region: region, ID: v.ID, Status: string(want.Status())}, store.Page{Limit: 1})
		if err != nil || len(shown) != 1 {
			t.Errorf("the status %s of the rows does not find the invocation", want.Status())
		}
		if found, err := db.AnyDue(t.Context(), due); err != nil || !found {
			t.Errorf("nothing is due at %v, when a task is", due)
		}
	}
}

// A sweep that looks at an invocation while another server brings a due time forward must not make
// that time forgotten.
func TestDueTimeIsNotLostBesideASweep(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-1", "mi-2"}, nil)
		soon := db.Now().Add(30 * time.Second)
		set := func(tx *store.Tx, ordinal int, due time.Time) error {
			tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq, Ordinal: ordinal}})
			if err != nil {
				return err
			}
			tasks[0].Due = due
			return errors.Join(tx.SaveTasks(tasks), tx.Changed([]store.Change{{Seq: v.Seq, Due: due}}))
		}
		change(t, db, func(tx *store.Tx) error {
			return errors.Join(set(tx, 0, tx.Now.Add(-time.Second)), set(tx, 1, tx.Now.Add(time.Hour)))
		})
		sweeping, changed, swept, done := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			<-sweeping
			err := db.Write(t.Context(), store.Mass, func(tx *store.Tx) error {
				err := set(tx, 1, soon)
				close(changed)
				<-swept
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}()
		change(t, db, func(tx *store.Tx) error {
			if due, err := tx.DueInvocations(tx.Now, 1); err != nil || len(due) != 1 {
				t.Errorf("DueInvocations = %v, %v; want one", due, err)
			}
			close(sweeping)
			select {
			case <-changed: // the other did not wait for this transaction
			case <-time.After(200 * time.Millisecond):
			}
			tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq}})
			if err != nil {
				return err
			}
			tasks[0].Due = tx.Now.Add(time.Hour)
			err = errors.Join(tx.SaveTasks(tasks), tx.Redue([]int64{v.Seq}))
			close(swept)
			return err
		})
		within(t, 20*time.Second, done, "end of the other change")
		if found, err := db.AnyDue(t.Context(), soon); err != nil || !found {
			t.Errorf("AnyDue = %v, %v; the due time of the second task is forgotten", found, err)
		}
	})
}

// Nor may one that has not locked the invocation, as who hands over a large one has not when nothing was due: it must
// not count with the tasks as they were before it waited for the other.
func TestDueTimeIsNotLostByWhoWaited(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		v := addInvocation(t, db, []string{"mi-1"}, nil)
		set := func(tx *store.Tx, due time.Time) error {
			tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq}})
			if err != nil {
				return err
			}
			tasks[0].Due = due
			return errors.Join(tx.SaveTasks(tasks), tx.Changed([]store.Change{{Seq: v.Seq, Due: due}}))
		}
		change(t, db, func(tx *store.Tx) error { return set(tx, tx.Now.Add(time.Hour)) })
		soon := db.Now().Add(30 * time.Second)
		changed, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			<-changed
			if err := db.Write(t.Context(), store.Mass, func(tx *store.Tx) error { return tx.Redue([]int64{v.Seq}) }); err != nil {
				t.Error(err)
			}
		}()
		change(t, db, func(tx *store.Tx) error {
			err := set(tx, soon)
			close(changed)
			select {
			case <-done: // it did not wait for this transaction
			case <-time.After(500 * time.Millisecond):
			}
			return err
		})
		within(t, 20*time.Second, done, "end of the other change")
		if found, err := db.AnyDue(t.Context(), soon); err != nil || !found {
			t.Errorf("AnyDue = %v, %v; the due time of the task is forgotten", found, err)
		}
	})
}

func TestEveryPageCoversEveryRowOnce(t *testing.T) { // PG-1, PG-7
	each(t, func(t *testing.T, db *store.DB) {
		var want []string
		for n := range 7 {
			v := addInvocation(t, db, []string{"mi-3", "mi-1", "mi-2"}[:1+n%3], nil)
			var rows []string
			for i, id := range []string{"mi-3", "mi-1", "mi-2"}[:1+n%3] {
				rows = append(rows, fmt.Sprint(v.ID, i, id))
			}
			want = append(rows, want...) // newest first, its tasks in the order of the request
		}
		f := store.ResultFilter{Account: account, Region: region}
		for _, size := range []int{1, 2, 3, 50} {
			var byOffset, byPlace []string
			var after store.Place
			for more := true; more; {
				a, total, err := db.Results(t.Context(), f, store.Page{Limit: size, Offset: len(byOffset)})
				must(t, err)
				b, _, err := db.Results(t.Context(), f, store.Page{Limit: size, After: after})
				must(t, err)
				if total != len(want) {
					t.Fatalf("total = %d, want %d", total, len(want))
				}
				for i := range b {
					byOffset = append(byOffset, fmt.Sprint(a[i].Of.ID, a[i].Ordinal, a[i].Instance))
					byPlace = append(byPlace, fmt.Sprint(b[i].Of.ID, b[i].Ordinal, b[i].Instance))
					after = store.Place{Seq: b[i].Invocation, Ordinal: b[i].Ordinal}
				}
				more = len(b) == size
			}
			if d := cmp.Diff(want, byOffset); d != "" {
				t.Errorf("by offsets of %d (-want +got)\n%s", size, d)
			}
			if d := cmp.Diff(want, byPlace); d != "" {
				t.Errorf("by places of %d (-want +got)\n%s", size, d)
			}
		}
		invocationPages(t, db, want)
	})
}

func invocationPages(t *testing.T, db *store.DB, rows []string) {
	t.Helper()
	var want, byOffset, byPlace []string
	for _, r := range rows {
		if strings.HasSuffix(r, "0mi-3") {
			want = append(want, strings.TrimSuffix(r, "0mi-3"))
		}
	}
	f := store.InvocationFilter{Account: account, Region: region}
	var after store.Place
	for len(byPlace) < len(want) {
		a, total, err := db.Invocations(t.Context(), f, store.Page{Limit: 2, Offset: len(byOffset)})
		must(t, err)
		b, _, err := db.Invocations(t.Context(), f, store.Page{Limit: 2, After: after})
		must(t, err)
		if total != len(want) || len(a) != len(b) || len(b) == 0 {
			t.Fatalf("total %d, pages of %d and %d; want %d and equal ones", total, len(a), len(b), len(want))
		}
		for i := range b {
			byOffset, byPlace = append(byOffset, a[i].ID), append(byPlace, b[i].ID)
			after.Seq = b[i].Seq
		}
	}
	if !slices.Equal(byOffset, want) || !slices.Equal(byPlace, want) {
		t.Errorf("by offsets %v, by places %v, want %v", byOffset, byPlace, want)
	}
}
