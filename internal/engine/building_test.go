package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// cutOff leaves invocations that died after so many of their transactions.
func (h *house) cutOff(rounds int) {
	h.t.Helper()
	for n := range rounds {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := h.RunCommand(ctx, caller, toAll(), engine.Repetition{Operation: "RunCommand", Token: fmt.Sprint("early ", n)})
		if err == nil {
			h.t.Fatal("RunCommand with a dead context succeeded")
		}
		h.change(func(tx *store.Tx) error { // what the first transactions of a large one leave
			seq := h.db.NextSeq()
			id := orderly.NewID("t", region, seq)
			v := orderly.Invocation{Seq: seq, ID: id, Account: caller.Account, Region: region, Created: tx.Now.Add(-time.Second), Size: 1500,
				Command: orderly.Command{Seq: seq, ID: "c-" + id, Account: caller.Account, Region: region}}
			var tasks []orderly.Task
			for i, mi := range names(700 * n) {
				tasks = append(tasks, orderly.NewTask(&v, i, mi, tx.Now))
			}
			return errors.Join(tx.AddCommand(v.Command), tx.AddInvocation(v), tx.AddTasks(tasks), tx.Remember(store.ClientToken{
				Account: caller.Account, Region: region, Operation: "RunCommand", Token: fmt.Sprint("cut ", n), Answer: fmt.Sprintf(`{"InvokeID":%q,"CommandID":"c"}`, id)}))
		})
	}
}

// A server that died while it built an invocation leaves nothing that an agent or a client sees; its
// client token is in work until the rest is removed, and free then (TOK-1, TOK-2).
func TestAbandonedInvocationIsNeverSeen(t *testing.T) {
	cfg := fast(100)
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register(names(1500)...)
		h.cutOff(3)
		a := h.greet(hello("mi-0001", boot))
		list, total, err := h.Invocations(t.Context(), caller, store.InvocationFilter{Region: region}, store.Page{Limit: 10})
		must(t, err)
		if len(a.Send) != 0 || len(list)+total != 0 {
			t.Errorf("%d messages and %d invocations of what nobody was told of", len(a.Send), total)
		}
		r := engine.Repetition{Operation: "RunCommand", Token: "cut 2"}
		if _, err := h.RunCommand(t.Context(), caller, toAll(), r); !errors.Is(err, orderly.ClientTokenInWork) {
			t.Errorf("RunCommand with its token = %v, want ClientTokenInWork", err)
		}
		cfg.Building = time.Millisecond
		other := build(t, h.url, cfg) // the server that is started next
		stop := other.run()
		other.await("the end of what was cut off", func() bool { return other.number(`select count(*) from invocations`) == 0 })
		stop()
		answer, err := other.RunCommand(t.Context(), caller, toAll(), r)
		must(t, err)
		if v := other.invocation(answer.InvokeID); v.Size != 1500 {
			t.Errorf("size = %d, want 1500", v.Size)
		}
		other.auditCounters()
	})
}

// A large invocation is answered when it is complete: then every live task is handed to the link that
// is there, whatever came and went meanwhile, and was sent to it once.
func TestLargeInvocationSeesLinksThatComeAndGo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	each(t, func(t *testing.T, h *house) {
		const size = 2500
		ids := names(size)
		h.register(ids...)
		for i := 0; i < size; i += 500 {
			h.connect(orderly.Boot{Incarnation: "inc-1", ID: "0"}, ids[i:i+500]...)
		}
		for round := range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { h.agitate(ctx, rand.New(rand.NewPCG(seed, uint64(round))), ids[round*1000:round*1000+1000]) })
			h.await("unrest", func() bool {
				return h.number(`select count(*) from presence where link = '' or boot <> '0'`) > 0
			})
			id := h.start(toAll())
			cancel()
			wg.Wait()
			h.checkHanded(id)
			h.audit()
			if n := h.number(`select max(n) from (select count(*) n from tasks group by invocation, created) p`); n > 1000 {
				t.Errorf("%d tasks were made in one transaction", n) // design 2b rule 17
			}
			if n := h.number(`select max(n) from (select count(*) n from tasks where sent > 0 group by invocation, sent) p`); n > 1000 {
				t.Errorf("%d tasks were handed over in one transaction", n)
			}
		}
	})
}

// What was sent first may be due to be sent again before the last is sent. That must wait its turn.
func TestSlowHandOverSendsEachTaskOnce(t *testing.T) {
	cfg := fast(1)
	cfg.Limits.Resend = []time.Duration{time.Millisecond}
	eachWith(t, cfg, func(t *testing.T, h *house) {
		ids := names(1500)
		h.register(ids...)
		h.connect(boot, ids...)
		h.start(toAll())
		if n := len(h.messages(engine.SendRun)); n != len(ids) {
			t.Errorf("%d messages to %d machines, want one each", n, len(ids))
		}
	})
}

