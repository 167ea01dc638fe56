package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// every is a request that repeats each hour.
func every(ids ...string) engine.Request {
	q := request(ids...)
	q.Frequency = "rate(1h)"
	return q
}

// inMode is a request in a mode without a frequency.
func inMode(m orderly.RepeatMode, ids ...string) engine.Request {
	q := request(ids...)
	q.Repeat = m
	return q
}

// turn is the n-th snapshot of a run.
func turn(k orderly.Task, run int, n int64, s orderly.State) orderly.Report {
	r := report(k, int64(run)<<32|n, s)
	r.Run = run
	return r
}

// dropped says that the schedule is over without a run.
func dropped(k orderly.Task, s orderly.State) orderly.Report {
	r := turn(k, orderly.OverRun, 1<<31, s)
	r.Last = true
	return r
}

// schedule is a schedule on mi-1, whose agent holds it.
func (h *house) schedule(q engine.Request) (id string, k orderly.Task) {
	h.t.Helper()
	if h.number(`select count(*) from instances`) == 0 {
		h.register("mi-1")
		h.connect(boot, "mi-1")
	}
	id = h.start(q)
	k = h.task(id)
	h.tell(report(k, 1, orderly.Pending))
	return id, h.expect(id, orderly.Scheduled, "")
}

// history is the states of an invocation's runs, the first one first, as "state repeats".
func (h *house) history(id string) (list []string) {
	h.t.Helper()
	found, _, err := h.db.Runs(context.Background(), store.ResultFilter{Account: caller.Account, Region: region, InvokeID: id}, store.Page{Limit: 100})
	must(h.t, err)
	for _, r := range slices.Backward(found) {
		list = append(list, fmt.Sprint(r.State, " ", r.Repeats))
	}
	return list
}

func (h *house) expectHistory(id string, want ...string) {
	h.t.Helper()
	if got := h.history(id); !slices.Equal(got, want) {
		h.t.Errorf("history = %v, want %v", got, want)
	}
}

func TestScheduleRunsAgainAndAgain(t *testing.T) { // SC-1, SC-5, SC-7, T6, T7, T19, RP-1, RM-2, HB-3
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		q := every("mi-1")
		q.Repeat = orderly.EveryReboot // the frequency decides
		id := h.start(q)
		k := h.expect(id, orderly.Pending, "")
		sent := h.messages(engine.SendRun)
		if len(sent) != 1 || sent[0].Of.Repeat != orderly.Period || sent[0].Of.Frequency != "rate(1h)" || sent[0].Allowed <= 0 || sent[0].Ran != 0 || sent[0].Former != "" {
			t.Fatalf("sent %+v, want a schedule with an allowance", sent)
		}
		h.tell(report(k, 1, orderly.Pending))
		if k := h.expect(id, orderly.Scheduled, ""); !k.Due.IsZero() || k.Repeats != 0 {
			t.Errorf("task = %+v, want it to wait without a deadline", k)
		}
		h.tell(turn(k, 1, 2, orderly.Running))
		h.expect(id, orderly.Running, "")
		h.expectHistory(id, "Running 1")
		failed := turn(k, 1, 1<<31, orderly.Failed)
		code := 7
		failed.ExitCode = &code
		h.tell(failed)
		if k := h.expect(id, orderly.Scheduled, orderly.ExitCodeNonzero); *k.ExitCode != 7 || string(k.Output) != "out" || k.Finished.IsZero() || k.Repeats != 1 {
			t.Errorf("between runs: %+v, want the last run", k)
		}
		h.tell(turn(k, 2, 2, orderly.Running))
		if k := h.expect(id, orderly.Running, ""); k.ExitCode != nil || len(k.Output) != 0 || k.Total != 0 || !k.Finished.IsZero() || k.Repeats != 2 {
			t.Errorf("during the second run: %+v, want nothing of the first", k)
		}
		h.tell(turn(k, 2, 1<<31, orderly.Success), turn(k, 3, 1<<31, orderly.Timeout), turn(k, 4, 2, orderly.Running)) // REP-3
		h.expectHistory(id, "Failed 1", "Success 2", "Timeout 3", "Running 4")
		last := turn(k, 4, 1<<31, orderly.Success)
		last.Last = true
		h.tell(last)
		h.expect(id, orderly.Success, "") // SC-6
		if v := h.invocation(id); v.Status() != orderly.StatusSuccess || v.LegacyStatus() != orderly.LegacyRunning || v.Finished.IsZero() || v.Timed() {
			t.Errorf("invocation: %s, %s", v.Status(), v.LegacyStatus()) // LG-2
		}
		h.audit()
		list, _, err := h.db.Instances(t.Context(), store.InstanceFilter{}, store.Page{Limit: 1})
		must(t, err)
		if i := list[0]; i.Invocations != 1 || i.LastInvoked.Before(k.Created) {
			t.Errorf("instance = %+v, want one task done, and the start of its last run", i)
		}
	})
}

