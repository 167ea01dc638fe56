package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

const agentVersion = "sim"

// Times of the protocol, divided by Config.Scale.
const (
	dialTimeout   = 30 * time.Second // not divided
	ping          = time.Minute
	helloFirst    = time.Second
	helloLast     = 30 * time.Second
	reportFirst   = 2 * time.Second
	reportLast    = time.Minute
	reconnectOne  = 500 * time.Millisecond
	reconnectLast = time.Minute
	rival         = time.Minute
)

// An agent is one pretend agent. Its methods may be called from any goroutine.
type agent struct {
	fleet       *Fleet
	instance    string
	link        string
	incarnation string
	boot        string
	key         nkeys.KeyPair
	public      string
	inbox       chan *nats.Msg
	fails       bool
	attempts    atomic.Int32 // to connect, since it was last connected
	window      atomic.Int64 // ns over which to spread a reconnect

	mu        sync.Mutex
	nc        *nats.Conn // nil until it is connected for the first time
	up        bool       // connected
	welcome   bool
	welcomed  bool // once at least
	listed    bool // the next hello carries the list of tasks
	over      bool // sent away, or at its end
	hellos    int  // unanswered ones
	heartbeat time.Duration
	helloAt   time.Time // when to say hello again
	beatAt    time.Time
	early     []*wire.Run // came before the welcome
	work      work
}

// connect connects all agents, a few at a time.
func (f *Fleet) connect(ctx context.Context, b bus) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.cfg.AtOnce)
	for _, a := range f.agents {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			nc, err := a.options(b).Connect()
			if err != nil {
				return err // the URL or the key is none; all else is tried again
			}
			a.attach(nc)
			return nil
		})
	}
	return g.Wait()
}

// options are those of a connection that never gives up and takes little memory.
func (a *agent) options(b bus) *nats.Options {
	o := nats.GetDefaultOptions()
	o.Url, o.Name = b.url, a.link // so that the server knows whose end it sees
	o.Nkey, o.SignatureCB = a.public, a.key.Sign
	o.TLSConfig, o.Secure = b.tls, b.tls != nil
	o.Timeout, o.PingInterval, o.MaxPingsOut = dialTimeout, a.fleet.scaled(ping), 2
	o.MaxReconnect, o.RetryOnFailedConnect, o.IgnoreAuthErrorAbort = -1, true, true
	o.ReconnectBufSize, o.WriteBufferSize = -1, 4096
	o.ReconnectToServerCB = func(servers []nats.Server, _ nats.ServerInfo) (*nats.Server, time.Duration) {
		return &servers[rand.IntN(len(servers))], a.pause(int(a.attempts.Add(1)) - 1)
	}
	o.ConnectedCB, o.ReconnectedCB = a.connected, a.connected
	o.DisconnectedErrCB = func(_ *nats.Conn, err error) { a.disconnected(err) }
	o.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) {
		a.fleet.cfg.Log.Warn("trouble with a connection", "instance", a.instance, "err", err)
	}
	return &o
}

// pause is how long to wait before the n-th attempt to connect again; the first is spread over the
// time that the server asks for.
func (a *agent) pause(n int) time.Duration {
	if w := time.Duration(a.window.Load()); n == 0 && w > 0 {
		return jitter(w)
	}
	return a.fleet.backoff(n, reconnectOne, reconnectLast)
}

// backoff is a pause that doubles from first to last, half to one and a half of it.
func (f *Fleet) backoff(n int, first, last time.Duration) time.Duration {
	d := last
	if n < 16 {
		d = min(d, first<<n)
	}
	d = f.scaled(d)
	return d/2 + jitter(d)
}

// jitter is a random part of d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// attach keeps the connection, so that it can be closed.
func (a *agent) attach(nc *nats.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nc = nc
	if a.over {
		nc.Close()
	}
}

