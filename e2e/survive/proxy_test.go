package survive_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orderly-run/orderly/internal/wire"
)

// A proxy is the network between one agent and the server's bus. It can be cut, it can stall, and
// it can lose single messages.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	conns   map[net.Conn]bool
	cut     bool
	stalled chan struct{} // closed when it flows again; nil while it does
	loses   func(message) bool
	closed  bool
	done    sync.WaitGroup
}

// A message is one of NATS on its way through a proxy.
type message struct {
	subject string
	payload []byte
}

// toAgent is what the server says; nothing when the message goes the other way.
func (m message) toAgent() (v wire.ToAgent) {
	if strings.HasPrefix(m.subject, "orderly.to.") {
		v, _ = wire.Decode[wire.ToAgent](m.payload)
	}
	return v
}

func isRun(m message) bool    { return m.toAgent().Run != nil }
func isAck(m message) bool    { return m.toAgent().Ack != 0 }
func isStop(m message) bool   { return m.toAgent().Stop != nil }
func isReport(m message) bool { return strings.HasSuffix(m.subject, "."+wire.KindReport) }

// isEnd is a report that a run has ended.
func isEnd(m message) bool {
	if !isReport(m) {
		return false
	}
	r, err := wire.Decode[wire.Reports](m.payload)
	return err == nil && slices.ContainsFunc(r.Snapshots, func(s wire.Snapshot) bool { return s.Number == wire.EndNumber })
}

// startProxy starts a proxy to target, which is host:port, until t ends.
func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.done.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

// sever cuts all connections, and lets none come up until heal.
func (p *proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.drop()
}

// stall lets nothing through until heal, and nobody knows why.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled == nil {
		p.stalled = make(chan struct{})
	}
}

// heal ends sever, stall and lose.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.loses = false, nil
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
}

// lose loses the messages that f says, from now on. f is called by several goroutines.
func (p *proxy) lose(f func(message) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loses = f
}

// next is closed when the next message passes that is like is; the message is lost if lost says so.
func (p *proxy) next(is func(message) bool, lost bool) <-chan struct{} {
	seen := make(chan struct{})
	var once sync.Once
	p.lose(func(m message) bool {
		if !is(m) {
			return false
		}
		first := false
		once.Do(func() { first = true; close(seen) })
		return first && lost
	})
	return seen
}

// loseEndAcks loses the acknowledgements of ends, from the next end on: those of what came before
// must get through, for an agent has one message of reports under way at a time. What it returns is closed when
// one was lost.
func (p *proxy) loseEndAcks() <-chan struct{} {
	lost := make(chan struct{})
	var once sync.Once
	var ended atomic.Bool
	p.lose(func(m message) bool {
		if isEnd(m) {
			ended.Store(true)
		}
		if !ended.Load() || !isAck(m) {
			return false
		}
		once.Do(func() { close(lost) })
		return true
	})
	return lost
}

// drop closes all connections; p.mu is held.
func (p *proxy) drop() {
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) close() {
	p.heal()
	p.mu.Lock()
	p.closed = true
	p.listener.Close()
	p.drop()
	p.mu.Unlock()
	p.done.Wait()
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.join(c) })
	}
}

// join connects a client to the target until one of them goes.
func (p *proxy) join(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.target)
	if err != nil || !p.add(client, server) {
		if err == nil {
			server.Close()
		}
		return
	}
	defer p.remove(client, server)
	var both sync.WaitGroup
	both.Go(func() { p.copy(client, server) })
	both.Go(func() { p.copy(server, client) })
	both.Wait()
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.closed {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

func (p *proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
		c.Close()
	}
}

// copy moves the frames of one direction until one side goes.
func (p *proxy) copy(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		frame, m, err := readFrame(r)
		if err != nil {
			return
		}
		if !p.passes(m) {
			continue
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// passes waits while the network stalls, and tells whether a message is not lost.
func (p *proxy) passes(m *message) bool {
	p.mu.Lock()
	stalled, loses := p.stalled, p.loses
	p.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
	return m == nil || loses == nil || !loses(*m)
}

const maxFrame = 4 << 20

// readFrame reads one frame of the NATS protocol; what carries no message of ours has none.
func readFrame(r *bufio.Reader) (frame []byte, m *message, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, nil, err
	}
	words := strings.Fields(string(line))
	if len(words) < 3 || !slices.Contains([]string{"PUB", "MSG", "HPUB", "HMSG"}, words[0]) {
		return line, nil, nil
	}
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil || size < 0 || size > maxFrame {
		return nil, nil, fmt.Errorf("size of %q: %w", line, errors.Join(err, errors.ErrUnsupported))
	}
	body := make([]byte, size+len("\r\n"))
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, nil, err
	}
	return append(line, body...), &message{subject: words[1], payload: body[:size]}, nil
}
