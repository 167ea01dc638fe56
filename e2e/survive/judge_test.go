package survive_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// slack is how long after its (extended) deadline a task may still be live.
const slack = 5 * time.Second

// breath is how long an agent that is killed may have known of an end without having written it
// down: the script ends after its last line, and then the journal must get the end.
const breath = time.Second

// A record is all that the database has of one invocation.
type record struct {
	of    orderly.Invocation
	tasks []orderly.Task
	late  map[orderly.TaskKey][]orderly.Report
}

// read reads an invocation; ok is false when there is none.
func (w *world) read(ctx context.Context, id string) (r record, ok bool, err error) {
	list, n, err := w.db.Invocations(ctx, store.InvocationFilter{Account: w.account, Region: region, ID: id}, store.Page{Limit: 1})
	if err != nil || n == 0 {
		return r, false, err
	}
	r = record{of: list[0], late: map[orderly.TaskKey][]orderly.Report{}}
	tasks, err := w.db.TasksOf(ctx, []int64{r.of.Seq}, "", 1000, true)
	if err != nil {
		return r, false, err
	}
	r.tasks = tasks[r.of.Seq]
	late, err := w.db.LateResults(ctx, r.of.Seq, 1000)
	for _, l := range late {
		r.late[l.Task] = append(r.late[l.Task], l)
	}
	return r, true, err
}

// judge says what is wrong with the world once everything is healed and has ended.
func (w *world) judge(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	w.judgeStarts(t)
	for _, j := range w.jobs() {
		r, ok, err := w.read(ctx, j.invoke)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			t.Errorf("%s was accepted and is gone", j.invoke) // (g)
			continue
		}
		w.judgeCounts(t, r)
		for i := range r.tasks {
			w.judgeTask(t, j, r, &r.tasks[i])
		}
	}
}

// judgeStarts finds runs that were started twice, or for nobody.
func (w *world) judgeStarts(t testing.TB) {
	t.Helper()
	starts := map[pair]int{}
	for _, e := range w.ledger.all() {
		if e.what == "start" {
			starts[e.pair]++
		}
	}
	for p, n := range starts {
		if n > 1 {
			t.Errorf("%s ran %d times on %s", p.invoke, n, p.instance)
		}
	}
}