func TestRebootModesWaitForTheirAgent(t *testing.T) { // SC-1, T6, T13, DLV-1, RM-4
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2")
		h.raw(`update presence set heartbeat = 1 where instance = 'mi-2'`)
		h.connect(boot, "mi-1")
		for _, mode := range []orderly.RepeatMode{orderly.NextRebootOnly, orderly.EveryReboot} {
			id := h.start(inMode(mode, "mi-1", "mi-2"))
			for i, k := range h.tasks(id) {
				if k.State != orderly.Scheduled || k.Handed.Zero() != (i == 1) {
					t.Errorf("%s: task %d is %s, handed to %v", mode, i, k.State, k.Handed)
				}
			}
			sent := h.messages(engine.SendRun)
			if m := sent[len(sent)-1]; m.Of.Repeat != mode || m.Allowed != 0 || m.Age < 0 {
				t.Errorf("sent %+v, want no limit", m)
			}
			must(t, h.StopInvocation(t.Context(), caller, region, id, []string{"mi-2"}))
			if k := h.tasks(id)[1]; k.State != orderly.Cancelled {
				t.Errorf("%s: stopped before it was handed: %s", mode, k.State)
			}
		}
		away := h.start(inMode(orderly.EveryReboot, "mi-2"))
		h.raw(`update tasks set created = created - 100000000 where instance = 'mi-2'`)
		h.run()
		a := h.greet(hello("mi-2", boot))
		k := h.expect(away, orderly.Scheduled, "")
		if len(a.Send) != 1 || a.Send[0].Allowed != 0 || a.Send[0].Age < 100_000*time.Second || k.Handed != boot {
			t.Errorf("a day later the greeting sends %+v for %+v", a.Send, k)
		}
		h.audit()
	})
}

// Many machines are handed their schedules in pieces, those without an agent when it comes.
func TestLargeScheduleIsHandedOver(t *testing.T) { // SC-1
	eachWith(t, engine.Config{MaxAll: 2000}, func(t *testing.T, h *house) {
		h.register(names(1100)...)
		h.connect(boot, names(1050)...)
		q := toAll()
		q.Repeat = orderly.EveryReboot
		id := h.start(q)
		handed := func() int { // on a slow machine some are sent again meanwhile
			tasks := map[orderly.TaskKey]bool{}
			for _, m := range h.messages(engine.SendRun) {
				tasks[m.Task] = true
			}
			return len(tasks)
		}
		if n := handed(); n != 1050 {
			t.Errorf("%d tasks were sent, want 1050", n)
		}
		if n := h.number(`select count(*) from tasks where due > 0 and incarnation = ''`); n != 0 {
			t.Errorf("%d tasks without an agent are due", n)
		}
		h.connect(boot, "mi-1099")
		if n := handed(); n != 1051 {
			t.Errorf("%d tasks were sent after one more came, want 1051", n)
		}
		if v := h.invocation(id); v.Counts.Scheduled != 1100 {
			t.Errorf("counts = %+v", v.Counts)
		}
		h.audit()
	})
}

