package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// hurried is fast with timeouts of commands that short too.
func hurried(n int) engine.Config {
	cfg := fast(n)
	cfg.Command = orderly.ECSLimits
	cfg.Command.TimeoutMin = time.Millisecond
	return cfg
}

// brief is a request whose command may run for a moment only.
func brief(ids ...string) engine.Request {
	q := request(ids...)
	q.Command.Timeout = 50 * time.Millisecond
	return q
}

func TestUndeliveredTaskIsAborted(t *testing.T) { // T4, AB-2
	cfg := fast(200)
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2", "mi-3", "mi-4")
		ids := map[string]string{}
		for _, mi := range []string{"mi-1", "mi-2", "mi-3", "mi-4"} {
			ids[mi] = h.start(request(mi))
		}
		now := h.db.Now()
		state := func(mi, link string, heartbeat time.Time) {
			h.raw(`update presence set link = $2, heartbeat = $3 where instance = $1`, mi, link, heartbeat.UnixMilli())
		}
		state("mi-1", "", now.Add(-time.Hour))
		state("mi-2", "l", now.Add(-time.Hour))
		state("mi-3", "", now.Add(time.Hour))
		state("mi-4", "l", now.Add(time.Hour))
		h.run()
		for mi, want := range map[string]orderly.ErrorCode{"mi-1": orderly.ClientNotRunning, "mi-2": orderly.ClientNotResponse,
			"mi-3": orderly.ClientNotOnline, "mi-4": orderly.DeliveryTimeout} {
			k := h.awaitEnd(ids[mi], orderly.Aborted, want)
			if !k.Finished.Equal(k.Created.Add(cfg.Delivery)) {
				t.Errorf("%s finished %v after its creation, want %v", mi, k.Finished.Sub(k.Created), cfg.Delivery)
			}
		}
		h.audit()
	})
}

// More invocations than one look takes fall due at once, each by its own limits.
func TestManyInvocationsFallDueAtOnce(t *testing.T) { // T4, DLV-1
	eachWith(t, fast(1), func(t *testing.T, h *house) {
		const n = 130
		h.register("mi-1", "mi-2")
		limits := []time.Duration{10 * time.Second, time.Hour}
		var ids []string
		for i := range n {
			q := request("mi-1", "mi-2")
			q.Delivery = &limits[i%2]
			ids = append(ids, h.start(q))
		}
		h.raw(`update tasks set created = created - 60000, due = due - 60000`)
		h.raw(`update counters set next_due = next_due - 60000`)
		h.run()
		h.await("end of half of them", func() bool {
			return h.number(`select count(*) from invocations where finished > 0`) == n/2
		})
		for i, id := range ids {
			want := []orderly.Status{orderly.StatusFailed, orderly.StatusPending}[i%2]
			if v := h.invocation(id); v.Status() != want {
				t.Errorf("with %v to be delivered in it is %s, want %s", v.Delivery, v.Status(), want)
			}
		}
		if due := h.number(`select count(*) from counters where next_due > 0 and next_due <= $1`, h.db.Now().UnixMilli()); due > 0 {
			t.Errorf("%d are looked at again and again", due)
		}
		h.audit()
	})
}

func TestSilentAgentIsAskedThenGivenUp(t *testing.T) { // AB-1, HND-5
	cfg := fast(200)
	eachWith(t, cfg, func(t *testing.T, h *house) {
		id, k := h.one()
		answered, _ := h.one()
		h.run()
		h.await("two messages to expire", func() bool { return len(h.messages(engine.SendExpire)) >= 2 })
		for _, m := range h.messages(engine.SendExpire) {
			if m.Boot != boot || m.Link == "" {
				t.Errorf("sent %+v, want it to the boot that has the task", m)
			}
		}
		h.tell(report(h.task(answered), 1, orderly.Aborted)) // it never started
		if k := h.expect(answered, orderly.Aborted, orderly.DeliveryTimeout); !k.Finished.Equal(k.Created.Add(cfg.Delivery)) {
			t.Errorf("finished %v after the creation, want %v", k.Finished.Sub(k.Created), cfg.Delivery)
		}
		end := h.awaitEnd(id, orderly.Error, orderly.ExecutionInterrupted)
		if least := cfg.Delivery + cfg.Limits.Grace; end.Finished.Sub(k.Created) < least {
			t.Errorf("given up after %v, want at least %v", end.Finished.Sub(k.Created), least)
		}
		h.audit()
	})
}

