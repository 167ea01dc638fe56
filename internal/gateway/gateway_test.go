package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/gateway"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

const region = "cn-hangzhou"

var caller = orderly.Caller{Account: "1000000000000001", KeyID: "k", SourceIP: "127.0.0.1"}

// A cell is a running gateway with the parts around it.
type cell struct {
	t      testing.TB
	db     *store.DB
	engine *engine.Engine
	fleet  *fleet.Fleet
	bus    *gateway.Bus
	gate   *gateway.Gateway
	port   string    // of the bus
	code   [2]string // activation ID and code
	roots  *x509.CertPool

	refused atomic.Int64 // reports that could not be stored
}

// each runs a story on every backend.
func each(t *testing.T, story func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { story(t, filepath.Join(t.TempDir(), "orderly.db")) })
	t.Run("postgres", func(t *testing.T) { story(t, pgtest.DSN(t)) })
}

// scale makes all time constants of these tests so many times shorter.
const scale = 20

// start starts a cell on a database; protect asks for TLS.
func start(t testing.TB, url string, protect bool) *cell {
	t.Helper()
	cfg := gateway.BusConfig{Listen: "127.0.0.1:0", Keys: gateway.Keys{Issuer: account(t)}, Ping: time.Second}
	var roots *x509.CertPool
	if protect {
		db, err := store.Open(t.Context(), url, store.Options{Secret: secret})
		must(t, err)
		ca, err := gateway.OpenCA(t.Context(), db)
		must(t, err)
		must(t, db.Close())
		cfg.TLS, err = ca.TLS([]string{"127.0.0.1"})
		must(t, err)
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(ca.PEM()))
	}
	c := startOn(t, url, cfg)
	c.roots, c.port = roots, c.bus.Port()
	return c
}

var secret = bytes.Repeat([]byte{7}, 32)

// startOn starts a cell on a database and a bus, whose log goes to the test's and to logs.
func startOn(t testing.TB, url string, cfg gateway.BusConfig, logs ...io.Writer) *cell {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.MultiWriter(append(logs, t.Output())...), nil))
	ctx, cancel := context.WithCancel(context.Background())
	db, err := store.Open(ctx, url, store.Options{Secret: secret})
	must(t, err)
	c := &cell{t: t, db: db}
	cfg.Log = log
	c.bus, err = gateway.NewBus(cfg)
	must(t, err)
	limits := orderly.DefaultLimits.Scale(scale)
	c.engine = engine.New(db, c.bus, engine.Config{Limits: limits, Delivery: 3 * time.Second, Sweep: 20 * time.Millisecond, Log: log,
		Observe: engine.Observer{Ended: func(orderly.State, int) {}, Created: func(int) {}, Reports: func(effect string, n int) {
			if effect == "refused" {
				c.refused.Add(int64(n))
			}
		}}})
	c.fleet = fleet.New(db, c.engine, fleet.Config{Fresh: limits.Fresh, Gone: func(id string) { c.gate.Cut(id) }})
	c.gate = gateway.New(c.bus, db, c.engine, c.fleet, gateway.Config{Heartbeat: 3 * time.Second, Presence: 50 * time.Millisecond, Probe: 200 * time.Millisecond, Log: log})
	done := make(chan error, 2)
	go func() { done <- c.gate.Run(ctx) }()
	go func() { done <- c.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			must(t, <-done)
		}
		must(t, db.Close())
	})
	select {
	case <-c.gate.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("the gateway was not ready within 10 s")
	}
	id, code, err := c.fleet.CreateActivation(ctx, caller, orderly.Activation{Region: region, Count: 100}, engine.Repetition{})
	must(t, err)
	c.code = [2]string{id, code}
	return c
}

// An identity is a registered machine's.
type identity struct {
	instance string
	key      nkeys.KeyPair
}

func (c *cell) register() identity {
	c.t.Helper()
	key := user(c.t)
	i, err := c.fleet.Register(c.t.Context(), fleet.Registration{
		ActivationID: c.code[0], ActivationCode: c.code[1], From: netip.MustParseAddr("127.0.0.1"),
		Instance: orderly.Instance{PublicKey: public(c.t, key), OS: orderly.Linux, Hostname: "host"},
	})
	must(c.t, err)
	return identity{i.ID, key}
}

