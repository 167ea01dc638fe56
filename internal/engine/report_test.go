package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// one starts a command on one connected instance.
func (h *house) one() (id string, k orderly.Task) {
	h.t.Helper()
	if h.number(`select count(*) from instances`) == 0 {
		h.register("mi-1")
		h.connect(boot, "mi-1")
	}
	id = h.start(request("mi-1"))
	return id, h.task(id)
}

func TestReportsMoveTheTask(t *testing.T) { // T5, T8, T9, T22, REP-3, HB-3
	each(t, func(t *testing.T, h *house) {
		id, k := h.one()
		h.tell(report(k, 1, orderly.Pending))
		if k := h.expect(id, orderly.Pending, ""); !k.Confirmed {
			t.Error("the task is not confirmed")
		}
		h.tell(report(k, 2, orderly.Running))
		if k := h.expect(id, orderly.Running, ""); k.Started.IsZero() || k.Repeats != 1 || k.Started.Before(k.Created) {
			t.Errorf("task = %+v, want it started once", k)
		}
		failed := report(k, 3, orderly.Failed)
		code := 7
		failed.ExitCode = &code
		h.tell(failed)
		if k := h.expect(id, orderly.Failed, orderly.ExitCodeNonzero); *k.ExitCode != 7 || string(k.Output) != "out" || k.Finished.Before(k.Started) {
			t.Errorf("task = %+v, want its end", k)
		}
		coalesced, k := h.one()
		h.tell(report(k, 1, orderly.Success))
		if k := h.expect(coalesced, orderly.Success, ""); k.Repeats != 1 || k.Started.IsZero() || *k.ExitCode != 0 {
			t.Errorf("task = %+v, want start and end of one report", k)
		}
		h.audit()
		list, _, err := h.db.Instances(t.Context(), store.InstanceFilter{}, store.Page{Limit: 1})
		must(t, err)
		if i := list[0]; i.Invocations != 2 || i.LastInvoked.IsZero() {
			t.Errorf("instance = %+v, want 2 tasks done", i)
		}
	})
}

func TestOrderAndRepetitionOfReportsDoNotMatter(t *testing.T) { // REP-1, REP-2
	var effects sync.Map
	cfg := engine.Config{Observe: engine.Observer{Reports: func(effect string, n int) {
		old, _ := effects.LoadOrStore(effect, 0)
		effects.Store(effect, old.(int)+n)
	}}}
	eachWith(t, cfg, func(t *testing.T, h *house) {
		effects.Clear()
		id, k := h.one()
		start, end := report(k, 2, orderly.Running), report(k, 3, orderly.Success)
		h.tell(end)
		want := h.task(id)
		h.tell(start, end)
		h.tell(end, start, end)
		h.tell(report(k, 1, orderly.Failed))
		if got := h.task(id); got.State != want.State || got.Report != 3 || !got.Finished.Equal(want.Finished) {
			t.Errorf("task = %+v, want it as it was: %+v", got, want)
		}
		h.tell(orderly.Report{Task: orderly.TaskKey{Invocation: 1, Ordinal: 1}, Instance: "mi-1", Number: 1, State: orderly.Running})
		other, k := h.one()
		foreign := report(k, 1, orderly.Success)
		foreign.Instance = "mi-2"
		h.tell(foreign)
		h.expect(other, orderly.Pending, "")
		for effect, n := range map[string]int{"applied": 1, "repeated": 6, "unknown": 1, "foreign": 1} {
			if got, _ := effects.Load(effect); got != n {
				t.Errorf("%s reports: %v, want %d", effect, got, n)
			}
		}
		h.audit()
	})
}

func TestResultAfterTheEndIsKeptOnce(t *testing.T) { // LATE-2
	var mu sync.Mutex
	late := 0
	cfg := engine.Config{Observe: engine.Observer{Reports: func(effect string, n int) {
		mu.Lock()
		defer mu.Unlock()
		if effect == "late" {
			late += n
		}
	}}}
	eachWith(t, cfg, func(t *testing.T, h *house) {
		late = 0
		id, k := h.one()
		h.tell(report(k, 1, orderly.Error))
		want := h.task(id)
		for range 3 {
			h.tell(report(k, 2, orderly.Success), report(k, 2, orderly.Success))
		}
		got, err := h.db.LateResults(t.Context(), k.Invocation, 10)
		must(t, err)
		if len(got) != 1 || got[0].State != orderly.Success || string(got[0].Output) != "out" || late != 1 {
			t.Errorf("late results = %+v, counted %d; want one success, counted once", got, late)
		}
		if k := h.expect(id, orderly.Error, orderly.ExecutionException); !k.Finished.Equal(want.Finished) || string(k.Output) != string(want.Output) {
			t.Errorf("the task moved from %+v to %+v", want, k)
		}
		h.audit()
	})
}

