package gateway_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

// repeat starts a schedule and returns its invocation's ID.
func (c *cell) repeat(q engine.Request, instances ...string) string {
	c.t.Helper()
	q.Region, q.Target.Instances, q.MaxTags = region, instances, 20
	q.Command = orderly.Command{Type: orderly.RunShellScript, Content: []byte("true")}
	a, err := c.engine.RunCommand(c.t.Context(), caller, q, engine.Repetition{})
	must(c.t, err)
	return a.InvokeID
}

// runs are the records of an invocation's runs, the newest first.
func (c *cell) runs(invoke string) []store.Result {
	c.t.Helper()
	list, _, err := c.db.Runs(c.t.Context(), store.ResultFilter{Account: caller.Account, Region: region, InvokeID: invoke}, store.Page{Limit: 10})
	must(c.t, err)
	return list
}

// later is a snapshot of a run of a schedule.
func later(s wire.Snapshot, run int) wire.Snapshot {
	s.Run, s.Number = run, wire.Number(run, s.Number)
	return s
}

func TestScheduleReachesItsAgentAndItsRunsTheDatabase(t *testing.T) { // SC-7, REP-3
	each(t, func(t *testing.T, url string) {
		c := start(t, url, true)
		p := c.connect(c.register(), "link-1")
		invoke := c.repeat(engine.Request{Frequency: "rate(1h)"}, p.id.instance)
		run := p.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run
		if run.Plan == nil || run.Allowance <= 0 || run.Plan.Age < 0 || run.Plan.Age > 3000 {
			t.Fatalf("run = %+v, plan %+v, want a plan with an allowance", run, run.Plan)
		}
		run.Plan.Age = 0
		if diff := cmp.Diff(wire.Plan{Mode: orderly.Period, Frequency: "rate(1h)"}, *run.Plan); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		p.report(1, wire.Snapshot{TaskKey: run.TaskKey, Number: wire.AcceptedNumber, State: orderly.Pending})
		p.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
		if got := c.task(invoke); got.State != orderly.Scheduled {
			t.Errorf("acknowledged task is %s, want Scheduled", got.State)
		}
		p.say(wire.KindReport, wire.Reports{Link: p.name, Number: 2, Snapshots: []wire.Snapshot{
			later(ended(run.TaskKey, orderly.Success, 0), 1), later(ended(run.TaskKey, orderly.Failed, 3), 2),
		}})
		p.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 2 })
		if got := c.task(invoke); got.State != orderly.Scheduled || got.Repeats != 2 || got.ErrorCode != orderly.ExitCodeNonzero {
			t.Errorf("task = %+v, want Scheduled after its second run", got)
		}
		if list := c.runs(invoke); len(list) != 2 || list[0].Repeats*list[1].Repeats != 2 || string(list[1].Output) != "out" {
			t.Errorf("runs = %+v, want both", list)
		}
		last := later(ended(run.TaskKey, orderly.Success, 0), 3)
		last.Last = true
		p.report(3, last)
		p.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 3 })
		if got := c.task(invoke); got.State != orderly.Success {
			t.Errorf("task is %s after its last run, want Success", got.State)
		}
	})
}

// RM-4: what runs at a boot knows how old it is and which boot it was handed to before; it has no limit.
func TestPlanOfABoot(t *testing.T) {
	c := start(t, t.TempDir()+"/orderly.db", false)
	p := c.connect(c.register(), "link-1")
	c.repeat(engine.Request{Repeat: orderly.EveryReboot}, p.id.instance)
	first := p.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run
	p.report(1, later(ended(first.TaskKey, orderly.Success, 0), 1))
	p.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
	p.nc.Close()
	id := p.id
	poll(t, func() bool { n, err := c.db.CountLinks(t.Context()); return err == nil && n == 0 }, func() string { return "the link counts as up" })
	again, err := c.dial(id, "link-2", id.key)
	must(t, err)
	again.boot = orderly.Boot{Incarnation: "inc-2", ID: "boot-2"}
	again.hello()
	run := again.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run
	run.Plan.Age = min(run.Plan.Age, 0)
	if diff := cmp.Diff(wire.Plan{Mode: orderly.EveryReboot, Ran: 1, Before: "boot"}, *run.Plan); diff != "" || run.Allowance != 0 || run.Boot != "boot-2" {
		t.Errorf("for %s, allowance %d, plan (-want +got):\n%s", run.Boot, run.Allowance, diff)
	}
}

// Snapshots whose numbers do not fit their runs are acknowledged and have no effect.
func TestImplausibleRunsHaveNoEffect(t *testing.T) {
	c := start(t, t.TempDir()+"/orderly.db", false)
	p := c.connect(c.register(), "link-1")
	invoke := c.repeat(engine.Request{Frequency: "rate(1h)"}, p.id.instance)
	key := p.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run.TaskKey
	before := c.task(invoke)
	var list []wire.Snapshot
	for _, edit := range []func(*wire.Snapshot){
		func(s *wire.Snapshot) { s.Run = 2 },
		func(s *wire.Snapshot) { s.Run = -1; s.Number = wire.Number(-1, 5) },
		func(s *wire.Snapshot) { s.Run = math.MaxInt32; s.Number = wire.Number(math.MaxInt32, 5) },
		func(s *wire.Snapshot) { s.Run = wire.OverRun + 1; s.Number = wire.Number(wire.OverRun+1, 5) },
		func(s *wire.Snapshot) { s.Number = math.MaxInt64 },
		func(s *wire.Snapshot) { s.Version = -1 },
	} {
		s := later(ended(key, orderly.Success, 0), 1)
		edit(&s)
		list = append(list, s)
	}
	p.say(wire.KindReport, wire.Reports{Link: p.name, Number: 1, Snapshots: list})
	p.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
	if got := c.task(invoke); got.State != before.State || got.Report != 0 || got.Confirmed || len(c.runs(invoke)) != 0 {
		t.Errorf("task = %+v, want it as it was", got)
	}
}

// An agent that runs what ended here is told to drop it.
func TestStrayScheduleIsDropped(t *testing.T) {
	c := start(t, t.TempDir()+"/orderly.db", false)
	p := c.connect(c.register(), "link-1")
	key := orderly.TaskKey{Invocation: time.Now().UnixMilli() << 20}
	p.report(1, later(ended(key, orderly.Success, 0), 7))
	if stop := p.until("a stop", func(m wire.ToAgent) bool { return m.Stop != nil }).Stop; stop.TaskKey != key || stop.Boot != p.boot.ID || stop.Incarnation != p.boot.Incarnation {
		t.Errorf("stop = %+v, want %v", stop, key)
	}
}