// A peer is one link of an agent, driven by a test.
type peer struct {
	t    testing.TB
	id   identity
	name string
	nc   *nats.Conn
	in   chan wire.ToAgent
	errs chan error
	boot orderly.Boot
}

// dial connects; the error is NATS's.
func (c *cell) dial(id identity, link string, key nkeys.KeyPair) (*peer, error) {
	p := &peer{t: c.t, id: id, name: link, in: make(chan wire.ToAgent, 1000), errs: make(chan error, 1000), boot: orderly.Boot{Incarnation: "inc", ID: "boot"}}
	o := []nats.Option{nats.Nkey(public(c.t, key), key.Sign), nats.Name(link), nats.NoReconnect(), nats.Timeout(5 * time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { p.errs <- err })}
	url := "nats://127.0.0.1:" + c.port
	if c.roots != nil {
		url = "tls://127.0.0.1:" + c.port
		o = append(o, nats.Secure(&tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS13}))
	}
	var err error
	if p.nc, err = nats.Connect(url, o...); err != nil {
		return nil, err
	}
	c.t.Cleanup(p.nc.Close)
	_, err = p.nc.Subscribe(wire.ToSubject(id.instance, link), func(m *nats.Msg) {
		msg, err := wire.Decode[wire.ToAgent](m.Data)
		if err != nil {
			p.errs <- err
			return
		}
		p.in <- msg
	})
	must(c.t, err)
	must(c.t, p.nc.Flush())
	return p, nil
}

// connect connects and says hello until it is welcome.
func (c *cell) connect(id identity, link string) *peer {
	c.t.Helper()
	p, err := c.dial(id, link, id.key)
	must(c.t, err)
	p.hello()
	p.until("a welcome", func(m wire.ToAgent) bool { return m.Welcome != nil && !m.Welcome.Tasks })
	return p
}

func (p *peer) hello() {
	p.say(wire.KindHello, wire.Hello{Link: p.name, Incarnation: p.boot.Incarnation, Boot: p.boot.ID, Version: wire.Version, Agent: "test"})
}

func (p *peer) say(kind string, v any) {
	p.t.Helper()
	must(p.t, p.nc.Publish(wire.FromSubject(p.id.instance, kind), wire.Encode(v)))
	must(p.t, p.nc.Flush())
}

// until waits for a message that fits, passing over others.
func (p *peer) until(what string, fits func(wire.ToAgent) bool) wire.ToAgent {
	p.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case m := <-p.in:
			if fits(m) {
				return m
			}
		case <-deadline:
			p.t.Fatalf("%s: waited 10 s for %s", p.name, what)
		}
	}
}

// report sends one snapshot.
func (p *peer) report(number uint64, s wire.Snapshot) {
	p.t.Helper()
	p.say(wire.KindReport, wire.Reports{Link: p.name, Number: number, Snapshots: []wire.Snapshot{s}})
}

// run runs a command on instances and returns the invocation's ID.
func (c *cell) run(instances ...string) string {
	c.t.Helper()
	a, err := c.engine.RunCommand(c.t.Context(), caller, engine.Request{
		Region: region, Target: orderly.Target{Instances: instances}, MaxTags: 20,
		Command: orderly.Command{Type: orderly.RunShellScript, Content: []byte("true"), WorkingDir: "/srv", Launcher: "sh -x"},
	}, engine.Repetition{})
	must(c.t, err)
	return a.InvokeID
}

// task is the only task of an invocation.
func (c *cell) task(invoke string) orderly.Task {
	c.t.Helper()
	list, _, err := c.engine.Results(c.t.Context(), caller, store.ResultFilter{Region: region, InvokeID: invoke}, store.Page{Limit: 10})
	must(c.t, err)
	if len(list) != 1 {
		c.t.Fatalf("%d tasks, want 1", len(list))
	}
	return list[0].Task
}

// becomes waits until the only task of an invocation is in a state.
func (c *cell) becomes(invoke string, want orderly.State) orderly.Task {
	c.t.Helper()
	var got orderly.Task
	poll(c.t, func() bool { got = c.task(invoke); return got.State == want }, func() string {
		return "task is " + string(got.State) + ", want " + string(want)
	})
	return got
}

// poll waits until done, at most 15 s.
func poll(t testing.TB, done func() bool, why func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(15 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after 15 s: %s", why())
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
