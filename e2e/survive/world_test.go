package survive_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
	"github.com/orderly-run/orderly/internal/store"
)

// atOnce is how many stories are told at the same time: they mostly wait.
const atOnce = "6"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(stage.Main(m))
}

const region = stage.Region

// scale is how many times shorter all time constants are here, and lateResults how long the
// result of an absent agent is waited for before it is made shorter: 3 s.
const (
	scale       = 20
	lateResults = time.Minute
)

// each tells a story on both databases.
func each(t *testing.T, story func(t *testing.T, w *world)) { eachAt(t, scale, story) }

// eachAt does so at another scale.
func eachAt(t *testing.T, scale int, story func(t *testing.T, w *world)) {
	t.Parallel()
	for _, db := range stage.Databases {
		t.Run(string(db), func(t *testing.T) {
			t.Parallel()
			story(t, newWorld(t, db, scale))
		})
	}
}

// A world is a server, machines with a network to it that may break, and what was seen of them.
type world struct {
	t       *testing.T
	server  *stage.Server
	account string
	ledger  *ledger
	db      *store.DB // the server's, beside it
	limits  orderly.Limits

	life sync.Mutex // of the server

	mu     sync.Mutex
	given  []*job
	events []event
	gone   map[string]bool // instances whose machine will not come back
	healed time.Time       // when all that was broken had been mended
	seen   map[pair]client.InvokeInstance
}

// An event is a mishap of an agent.
type event struct {
	what     mishap
	instance string
	at       time.Time
}

type mishap int

const (
	killed mishap = iota // its process, which knew what it had not written down
	forgot               // its journal
)

// newWorld starts a server.
func newWorld(t *testing.T, db stage.Database, scale int) *world {
	t.Helper()
	limits := orderly.DefaultLimits
	limits.LateResults = lateResults
	// Plain text: the proxies between the agents and the bus read the messages.
	s := stage.Open(t, stage.Options{Database: db, Scale: scale, Args: []string{"--tls", "off", "--late-results", lateResults.String()}})
	w := &world{
		t: t, server: s, account: s.Account, ledger: openLedger(t), limits: limits.Scale(scale),
		gone: map[string]bool{}, seen: map[pair]client.InvokeInstance{},
	}
	secret := make([]byte, 32) // nothing sealed is read here
	var err error
	if w.db, err = store.Open(t.Context(), s.DB, store.Options{Secret: secret}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// A machine is an agent, and its network.
type machine struct {
	*stage.Agent
	w    *world
	net  *proxy
	life sync.Mutex // of the agent

	mu       sync.Mutex
	instance string
}

// id is the instance that the machine is now.
func (m *machine) id() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.instance
}

// machine registers a machine, whose agent is not started yet.
func (w *world) machine(name string) *machine {
	w.t.Helper()
	m := &machine{w: w, net: startProxy(w.t, w.server.NATS)}
	m.register(name)
	return m
}

// machines starts some.
func (w *world) machines(n int) []*machine {
	w.t.Helper()
	list := make([]*machine, n)
	for i := range list {
		list[i] = w.machine(fmt.Sprintf("machine-%d", i))
		list[i].Launch()
	}
	for _, m := range list {
		m.AwaitWelcome(0)
	}
	return list
}

// register makes the machine another instance, with nothing on its disk from before.
func (m *machine) register(name string) {
	m.w.t.Helper()
	code, err := m.w.server.API.CreateActivation(m.w.t.Context(), client.CreateActivationRequest{InstanceCount: 1})
	if err != nil {
		m.w.t.Fatal(err)
	}
	m.Agent = m.w.server.Register(name, code.ActivationId, code.ActivationCode)
	m.Setenv("ORDERLY_AGENT_TRANSPORT=tcp") // by another it would go around the network that is away
	m.w.reach(m.Dir, m.net.url())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.instance = m.ID
}

// reach has the agent of a directory reach the bus at a URL.
func (w *world) reach(dir, url string) {
	w.t.Helper()
	path := filepath.Join(dir, "identity.json")
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	var identity map[string]any
	if err := json.Unmarshal(text, &identity); err != nil {
		w.t.Fatal(err)
	}
	identity["nats"] = url
	if text, err = json.Marshal(identity); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// kill kills the agent and notes it.
func (m *machine) kill() {
	m.w.t.Helper()
	m.w.note(killed, m.ID)
	m.Kill()
	m.w.note(killed, m.ID)
}

// forget deletes the journal of an agent that does not run.
func (m *machine) forget() {
	m.w.t.Helper()
	if err := os.Remove(filepath.Join(m.Dir, "journal")); err != nil && !errors.Is(err, os.ErrNotExist) {
		m.w.t.Fatal(err)
	}
	m.w.note(forgot, m.ID)
}

func (w *world) note(what mishap, instance string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, event{what, instance, time.Now()})
}

// happened reports whether something happened to an instance between two times, of which the
// second may be zero for until now.
func (w *world) happened(what mishap, instance string, from, to time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.what == what && e.instance == instance && e.at.After(from) && (to.IsZero() || e.at.Before(to)) {
			return true
		}
	}
	return false
}

// leave says that an instance will not come back.
func (w *world) leave(instance string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone[instance] = true
}

// mended is when all was in order again on the way to an instance's agent: never if that is gone.
func (w *world) mended(instance string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone[instance] {
		return time.Now().Add(time.Hour)
	}
	return w.healed
}

// heal says that all is in order.
func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.healed = time.Now()
}

func (w *world) jobs() []*job {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*job(nil), w.given...)
}

// restart kills the server and starts it again after a pause.
func (w *world) restart(pause time.Duration) {
	w.t.Helper()
	w.life.Lock()
	defer w.life.Unlock()
	w.server.Kill()
	w.wait(pause)
	w.server.Start()
}

// wait waits for a time, or for the end of the test.
func (w *world) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.t.Context().Done():
	}
}
