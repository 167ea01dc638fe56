package gateway_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/gateway"
	"github.com/orderly-run/orderly/internal/wire"
)

// flood publishes messages as an agent again and again until the test ends.
func (p *peer) flood(kind string, messages ...any) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			for _, m := range messages {
				_ = p.nc.Publish(wire.FromSubject(p.id.instance, kind), wire.Encode(m))
			}
			_ = p.nc.Flush()
		}
	})
	p.t.Cleanup(func() { cancel(); done.Wait() })
}

// One agent that says what no database stores must not keep others from being welcome.
func TestHostileHelloHarmsNobodyElse(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		c := start(t, url, false)
		id := c.register()
		thief, err := c.dial(id, "thief", id.key)
		must(t, err)
		hello := wire.Hello{Link: "thief", Incarnation: "inc", Boot: "boot", Version: wire.Version}
		var hellos []any
		for _, agent := range []string{"\x00", "1.0\x00", "\x1b[2J", "\u009b2J", "\n"} {
			hello.Agent = agent
			hellos = append(hellos, hello)
		}
		thief.flood(wire.KindHello, hellos...)
		for range 5 {
			good := c.register()
			p, err := c.dial(good, "good", good.key)
			must(t, err)
			p.hello()
			select {
			case m := <-p.in:
				if m.Welcome == nil {
					t.Errorf("answered %+v, want a welcome", m)
				}
			case <-time.After(3 * time.Second):
				t.Error("a good agent is not welcome within 3 s while another says hello with a character 0 in its version")
			}
			p.nc.Close()
		}
	})
}

// Whatever numbers and texts an agent reports, others' reports are stored, and nothing is refused row
// by row.
func TestHostileReportsHarmNobodyElse(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		c := start(t, url, false)
		thief, good := c.connect(c.register(), "thief"), c.connect(c.register(), "good")
		c.run(thief.id.instance)
		key := thief.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run.TaskKey
		least, most, exit := int64(math.MinInt64), int64(math.MaxInt64), math.MinInt
		code := orderly.ErrorCode("a\x00b")
		thief.flood(wire.KindReport, wire.Reports{Link: "thief", Number: 9, Snapshots: []wire.Snapshot{
			{TaskKey: key, Number: 2, State: orderly.Running, StartedAgo: &most, Output: []byte("x"), Offset: most},
			{TaskKey: key, Number: 3, State: orderly.Running, StartedAgo: &least, Output: []byte("x"), Offset: most - 1, Total: most},
			{TaskKey: orderly.TaskKey{Invocation: most, Ordinal: math.MaxInt}, Number: most, State: orderly.Success},
			{TaskKey: orderly.TaskKey{Invocation: least, Ordinal: math.MinInt}, Number: most, State: orderly.Success},
			{TaskKey: key, Number: most - 1, State: orderly.Error, Code: code, StartedAgo: &most, EndedAgo: &least, ExitCode: &exit, Total: most},
			{TaskKey: key, Number: most, State: orderly.Error, Code: code, StartedAgo: &least, EndedAgo: &most, ExitCode: &exit, Total: most},
		}})
		for range 3 {
			invoke := c.run(good.id.instance)
			own := good.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run.TaskKey
			good.report(1, ended(own, orderly.Success, 0))
			good.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
			c.becomes(invoke, orderly.Success)
		}
		if n := c.refused.Load(); n > 0 {
			t.Errorf("%d reports were tried one by one and refused, want none", n)
		}
	})
}

// However often and under whatever numbers an agent says how a task ended: one end is the result, one may be late.
func TestEndsOfOneTaskAreBounded(t *testing.T) { // LATE-2
	each(t, func(t *testing.T, url string) {
		c := start(t, url, false)
		thief := c.connect(c.register(), "thief")
		invoke := c.run(thief.id.instance)
		key := thief.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run.TaskKey
		thief.report(1, ended(key, orderly.Success, 0))
		thief.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
		c.becomes(invoke, orderly.Success)
		for n := range int64(100) {
			again := ended(key, orderly.Failed, 1)
			again.Number = wire.EndNumber + 1 + n
			thief.report(uint64(2+2*n), again)
			again.Run, again.Number = int(n)+1, wire.Number(int(n)+1, wire.EndNumber)
			thief.report(uint64(3+2*n), again)
			thief.until("an ack", func(m wire.ToAgent) bool { return m.Ack == uint64(3+2*n) })
		}
		late, err := c.db.LateResults(t.Context(), key.Invocation, 1000)
		must(t, err)
		if len(late) > 1 {
			t.Errorf("%d late results are kept of one task", len(late))
		}
	})
}