// Design 2b rule 11: a failing batch is split until the bad row stands alone.
func TestPoisonedReportStandsAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register(names(50)...)
		h.connect(boot, names(50)...)
		id := h.start(request(names(50)...))
		h.poison("new.ordinal = 17 and new.state = 'Success'")
		var reports []orderly.Report
		for _, k := range h.tasks(id) {
			reports = append(reports, report(k, 1, orderly.Success))
		}
		must(t, h.Report(t.Context(), reports))
		for _, k := range h.tasks(id) {
			if want := k.Ordinal != 17; (k.State == orderly.Success) != want {
				t.Errorf("task %d is %s", k.Ordinal, k.State)
			}
		}
		if n := h.number(`select count(*) from refused_reports where instance = 'mi-0017' and cause like '%poison%'`); n != 1 {
			t.Errorf("%d refused reports of the bad row, want 1", n)
		}
		if n := h.number(`select count(*) from refused_reports`); n != 1 {
			t.Errorf("%d refused reports, want 1", n)
		}
		if !h.db.BrokenUntil().IsZero() {
			t.Error("a bad row counts as an outage of the database")
		}
		h.audit()
	})
}

// poison makes the database refuse updates of tasks that meet a condition.
func (h *house) poison(when string) {
	h.t.Helper()
	if !h.postgres() {
		h.raw(`create trigger poison before update on tasks when ` + when + ` begin select raise(abort, 'poison'); end`)
		return
	}
	h.raw(`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$`)
	h.raw(`create trigger poison before update on tasks for each row when (` + when + `) execute function refuse()`)
}

// Promise 3: a result is not thrown away because the database had a bad moment.
func TestReportIsNotRefusedInAnOutage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, k := h.one()
		if !h.postgres() {
			must(t, h.db.Close())
			if err := h.Report(t.Context(), []orderly.Report{report(k, 1, orderly.Success)}); !errors.Is(err, store.ErrOutage) {
				t.Errorf("Report without a database = %v, want ErrOutage", err)
			}
			return
		}
		h.raw(`create function cut() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); return new; end $$`)
		h.raw(`create trigger cut before update on tasks for each row execute function cut()`)
		if err := h.Report(t.Context(), []orderly.Report{report(k, 1, orderly.Success)}); !errors.Is(err, store.ErrOutage) {
			t.Errorf("Report over a cut connection = %v, want ErrOutage: it must come again", err)
		}
		h.raw(`drop trigger cut on tasks`)
		h.tell(report(k, 1, orderly.Success))
		h.expect(id, orderly.Success, "")
		if n := h.number(`select count(*) from refused_reports`); n != 0 {
			t.Errorf("%d reports were refused", n)
		}
	})
}

func TestManyReportsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register(names(1100)...)
		h.connect(boot, names(1100)...)
		id := h.start(toAll())
		var reports []orderly.Report
		for _, k := range h.tasks(id) {
			reports = append(reports, report(k, 2, orderly.Success), report(k, 1, orderly.Running))
		}
		h.tell(reports...)
		v := h.invocation(id)
		if v.Status() != orderly.StatusSuccess || v.Counts.Success != 1100 || v.Finished.IsZero() {
			t.Errorf("invocation = %+v, want 1100 successes", v.Counts)
		}
		h.auditCounters()
	})
}

func TestStopBeforeTheHandOutCancels(t *testing.T) { // STOP-2, T12, STOP-4, STOP-5
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		id := h.start(request("mi-1"))
		must(t, h.StopInvocation(t.Context(), caller, region, id, nil))
		k := h.expect(id, orderly.Cancelled, "")
		if k.Stopped.IsZero() || !k.Finished.Equal(k.Stopped) || len(h.messages(engine.SendStop)) != 0 {
			t.Errorf("task = %+v, want it stopped and finished at once", k)
		}
		must(t, h.StopInvocation(t.Context(), caller, region, id, nil))
		if again := h.task(id); !again.Stopped.Equal(k.Stopped) {
			t.Errorf("a second stop moved StopTime from %v to %v", k.Stopped, again.Stopped)
		}
		if v := h.invocation(id); v.Status() != orderly.StatusStopped || v.LegacyStatus() != orderly.LegacyStopped {
			t.Errorf("invocation is %s, %s; want Stopped", v.Status(), v.LegacyStatus())
		}
		h.connect(boot, "mi-1")
		if n := len(h.messages(engine.SendRun)); n != 0 {
			t.Errorf("%d run messages for a cancelled task", n)
		}
		h.audit()
	})
}

