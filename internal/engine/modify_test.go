package engine_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// modify changes an invocation that repeats.
func (h *house) modify(id string, m engine.Modification) error {
	m.Region, m.InvokeID = region, id
	_, err := h.ModifyInvocation(h.t.Context(), caller, m, engine.Repetition{Operation: "ModifyInvocationAttribute"})
	return err
}

// MIA-7: every agent is told, however many there are, until it says that it has the new version.
func TestModificationReachesEveryAgent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register(names(1100)...)
		h.connect(boot, names(1100)...)
		q := toAll()
		q.Frequency = "rate(1h)"
		id := h.start(q)
		var armed []orderly.Report
		for _, k := range h.tasks(id) {
			armed = append(armed, report(k, 1, orderly.Pending))
		}
		h.tell(armed...)
		must(t, h.modify(id, engine.Modification{Content: []byte("date"), Frequency: "rate(2h)"}))
		told := map[orderly.TaskKey]int{}
		for _, m := range h.messages(engine.SendRun) {
			if m.Of.Version == 1 && string(m.Of.Command.Content) == "date" && m.Of.Frequency == "rate(2h)" && m.Link != "" && m.Allowed == 0 {
				told[m.Task]++
			}
		}
		if len(told) != 1100 {
			t.Errorf("%d agents are told, want 1100", len(told))
		}
		for i := range armed[:1000] {
			armed[i].Version = 1
		}
		h.tell(armed...)
		if n := h.number(`select count(*) from tasks where confirmed = 1 and version = 1 and due = 0`); n != 1000 {
			t.Errorf("%d tasks are confirmed, want the 1000 whose agents have the new version", n)
		}
		h.audit()
	})
}

// MIA-7: a modification whose server died, or lost its database, on its way through many agents reaches the others when it is asked
// for again, by its token or though there is nothing else to change.
func TestModificationThatIsAskedForAgainGoesOn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register(names(1100)...)
		h.connect(boot, names(1100)...)
		q := toAll()
		q.Frequency = "rate(1h)"
		id := h.start(q)
		modify := func(token string) {
			_, err := h.ModifyInvocation(t.Context(), caller, engine.Modification{Region: region, InvokeID: id, Content: []byte("date")},
				engine.Repetition{Operation: "ModifyInvocationAttribute", Token: token})
			must(t, err)
		}
		modify("token")
		for _, token := range []string{"token", "another"} {
			h.raw(`update tasks set version = 0, confirmed = 1 where ordinal >= 700`)
			before := len(h.messages(engine.SendRun))
			modify(token)
			if n, told := h.number(`select count(*) from tasks where version < 1`), len(h.messages(engine.SendRun))-before; n != 0 || told != 400 {
				t.Errorf("by %s %d tasks are to have the older version, and %d agents are told, want the 400 that were not", token, n, told)
			}
		}
		if v := h.invocation(id); v.Version != 1 {
			t.Errorf("version %d, want 1: nothing else has changed", v.Version)
		}
		h.audit()
	})
}

// MIA-7: a modification that a newer one overtakes, on its way through many agents, leads none of them back.
func TestOvertakenModificationLeadsNobodyBack(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register(names(1100)...)
		h.connect(boot, names(1100)...)
		q := toAll()
		q.Frequency = "rate(1h)"
		id := h.start(q)
		older := false
		h.onSend = func(list []engine.Message) {
			switch list[0].Of.Version {
			case 1:
				h.onSend = func(list []engine.Message) { older = older || list[0].Of.Version < 2 }
				must(t, h.modify(id, engine.Modification{Content: []byte("second")}))
			default:
				t.Errorf("sent version %d", list[0].Of.Version)
			}
		}
		must(t, h.modify(id, engine.Modification{Content: []byte("first")}))
		if n := h.number(`select count(*) from tasks where version = 2`); n != 1100 || older {
			t.Errorf("%d tasks are to have the newest version, want 1100; an older one was sent after it: %t", n, older)
		}
		h.audit()
	})
}

// An agent that was away, or whose server died before it was told, hears of the change when it comes.
func TestAgentThatMissedAModificationIsTold(t *testing.T) { // MIA-7
	each(t, func(t *testing.T, h *house) {
		id, k := h.schedule(every("mi-1"))
		h.disconnect(boot, "mi-1")
		must(t, h.modify(id, engine.Modification{Frequency: "rate(2h)"}))
		for _, missed := range []bool{false, true} {
			if missed {
				h.raw(`update tasks set version = 0, confirmed = 1`)
				h.disconnect(boot, "mi-1")
			}
			a := h.greet(hello("mi-1", boot, k.TaskKey))
			if len(a.Send) != 1 || a.Send[0].Kind != engine.SendRun || a.Send[0].Of.Version != 1 || a.Send[0].Of.Frequency != "rate(2h)" {
				t.Errorf("missed %t: the greeting sends %+v", missed, a.Send)
			}
			if got := h.task(id); got.Version != 1 || got.Confirmed {
				t.Errorf("missed %t: task = %+v", missed, got)
			}
			confirmation := report(k, 1, orderly.Pending)
			confirmation.Version = 1
			h.tell(confirmation)
			if got := h.expect(id, orderly.Scheduled, ""); !got.Confirmed || !got.Due.IsZero() {
				t.Errorf("missed %t: after its answer %+v", missed, got)
			}
		}
		h.audit()
	})
}

