package agent_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
)

const (
	instance = "mi-hz0000000000001"
	machine1 = "machine-1"
)

// quick are the times of tests.
var quick = agent.Times{
	Hello:     agent.Backoff{First: 50 * time.Millisecond, Max: 200 * time.Millisecond},
	Report:    agent.Backoff{First: 50 * time.Millisecond, Max: 200 * time.Millisecond},
	Reconnect: agent.Backoff{First: 20 * time.Millisecond, Max: 100 * time.Millisecond},
	Rival:     200 * time.Millisecond,
	Heartbeat: time.Minute,
	Ping:      time.Second,
	Running:   20 * time.Millisecond,
	Live:      20 * time.Millisecond,
	Leave:     2 * time.Second,
}

// A world is a registered machine and the protocol's other end: a real bus, and somebody on it who
// answers hellos and acknowledges reports unless told not to.
type world struct {
	t    testing.TB
	dir  string
	root string // of the machine's facts
	port int
	key  string // public NKey

	tls *tls.Config // of the bus; nil for none
	ca  string      // that signs for it

	bus *server.Server
	nc  *nats.Conn

	mu      sync.Mutex
	welcome wire.Welcome
	bye     string
	deaf    bool // hellos get no answer
	silent  bool // reports get no acknowledgement
	hellos  []wire.Hello
	reports []wire.Reports
	beats   []wire.Beat
	ended   func(wire.Snapshot) // is told of each end
}

func newWorld(t testing.TB) *world { return worldOn(t, root(t, machine1)) }

// worldOn is one whose machine has its facts in a directory.
func worldOn(t testing.TB, root string, change ...func(*world)) *world {
	w := &world{t: t, dir: t.TempDir(), root: root, welcome: wire.Welcome{Heartbeat: 60_000}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.port = l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	for _, f := range change {
		f(w)
	}
	w.register()
	w.startBus()
	t.Cleanup(w.stopBus)
	return w
}

func (w *world) register() {
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var reg wire.Registration
		if err := json.NewDecoder(r.Body).Decode(&reg); err != nil || r.URL.Path != wire.RegisterPath {
			w.t.Errorf("registration to %s: %v", r.URL, err)
		}
		w.key = reg.PublicKey
		rw.Write(wire.Encode(wire.Registered{InstanceID: instance, Region: "cn-hangzhou", Name: "m", NATS: w.url(), CA: w.ca}))
	}))
	defer site.Close()
	_, err := agent.Register(w.t.Context(), agent.RegisterConfig{
		Dir: w.dir, Server: site.URL, ActivationID: "a", ActivationCode: "c", Root: w.root,
	})
	must(w.t, err)
}

func (w *world) url() string {
	scheme := "nats"
	if w.tls != nil {
		scheme = "tls"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, w.port)
}

func (w *world) startBus() {
	bus, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: w.port, NoLog: true, NoSigs: true, TLSConfig: w.tls, TLSTimeout: 10,
		Users: []*server.User{{Username: "server", Password: "secret"}},
		Nkeys: []*server.NkeyUser{{Nkey: w.key, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{wire.FromSubject(instance, ">")}},
			Subscribe: &server.SubjectPermission{Allow: []string{wire.ToPattern(instance)}},
		}}},
	})
	must(w.t, err)
	bus.Start()
	if !bus.ReadyForConnections(patience) {
		w.t.Fatal("the bus does not start")
	}
	nc, err := nats.Connect(w.url(), nats.UserInfo("server", "secret"), nats.NoReconnect(), w.trust)
	must(w.t, err)
	w.bus, w.nc = bus, nc
	_, err = nc.Subscribe(wire.FromPattern("*"), w.receive)
	must(w.t, err)
	must(w.t, nc.Flush())
}

// trust makes the server's own connection trust the CA.
func (w *world) trust(o *nats.Options) error {
	if w.ca != "" {
		o.TLSConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		o.TLSConfig.RootCAs.AppendCertsFromPEM([]byte(w.ca))
	}
	return nil
}

func (w *world) stopBus() {
	w.nc.Close()
	w.bus.Shutdown()
	w.bus.WaitForShutdown()
}

func (w *world) receive(m *nats.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m.Subject {
	case wire.FromSubject(instance, wire.KindHello):
		h := decode[wire.Hello](w.t, m.Data)
		w.hellos = append(w.hellos, h)
		w.answer(m, h)
	case wire.FromSubject(instance, wire.KindReport):
		r := decode[wire.Reports](w.t, m.Data)
		if len(m.Data) > wire.MaxReportBytes || len(r.Snapshots) > wire.MaxReports {
			w.t.Errorf("a message of %d bytes has %d reports", len(m.Data), len(r.Snapshots))
		}
		w.reports = append(w.reports, r)
		for _, s := range r.Snapshots {
			if w.ended != nil && isEnd(s) {
				w.ended(s)
			}
		}
		if !w.silent {
			w.to(r.Link, wire.ToAgent{Ack: r.Number})
		}
	case wire.FromSubject(instance, wire.KindBeat):
		w.beats = append(w.beats, decode[wire.Beat](w.t, m.Data))
	default:
		w.t.Errorf("a message on %s", m.Subject)
	}
}

func (w *world) answer(_ *nats.Msg, h wire.Hello) {
	switch {
	case w.deaf:
	case w.bye != "":
		w.to(h.Link, wire.ToAgent{Goodbye: w.bye})
	default:
		welcome := w.welcome
		welcome.Tasks = welcome.Tasks && (!h.Listed || h.Upto != nil)
		welcome.After = h.Upto
		w.to(h.Link, wire.ToAgent{Welcome: &welcome})
	}
}