// A beat is of its own instance's link, whatever it says.
func TestBeatOfAnotherInstanceAnswersNoProbe(t *testing.T) {
	c := start(t, t.TempDir()+"/orderly.db", false)
	id := c.register()
	c.connect(id, "silent") // holds the instance, and answers no probe
	thief := c.connect(c.register(), "thief")
	thief.flood(wire.KindBeat, wire.Beat{Link: "silent"})
	next, err := c.dial(id, "next", id.key)
	must(t, err)
	next.hello()
	m := next.until("an answer", func(m wire.ToAgent) bool { return m.Welcome != nil || m.Goodbye != "" })
	if m.Goodbye != "" {
		t.Errorf("goodbye %q: another instance's beat spoke for a dead link", m.Goodbye)
	}
}

// Every link that goes is noted, also when several of one instance go at once.
func TestLinksOfOneInstanceThatGoTogetherAreAllLost(t *testing.T) {
	c := start(t, t.TempDir()+"/orderly.db", false)
	id := c.register()
	holder := c.connect(id, "holder")
	var others []*peer
	for range 20 {
		p, err := c.dial(id, "other", id.key)
		must(t, err)
		others = append(others, p)
	}
	holder.nc.Close()
	for _, p := range others {
		p.nc.Close()
	}
	poll(t, func() bool {
		n, err := c.db.CountLinks(t.Context())
		must(t, err)
		return n == 0
	}, func() string { return "the holder's link counts as up" })
}

// No client that stalls in its handshake keeps others out.
func TestStalledHandshakesKeepNobodyOut(t *testing.T) {
	c := start(t, t.TempDir()+"/orderly.db", true)
	id := c.register()
	hello := clientHello(t)
	for range 200 {
		nc, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+c.port)
		must(t, err)
		t.Cleanup(func() { nc.Close() })
		_, err = nc.Write(hello)
		must(t, err)
	}
	began := time.Now()
	p, err := c.dial(id, "link", id.key)
	if err != nil {
		t.Fatalf("after %v: %v, want to be let in beside 200 clients that stall", time.Since(began), err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("let in after %v", took)
	}
	p.nc.Close()
}

func TestHostileRegistrationsAreRefused(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		c := start(t, url, false)
		key := public(t, user(t))
		for name, change := range map[string]func(*wire.Registration){
			"character 0 in the ID":   func(r *wire.Registration) { r.ActivationID += "\x00" },
			"no end of an ID":         func(r *wire.Registration) { r.ActivationID = strings.Repeat("x", 10_000) },
			"zone in the address":     func(r *wire.Registration) { r.IntranetIP = "fe80::1%a\x00b" },
			"long zone":               func(r *wire.Registration) { r.IntranetIP = "fe80::1%" + strings.Repeat("x", 10_000) },
			"character 0 in the host": func(r *wire.Registration) { r.Hostname = "a\x00" },
			"control character":       func(r *wire.Registration) { r.Hostname = "\u009b2J" },
			"character 0 in the name": func(r *wire.Registration) { r.Name = "a\x00b" },
			"character 0 in a tag":    func(r *wire.Registration) { r.Tags = []orderly.Tag{{Key: "a", Value: "\x00"}} },
			"line break in the key":   func(r *wire.Registration) { r.PublicKey = r.PublicKey[:9] + "\n" + r.PublicKey[9:] },
			"reserved tag":            func(r *wire.Registration) { r.Tags = []orderly.Tag{{Key: orderly.AllTag}} },
		} {
			r := wire.Registration{ActivationID: c.code[0], ActivationCode: c.code[1], PublicKey: key, Hostname: "web-01", OS: "linux"}
			change(&r)
			if status, text := c.post(string(wire.Encode(r))); status != http.StatusBadRequest && status != http.StatusForbidden {
				t.Errorf("%s: %d %s, want a refusal", name, status, text)
			}
		}
	})
}

