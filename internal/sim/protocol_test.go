package sim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/sim"
	"github.com/orderly-run/orderly/internal/wire"
)

// A peer is the server's side of the protocol, spoken by the test: one agent of the fleet on a bare
// bus.
type peer struct {
	t     *testing.T
	srv   *server.Server
	nc    *nats.Conn
	from  chan *nats.Msg
	fleet *sim.Fleet
	hello wire.Hello
}

const instance = "mi-1"

// meet brings one agent up and has it say hello; it is not welcomed yet.
func meet(t *testing.T, cfg sim.Config) *peer {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, AlwaysEnableNonce: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(srv.Shutdown)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(wire.Encode(wire.Registered{InstanceID: instance, NATS: srv.ClientURL()}))
	}))
	t.Cleanup(web.Close)
	p := &peer{t: t, srv: srv, from: make(chan *nats.Msg, 100)}
	if p.nc, err = nats.Connect("", nats.InProcessServer(srv)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.nc.Close)
	if _, err := p.nc.ChanSubscribe("orderly.from.>", p.from); err != nil {
		t.Fatal(err)
	}
	cfg.Agents, cfg.Server, cfg.Scale = 1, web.URL, 20
	cfg.Activate = func(context.Context, int) (string, string, error) { return "id", "code", nil }
	if p.fleet, err = sim.New(cfg); err != nil {
		t.Fatal(err)
	}
	run(t, p.fleet.Run)
	p.hello = hear[wire.Hello](p, wire.KindHello)
	return p
}

// hear is the next message of a kind; others are passed over.
func hear[T any](p *peer, kind string) T {
	p.t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case m := <-p.from:
			if m.Subject != wire.FromSubject(instance, kind) {
				continue
			}
			v, err := wire.Decode[T](m.Data)
			if err != nil {
				p.t.Fatal(err)
			}
			return v
		case <-late:
			p.t.Fatalf("no %s came", kind)
		}
	}
}

func (p *peer) say(m wire.ToAgent) {
	p.t.Helper()
	if err := p.nc.Publish(wire.ToSubject(instance, p.hello.Link), wire.Encode(m)); err != nil {
		p.t.Fatal(err)
	}
}

// run is a Run message for this life of the agent.
func (p *peer) run(n int) wire.ToAgent {
	return wire.ToAgent{Run: &wire.Run{
		TaskKey: orderly.TaskKey{Invocation: 7, Ordinal: n}, Incarnation: p.hello.Incarnation, Boot: p.hello.Boot,
		Allowance: 60_000, Job: wire.Encode(wire.Job{InvokeID: "t-7", Timeout: 60_000}),
	}}
}

func (p *peer) ref(n int) *wire.TaskRef {
	return &wire.TaskRef{TaskKey: orderly.TaskKey{Invocation: 7, Ordinal: n}, Incarnation: p.hello.Incarnation, Boot: p.hello.Boot}
}

// barrier waits until the agent has handled all that was said before.
func (p *peer) barrier() {
	p.t.Helper()
	p.say(wire.ToAgent{Probe: true})
	hear[wire.Beat](p, wire.KindBeat)
}

func welcome() wire.ToAgent {
	return wire.ToAgent{Welcome: &wire.Welcome{Heartbeat: time.Hour.Milliseconds(), Window: 1}}
}

// one is the only snapshot of a message.
func (p *peer) one(r wire.Reports) wire.Snapshot {
	p.t.Helper()
	if len(r.Snapshots) != 1 {
		p.t.Fatalf("%d snapshots, want one: %+v", len(r.Snapshots), r)
	}
	return r.Snapshots[0]
}