func TestAcceptedTaskMayWaitForItsTurn(t *testing.T) { // ST-2, AB-1
	cfg := fast(1000)
	cfg.Limits.LateResults = 100 * time.Millisecond
	eachWith(t, cfg, func(t *testing.T, h *house) {
		id, k := h.one()
		h.tell(report(k, 1, orderly.Pending))
		h.run()
		end := time.After(400 * time.Millisecond)
		for over := false; !over; {
			select {
			case <-end:
				over = true
			default:
				h.expect(id, orderly.Pending, "")
			}
		}
		h.disconnect(boot, "mi-1")
		h.awaitEnd(id, orderly.Error, orderly.ExecutionInterrupted)
	})
}

func TestRunWithoutAnEndTimesOut(t *testing.T) { // TO-1
	cfg := hurried(500)
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		id := h.start(brief("mi-1"))
		h.tell(report(h.task(id), 1, orderly.Running))
		h.run()
		k := h.awaitEnd(id, orderly.Timeout, orderly.ExecutionTimeout)
		if !k.Finished.Equal(k.Started.Add(50 * time.Millisecond)) {
			t.Errorf("finished %v after the start, want the 50 ms of its timeout", k.Finished.Sub(k.Started))
		}
		h.audit()
	})
}

func TestStopWithoutAnAnswerFails(t *testing.T) { // T18, HND-5
	eachWith(t, fast(500), func(t *testing.T, h *house) {
		id, k := h.one()
		h.tell(report(k, 1, orderly.Running))
		must(t, h.StopInvocation(t.Context(), caller, region, id, nil))
		h.run()
		h.awaitEnd(id, orderly.Error, orderly.TerminationException)
		if n := len(h.messages(engine.SendStop)); n < 2 {
			t.Errorf("the stop was sent %d times, want it repeated", n)
		}
		if n := len(h.messages(engine.SendRun)); n != 1 {
			t.Errorf("the task was sent %d times, want once: it was confirmed", n)
		}
		h.audit()
	})
}

// LATE-1: a deadline ends a handed task only after its agent had a chance to speak.
func TestAwayAgentMaySpeakFirst(t *testing.T) {
	cfg := hurried(500) // grace 120 ms, late results 1.8 s
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2", "mi-3")
		h.connect(boot, "mi-1", "mi-2", "mi-3")
		back, silent, never := h.start(brief("mi-1")), h.start(brief("mi-2")), h.start(brief("mi-3"))
		var reports []orderly.Report
		for _, id := range []string{back, silent, never} {
			reports = append(reports, report(h.task(id), 1, orderly.Running))
		}
		h.tell(reports...)
		h.disconnect(boot, "mi-1", "mi-2", "mi-3")
		h.run()
		due := h.task(back).Started.Add(50*time.Millisecond + cfg.Limits.Grace + cfg.Limits.FireDelay)
		h.await("the due time", func() bool { return h.db.Now().After(due.Add(2 * cfg.Limits.Grace)) })
		for _, id := range []string{back, silent, never} {
			h.expect(id, orderly.Running, "")
		}
		h.connect2(boot, h.task(back), h.task(silent))
		linked := h.db.Now()
		h.tell(report(h.task(back), 2, orderly.Success))
		h.expect(back, orderly.Success, "")
		if k := h.awaitEnd(silent, orderly.Error, orderly.ExecutionInterrupted); k.Updated.Before(linked.Add(cfg.Limits.Grace / 2)) {
			t.Errorf("given up %v after the link was back, want %v", k.Updated.Sub(linked), cfg.Limits.Grace)
		}
		if k := h.awaitEnd(never, orderly.Error, orderly.ExecutionInterrupted); k.Updated.Before(due.Add(cfg.Limits.LateResults)) {
			t.Errorf("given up %v after it was due, want %v", k.Updated.Sub(due), cfg.Limits.LateResults)
		}
		h.audit()
	})
}

// connect2 brings links up whose agents hold one task each.
func (h *house) connect2(b orderly.Boot, tasks ...orderly.Task) {
	h.t.Helper()
	var list []engine.Greeting
	for _, k := range tasks {
		list = append(list, hello(k.Instance, b, k.TaskKey))
	}
	admitted, err := h.Greet(context.Background(), list)
	must(h.t, err)
	for _, a := range admitted {
		h.Send(a.Send)
	}
}