// judgeCounts compares the counters and both statuses with what counting the tasks says.
func (w *world) judgeCounts(t testing.TB, r record) {
	t.Helper()
	var want orderly.Counts
	for i := range r.tasks {
		want = want.Add(orderly.Count(r.tasks[i].State, !r.tasks[i].Stopped.IsZero()))
	}
	if r.of.Size != len(r.tasks) {
		t.Errorf("%s has %d tasks, want %d", r.of.ID, len(r.tasks), r.of.Size)
	}
	if d := cmp.Diff(want, r.of.Counts); d != "" {
		t.Errorf("counters of %s (-want +got):\n%s", r.of.ID, d)
	}
	for _, status := range []string{string(want.Status()), string(want.LegacyStatus(r.of.Repeat))} {
		_, n, err := w.db.Invocations(t.Context(), store.InvocationFilter{Account: w.account, Region: region, ID: r.of.ID, Status: status}, store.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if n != 1 {
			t.Errorf("%s is not stored as %s, which is what its tasks say", r.of.ID, status)
		}
	}
}

// judgeTask judges one task by what its script wrote into the ledger.
func (w *world) judgeTask(t testing.TB, j *job, r record, k *orderly.Task) {
	t.Helper()
	name := fmt.Sprintf("%s on %s", j.invoke, k.Instance)
	if k.State.Live() {
		t.Errorf("%s is still %s", name, k.State)
		return
	}
	if latest := w.latest(r.of, k); k.Updated.After(latest.Add(slack)) {
		t.Errorf("%s ended %s as %s/%s, want %v at the latest", name, k.Updated, k.State, k.ErrorCode, latest) // (c)
	}
	p := pair{j.invoke, k.Instance}
	if (k.State == orderly.Success || k.State == orderly.Failed) && w.ledger.count(p, "start") == 0 {
		t.Errorf("%s never started and is %s", name, k.State) // (f)
	}
	if k.State == orderly.Success || k.State == orderly.Failed {
		if problem := j.differs(k.State, k.ExitCode, k.Output, k.Total); problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
	}
	if w.ledger.count(p, "end") > 0 && !w.told(j, r, k) {
		t.Errorf("%s ended, and there is no result of it: it is %s/%s, with the late results %v", name, k.State, k.ErrorCode, r.late[k.TaskKey]) // (b)
	}
}

// told reports whether the end of a run is in the database, as far as its agent could know it.
func (w *world) told(j *job, r record, k *orderly.Task) bool {
	if j.differs(k.State, k.ExitCode, k.Output, k.Total) == "" {
		return true
	}
	for _, l := range r.late[k.TaskKey] {
		if j.differs(l.State, l.ExitCode, l.Output, l.Total) == "" {
			return true
		}
	}
	began, ended := w.ran(pair{j.invoke, k.Instance})
	states := []string{string(k.State) + "/" + string(k.ErrorCode)}
	for _, l := range r.late[k.TaskKey] {
		states = append(states, string(l.State)+"/"+string(l.ErrorCode))
	}
	switch {
	case w.happened(forgot, k.Instance, began, time.Time{}): // the journal that knew is gone
		return true
	case w.happened(killed, k.Instance, began, ended.Add(breath)):
		return slices.Contains(states, "Error/ClientRestarted")
	case len(j.stops) > 0: // killed between its last line and its end
		return slices.Contains(states, "Terminated/")
	}
	return false
}

// ran is from when to when a run ran.
func (w *world) ran(p pair) (began, ended time.Time) {
	for _, e := range w.ledger.all() {
		switch {
		case e.pair != p:
		case e.what == "start":
			began = e.seen.Add(-breath)
		default:
			ended = e.seen
		}
	}
	return began, ended
}

// latest is by when a task has to have ended: its deadline, or, when the way to its agent was not
// whole before it, as long after that was mended as late results are waited for (LATE-1).
func (w *world) latest(of orderly.Invocation, k *orderly.Task) time.Time {
	l := w.limits
	due := k.Created.Add(of.Delivery + l.FireDelay)
	if !k.Asked.IsZero() {
		due = later(due, k.Asked.Add(l.Grace+l.FireDelay))
	}
	if !k.Started.IsZero() {
		due = later(due, k.Started.Add(of.Command.Timeout+l.Grace+l.FireDelay))
	}
	if !k.Stopped.IsZero() {
		due = k.Stopped.Add(l.Grace + l.FireDelay)
	}
	mended := w.mended(k.Instance)
	if mended.Before(due.Add(-l.Grace)) {
		return due
	}
	return later(due, earlier(due.Add(l.LateResults), mended.Add(l.Grace)))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// A job is what was run, and what must come of it where it runs to its end.
type job struct {
	invoke string
	exit   int
	output []byte
	stops  []time.Time // when it was asked to stop
}

// differs says how a result differs from what the script does, "" when it does not.
func (j *job) differs(s orderly.State, exit *int, output []byte, total int64) string {
	want := orderly.Failed
	if j.exit == 0 {
		want = orderly.Success
	}
	kept := j.output[max(0, len(j.output)-orderly.MaxOutput):]
	switch {
	case s != want:
		return fmt.Sprintf("state %s, want %s", s, want)
	case exit == nil || *exit != j.exit:
		return fmt.Sprintf("exit code %v, want %d", exit, j.exit)
	case total != int64(len(j.output)):
		return fmt.Sprintf("%d bytes of output, want %d", total, len(j.output))
	case !bytes.Equal(output, kept):
		return fmt.Sprintf("output ends with %q, want %q", end(output), end(kept))
	}
	return ""
}

func end(b []byte) []byte { return b[max(0, len(b)-40):] }