func (w *world) to(link string, m wire.ToAgent) {
	if err := w.nc.Publish(wire.ToSubject(instance, link), wire.Encode(m)); err != nil {
		w.t.Error(err)
	}
}

func decode[T any](t testing.TB, data []byte) T {
	v, err := wire.Decode[T](data)
	if err != nil {
		t.Error(err)
	}
	return v
}

// set changes how the server behaves.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// until waits for something to become true of what was received.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		w.mu.Lock()
		done := ok()
		w.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("still not: %s, after %d messages with reports", what, len(w.reports))
		}
	}
}

// hello is the newest hello, which it waits for.
func (w *world) hello() (h wire.Hello) {
	w.t.Helper()
	w.until("a hello", func() bool {
		if len(w.hellos) > 0 {
			h = w.hellos[len(w.hellos)-1]
		}
		return len(w.hellos) > 0
	})
	return h
}

// send sends a message to the newest link.
func (w *world) send(m wire.ToAgent) {
	w.t.Helper()
	h := w.hello()
	w.to(h.Link, m)
}

// isEnd reports whether s says that a task or run has ended.
func isEnd(s wire.Snapshot) bool { return s.Number == wire.Number(s.Run, wire.EndNumber) }

// snapshots are all that came of a task, repetitions included.
func (w *world) snapshots(key orderly.TaskKey) (list []wire.Snapshot) {
	for _, r := range w.reports {
		for _, s := range r.Snapshots {
			if s.TaskKey == key {
				list = append(list, s)
			}
		}
	}
	return list
}

// outputs is all output that came of a task, repetitions included.
func outputs(w *world, k orderly.TaskKey) (all []byte) {
	for _, s := range w.snapshots(k) {
		all = append(all, s.Output...)
	}
	return all
}

// count is how many snapshots of a task in a state came.
func (w *world) count(key orderly.TaskKey, state orderly.State) (n int) {
	for _, s := range w.snapshots(key) {
		if s.State == state {
			n++
		}
	}
	return n
}

// settle is the end of a task whose agent was killed and is there again by a link: its own, or that of its agent's
// death. What had not ended is sent again, as the server does with what is not confirmed.
func (w *world) settle(link string, seq int64, m wire.ToAgent) wire.Snapshot {
	w.t.Helper()
	settled := false
	w.set(func() { settled = w.count(key(seq), orderly.Success) > 0 })
	if !settled {
		w.to(link, m)
	}
	s := w.end(key(seq))
	if s.State != orderly.Success && (s.State != orderly.Error || s.Code != orderly.ClientRestarted) {
		w.t.Errorf("task %d: %+v", seq, s)
	}
	return s
}

// end waits for the end of a task.
func (w *world) end(key orderly.TaskKey) (s wire.Snapshot) {
	w.t.Helper()
	w.until(fmt.Sprintf("end of %v", key), func() bool {
		for _, s = range w.snapshots(key) {
			if isEnd(s) {
				return true
			}
		}
		return false
	})
	return s
}

// kind is that of scripts.
var kind = func() orderly.CommandType {
	if runtime.GOOS == "windows" {
		return orderly.RunBatScript
	}
	return orderly.RunShellScript
}()

// runMessage is a Run of a script for the newest link's boot.
func (w *world) runMessage(seq int64, script string, change ...func(*wire.Run, *wire.Job)) wire.ToAgent {
	w.t.Helper()
	h := w.hello()
	r := wire.Run{TaskKey: key(seq), Incarnation: h.Incarnation, Boot: h.Boot}
	j := wire.Job{InvokeID: fmt.Sprint("t-hz0", seq), Type: kind, Content: []byte(script), WorkingDir: "/", Timeout: 60_000}
	for _, f := range change {
		f(&r, &j)
	}
	if r.Job == nil {
		r.Job = wire.Encode(j)
	}
	return wire.ToAgent{Run: &r}
}

func (w *world) run(seq int64, script string, change ...func(*wire.Run, *wire.Job)) orderly.TaskKey {
	w.t.Helper()
	w.send(w.runMessage(seq, script, change...))
	return key(seq)
}

// ref names a task as the newest link's server would.
func (w *world) ref(key orderly.TaskKey) *wire.TaskRef {
	h := w.hello()
	return &wire.TaskRef{TaskKey: key, Incarnation: h.Incarnation, Boot: h.Boot}
}

// endOnly has commands told of at their ends alone, however busy the machine is: a report that they run
// would hold up the next while nobody acknowledges it.
func endOnly(c *agent.Config) { c.Times.Running = time.Hour }

func (w *world) config() agent.Config {
	return agent.Config{Dir: w.dir, Times: quick, Boot: boot, Root: w.root}
}

// A working agent is one whose Run is under way.
type working struct {
	t     testing.TB
	leave context.CancelFunc
	ended chan error
}

func (w *world) start(change ...func(*agent.Config)) *working {
	w.t.Helper()
	c := w.config()
	for _, f := range change {
		f(&c)
	}
	a, err := agent.New(c)
	must(w.t, err)
	w.set(func() { w.hellos = nil }) // those of links that are gone
	ctx, cancel := context.WithCancel(context.Background())
	r := &working{t: w.t, leave: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- a.Run(ctx); close(r.ended) }()
	w.t.Cleanup(func() { _ = r.stop() })
	return r
}

// stop tells the agent to end and waits for it.
func (r *working) stop() error {
	r.leave()
	return r.wait()
}

func (r *working) wait() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		r.t.Fatal("the agent does not end")
		return nil
	}
}

func join(lines ...string) string { return strings.Join(lines, "\n") + "\n" }

// root is a file system with facts about a machine.
func root(t testing.TB, id string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "etc", "machine-id"), []byte(id+"\n"), 0o600))
	return dir
}