func TestRedeliveredTaskStartsOnce(t *testing.T) {
	p := meet(t, sim.Config{})
	p.say(welcome())
	wait(t, p.fleet.Ready())
	p.say(p.run(0))
	p.say(p.run(0))
	first := hear[wire.Reports](p, wire.KindReport)
	if s := p.one(first); s.State != orderly.Success || s.Number != wire.EndNumber || s.ExitCode == nil || *s.ExitCode != 0 {
		t.Errorf("reported %+v, want the end of a success", s)
	}
	again := hear[wire.Reports](p, wire.KindReport)
	if again.Number != first.Number || p.one(again).State != orderly.Success {
		t.Errorf("without an Ack %+v came, want number %d again (REP-1)", again, first.Number)
	}
	p.say(wire.ToAgent{Ack: first.Number})
	p.say(p.run(0))
	p.say(p.run(1))
	if s := p.one(hear[wire.Reports](p, wire.KindReport)); s.Ordinal != 1 {
		t.Errorf("reported %+v, want nothing of an acknowledged task", s)
	}
	if n := p.fleet.Counts(); n.Runs != 2 || n.Repeated != 2 || n.Acked != 1 {
		t.Errorf("%+v, want 2 runs, 2 repeated, 1 acknowledged", n)
	}
}

func TestRunningTaskSaysSo(t *testing.T) {
	p := meet(t, sim.Config{Delay: time.Hour})
	p.say(welcome())
	p.say(p.run(0))
	p.say(p.run(0))
	r := hear[wire.Reports](p, wire.KindReport)
	if s := p.one(r); s.State != orderly.Running || s.Number <= wire.AcceptedNumber || s.StartedAgo == nil {
		t.Errorf("a repeated Run is answered by %+v, want Running", s)
	}
	p.say(wire.ToAgent{Ack: r.Number})
	p.say(wire.ToAgent{Expire: p.ref(0)})
	r = hear[wire.Reports](p, wire.KindReport)
	if s := p.one(r); s.State != orderly.Running {
		t.Errorf("Expire of a running task is answered by %+v, want Running (HND-5)", s)
	}
	p.say(wire.ToAgent{Ack: r.Number})
	p.say(wire.ToAgent{Stop: p.ref(0)})
	if s := p.one(hear[wire.Reports](p, wire.KindReport)); s.State != orderly.Terminated || s.Number != wire.EndNumber {
		t.Errorf("Stop of a running task is answered by %+v, want Terminated", s)
	}
}

// The time limit of a task ends it before the delay is over (TO-1).
func TestTimeLimitEndsATask(t *testing.T) {
	p := meet(t, sim.Config{Delay: time.Hour})
	p.say(welcome())
	m := p.run(0)
	m.Run.Job = wire.Encode(wire.Job{Timeout: 10})
	p.say(m)
	if s := p.one(hear[wire.Reports](p, wire.KindReport)); s.State != orderly.Timeout || s.Code != orderly.ExecutionTimeout {
		t.Errorf("reported %+v, want Timeout", s)
	}
}

// HND-5: what is stopped before it came will never start.
func TestStopBeforeRun(t *testing.T) {
	for state, m := range map[orderly.State]func(*peer) wire.ToAgent{
		orderly.Cancelled: func(p *peer) wire.ToAgent { return wire.ToAgent{Stop: p.ref(0)} },
		orderly.Aborted:   func(p *peer) wire.ToAgent { return wire.ToAgent{Expire: p.ref(0)} },
	} {
		p := meet(t, sim.Config{})
		p.say(welcome())
		p.say(m(p))
		p.say(p.run(0))
		r := hear[wire.Reports](p, wire.KindReport)
		if s := p.one(r); s.State != state || s.StartedAgo != nil {
			t.Errorf("reported %+v, want %s", s, state)
		}
		p.say(wire.ToAgent{Ack: r.Number})
		p.say(p.run(0))
		p.barrier()
		if n := p.fleet.Counts(); n.Runs != 0 {
			t.Errorf("%d runs after it was %s", n.Runs, state)
		}
	}
}