func TestDryRunLeavesNothingBehind(t *testing.T) { // RM-5, RM-2
	eachWith(t, engine.Config{CommandQuota: 1, DailyQuota: 1}, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		for range 3 {
			q := inMode(orderly.DryRun, "mi-1")
			q.KeepCommand, q.Frequency = true, "rate(1h)"
			id := h.start(q)
			sent := h.messages(engine.SendRun)
			if m := sent[len(sent)-1]; m.Of.Repeat != orderly.DryRun || m.Allowed <= 0 {
				t.Errorf("sent %+v, want a dry run with an allowance", m)
			}
			k := h.task(id)
			h.tell(orderly.Report{Task: k.TaskKey, Instance: k.Instance, Number: 1 << 31, State: orderly.Success, Finished: h.db.Now()})
			if k := h.expect(id, orderly.Success, ""); k.Repeats != 0 || !k.Started.IsZero() || len(k.Output) != 0 {
				t.Errorf("task = %+v, want it never started", k)
			}
			if v := h.invocation(id); v.Frequency != "rate(1h)" || v.LegacyStatus() != orderly.LegacyFinished {
				t.Errorf("frequency %q, %s", v.Frequency, v.LegacyStatus()) // RM-6
			}
		}
		if n := h.number(`select count(*) from commands`); n != 0 {
			t.Errorf("%d commands were left", n)
		}
	})
}

func TestStoppedScheduleWaitsForItsAgent(t *testing.T) { // STOP-7, T14, T16, LATE-2
	eachWith(t, fast(1000), func(t *testing.T, h *house) {
		id, k := h.schedule(every("mi-1"))
		first := turn(k, 1, 1<<31, orderly.Success)
		first.Started = first.Started.Add(-time.Second) // however soon the stop comes, the second run is after it
		h.tell(first)
		h.disconnect(boot, "mi-1")
		must(t, h.StopInvocation(t.Context(), caller, region, id, nil))
		h.run()
		h.await("rest", func() bool { return h.task(id).Due.IsZero() })
		stopped := h.expect(id, orderly.Stopping, "")
		if v := h.invocation(id); v.Status() != orderly.StatusStopping || v.LegacyStatus() != orderly.LegacyStopping || !v.Timed() {
			t.Errorf("invocation: %s, %s", v.Status(), v.LegacyStatus())
		}
		g := hello("mi-1", orderly.Boot{Incarnation: boot.Incarnation, ID: "boot-2"}, k.TaskKey)
		a := h.greet(g)
		if len(a.Send) != 1 || a.Send[0].Kind != engine.SendStop || a.Send[0].Boot != g.Boot {
			t.Errorf("the greeting sends %+v, want the stop, for the boot that came", a.Send)
		}
		before := turn(k, 2, 1<<31, orderly.Failed)
		before.Started = stopped.Stopped.Add(-time.Millisecond)
		after := turn(k, 3, 1<<31, orderly.Success)
		after.Started = stopped.Stopped.Add(time.Millisecond)
		h.tell(before, turn(k, 3, 2, orderly.Running), after)
		h.expectHistory(id, "Success 1", "Failed 2")
		late, err := h.db.LateResults(t.Context(), k.Invocation, 10)
		must(t, err)
		if len(late) != 1 || late[0].Number != after.Number || late[0].State != orderly.Success {
			t.Errorf("late results = %+v, want the run after the stop", late)
		}
		h.tell(dropped(k, orderly.Cancelled))
		k = h.expect(id, orderly.Terminated, "")
		if k.Repeats != 2 || !k.Finished.Before(stopped.Stopped.Add(time.Second)) || !k.Stopped.Equal(stopped.Stopped) {
			t.Errorf("task = %+v, want it to show its last run", k)
		}
		if v := h.invocation(id); v.Status() != orderly.StatusStopped || v.LegacyStatus() != orderly.LegacyStopped {
			t.Errorf("invocation: %s, %s", v.Status(), v.LegacyStatus())
		}
		h.audit()
	})
}

