package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
)

// restore takes the house's database for one that was put back to what it is now.
func (h *house) restore() {
	h.t.Helper()
	_, err := h.db.Restored(h.t.Context())
	must(h.t, err)
}

// Design 2b rule 18: in a database that was restored nothing that was live is sent, by whatever brings it up.
func TestRestoredTasksAreNotSent(t *testing.T) {
	eachWith(t, fast(20), func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2")
		hour := time.Hour
		waits := request("mi-1")
		waits.Delivery = &hour
		never := h.start(waits) // it was never handed over
		h.connect(boot, "mi-2")
		handed := h.start(request("mi-2")) // nobody has answered
		stopped := h.start(request("mi-2"))
		must(t, h.StopInvocation(t.Context(), caller, region, stopped, nil))
		sent := len(h.messages(engine.SendRun)) + len(h.messages(engine.SendStop))
		h.restore()
		h.audit()
		h.run()
		must(t, h.StopInvocation(t.Context(), caller, region, handed, nil))
		h.await("sweep", func() bool {
			return h.number(`select count(*) from tasks where live = 1 and due <= $1`, orderly.Millis(h.db.Now())) == 0
		})
		for id, machine := range map[string]string{never: "mi-1", handed: "mi-2", stopped: "mi-2"} {
			if s := h.task(id).State; !s.Live() {
				t.Fatalf("before %s comes its task is %s", machine, s)
			}
		}
		for _, id := range []string{"mi-1", "mi-2"} {
			if a := h.greet(hello(id, boot)); len(a.Send) != 0 || a.List {
				t.Errorf("%s is answered by %+v, want a plain welcome", id, a)
			}
		}
		for _, id := range []string{never, handed, stopped} {
			h.expect(id, orderly.Error, orderly.ExecutionInterrupted)
		}
		if n := len(h.messages(engine.SendRun)) + len(h.messages(engine.SendStop)) + len(h.messages(engine.SendExpire)); n != sent {
			t.Errorf("%d messages, want the %d of before the restore", n, sent)
		}
		later := h.start(request("mi-1"))
		if got := h.messages(engine.SendRun); len(got) != sent || got[len(got)-1].Task != h.task(later).TaskKey {
			t.Errorf("what is run after the restore is not sent: %+v", got)
		}
		h.audit()
	})
}

// What the agent has goes on, and its end counts.
func TestRestoredTasksThatAreHeldGoOn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, k := h.one()
		h.tell(report(k, 1, orderly.Running))
		h.restore()
		g := hello("mi-1", boot, k.TaskKey)
		g.Listed, g.Digest = false, func(tasks []orderly.TaskKey) bool { return slices.Equal(tasks, g.Tasks) }
		if a := h.greet(g); len(a.Send) != 0 || a.List {
			t.Errorf("answer = %+v, want a plain welcome", a)
		}
		h.expect(id, orderly.Running, "")
		h.tell(report(k, 2, orderly.Success))
		h.expect(id, orderly.Success, "")
		h.audit()
	})
}

// A schedule goes on where it is held, in the version of the database, and nowhere else.
func TestRestoredSchedules(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2")
		h.connect(boot, "mi-1", "mi-2")
		id := h.start(every("mi-1", "mi-2"))
		for _, k := range h.tasks(id) {
			h.tell(report(k, 1, orderly.Pending))
		}
		h.restore()
		must(t, h.modify(id, engine.Modification{Frequency: "rate(2h)"}))
		sent := len(h.messages(engine.SendRun))
		if sent != 2 {
			t.Fatalf("%d messages, want the two that handed it over", sent)
		}
		tasks := h.tasks(id)
		a := h.greet(hello("mi-1", boot, tasks[0].TaskKey))
		if len(a.Send) != 1 || a.Send[0].Kind != engine.SendRun || a.Send[0].Of.Version < 1<<16 || a.Send[0].Of.Frequency != "rate(2h)" {
			t.Errorf("who holds it is sent %+v, want the version of the database", a.Send)
		}
		if a := h.greet(hello("mi-2", boot)); len(a.Send) != 0 {
			t.Errorf("who does not is sent %+v", a.Send)
		}
		tasks = h.tasks(id)
		if tasks[0].State != orderly.Scheduled || tasks[1].State != orderly.Error || tasks[1].ErrorCode != orderly.ExecutionInterrupted {
			t.Errorf("tasks are %s and %s %q", tasks[0].State, tasks[1].State, tasks[1].ErrorCode)
		}
		h.audit()
	})
}