// connected begins, on a connection that is up for the first time or again.
func (a *agent) connected(nc *nats.Conn) {
	a.attempts.Store(0)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	a.nc, a.up, a.welcome, a.hellos = nc, true, false, 0
	if nc.NumSubscriptions() == 0 {
		if _, err := nc.ChanSubscribe(wire.ToSubject(a.instance, a.link), a.inbox); err != nil {
			a.fleet.cfg.Log.Error("cannot subscribe", "instance", a.instance, "err", err)
		}
	}
	a.hello(time.Now())
}

func (a *agent) disconnected(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.up && !a.over {
		a.fleet.cfg.Log.Warn("disconnected", "instance", a.instance, "err", err)
	}
	a.up, a.welcome = false, false
}

// leave closes the connection for good.
func (a *agent) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over, a.welcome = true, false
	a.work.drop()
	if a.nc != nil {
		a.nc.Close()
	}
}

// publish sends a message; one that is lost is sent again by look.
func (a *agent) publish(kind string, m any) {
	_ = a.nc.Publish(wire.FromSubject(a.instance, kind), wire.Encode(m))
}

// hello says who is there.
func (a *agent) hello(now time.Time) {
	keys := a.work.keys()
	m := wire.Hello{Link: a.link, Incarnation: a.incarnation, Boot: a.boot, Version: wire.Version, Agent: agentVersion, Digest: wire.Digest(keys)}
	if a.listed {
		m.Tasks, m.Listed = keys, true
	}
	a.publish(wire.KindHello, m)
	a.helloAt = now.Add(a.fleet.backoff(a.hellos, helloFirst, helloLast))
	a.hellos++
}

// receive handles a message from the server.
func (a *agent) receive(m *wire.ToAgent) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	switch {
	case m.Welcome != nil:
		a.welcomedBy(m.Welcome, now)
	case m.Goodbye != "":
		a.dismissed(m.Goodbye, now)
	case m.Run != nil:
		a.run(m.Run, now)
	case m.Stop != nil:
		a.end(m.Stop, orderly.Cancelled, now)
	case m.Expire != nil:
		a.expire(m.Expire, now)
	case m.Ack != 0:
		a.acknowledged(m.Ack, now)
	case m.Probe:
		a.beat(now, true)
	}
}

func (a *agent) welcomedBy(w *wire.Welcome, now time.Time) {
	a.heartbeat = max(time.Duration(w.Heartbeat)*time.Millisecond, time.Millisecond)
	a.window.Store(w.Window * int64(time.Millisecond))
	a.hellos = 0
	if a.listed = w.Tasks; a.listed {
		a.hello(now)
		return
	}
	a.welcome = true
	a.fleet.welcomed.Add(1)
	if !a.welcomed {
		a.welcomed = true
		if a.fleet.first.Add(1) == int64(a.fleet.cfg.Agents) {
			close(a.fleet.ready)
		}
	}
	a.beatAt = now.Add(a.heartbeat - a.heartbeat/12 + jitter(a.heartbeat/6)) // HB-2
	a.resume(now)
	early := a.early
	a.early = nil
	for _, r := range early {
		a.run(r, now)
	}
}

func (a *agent) dismissed(reason string, now time.Time) {
	a.welcome, a.early = false, nil
	a.fleet.cfg.Log.Warn("goodbye", "instance", a.instance, "reason", reason)
	if reason == wire.ByeDuplicate {
		a.helloAt = now.Add(a.fleet.scaled(rival/2) + jitter(a.fleet.scaled(rival/2)))
		return
	}
	a.over = true
	a.fleet.gone.Add(1)
	a.nc.Close()
}

func (a *agent) beat(now time.Time, probed bool) {
	a.publish(wire.KindBeat, wire.Beat{Link: a.link, Probed: probed})
	a.beatAt = now.Add(a.heartbeat - a.heartbeat/12 + jitter(a.heartbeat/6))
}

// look does what is due.
func (a *agent) look(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.over || !a.up:
	case !a.welcome:
		if now.After(a.helloAt) {
			a.hello(now)
		}
	default:
		if now.After(a.beatAt) {
			a.beat(now, false)
		}
		if f := a.work.flight; f != nil && now.After(f.due) {
			a.transmit(now)
		}
	}
}
