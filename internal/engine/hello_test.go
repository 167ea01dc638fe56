package engine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// greet is one greeting and its answer.
func (h *house) greet(g engine.Greeting) engine.Admission {
	h.t.Helper()
	admitted, err := h.Greet(context.Background(), []engine.Greeting{g})
	must(h.t, err)
	return admitted[0]
}

func TestOneLinkForOneIdentity(t *testing.T) { // design 2b rule 7
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		second := hello("mi-1", orderly.Boot{Incarnation: "copy", ID: "b"})
		if a := h.greet(second); a.Rival != "link-inc-1boot-1" {
			t.Errorf("a second agent gets %+v, want the holder's link as its rival", a)
		}
		second.Usurps = "another"
		if a := h.greet(second); a.Rival == "" {
			t.Error("a link is taken over that nobody found dead")
		}
		second.Usurps = "link-inc-1boot-1"
		if a := h.greet(second); a.Rival != "" || a.Unknown || a.List {
			t.Errorf("after the holder's death: %+v, want it admitted", a)
		}
		if a := h.greet(second); a.Rival != "" {
			t.Errorf("the same link again: %+v, want it admitted", a)
		}
		if a := h.greet(hello("mi-9", boot)); !a.Unknown {
			t.Errorf("an unknown instance gets %+v", a)
		}
	})
}

func TestListIsAskedForWhenDigestsDiffer(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		_, k := h.one()
		h.disconnect(boot, "mi-1")
		g := hello("mi-1", boot)
		g.Listed = false
		var asked []orderly.TaskKey
		g.Digest = func(tasks []orderly.TaskKey) bool { asked = tasks; return false }
		if a := h.greet(g); !a.List || !slices.Equal(asked, []orderly.TaskKey{k.TaskKey}) {
			t.Errorf("answer = %+v to the digest of %v, want the list asked for", a, asked)
		}
		if n, err := h.db.CountLinks(t.Context()); err != nil || n != 0 {
			t.Errorf("%d links, %v; want none before the list", n, err)
		}
		g.Digest = func([]orderly.TaskKey) bool { return true }
		if a := h.greet(g); a.List || len(a.Send) != 0 {
			t.Errorf("answer = %+v when they agree, want a plain welcome", a)
		}
	})
}

// HND-4: what an agent does not account for when it comes.
func TestGreetingSquaresTheTasks(t *testing.T) {
	reinstalled, rebooted := orderly.Boot{Incarnation: "inc-2", ID: "boot-1"}, orderly.Boot{Incarnation: "inc-1", ID: "boot-2"}
	for name, c := range map[string]struct {
		confirmed bool // the agent had accepted the task
		stop      bool
		now       orderly.Boot
		holds     bool
		state     orderly.State
		code      orderly.ErrorCode
		send      []engine.MessageKind
	}{
		"same boot, unconfirmed":         {now: boot, state: orderly.Pending, send: []engine.MessageKind{engine.SendRun}},
		"same boot, held":                {now: boot, holds: true, state: orderly.Pending},
		"same boot, confirmed, unknown":  {confirmed: true, now: boot, state: orderly.Error, code: orderly.ExecutionInterrupted},
		"same boot, confirmed, held":     {confirmed: true, now: boot, holds: true, state: orderly.Pending},
		"reinstalled, unconfirmed":       {now: reinstalled, state: orderly.Error, code: orderly.ClientRestarted},
		"reinstalled, confirmed":         {confirmed: true, now: reinstalled, state: orderly.Error, code: orderly.ClientRestarted},
		"rebooted, unconfirmed":          {now: rebooted, state: orderly.Error, code: orderly.InstanceRestarted},
		"rebooted, held: it will report": {confirmed: true, now: rebooted, holds: true, state: orderly.Pending},
		"stopping, same boot":            {stop: true, now: boot, state: orderly.Stopping, send: []engine.MessageKind{engine.SendStop}},
		"stopping, confirmed, unknown":   {confirmed: true, stop: true, now: boot, state: orderly.Stopping, send: []engine.MessageKind{engine.SendStop}},
		"stopping, held by a new boot":   {stop: true, now: rebooted, holds: true, state: orderly.Stopping, send: []engine.MessageKind{engine.SendStop}},
		"stopping, reinstalled":          {stop: true, now: reinstalled, state: orderly.Error, code: orderly.ClientRestarted},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				id, k := h.one()
				if c.confirmed {
					h.tell(report(k, 1, orderly.Pending))
				}
				if c.stop {
					must(t, h.StopInvocation(t.Context(), caller, region, id, nil))
				}
				h.disconnect(boot, "mi-1")
				g := hello("mi-1", c.now)
				if c.holds {
					g.Tasks = []orderly.TaskKey{k.TaskKey}
				}
				a := h.greet(g)
				h.expect(id, c.state, c.code)
				var kinds []engine.MessageKind
				for _, m := range a.Send {
					kinds = append(kinds, m.Kind)
					if m.Task != k.TaskKey || m.Link != g.ID || m.Boot != boot {
						t.Errorf("message = %+v, want it for %v to the new link, naming the boot that has it", m, k.TaskKey)
					}
				}
				if !slices.Equal(kinds, c.send) {
					t.Errorf("sends %v, want %v", kinds, c.send)
				}
				h.audit()
			})
		})
	}
}