// A server that died after it had shown a large invocation leaves it to the sweep of any other: each
// task goes to the link there is, is waited for, or ends with its instance gone.
func TestSweepHandsOverWhatADeadServerLeft(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const size = 1500
		ids := names(size)
		h.register(ids...)
		h.connect(boot, ids[:size-2]...) // one is away, and one will be gone
		var id string
		h.change(func(tx *store.Tx) error {
			seq := h.db.NextSeq()
			id = orderly.NewID("t", region, seq)
			v := orderly.Invocation{Seq: seq, ID: id, Account: caller.Account, Region: region, Created: tx.Now, Size: size, Repeat: orderly.Once,
				Delivery: time.Minute, Command: orderly.Command{Seq: seq, ID: "c-" + id, Account: caller.Account, Region: region, Timeout: time.Minute}}
			tasks := make([]orderly.Task, size)
			for i, mi := range ids {
				tasks[i] = orderly.NewTask(&v, i, mi, tx.Now)
				tasks[i].Due = tx.Now
			}
			return errors.Join(tx.AddCommand(v.Command), tx.AddInvocation(v), tx.AddTasks(tasks),
				tx.Built(seq, orderly.Counts{Pending: size}, orderly.Once, tx.Now), tx.Deregistered(ids[size-1]))
		})
		stop := h.run()
		h.await("all are sent", func() bool { return len(h.messages(engine.SendRun)) >= size-2 })
		h.await("the sweep is through", func() bool { return h.number(`select count(*) from tasks where due > 0 and due <= created`) == 0 })
		stop()
		list := h.tasks(id)
		if k := list[size-2]; k.State != orderly.Pending || !k.Handed.Zero() {
			t.Errorf("task of the absent instance is %s, handed to %v; want it waited for", k.State, k.Handed)
		}
		if k := list[size-1]; k.State != orderly.Aborted || k.ErrorCode != orderly.InstanceDeregistered {
			t.Errorf("task of the instance that left = %s/%s, want Aborted/InstanceDeregistered", k.State, k.ErrorCode)
		}
		h.audit()
	})
}

// agitate lets links of instances come, go, reboot and leave the fleet until ctx ends.
func (h *house) agitate(ctx context.Context, rnd *rand.Rand, ids []string) {
	gone := map[string]bool{}
	boots := map[string]orderly.Boot{}
	for n := 1; ctx.Err() == nil; n++ {
		id := ids[rnd.IntN(len(ids))]
		if gone[id] {
			continue
		}
		old, known := boots[id]
		if !known {
			old = orderly.Boot{Incarnation: "inc-1", ID: "0"}
		}
		lost := map[string]string{id: "link-" + old.Incarnation + old.ID}
		var err error
		switch rnd.IntN(10) {
		case 0:
			gone[id] = true
			err = h.db.Write(context.Background(), store.Interactive, func(tx *store.Tx) error {
				return errors.Join(tx.Deregistered(id), h.Release(tx, id, orderly.InstanceDeregistered))
			})
		case 1, 2, 3:
			err = h.Lost(context.Background(), lost)
		default:
			b := orderly.Boot{Incarnation: "inc-1", ID: fmt.Sprint(n)}
			boots[id] = b
			var admitted []engine.Admission
			if err = h.Lost(context.Background(), lost); err == nil {
				admitted, err = h.Greet(context.Background(), []engine.Greeting{hello(id, b)})
			}
			for _, a := range admitted {
				h.Send(a.Send)
			}
		}
		if err != nil {
			h.t.Error(err)
			return
		}
	}
}

// checkHanded compares the tasks of an invocation with the links there are and with what was sent.
func (h *house) checkHanded(id string) {
	h.t.Helper()
	var ids []string
	list := h.tasks(id)
	for _, k := range list {
		ids = append(ids, k.Instance)
	}
	var now map[string]orderly.Presence
	h.change(func(tx *store.Tx) (err error) {
		now, err = tx.Presences(ids)
		return err
	})
	type parcel struct {
		task orderly.TaskKey
		boot orderly.Boot
	}
	sent, boots := map[parcel]int{}, map[orderly.TaskKey]map[orderly.Boot]bool{}
	for _, m := range h.messages(engine.SendRun) {
		sent[parcel{m.Task, m.Boot}]++
		if boots[m.Task] == nil {
			boots[m.Task] = map[orderly.Boot]bool{}
		}
		boots[m.Task][m.Boot] = true
	}
	states := map[orderly.State]int{}
	for _, k := range list {
		states[k.State]++
		p, known := now[k.Instance]
		switch n := sent[parcel{k.TaskKey, k.Handed}]; {
		case len(boots[k.TaskKey]) > 1:
			h.t.Errorf("task %d was sent to %d boots", k.Ordinal, len(boots[k.TaskKey]))
		case !known && k.State.Live():
			h.t.Errorf("task %d of a deregistered instance is %s", k.Ordinal, k.State)
		case known && k.State.Live() && p.Link != "" && k.Handed != p.Boot:
			h.t.Errorf("task %d is handed to %v, the link is of %v", k.Ordinal, k.Handed, p.Boot)
		case k.State.Live() && !k.Handed.Zero() && n != 1:
			h.t.Errorf("task %d, handed to %v, was sent %d times", k.Ordinal, k.Handed, n)
		case k.State.Live() && k.Handed.Zero() && len(boots[k.TaskKey]) != 0:
			h.t.Errorf("task %d is handed to nobody and was sent", k.Ordinal)
		}
	}
	h.t.Logf("states %v", states)
}
