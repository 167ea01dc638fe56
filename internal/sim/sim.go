// Package sim is thousands of pretend agents in one process. They register, connect, beat, answer
// and reconnect over the native protocol as real agents do, so a server cannot tell; but they start
// no process and keep nothing on disk: a task ends by itself, after a delay and with an output that
// are set for the whole fleet. Schedules run by their expressions, but those for boots never do.
//
// All agents share a few goroutines: one per processor takes what comes from the server, and one
// looks at every agent now and then for what is due (hellos, beats, reports to send again).
package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/wire"
)

// Config is what a fleet is like; the zero value of each field means the default named there.
type Config struct {
	Agents int          // how many; required
	Server string       // URL of the server; required
	HTTP   *http.Client // http.DefaultClient; trusts the server

	// Activate makes an activation code for count machines, at most PerActivation. Required.
	Activate      func(ctx context.Context, count int) (id, code string, err error)
	PerActivation int // 1000

	Name   string        // "sim"; prefix of the machines' names
	AtOnce int           // 16; registrations, or first connections, under way at a time
	Delay  time.Duration // from the arrival of a task to its end
	Output int           // bytes of each task's output: the instance's ID, line by line
	Alike  bool          // all write the same: Name, line by line
	Fail   int           // percentage of agents whose tasks end with exit code 1
	Scale  int           // 1; time constants are divided by it, for tests
	Log    *slog.Logger  // nothing is logged
}

// Counts is what has happened in a fleet so far.
type Counts struct {
	Registered int64 // machines
	Welcomed   int64 // links, again after each reconnect
	Runs       int64 // tasks started, each once
	Repeated   int64 // Run messages for tasks that were known
	Stopped    int64 // tasks that were ended by Stop or Expire
	Acked      int64 // end reports that are in the database
	Gone       int64 // agents that the server sent away for good
}

// Fleet is a number of pretend agents.
type Fleet struct {
	cfg    Config
	agents []*agent
	ready  chan struct{} // closed when every agent was welcomed
	inbox  []chan *nats.Msg

	registered, welcomed, runs, repeated, stopped, acked, gone, first atomic.Int64
}

// New makes a fleet that Run brings to life.
func New(cfg Config) (*Fleet, error) {
	switch {
	case cfg.Agents < 1:
		return nil, errors.New("a fleet needs at least one agent")
	case cfg.Fail < 0 || cfg.Fail > 100:
		return nil, fmt.Errorf("%d is no percentage", cfg.Fail)
	case cfg.Activate == nil:
		return nil, errors.New("a fleet needs activations to register with")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = http.DefaultClient
	}
	if cfg.Name == "" {
		cfg.Name = "sim"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.PerActivation = orDefault(cfg.PerActivation, 1000)
	cfg.AtOnce = orDefault(cfg.AtOnce, 16)
	cfg.Scale = max(1, cfg.Scale)
	f := &Fleet{cfg: cfg, agents: make([]*agent, cfg.Agents), ready: make(chan struct{}), inbox: make([]chan *nats.Msg, runtime.GOMAXPROCS(0))}
	for i := range f.inbox {
		f.inbox[i] = make(chan *nats.Msg, 1024+4*cfg.Agents/len(f.inbox))
	}
	return f, nil
}

func orDefault(v, d int) int {
	if v == 0 {
		return d
	}
	return v
}

// Ready is closed when every agent was welcomed by the server.
func (f *Fleet) Ready() <-chan struct{} { return f.ready }

// Instances are the IDs of the fleet's machines, once it is ready.
func (f *Fleet) Instances() []string {
	ids := make([]string, len(f.agents))
	for i, a := range f.agents {
		ids[i] = a.instance
	}
	return ids
}

// Counts tells what has happened so far.
func (f *Fleet) Counts() Counts {
	return Counts{
		Registered: f.registered.Load(), Welcomed: f.welcomed.Load(), Runs: f.runs.Load(), Repeated: f.repeated.Load(),
		Stopped: f.stopped.Load(), Acked: f.acked.Load(), Gone: f.gone.Load(),
	}
}

// Run registers the machines, connects their agents and lets them work until ctx ends. It fails when
// a machine cannot register; a lost connection is made again for ever. It may be called once.
func (f *Fleet) Run(ctx context.Context) error {
	bus, err := f.register(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	byID := make(map[string]*agent, len(f.agents))
	for _, a := range f.agents {
		byID[wire.ToSubject(a.instance, a.link)] = a
	}
	defer f.close()
	g, ctx := errgroup.WithContext(ctx)
	for _, in := range f.inbox {
		g.Go(func() error { return f.receive(ctx, in, byID) })
	}
	g.Go(func() error { return f.tick(ctx) })
	g.Go(func() error { return f.connect(ctx, bus) })
	return g.Wait()
}

// receive takes what the server says to the agents of one inbox.
func (f *Fleet) receive(ctx context.Context, in <-chan *nats.Msg, bySubject map[string]*agent) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-in:
			a := bySubject[m.Subject]
			msg, err := wire.Decode[wire.ToAgent](m.Data)
			if a == nil || err != nil {
				f.cfg.Log.Warn("a message makes no sense", "subject", m.Subject, "err", err)
				continue
			}
			a.receive(&msg)
		}
	}
}

// tick looks at every agent now and then.
func (f *Fleet) tick(ctx context.Context) error {
	t := time.NewTicker(max(5*time.Millisecond, f.scaled(250*time.Millisecond)))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-t.C:
			for _, a := range f.agents {
				a.look(now)
			}
		}
	}
}

func (f *Fleet) scaled(d time.Duration) time.Duration { return d / time.Duration(f.cfg.Scale) }

// close ends all connections.
func (f *Fleet) close() {
	for _, a := range f.agents {
		a.leave()
	}
}
