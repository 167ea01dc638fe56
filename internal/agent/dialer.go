package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/orderly-run/orderly/internal/wire"
)

// A Transport is what carries the connection to the bus.
type Transport string

// The transports. Auto is TCP, and WebSocket when that does not lead to a bus.
const (
	Auto      Transport = "auto"
	TCP       Transport = "tcp"
	WebSocket Transport = "websocket"
)

func (t Transport) ways() ([]Transport, error) {
	switch t {
	case Auto:
		return []Transport{TCP, WebSocket}, nil
	case TCP, WebSocket:
		return []Transport{t}, nil
	}
	return nil, fmt.Errorf("transport is %s, %s or %s, not %q", Auto, TCP, WebSocket, t)
}

// Check finds whether t is one.
func (t Transport) Check() error {
	_, err := t.ways()
	return err
}

// How long one way to the bus may take. With a second one to try, the first gets less: where a network
// drops what it does not like, nothing comes back at all.
const (
	dialTimeout  = 30 * time.Second // leaves a server time that a hundred thousand others are dialling too
	firstTimeout = 10 * time.Second
)

// A dialer connects to the bus for NATS: straight, or within a WebSocket to an address of the API, for
// networks that let nothing else out. What is said within is the same, and so is its TLS: who carries it can
// read nothing. The way that led to a bus is taken again; one that did not is tried last the next time, be
// it that no connection came about or that nobody answered on it as a bus does.
type dialer struct {
	proxy proxy
	ways  []Transport

	timeout time.Duration // of each way; dialTimeout

	mu      sync.Mutex
	id      Identity // who is at the API's addresses
	first   int      // index of the way to try first
	pending bool     // it has given out a connection of which nothing good was heard yet
}

func newDialer(id *Identity, p proxy, t Transport) (*dialer, error) {
	ways, err := t.ways()
	if err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &dialer{proxy: p, ways: ways, id: *id}, nil
}

// aim sets the addresses of the API.
func (d *dialer) aim(id Identity) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id = id
}

// Dial connects to an address of the bus.
func (d *dialer) Dial(_, address string) (net.Conn, error) {
	first := d.begin()
	var errs []error
	for n := range d.ways {
		i := (first + n) % len(d.ways)
		timeout := cmp.Or(d.timeout, dialTimeout)
		if n < len(d.ways)-1 {
			timeout = min(timeout, firstTimeout)
		}
		conn, err := d.dial(d.ways[i], address, timeout)
		if err == nil {
			d.given(i)
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("by %s: %w", d.ways[i], err))
	}
	return nil, errors.Join(errs...)
}

// begin is the index of the way to try first.
func (d *dialer) begin() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending {
		d.first, d.pending = (d.first+1)%len(d.ways), false
	}
	return d.first
}

func (d *dialer) given(i int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.first, d.pending = i, true
}

// arrived is called when a bus has answered on the last connection; it returns what carries that.
func (d *dialer) arrived() Transport {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = false
	return d.ways[d.first]
}

func (d *dialer) dial(t Transport, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if t == TCP {
		return d.proxy.dial(ctx, "tcp", address)
	}
	return d.tunnel(ctx)
}

// tunnel connects to a bus through one of the API's addresses.
func (d *dialer) tunnel(ctx context.Context) (net.Conn, error) {
	d.mu.Lock()
	id := d.id
	d.mu.Unlock()
	servers := slices.Clone(id.servers())
	rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	var errs []error
	for _, s := range servers {
		conn, err := d.tunnelTo(ctx, &id, s)
		if err == nil {
			return newTunnel(conn), nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (d *dialer) tunnelTo(ctx context.Context, id *Identity, server string) (*websocket.Conn, error) {
	u, err := parseServer(server)
	if err != nil {
		return nil, err
	}
	trust, err := id.webTrust(u.Hostname()) // made when it is needed: the system's certificates take a megabyte
	if err != nil {
		return nil, err
	}
	//nolint:bodyclose // the library closes it
	conn, _, err := websocket.Dial(ctx, u.JoinPath(wire.BusPath).String(), &websocket.DialOptions{HTTPClient: d.proxy.client(trust, 0)})
	return conn, err
}

// A tunnel is a WebSocket that carries a connection.
type tunnel struct {
	net.Conn
	ws    *websocket.Conn
	leave context.CancelFunc
}

func newTunnel(ws *websocket.Conn) *tunnel {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tunnel{websocket.NetConn(ctx, ws, websocket.MessageBinary), ws, cancel}
	go t.keepOpen(ctx)
	return t
}

// tunnelSign is how often something passes a tunnel, whatever NATS has to say: what stands in between
// closes connections that are silent for a minute.
const tunnelSign = 25 * time.Second

// keepOpen gives signs of life until ctx ends or nobody answers them.
func (t *tunnel) keepOpen(ctx context.Context) {
	tick := time.NewTicker(tunnelSign)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, tunnelSign)
		err := t.ws.Ping(limited)
		cancel()
		if err != nil {
			_ = t.Close()
			return
		}
	}
}

// Close closes the connection without waiting for the other end's consent.
func (t *tunnel) Close() error {
	t.leave()
	return t.ws.CloseNow()
}
