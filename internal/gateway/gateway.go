package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

// Config is how agents are served; the zero value of each field means the default named there.
type Config struct {
	Heartbeat time.Duration // 60 s; between an agent's beats (HB-2)
	Presence  time.Duration // 5 s; between writes of signs of life
	Probe     time.Duration // 2 s; how long a link has to show that it lives when another claims its instance
	Window    time.Duration // 10 s; over which agents spread a reconnect
	Advertise string        // host:port or URL of the bus that agents are told, several with commas between; the host they registered with, and the bus's port
	Servers   []string      // URLs of the API that agents are told; none
	CA        string        // PEM of the CA that agents are told to trust; "" for their system's
	Log       *slog.Logger  // slog.Default()
}

// Gateway serves agents.
type Gateway struct {
	cfg     Config
	bus     *Bus
	db      *store.DB
	engine  *engine.Engine
	fleet   *fleet.Fleet
	callout *callout
	hellos  *batcher[hello]
	reports *batcher[received]
	lost    *batcher[seat]

	hellosOf, reportsOf, badBeatsOf shares

	mu     sync.Mutex
	beats  map[string]store.Beat // not yet stored, by instance
	probes map[seat]probe
	ready  chan struct{} // closed when agents can be served
	ended  chan struct{} // closed when they are served no longer
	probed chan struct{} // has something when a sign of life is waited for

}

// New makes a gateway on a bus.
func New(bus *Bus, db *store.DB, e *engine.Engine, f *fleet.Fleet, cfg Config) *Gateway {
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&cfg.Heartbeat, time.Minute}, {&cfg.Presence, 5 * time.Second}, {&cfg.Probe, 2 * time.Second}, {&cfg.Window, 10 * time.Second}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	g := &Gateway{
		cfg: cfg, bus: bus, db: db, engine: e, fleet: f, callout: newCallout(db, bus.cfg.Keys.Issuer),
		beats: map[string]store.Beat{}, probes: map[seat]probe{}, ready: make(chan struct{}), ended: make(chan struct{}), probed: make(chan struct{}, 1),
	}
	g.hellos = newBatcher(500, g.greet)
	g.reports = newBatcher(500, g.report)
	g.lost = newBatcher(1000, g.forgetLinks)
	return g
}

// Run serves agents until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.callout.load(ctx); err != nil {
		return err
	}
	defer g.bus.stop()
	if err := g.bus.start(); err != nil {
		return err
	}
	if g.bus.srv != nil { // every link was to the bus that ended with the process before this
		if err := g.db.Write(ctx, store.Mass, (*store.Tx).UnlinkAll); err != nil {
			return fmt.Errorf("forget the links of before: %w", err)
		}
	}
	if err := g.listen(ctx); err != nil {
		return err
	}
	if err := g.bus.open(); err != nil {
		return err
	}
	close(g.ready)
	defer close(g.ended)
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return g.hellos.Run(ctx) })
	parts.Go(func() error { return g.reports.Run(ctx) })
	parts.Go(func() error { return g.lost.Run(ctx) })
	parts.Go(func() error { return g.writeBeats(ctx) })
	parts.Go(func() error { return g.trim(ctx) })
	parts.Go(func() error { return g.lookAfter(ctx) })
	return parts.Wait()
}

// Ready is closed when agents can be served.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// servers is the queue group of all servers: each message from an agent goes to one of them.
const servers = "servers"

// listen subscribes to what agents and other servers say.
func (g *Gateway) listen(ctx context.Context) error {
	b := g.bus
	subs := []struct {
		conn    *nats.Conn
		subject string
		queue   string
		handle  nats.MsgHandler
	}{
		{b.out, calloutSubject, servers, func(m *nats.Msg) { g.callout.answer(ctx, m) }},
		{b.out, wire.FromPattern(wire.KindHello), servers, g.onHello},
		{b.report, wire.FromPattern(wire.KindReport), servers, g.onReport},
		{b.out, wire.FromPattern(wire.KindBeat), "", g.onBeat},
		{b.out, goneSubject, "", func(m *nats.Msg) { g.cut(string(m.Data)) }},
		{b.system, disconnectSubject, "", func(m *nats.Msg) {
			if s, ok := g.callout.left(m.Data); ok {
				g.lost.add(s)
			}
		}},
	}
	for _, s := range subs {
		if s.conn == nil {
			continue
		}
		sub, err := s.conn.QueueSubscribe(s.subject, s.queue, s.handle)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", s.subject, err)
		}
		if err := sub.SetPendingLimits(1<<20, 512<<20); err != nil {
			return err
		}
	}
	return b.out.Flush()
}

// Cut drops an instance that was deregistered: here, on all other servers, and its connections.
func (g *Gateway) Cut(instance string) {
	g.cut(instance)
	if nc := g.bus.conn(); nc != nil {
		_ = nc.Publish(goneSubject, []byte(instance))
		_ = nc.Flush()
	}
}

// lookAfter looks now and then for connections that ended without a word, until ctx ends.
func (g *Gateway) lookAfter(ctx context.Context) error {
	tick := time.NewTicker(AuthTimeout)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, s := range g.callout.missed(g.bus.lives) {
			g.lost.add(s)
		}
	}
}

// lives reports whether a connection is there, for all that is known here: of those to a cluster nothing is.
func (b *Bus) lives(cl client) bool {
	return b.srv == nil || cl.server != b.srv.ID() || b.srv.GetClient(cl.id) != nil
}

// farewell is how long an agent that is cut off has to read why.
const farewell = 100 * time.Millisecond

func (g *Gateway) cut(instance string) {
	for _, cl := range g.callout.forget(instance) {
		s, _ := g.callout.seat(cl)
		g.bus.say(instance, s.link, wire.ToAgent{Goodbye: wire.ByeDeregistered})
		time.AfterFunc(farewell, func() { g.bus.kick(cl) })
	}
}

// kick closes a connection.
func (b *Bus) kick(cl client) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.system == nil {
		return
	}
	body, err := json.Marshal(struct {
		CID uint64 `json:"cid"`
	}{cl.id})
	if err == nil {
		// It is done only for requests; nobody needs the answer.
		_ = b.system.PublishRequest("$SYS.REQ.SERVER."+cl.server+".KICK", nats.NewInbox(), body)
	}
}
