package gateway

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

// Times and sizes of a tunnel.
const (
	tunnelDial  = 10 * time.Second // to the bus
	tunnelStall = 10 * time.Second // how long an end may take nothing, as on the bus itself
	tunnelChunk = 4 << 10          // what is carried at once
)

// AuthTimeout is how long a connection to the bus may live without having shown who it is.
const AuthTimeout = 30 * time.Second

// Tunnel carries a connection to the bus within a WebSocket, byte for byte, for machines whose network
// lets them reach the API's address only; it is for wire.BusPath. It knows nothing of what it carries: the
// bus asks who is there, and TLS is between the bus and the machine.
func (g *Gateway) Tunnel(w http.ResponseWriter, r *http.Request) {
	select {
	case <-g.ready:
	default:
		http.Error(w, "the message bus is starting", http.StatusServiceUnavailable)
		return
	}
	bus, err := g.bus.dial(r.Context())
	if err != nil {
		g.cfg.Log.Warn("no way to the message bus", "err", err)
		http.Error(w, "the message bus does not answer", http.StatusBadGateway)
		return
	}
	defer bus.Close()
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer ws.CloseNow() //nolint:errcheck // there is nobody to tell
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	machine := websocket.NetConn(ctx, ws, websocket.MessageBinary)
	var both errgroup.Group
	end := func(err error) error { // of one direction is that of both
		bus.Close()
		_ = ws.CloseNow()
		return err
	}
	both.Go(func() error { defer cancel(); return end(pour(machine, bus)) })
	both.Go(func() error { defer cancel(); return end(pour(bus, machine)) })
	both.Go(func() error {
		select {
		case <-g.ended:
			return end(nil)
		case <-ctx.Done():
			return nil
		}
	})
	if err := both.Wait(); err != nil {
		g.cfg.Log.Debug("tunnel", "from", r.RemoteAddr, "err", err)
	}
}

// pour carries what comes from one connection to another until there is no more.
func pour(to, from net.Conn) error {
	buf := make([]byte, tunnelChunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if err := to.SetWriteDeadline(time.Now().Add(tunnelStall)); err != nil {
				return err
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// dial connects to the bus as a machine would.
func (b *Bus) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: tunnelDial}
	if b.srv != nil {
		b.mu.RLock()
		addr := b.addr
		b.mu.RUnlock()
		return d.DialContext(ctx, "tcp", addr.String()) // to any address is to this machine
	}
	list := strings.Split(b.cfg.URL, ",")
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var errs []error
	for _, text := range list {
		addr, err := natsAddress(text)
		if err != nil {
			return nil, err
		}
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// natsAddress is the host and port in the URL of a NATS server.
func natsAddress(text string) (string, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("the URL of the message bus makes no sense")
	}
	port := u.Port()
	if port == "" {
		port = "4222"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}