func TestStopOfARunningScheduleKillsTheRun(t *testing.T) { // STOP-3, T15, T16
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2")
		h.connect(boot, "mi-1", "mi-2")
		id := h.start(every("mi-1", "mi-2"))
		for _, k := range h.tasks(id) {
			h.tell(report(k, 1, orderly.Pending), turn(k, 1, 2, orderly.Running))
		}
		must(t, h.StopInvocation(t.Context(), caller, region, id, []string{"mi-1"}))
		h.expectHistory(id, "Stopping 1", "Running 1")
		killed := turn(h.tasks(id)[0], 1, 1<<31, orderly.Terminated)
		killed.Last = true
		h.tell(killed)
		h.tell(turn(h.tasks(id)[1], 1, 1<<31, orderly.Success))
		tasks := h.tasks(id)
		if tasks[0].State != orderly.Terminated || tasks[1].State != orderly.Scheduled {
			t.Errorf("states %s, %s", tasks[0].State, tasks[1].State)
		}
		got := h.history(id)
		slices.Sort(got)
		if !slices.Equal(got, []string{"Success 1", "Terminated 1"}) {
			t.Errorf("history = %v", got)
		}
		h.audit()
	})
}

// TO-1 ends a run, not its schedule.
func TestRunOfAScheduleWithoutAnEnd(t *testing.T) {
	eachWith(t, hurried(500), func(t *testing.T, h *house) {
		q := every("mi-1")
		q.Command.Timeout = 50 * time.Millisecond
		id, k := h.schedule(q)
		h.tell(turn(k, 1, 2, orderly.Running))
		h.run()
		h.await("end of the run", func() bool { return h.task(id).State == orderly.Scheduled })
		k = h.expect(id, orderly.Scheduled, orderly.ExecutionTimeout)
		if !k.Finished.Equal(k.Started.Add(50*time.Millisecond)) || !k.Due.IsZero() {
			t.Errorf("task = %+v, want the run to end by its timeout", k)
		}
		h.tell(turn(k, 1, 1<<31, orderly.Success))
		h.expectHistory(id, "Timeout 1")
		if late, err := h.db.LateResults(t.Context(), k.Invocation, 10); err != nil || len(late) != 1 {
			t.Errorf("late results = %+v, %v", late, err)
		}
		h.audit()
	})
}

// HND-4: schedules are handed again to whatever life the agent has now, and go on from where they were.
func TestGreetingSquaresSchedules(t *testing.T) {
	reinstalled := orderly.Boot{Incarnation: "inc-2", ID: "boot-1"}
	rebooted := orderly.Boot{Incarnation: "inc-1", ID: "boot-2"}
	for name, c := range map[string]struct {
		runs  []orderly.State // what happened before
		now   orderly.Boot
		holds bool
		state orderly.State
		code  orderly.ErrorCode
		send  bool
	}{
		"held":                          {nil, boot, true, orderly.Scheduled, "", false},
		"held by a new boot":            {[]orderly.State{orderly.Success}, rebooted, true, orderly.Scheduled, "", false},
		"reinstalled":                   {[]orderly.State{orderly.Success}, reinstalled, false, orderly.Scheduled, "", true},
		"reinstalled while it ran":      {[]orderly.State{orderly.Success, orderly.Running}, reinstalled, false, orderly.Scheduled, orderly.ClientRestarted, true},
		"rebooted with a journal lost":  {[]orderly.State{orderly.Running}, rebooted, false, orderly.Scheduled, orderly.InstanceRestarted, true},
		"rebooted, and it will tell":    {[]orderly.State{orderly.Running}, rebooted, true, orderly.Running, "", false},
		"forgotten by the same journal": {nil, boot, false, orderly.Scheduled, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				id, k := h.schedule(every("mi-1"))
				for i, s := range c.runs {
					h.tell(turn(k, i+1, map[bool]int64{true: 2, false: 1 << 31}[s.Live()], s))
				}
				h.disconnect(boot, "mi-1")
				g := hello("mi-1", c.now)
				if c.holds {
					g.Tasks = []orderly.TaskKey{k.TaskKey}
				}
				a := h.greet(g)
				k = h.expect(id, c.state, c.code)
				if k.Handed != c.now || k.Confirmed == c.send || len(a.Send) != map[bool]int{true: 1}[c.send] {
					t.Fatalf("task = %+v, sends %+v", k, a.Send)
				}
				if !c.send {
					return
				}
				if m := a.Send[0]; m.Kind != engine.SendRun || m.Boot != c.now || m.Former != boot.ID || m.Ran != len(c.runs) || m.Allowed != 0 {
					t.Errorf("sends %+v, want the schedule with its %d runs", m, len(c.runs))
				}
				h.tell(turn(k, len(c.runs)+1, 1<<31, orderly.Success))
				if k := h.expect(id, orderly.Scheduled, ""); k.Repeats != len(c.runs)+1 {
					t.Errorf("%d repeats, want one more than %d", k.Repeats, len(c.runs))
				}
				h.audit()
			})
		})
	}
}