// A task that waited is handed to the boot that comes, and that is in the row before it is sent.
func TestWaitingTaskIsHandedByTheGreeting(t *testing.T) { // HND-1, HND-3
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		id := h.start(request("mi-1"))
		a := h.greet(hello("mi-1", boot))
		k := h.task(id)
		if len(a.Send) != 1 || a.Send[0].Kind != engine.SendRun || a.Send[0].Allowed <= 0 || a.Send[0].Boot != boot || k.Handed != boot {
			t.Errorf("sends %+v for %+v, want it handed and sent", a.Send, k)
		}
		if n := len(h.messages(engine.SendRun)); n != 0 {
			t.Errorf("the engine sent %d messages by itself: they are the caller's", n)
		}
		h.raw(`update tasks set created = created - 61000, incarnation = '', boot = ''`)
		h.disconnect(boot, "mi-1")
		if a := h.greet(hello("mi-1", boot)); len(a.Send) != 0 {
			t.Errorf("a task past its delivery limit is sent: %+v", a.Send)
		}
	})
}

func TestLostLinkOfAnOlderProcessChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		must(t, h.Lost(t.Context(), map[string]string{"mi-1": "an older link"}))
		if n, err := h.db.CountLinks(t.Context()); err != nil || n != 1 {
			t.Errorf("%d links, %v; want 1", n, err)
		}
		var p map[string]orderly.Presence
		h.change(func(tx *store.Tx) (err error) {
			p, err = tx.Presences([]string{"mi-1"})
			return err
		})
		if p["mi-1"].Boot != boot {
			t.Errorf("presence = %+v, want the newest boot", p["mi-1"])
		}
	})
}

// A greeting is repeated when its answer is late, and may then be overtaken by what its agent did after the
// answer: an older list is no sign that a task was lost (HND-4).
func TestOvertakenGreetingLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, k := h.one()
		h.tell(orderly.Report{Task: k.TaskKey, Instance: k.Instance, Number: 2, State: orderly.Running, Started: h.db.Now()})
		old := hello(k.Instance, boot)
		old.Listed, old.Tasks = true, nil
		h.greet(old)
		h.expect(id, orderly.Running, "")
	})
}

// A greeting that waited while its link was lost, and another link of the same boot or of a newer one was given a task, is
// asked for its list anew: the one that it has is older than the task (HND-4).
func TestGreetingOlderThanATaskDoesNotEndIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		old := hello("mi-1", boot)
		old.Received = h.db.Now().Add(-time.Second)
		for _, b := range []orderly.Boot{boot, {Incarnation: boot.Incarnation, ID: "boot-2"}} {
			h.connect(b, "mi-1")
			id := h.start(request("mi-1"))
			k := h.task(id)
			h.tell(report(k, 1, orderly.Pending))
			h.disconnect(b, "mi-1")
			if a := h.greet(old); !a.List || a.After != nil || len(a.Send) > 0 {
				t.Errorf("the old greeting is answered %+v, want its list asked for", a)
			}
			h.expect(id, orderly.Pending, "")
			fresh := hello("mi-1", b)
			fresh.Received = h.db.Now()
			if a := h.greet(fresh); a.List {
				t.Errorf("a greeting from after that is answered %+v, want a welcome", a)
			}
			h.expect(id, orderly.Error, orderly.ExecutionInterrupted)
			h.disconnect(b, "mi-1")
		}
	})
}

// A long list comes in parts, to whichever servers; the link is there with the last one (HND-4).
func TestListInParts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		var ids []string
		var keys []orderly.TaskKey
		for range 4 {
			id := h.start(request("mi-1"))
			k := h.task(id)
			h.tell(report(k, 1, orderly.Pending))
			ids, keys = append(ids, id), append(keys, k.TaskKey)
		}
		h.disconnect(boot, "mi-1")
		waits := h.start(request("mi-1")) // is never handed before the last part
		part := func(after, upto *orderly.TaskKey, tasks ...orderly.TaskKey) engine.Admission {
			g := hello("mi-1", boot)
			g.Listed, g.After, g.Upto, g.Tasks = true, after, upto, tasks
			return h.greet(g)
		}
		links := func(want int) {
			t.Helper()
			if n, err := h.db.CountLinks(t.Context()); err != nil || n != want {
				t.Errorf("%d links, %v; want %d", n, err, want)
			}
		}
		for range 2 { // any part may be told again
			if a := part(nil, &keys[1], keys[0]); !a.List || a.After == nil || *a.After != keys[1] || len(a.Send) > 0 {
				t.Errorf("the first part is answered %+v, want the next one asked for, behind %v", a, keys[1])
			}
		}
		links(0)
		h.expect(ids[0], orderly.Pending, "")
		h.expect(ids[1], orderly.Error, orderly.ExecutionInterrupted)
		h.expect(ids[2], orderly.Pending, "")
		if a := part(&keys[1], nil, keys[3]); a.List || len(a.Send) != 1 || a.Send[0].Kind != engine.SendRun || a.Send[0].Task != h.task(waits).TaskKey {
			t.Errorf("the last part is answered %+v, want a welcome and the task that waited", a)
		}
		links(1)
		h.expect(ids[0], orderly.Pending, "")
		h.expect(ids[2], orderly.Error, orderly.ExecutionInterrupted)
		h.expect(ids[3], orderly.Pending, "")
		h.audit()
	})
}