// What is told again in its turn goes to whoever holds the link (HND-4).
func TestModificationIsSentUntilItIsAnswered(t *testing.T) {
	eachWith(t, fast(100), func(t *testing.T, h *house) {
		id, _ := h.schedule(every("mi-1"))
		must(t, h.modify(id, engine.Modification{Content: []byte("date")}))
		h.run()
		h.await("the third message", func() bool { return len(h.messages(engine.SendRun)) >= 4 })
		for _, m := range h.messages(engine.SendRun)[1:] {
			if m.Of.Version != 1 || m.Boot != boot || m.Link == "" {
				t.Errorf("sent %+v, want the new version", m)
			}
		}
	})
}

// Reports, modifications and hellos at once leave counters and rows in step.
func TestModificationsAmongReports(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ids := names(40)
		h.register(ids...)
		h.connect(boot, ids...)
		id := h.start(every(ids[:20]...))
		tasks := h.tasks(id)
		var wg sync.WaitGroup
		for _, part := range [][]orderly.Task{tasks[:10], tasks[10:]} {
			wg.Go(func() {
				for run := 1; run <= 10; run++ {
					var list []orderly.Report
					for _, k := range part {
						list = append(list, turn(k, run, 2, orderly.Running), turn(k, run, 1<<31, orderly.Success))
					}
					if err := h.Report(t.Context(), list); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for n := range 2 {
			wg.Go(func() {
				for i := range 10 {
					m := engine.Modification{Content: fmt.Appendf(nil, "echo %d %d", n, i), Instances: []string{ids[20+n*10+i]}}
					if err := h.modify(id, m); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		v := h.invocation(id)
		if v.Size != 40 || v.Version != 20 || v.Counts.Scheduled != 20 || v.Counts.Pending != 20 {
			t.Errorf("size %d, version %d, %+v; want each modification once", v.Size, v.Version, v.Counts)
		}
		if n := h.number(`select count(*) from tasks where version < 20 and ordinal < 20`); n != 0 {
			t.Errorf("%d tasks are to have an older version", n)
		}
		if n := h.number(`select count(*) from commands`); n != 1 {
			t.Errorf("%d commands, want the newest", n)
		}
		h.audit()
	})
}

// An invocation that ends while it is modified is either over, and refuses it, or goes on.
func TestModificationAtTheEnd(t *testing.T) { // MIA-1
	each(t, func(t *testing.T, h *house) {
		h.register(names(22)...)
		h.connect(boot, names(22)...)
		for n := range 20 {
			id := h.start(every("mi-0000"))
			last := turn(h.task(id), 1, 1<<31, orderly.Success)
			last.Last = true
			var wg sync.WaitGroup
			var err error
			wg.Go(func() { h.tell(last) })
			wg.Go(func() { err = h.modify(id, engine.Modification{Instances: []string{names(22)[n+1]}}) })
			wg.Wait()
			v := h.invocation(id)
			if over := errors.Is(err, orderly.InvocationOver); err != nil && !over || over != (v.Size == 1) || over != (v.Counts.Live() == 0) {
				t.Errorf("ModifyInvocation = %v, invocation of %d: %+v", err, v.Size, v.Counts)
			}
		}
		h.audit()
	})
}

func TestModificationOfNothing(t *testing.T) { // MIA-1
	each(t, func(t *testing.T, h *house) {
		id, _ := h.schedule(every("mi-1"))
		once, _ := h.one()
		for name, c := range map[string]struct {
			id, region string
			by         orderly.Caller
			want       orderly.Reason
		}{
			"unknown":         {"t-x", region, caller, orderly.InvocationUnknown},
			"runs once":       {once, region, caller, orderly.RunsOnce},
			"another account": {id, region, orderly.Caller{Account: "2"}, orderly.InvocationUnknown},
			"another region":  {id, "mars", caller, orderly.RegionUnknown},
		} {
			_, err := h.ModifyInvocation(t.Context(), c.by, engine.Modification{Region: c.region, InvokeID: c.id, Frequency: "rate(3h)"}, engine.Repetition{})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		h.change(func(tx *store.Tx) error { return h.Release(tx, "mi-1", orderly.InstanceReleased) })
		if err := h.modify(id, engine.Modification{}); !errors.Is(err, orderly.InvocationOver) {
			t.Errorf("an ended one: %v, want InvocationOver", err)
		}
	})
}