// clientHello is how a TLS client begins.
func clientHello(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	client := make(chan struct{})
	go func() {
		defer close(client)
		_ = tls.Client(far, &tls.Config{ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
	}()
	buf := make([]byte, 16<<10)
	n, err := near.Read(buf)
	must(t, err)
	near.Close()
	<-client
	return buf[:n]
}

// holdBack keeps anything from being stored in an SQLite database until release.
func holdBack(t *testing.T, path string) (release func()) {
	t.Helper()
	other, err := sql.Open("sqlite", path)
	must(t, err)
	t.Cleanup(func() { must(t, other.Close()) })
	conn, err := other.Conn(t.Context())
	must(t, err)
	_, err = conn.ExecContext(t.Context(), `begin immediate`)
	must(t, err)
	return func() {
		_, err := conn.ExecContext(t.Context(), `rollback`)
		must(t, err)
		must(t, conn.Close())
	}
}

// One agent that sends without waiting for acknowledgements fills no memory: what waits of it is
// bounded, and dropped beyond.
func TestFloodOfOneAgentIsBounded(t *testing.T) {
	path := t.TempDir() + "/orderly.db"
	c := start(t, path, false)
	thief, good := c.connect(c.register(), "thief"), c.connect(c.register(), "good")
	release := holdBack(t, path)
	const sent = 500
	unknown := []wire.Snapshot{{TaskKey: orderly.TaskKey{Invocation: 1}, Number: 1, State: orderly.Running}}
	for n := range uint64(sent) {
		must(t, thief.nc.Publish(wire.FromSubject(thief.id.instance, wire.KindReport), wire.Encode(wire.Reports{Link: "thief", Number: n + 1, Snapshots: unknown})))
	}
	must(t, thief.nc.Flush())
	good.say(wire.KindReport, wire.Reports{Link: "good", Number: 1, Snapshots: unknown}) // taken up after all of those
	hold, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	<-hold.Done()
	release()
	good.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
	must(t, thief.nc.Flush())
	acks := 0
	for thief.nc.FlushTimeout(time.Second) == nil && len(thief.in) > 0 {
		if m := <-thief.in; m.Ack != 0 {
			acks++
		}
	}
	if acks > sent/10 {
		t.Errorf("%d of %d messages without an acknowledgement between them were kept", acks, sent)
	}
}

// What is dropped is not read: one agent that floods with the largest messages there are takes no time from others.
func TestFloodOfLargeMessagesIsNotRead(t *testing.T) {
	path := t.TempDir() + "/orderly.db"
	c := start(t, path, false)
	thief, good := c.connect(c.register(), "thief"), c.connect(c.register(), "good")
	release := holdBack(t, path)
	small := []wire.Snapshot{{TaskKey: orderly.TaskKey{Invocation: 1}, Number: 1, State: orderly.Running}}
	large := wire.Reports{Link: "thief", Number: 99}
	for n := range 14 {
		large.Snapshots = append(large.Snapshots, wire.Snapshot{TaskKey: orderly.TaskKey{Invocation: 1, Ordinal: n}, Number: 1, State: orderly.Running, Output: make([]byte, 24000)})
	}
	message := wire.Encode(large)
	const sent = 400
	began := time.Now()
	for range sent / 10 {
		_, err := wire.Decode[wire.Reports](message)
		must(t, err)
	}
	reading := time.Since(began) * 10
	for n := range uint64(10) {
		thief.say(wire.KindReport, wire.Reports{Link: "thief", Number: n + 1, Snapshots: small})
	}
	for range sent {
		must(t, thief.nc.Publish(wire.FromSubject(thief.id.instance, wire.KindReport), message))
	}
	must(t, thief.nc.Flush())
	release()
	began = time.Now()
	good.say(wire.KindReport, wire.Reports{Link: "good", Number: 1, Snapshots: small})
	good.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
	if took := time.Since(began); took > reading/4 {
		t.Errorf("acknowledged after %v, beside messages of which the reading takes %v", took, reading)
	}
}

// told counts lines of a log with a text.
type told struct {
	text string
	n    atomic.Int64
}

func (l *told) Write(line []byte) (int, error) {
	if strings.Contains(string(line), l.text) {
		l.n.Add(1)
	}
	return len(line), nil
}

// Messages that make no sense fill no log.
func TestMalformedMessagesAreToldOfNowAndThen(t *testing.T) {
	log := &told{text: "malformed"}
	c := startOn(t, t.TempDir()+"/orderly.db", gateway.BusConfig{Listen: "127.0.0.1:0", Keys: gateway.Keys{Issuer: account(t)}, Ping: time.Second}, log)
	c.port = c.bus.Port()
	thief := c.connect(c.register(), "thief")
	began := time.Now()
	const sent = 2000
	for _, kind := range []string{wire.KindHello, wire.KindReport, wire.KindBeat} {
		for range sent {
			must(t, thief.nc.Publish(wire.FromSubject(thief.id.instance, kind), []byte("{")))
		}
	}
	must(t, thief.nc.Flush())
	good := c.connect(c.register(), "good") // is welcome after all of those
	good.say(wire.KindReport, wire.Reports{Link: "good", Number: 1})
	good.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
	most := 3 * 4 * (int(time.Since(began)/time.Second) + 1)
	if n := int(log.n.Load()); n == 0 || n > most {
		t.Errorf("%d of %d malformed messages are told of, want some and at most %d", n, 3*sent, most)
	}
}
