package agent

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// Bounds of what waits in memory to be handled. What is dropped comes again.
const (
	maxPending      = 4096
	maxPendingBytes = 8 << 20
)

// An uplink is the way to the server.
type uplink struct {
	conn      *connection      // nil while we stay away
	welcome   bool             // the server knows this link: reports may go
	admitted  bool             // it did so at least once, and has not said goodbye since: tasks may start
	rival     bool             // it said last that another agent is this instance: not even schedules may start
	listed    bool             // the next hello carries the list of tasks
	part      int              // how many of them, 0 for all
	after     *orderly.TaskKey // behind which key
	hellos    int              // unanswered ones
	heartbeat time.Duration
	beats     *time.Timer
	window    atomic.Int64 // ns over which to spread a reconnect
}

// A connection is one of NATS, which renews itself. Only Run uses it but for attempts.
type connection struct {
	nc       *nats.Conn // nil until it is up for the first time
	up       bool       // so that it need not be asked: while it dials, nc answers nothing
	attempts atomic.Int32
}

// connect begins to connect. Whatever goes wrong is tried again.
func (a *Agent) connect() {
	c := &connection{}
	c.attempts.Store(1)
	a.uplink.conn = c
	opts, err := a.options(c)
	if err != nil {
		a.fail(err)
		return
	}
	go func() {
		nc, err := opts.Connect()
		if err != nil {
			a.post(func() { a.unconnected(c, err) })
			return
		}
		select {
		case a.events <- func() { a.attached(c, nc) }:
		case <-a.over:
			nc.Close()
		}
	}()
}

// unconnected is called when there is not even somebody to ask again.
func (a *Agent) unconnected(c *connection, err error) {
	a.log.Error("cannot connect", "error", err)
	a.troubled(err)
	a.after(a.cfg.Times.Reconnect.pause(16), func() {
		if a.uplink.conn == c && !a.leaving {
			a.connect()
		}
	})
}

func (a *Agent) attached(c *connection, nc *nats.Conn) {
	if a.uplink.conn != c {
		nc.Close()
		return
	}
	c.nc = nc
}

// options are those that a connection of this identity cannot do without.
func (i *Identity) options(d *dialer) (*nats.Options, error) {
	key, err := nkeys.FromSeed([]byte(i.Seed))
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, err
	}
	tlsConfig, secure, err := i.transport()
	if err != nil {
		return nil, err
	}
	o := nats.GetDefaultOptions()
	o.Servers = i.buses()
	o.Nkey, o.SignatureCB = public, key.Sign
	o.TLSConfig, o.Secure = tlsConfig, secure
	o.CustomDialer, o.SkipHostLookup = d, true
	return &o, nil
}

// options are those of a connection that never gives up and takes little memory.
func (a *Agent) options(c *connection) (*nats.Options, error) {
	o, err := a.identity.options(a.dialer)
	if err != nil {
		return nil, err
	}
	o.Name = a.link // so that the server knows whose end it sees
	o.Timeout, o.PingInterval, o.MaxPingsOut = dialTimeout, a.cfg.Times.Ping, 1
	o.MaxReconnect, o.RetryOnFailedConnect, o.IgnoreAuthErrorAbort = -1, true, true
	o.ReconnectBufSize = -1
	o.ReconnectToServerCB = func(servers []nats.Server, _ nats.ServerInfo) (*nats.Server, time.Duration) {
		return &servers[rand.IntN(len(servers))], a.pause(int(c.attempts.Add(1)) - 1)
	}
	o.ConnectedCB = func(nc *nats.Conn) { a.post(func() { a.up(c, nc) }) }
	o.ReconnectedCB = o.ConnectedCB
	o.DisconnectedErrCB = func(_ *nats.Conn, err error) { a.post(func() { a.down(c, err) }) }
	o.ReconnectErrCB = func(_ *nats.Conn, err error) {
		a.log.Warn("cannot connect", "error", err)
		a.post(func() { a.troubled(err) })
	}
	o.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) {
		a.log.Warn("trouble with the connection", "error", err)
	}
	return o, nil
}

// keepAlive lets the system find out within half a minute that a server is gone without a word, at no
// cost to either side's memory.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// pause is how long to wait before the n-th attempt to connect; the first after a loss is spread
// over the time that the server asks for.
func (a *Agent) pause(n int) time.Duration {
	if w := time.Duration(a.uplink.window.Load()); n == 0 && w > 0 {
		return jitter(w)
	}
	return a.cfg.Times.Reconnect.pause(n)
}

// up is called when a connection is there, for the first time or again.
func (a *Agent) up(c *connection, nc *nats.Conn) {
	if a.uplink.conn != c {
		return
	}
	c.nc, c.up = nc, true
	c.attempts.Store(0)
	a.status.Bus, a.status.Transport = nc.ConnectedUrlRedacted(), a.dialer.arrived()
	a.log.Info("connected", "server", a.status.Bus, "transport", a.status.Transport)
	if nc.NumSubscriptions() == 0 {
		if err := a.subscribe(nc); err != nil {
			a.log.Error("cannot subscribe", "error", err)
		}
	}
	a.uplink.welcome, a.uplink.hellos, a.uplink.after = false, 0, nil
	a.hello(c)
}

func (a *Agent) subscribe(nc *nats.Conn) error {
	sub, err := nc.Subscribe(wire.ToSubject(a.identity.Instance, a.link), func(m *nats.Msg) {
		at := time.Now()
		msg, err := wire.Decode[wire.ToAgent](m.Data)
		if err != nil {
			a.log.Warn("a message makes no sense", "error", err)
			return
		}
		a.post(func() { a.receive(&msg, at) })
	})
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(maxPending, maxPendingBytes)
}

// down is called when the connection is lost.
func (a *Agent) down(c *connection, err error) {
	if a.uplink.conn != c {
		return
	}
	a.uplink.welcome, c.up = false, false
	a.log.Warn("disconnected", "error", err)
	a.stand(Connecting)
	a.troubled(err)
}

// disconnect closes the connection for good.
func (a *Agent) disconnect() {
	c := a.uplink.conn
	a.uplink.conn, a.uplink.welcome = nil, false
	switch {
	case c == nil || c.nc == nil:
	case c.up:
		c.nc.Close()
	default:
		go c.nc.Close() // it waits for an attempt to connect
	}
}

// publish sends a message; one that cannot go now is sent again by whoever needs an answer.
func (a *Agent) publish(kind string, m any) {
	c := a.uplink.conn
	if c == nil || !c.up {
		return
	}
	err := c.nc.Publish(wire.FromSubject(a.identity.Instance, kind), wire.Encode(m))
	if err != nil && !errors.Is(err, nats.ErrReconnectBufExceeded) {
		a.log.Warn("cannot send", "kind", kind, "error", err)
	}
}