// A schedule that ended here without its agent's word would run for ever: whoever speaks of it is told to
// drop it.
func TestStraySchedulesAreStopped(t *testing.T) { // REL-1, LATE-2
	each(t, func(t *testing.T, h *house) {
		id, k := h.schedule(every("mi-1"))
		once, o := h.one()
		h.change(func(tx *store.Tx) error { return h.Release(tx, "mi-1", orderly.InstanceReleased) })
		h.expect(id, orderly.Aborted, orderly.InstanceReleased)
		h.expect(once, orderly.Error, orderly.InstanceReleased)
		a := h.greet(hello("mi-1", boot, k.TaskKey, o.TaskKey, orderly.TaskKey{Invocation: 1}))
		if len(a.Send) != 1 || a.Send[0].Kind != engine.SendStop || a.Send[0].Task != k.TaskKey || a.Send[0].Boot != boot || a.Send[0].Link == "" {
			t.Errorf("the greeting sends %+v, want a stop of the schedule", a.Send)
		}
		unknown := k
		unknown.Invocation = 1
		h.tell(turn(k, 1, 1<<31, orderly.Success), turn(unknown, 1, 2, orderly.Running), report(o, 9, orderly.Success))
		var stops []orderly.TaskKey
		for _, m := range h.messages(engine.SendStop) {
			if stops = append(stops, m.Task); m.Link == "" || m.Boot != boot || m.Instance != "mi-1" {
				t.Errorf("sent %+v, want it to the link that is there", m)
			}
		}
		if len(stops) != 2 || !slices.Contains(stops, k.TaskKey) || !slices.Contains(stops, unknown.TaskKey) {
			t.Errorf("stops of %v, want the ended schedule and the unknown one", stops)
		}
		h.tell(turn(k, 2, 1<<31, orderly.Success), dropped(k, orderly.Cancelled))
		if n := len(h.messages(engine.SendStop)); n != 2 {
			t.Errorf("%d stops, want none for one that is over", n)
		}
		if late, err := h.db.LateResults(t.Context(), k.Invocation, 10); err != nil || len(late) != 2 {
			t.Errorf("late results = %+v, %v, want both runs", late, err)
		}
	})
}

func TestDeregisteringEndsSchedules(t *testing.T) { // MI-7, REL-1
	each(t, func(t *testing.T, h *house) {
		idle, k := h.schedule(every("mi-1"))
		h.tell(turn(k, 1, 1<<31, orderly.Success))
		running, k := h.schedule(every("mi-1"))
		h.tell(turn(k, 1, 2, orderly.Running))
		h.change(func(tx *store.Tx) error {
			return errors.Join(tx.Deregistered("mi-1"), h.Release(tx, "mi-1", orderly.InstanceDeregistered))
		})
		h.expect(idle, orderly.Aborted, orderly.InstanceDeregistered)
		h.expectHistory(idle, "Success 1")
		h.expect(running, orderly.Error, orderly.InstanceDeregistered)
		h.expectHistory(running, "Error 1")
		h.audit()
	})
}