// CLK-2: what was received before a deadline fired is committed before it fires.
func TestWaitingReportBeatsTheDeadline(t *testing.T) {
	cfg := hurried(500)
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		id := h.start(brief("mi-1"))
		k := h.task(id)
		h.tell(report(k, 1, orderly.Running))
		held, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			h.change(func(tx *store.Tx) error {
				_, err := tx.Tasks([]orderly.TaskKey{k.TaskKey})
				close(held)
				<-release
				return err
			})
		})
		<-held
		h.run()
		wg.Go(func() { h.tell(report(k, 2, orderly.Success)) })
		due := h.task(id).Started.Add(50*time.Millisecond + cfg.Limits.Grace + cfg.Limits.FireDelay)
		h.await("the due time", func() bool { return h.db.Now().After(due.Add(cfg.Limits.Grace)) })
		h.expect(id, orderly.Running, "")
		close(release)
		wg.Wait()
		h.expect(id, orderly.Success, "")
		h.audit()
	})
}

// A server that is never without reports looks after deadlines all the same.
func TestDeadlinesFireInAStreamOfReports(t *testing.T) {
	eachWith(t, hurried(500), func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		id := h.start(brief("mi-1"))
		h.tell(report(h.task(id), 1, orderly.Running))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 { // so that one waits at any moment
			wg.Go(func() {
				for ctx.Err() == nil {
					_ = h.Report(ctx, []orderly.Report{{Task: orderly.TaskKey{Invocation: 1}, Instance: "mi-1", Number: 1, State: orderly.Running}})
				}
			})
		}
		h.run()
		h.awaitEnd(id, orderly.Timeout, orderly.ExecutionTimeout)
		cancel()
		wg.Wait()
	})
}

func TestUnconfirmedTaskIsSentAgainToTheSameBoot(t *testing.T) { // HND-4
	cfg := fast(200)
	cfg.Delivery = time.Minute
	eachWith(t, cfg, func(t *testing.T, h *house) {
		id, k := h.one()
		confirmed, _ := h.one()
		h.tell(report(h.task(confirmed), 1, orderly.Pending))
		h.run()
		h.await("four messages", func() bool { return len(h.messages(engine.SendRun)) >= 5 })
		for _, m := range h.messages(engine.SendRun)[2:] {
			if m.Task != k.TaskKey || m.Boot != boot || m.Link == "" || m.Allowed <= 0 || m.Allowed > cfg.Delivery {
				t.Errorf("sent again %+v, want the unconfirmed task to its boot, with an allowance", m)
			}
		}
		h.disconnect(boot, "mi-1")
		other := orderly.Boot{Incarnation: "inc-1", ID: "boot-2"}
		h.raw(`update presence set link = 'x', boot = 'boot-2'`) // another boot, not squared yet
		h.await("a message to nobody", func() bool { return h.task(id).Due.After(h.db.Now()) })
		n := len(h.messages(engine.SendRun))
		h.raw(`update presence set link = ''`)
		h.connect(other, "mi-1")
		if m := h.messages(engine.SendRun)[n:]; len(m) != 0 {
			t.Errorf("another boot got %+v", m)
		}
		h.expect(id, orderly.Error, orderly.InstanceRestarted)
		h.expect(confirmed, orderly.Error, orderly.InstanceRestarted)
		h.audit()
	})
}

func TestHousekeepingDropsWhatWasCutOff(t *testing.T) {
	cfg := fast(100)
	cfg.Building = time.Millisecond
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register(names(1500)...)
		h.cutOff(3)
		h.run()
		h.await("an empty database", func() bool {
			return h.number(`select (select count(*) from invocations) + (select count(*) from tasks) + (select count(*) from commands) + (select count(*) from client_tokens)`) == 0
		})
	})
}

// A connection that was cut without anybody noticing counts as up. What its agent did is unknown until
// it is heard again, so the row waits and does not say "timed out" (LATE-1).
func TestSilentLinkIsNotTakenForAnAnswer(t *testing.T) {
	eachWith(t, hurried(100), func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		id := h.start(brief("mi-1"))
		h.tell(report(h.task(id), 1, orderly.Running))
		var probes atomic.Int64
		var hears atomic.Bool
		h.probed = func(m engine.Message) {
			probes.Add(1)
			if hears.Load() {
				h.beat(m)
			}
		}
		h.run()
		h.await("third probe", func() bool { return probes.Load() >= 3 })
		h.expect(id, orderly.Running, "")
		hears.Store(true)
		h.awaitEnd(id, orderly.Timeout, orderly.ExecutionTimeout)
	})
}
