package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/orderly-run/orderly/internal/gateway"
)

// HTTPLimits bound what callers can take of a server before it knows who they are; the zero value of
// each field means the default named there.
type HTTPLimits struct {
	Connections    int           // 8192; open at the same time
	ConnectionsOf  int           // 1024; of them from one address, or from one /64 of IPv6
	HeaderTimeout  time.Duration // 10 s; for the TLS handshake, and for the head of each request
	RequestTimeout time.Duration // 1 min; for a whole request to arrive, and for its answer to be taken
	IdleTimeout    time.Duration // 2 min; between requests
	Header         int           // 256 KiB; bytes of a request's head, which may have all parameters
	Body           int           // 2 MiB; bytes of its body
}

func (l HTTPLimits) withDefaults() HTTPLimits {
	return HTTPLimits{
		cmp.Or(l.Connections, 8192), cmp.Or(l.ConnectionsOf, 1024), cmp.Or(l.HeaderTimeout, 10*time.Second),
		cmp.Or(l.RequestTimeout, time.Minute), cmp.Or(l.IdleTimeout, 2*time.Minute), cmp.Or(l.Header, 256<<10), cmp.Or(l.Body, 2<<20),
	}
}

// maxStreams is how many requests may be under way on one connection of HTTP/2.
const maxStreams = 64

// server is an HTTP server with these limits, for listeners that door makes.
func (l HTTPLimits) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: l.HeaderTimeout, ReadTimeout: l.RequestTimeout, WriteTimeout: l.RequestTimeout, IdleTimeout: l.IdleTimeout,
		MaxHeaderBytes: l.Header, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}, ConnContext: withGuest,
	}
}

// A door is a listener that lets so many connections in at a time, and so many of them from one address.
// It closes others at once, so that who holds many keeps nobody else out.
type door struct {
	net.Listener
	most, each int
	refused    func() // is told of each that is closed

	mu  sync.Mutex
	all int
	of  map[netip.Prefix]int
}

func (l HTTPLimits) door(in net.Listener, refused func()) *door {
	return &door{Listener: in, most: l.Connections, each: l.ConnectionsOf, refused: refused, of: map[netip.Prefix]int{}}
}

// Accept waits for the next connection that may come in.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := neighbourhood(conn.RemoteAddr())
		if d.enter(from) {
			return &guest{conn, sync.OnceFunc(func() { d.leave(from) })}, nil
		}
		d.refused()
		conn.Close()
	}
}

func (d *door) enter(from netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= d.most || d.of[from] >= d.each {
		return false
	}
	d.all++
	d.of[from]++
	return true
}

func (d *door) leave(from netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if d.of[from]--; d.of[from] == 0 {
		delete(d.of, from)
	}
}

// neighbourhood is what one caller may have of addresses: one of IPv4, a /64 of IPv6.
func neighbourhood(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// A guest is a connection that counts until it leaves.
type guest struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}

type guestKey struct{}

// withGuest notes whose connection a request came on.
func withGuest(ctx context.Context, conn net.Conn) context.Context {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	return context.WithValue(ctx, guestKey{}, conn)
}

// tunnel serves machines that reach the bus within a WebSocket. One that is still there when the bus
// must have seen who it is counts no longer: a thousand of them may share an address.
func (s *Server) tunnel(w http.ResponseWriter, r *http.Request) {
	if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
		known := time.AfterFunc(gateway.AuthTimeout*3/2, g.leave)
		defer known.Stop()
	}
	s.gateway.Tunnel(w, r)
}
