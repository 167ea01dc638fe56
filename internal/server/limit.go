package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/orderly-run/orderly/internal/gateway"
	"github.com/orderly-run/orderly/internal/rpc"
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
	Bodies         int           // 128 MiB; bytes of all bodies of requests to the API that are under way
	BodiesOf       int           // 32 MiB; of those from one address, or from one /64 of IPv6
}

func (l HTTPLimits) withDefaults() HTTPLimits {
	body := cmp.Or(l.Body, 2<<20)
	return HTTPLimits{
		cmp.Or(l.Connections, 8192), cmp.Or(l.ConnectionsOf, 1024), cmp.Or(l.HeaderTimeout, 10*time.Second),
		cmp.Or(l.RequestTimeout, time.Minute), cmp.Or(l.IdleTimeout, 2*time.Minute), cmp.Or(l.Header, 256<<10), body,
		max(cmp.Or(l.Bodies, 128<<20), body), max(cmp.Or(l.BodiesOf, 32<<20), body),
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

// Shares are what callers have of something, at most so much in all and so much from one address.
type shares struct {
	most, each int

	mu  sync.Mutex
	all int
	of  map[netip.Prefix]int
}

func newShares(most, each int) *shares {
	return &shares{most: most, each: each, of: map[netip.Prefix]int{}}
}

// take takes n more for an address; false when there is not so much left for it.
func (s *shares) take(from netip.Prefix, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all+n > s.most || s.of[from]+n > s.each {
		return false
	}
	s.all += n
	s.of[from] += n
	return true
}

// give gives back n that were taken.
func (s *shares) give(from netip.Prefix, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all -= n
	if s.of[from] -= n; s.of[from] == 0 {
		delete(s.of, from)
	}
}

// A door is a listener that lets so many connections in at a time, and so many of them from one address.
// It closes others at once, so that who holds many keeps nobody else out.
type door struct {
	net.Listener
	guests  *shares
	refused func() // is told of each that is closed
}

func (l HTTPLimits) door(in net.Listener, refused func()) *door {
	return &door{in, newShares(l.Connections, l.ConnectionsOf), refused}
}

// Accept waits for the next connection that may come in.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := neighbourhood(conn.RemoteAddr())
		if d.guests.take(from, 1) {
			return &guest{conn, from, sync.OnceFunc(func() { d.guests.give(from, 1) })}, nil
		}
		d.refused()
		conn.Close()
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
	from  netip.Prefix
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

// bounded has the bodies of requests counted while they are answered: they are read before it is known who asks, for the
// signature may be in them.
func (l HTTPLimits) bounded(h http.Handler) http.Handler {
	all := newShares(l.Bodies, l.BodiesOf)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := &body{ReadCloser: r.Body, of: all}
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
			b.from = g.from
		}
		defer b.release()
		counted := *r
		counted.Body = b
		h.ServeHTTP(w, &counted)
	})
}

// A body is one whose bytes count from when they are read.
type body struct {
	io.ReadCloser
	of   *shares
	from netip.Prefix
	read int
}

// Read reads on unless too much is held already.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n == 0 {
		return 0, err
	}
	if !b.of.take(b.from, n) {
		return 0, rpc.Overloaded
	}
	b.read += n
	return n, err
}

func (b *body) release() { b.of.give(b.from, b.read) }