// HND-4, HND-3: nothing starts before the welcome, for another boot, or when its time is over.
func TestWhatMayNotStart(t *testing.T) {
	p := meet(t, sim.Config{})
	p.say(p.run(0))
	foreign := p.run(1)
	foreign.Run.Boot = "another"
	p.say(foreign)
	p.barrier()
	if n := p.fleet.Counts(); n.Runs != 0 {
		t.Fatalf("%d runs before the welcome", n.Runs)
	}
	p.say(welcome())
	r := hear[wire.Reports](p, wire.KindReport)
	if s := p.one(r); s.Ordinal != 0 || s.State != orderly.Success {
		t.Errorf("after the welcome %+v was reported, want the task that came before it", s)
	}
	p.say(wire.ToAgent{Ack: r.Number})
	late := p.run(2)
	late.Run.Allowance = -1
	p.say(late)
	if s := p.one(hear[wire.Reports](p, wire.KindReport)); s.Ordinal != 2 || s.State != orderly.Aborted {
		t.Errorf("reported %+v, want Aborted", s)
	}
	if n := p.fleet.Counts(); n.Runs != 1 {
		t.Errorf("%d runs, want 1", n.Runs)
	}
}

func TestReportsShareAMessage(t *testing.T) {
	p := meet(t, sim.Config{Output: 20_000})
	p.say(welcome())
	for n := range 30 {
		p.say(p.run(n))
	}
	p.barrier()
	p.say(wire.ToAgent{Ack: 1})
	seen := map[int]bool{0: true}
	for len(seen) < 30 {
		var r wire.Reports
		for r.Number < 2 { // number 1 may have been sent again
			r = hear[wire.Reports](p, wire.KindReport)
		}
		if n := len(wire.Encode(r)); n > wire.MaxReportBytes {
			t.Errorf("a message of %d bytes", n)
		}
		for _, s := range r.Snapshots {
			seen[s.Ordinal] = true
		}
		p.say(wire.ToAgent{Ack: r.Number})
	}
	p.barrier()
	if n := p.fleet.Counts(); n.Acked != 30 {
		t.Errorf("%d ends acknowledged, want 30", n.Acked)
	}
}

func TestHelloListsTasksWhenAsked(t *testing.T) {
	p := meet(t, sim.Config{Delay: time.Hour})
	p.say(welcome())
	p.say(p.run(4))
	p.say(wire.ToAgent{Welcome: &wire.Welcome{Heartbeat: 60_000, Tasks: true}})
	for {
		h := hear[wire.Hello](p, wire.KindHello)
		if !h.Listed {
			continue // said again before the welcome came
		}
		key := orderly.TaskKey{Invocation: 7, Ordinal: 4}
		if fmt.Sprint(h.Tasks) != fmt.Sprint([]orderly.TaskKey{key}) || h.Digest != wire.Digest(h.Tasks) {
			t.Errorf("listed %+v, want task 4", h)
		}
		return
	}
}

func TestDeregisteredAgentGoes(t *testing.T) {
	p := meet(t, sim.Config{})
	p.say(welcome())
	wait(t, p.fleet.Ready())
	p.say(wire.ToAgent{Goodbye: wire.ByeDeregistered})
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for p.fleet.Counts().Gone != 1 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the agent stays")
		}
	}
}

func TestCutConnectionIsMadeAgain(t *testing.T) {
	p := meet(t, sim.Config{Delay: time.Hour})
	p.say(welcome())
	p.say(p.run(0))
	p.barrier()
	conns, err := p.srv.Connz(&server.ConnzOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conns.Conns {
		if c.Name == p.hello.Link {
			if err := p.srv.DisconnectClientByID(c.Cid); err != nil {
				t.Fatal(err)
			}
		}
	}
	h := hear[wire.Hello](p, wire.KindHello)
	if h.Link != p.hello.Link || h.Incarnation != p.hello.Incarnation || h.Digest == "" {
		t.Errorf("it says %+v, want the same link with a task", h)
	}
	p.say(welcome())
	p.say(p.run(0))
	if s := p.one(hear[wire.Reports](p, wire.KindReport)); s.State != orderly.Running {
		t.Errorf("reported %+v, want that the task still runs", s)
	}
}