func TestStopOfAHandedTaskIsTheAgentsToAnswer(t *testing.T) { // STOP-2, T15, T16, T17, T20, T21, HND-5
	each(t, func(t *testing.T, h *house) {
		for answer, want := range map[orderly.State]orderly.State{
			orderly.Cancelled: orderly.Cancelled, orderly.Terminated: orderly.Terminated, orderly.Success: orderly.Success,
			orderly.Failed: orderly.Failed, orderly.Timeout: orderly.Timeout, orderly.Invalid: orderly.Invalid,
		} {
			id, k := h.one()
			if answer == orderly.Terminated {
				h.tell(report(k, 1, orderly.Running))
			}
			before := len(h.messages(engine.SendStop))
			must(t, h.StopInvocation(t.Context(), caller, region, id, []string{"mi-1"}))
			stopped := h.expect(id, orderly.Stopping, "")
			sent := h.messages(engine.SendStop)
			if len(sent) != before+1 || sent[before].Task != k.TaskKey || sent[before].Boot != boot || sent[before].Link == "" {
				t.Errorf("stops sent = %+v, want one more for %v", sent, k.TaskKey)
			}
			must(t, h.StopInvocation(t.Context(), caller, region, id, nil)) // STOP-4
			h.tell(report(k, 2, answer))
			if k := h.task(id); k.State != want || !k.Stopped.Equal(stopped.Stopped) || k.Finished.IsZero() {
				t.Errorf("after the answer %s: %+v, want %s and StopTime %v", answer, k, want, stopped.Stopped)
			}
		}
		h.audit()
	})
}

func TestStopOfSomeLeavesTheOthers(t *testing.T) { // STOP-1, STOP-3
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2", "mi-3", "mi-9")
		h.connect(boot, "mi-1", "mi-2")
		id := h.start(request("mi-1", "mi-2", "mi-3"))
		for _, c := range []struct {
			by         orderly.Caller
			region, id string
			on         []string
			want       orderly.Reason
		}{
			{caller, region, "t-x", nil, orderly.InvocationUnknown}, {orderly.Caller{Account: "2"}, region, id, nil, orderly.InvocationUnknown},
			{caller, "x", id, nil, orderly.RegionUnknown}, {caller, region, id, []string{"mi-1", "mi-9"}, orderly.InstanceNotInTask},
		} {
			if err := h.StopInvocation(t.Context(), c.by, c.region, c.id, c.on); !errors.Is(err, c.want) {
				t.Errorf("StopInvocation(%s, %s, %v) = %v, want %v", c.region, c.id, c.on, err, c.want)
			}
		}
		must(t, h.StopInvocation(t.Context(), caller, region, id, []string{"mi-3", "mi-1", "mi-3"}))
		var got []orderly.State
		for _, k := range h.tasks(id) {
			got = append(got, k.State)
		}
		if want := []orderly.State{orderly.Stopping, orderly.Pending, orderly.Cancelled}; !slices.Equal(got, want) {
			t.Errorf("states = %v, want %v", got, want)
		}
		h.audit()
	})
}

func TestStopTimeIsThatOfTheCallEverywhere(t *testing.T) { // STOP-4
	each(t, func(t *testing.T, h *house) {
		h.register(names(2100)...)
		h.connect(boot, names(1050)...)
		id := h.start(toAll())
		must(t, h.StopInvocation(t.Context(), caller, region, id, nil))
		times := map[time.Time]int{}
		for _, k := range h.tasks(id) {
			times[k.Stopped]++
		}
		v := h.invocation(id)
		if len(times) != 1 || v.Counts.Stopping != 1050 || v.Counts.Stopped != 1050 {
			t.Errorf("%d different stop times, counts %+v; want 1, half of them Stopping", len(times), v.Counts)
		}
		if n := len(h.messages(engine.SendStop)); n != 1050 {
			t.Errorf("%d stops sent, want 1050", n)
		}
		h.auditCounters()
	})
}

func TestDeregisteringEndsLiveTasks(t *testing.T) { // MI-7, REL-1
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		waiting := h.start(request("mi-1"))
		h.connect(boot, "mi-1")
		h.raw(`update tasks set incarnation = '', boot = ''`)
		handed, running, stopping, done := h.start(request("mi-1")), h.start(request("mi-1")), h.start(request("mi-1")), h.start(request("mi-1"))
		h.tell(report(h.task(running), 1, orderly.Running), report(h.task(done), 1, orderly.Success))
		must(t, h.StopInvocation(t.Context(), caller, region, stopping, nil))
		h.change(func(tx *store.Tx) error {
			return errors.Join(tx.Deregistered("mi-1"), h.Release(tx, "mi-1", orderly.InstanceDeregistered))
		})
		h.expect(waiting, orderly.Aborted, orderly.InstanceDeregistered)
		for _, id := range []string{handed, running, stopping} {
			h.expect(id, orderly.Error, orderly.InstanceDeregistered)
		}
		h.expect(done, orderly.Success, "")
		if _, err := h.RunCommand(t.Context(), caller, request("mi-1"), engine.Repetition{}); !errors.Is(err, orderly.InstanceUnknown) {
			t.Errorf("RunCommand on it = %v, want InstanceUnknown", err)
		}
		admitted, err := h.Greet(context.Background(), []engine.Greeting{hello("mi-1", boot)})
		if err != nil || !admitted[0].Unknown {
			t.Errorf("its greeting = %+v, %v; want Unknown", admitted, err)
		}
		h.audit()
	})
}
