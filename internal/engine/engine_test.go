package engine_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
)

const region = "cn-hangzhou"

var (
	caller = orderly.Caller{Account: "1000000000000001", KeyID: "key-1", SourceIP: "192.0.2.1"}
	all    = orderly.Target{Tags: []orderly.Tag{{Key: orderly.AllTag}}}
	secret = bytes.Repeat([]byte{7}, 32)
)

// A house is an engine on a database, with what it sent.
type house struct {
	*engine.Engine
	t   *testing.T
	url string
	db  *store.DB
	post
}

// post is a Link that writes down what it is given.
type post struct {
	mu     sync.Mutex
	sent   []engine.Message
	onSend func([]engine.Message) // called for each Send, before it is written down
	probed func(engine.Message)   // answers a probe
}

func (p *post) Send(list []engine.Message) {
	if p.onSend != nil {
		p.onSend(list)
	}
	for _, m := range list {
		if m.Kind == engine.SendProbe && p.probed != nil {
			p.probed(m)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, list...)
}

// beat is the sign of life with which an agent answers a probe, though it says nothing else.
func (h *house) beat(m engine.Message) {
	must(h.t, h.db.Write(context.Background(), store.Mass, func(tx *store.Tx) error {
		_, err := tx.Alive(map[string]store.Beat{m.Instance: {Link: m.Link, At: tx.Now}})
		return err
	}))
}

// messages are those of a kind that were sent so far.
func (p *post) messages(k engine.MessageKind) []engine.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.sent), func(m engine.Message) bool { return m.Kind != k })
}

// each runs a story on every backend, with an engine whose timers stand still.
func each(t *testing.T, story func(t *testing.T, h *house)) {
	t.Helper()
	eachWith(t, engine.Config{}, story)
}

func eachWith(t *testing.T, cfg engine.Config, story func(t *testing.T, h *house)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { story(t, build(t, filepath.Join(t.TempDir(), "orderly.db"), cfg)) })
	t.Run("postgres", func(t *testing.T) { story(t, build(t, pgtest.DSN(t), cfg)) })
}

// build opens a database and makes an engine on it.
func build(t *testing.T, url string, cfg engine.Config) *house {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{Secret: secret})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	h := &house{t: t, url: url, db: db}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	h.probed = h.beat
	h.Engine = engine.New(db, &h.post, cfg)
	return h
}

// fast is a configuration whose times are n times shorter.
func fast(n int) engine.Config {
	return engine.Config{Limits: orderly.DefaultLimits.Scale(n), Delivery: time.Minute / time.Duration(n), Sweep: 2 * time.Millisecond}
}

// run lets the engine's timers go until the function that it returns is called or the test ends.
func (h *house) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := h.Run(ctx); err != nil {
			h.t.Error(err)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	h.t.Cleanup(stop)
	return stop
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await polls until a condition holds.
func (h *house) await(what string, cond func() bool) {
	h.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); !cond(); {
		select {
		case <-tick.C:
		case <-end:
			h.t.Fatalf("no %s in time", what)
		}
	}
}

// raw runs a statement on the database beside the store.
func (h *house) raw(statement string, args ...any) {
	h.t.Helper()
	db := h.beside()
	defer func() { must(h.t, db.Close()) }()
	_, err := db.ExecContext(context.Background(), statement, args...)
	must(h.t, err)
}

func (h *house) beside() *sql.DB {
	h.t.Helper()
	driver, name := "sqlite", "file:"+h.url+"?_pragma=busy_timeout(10000)"
	if h.postgres() {
		driver, name = "pgx", h.url
	}
	db, err := sql.Open(driver, name)
	must(h.t, err)
	return db
}

func (h *house) postgres() bool { return strings.HasPrefix(h.url, "postgres") }

// number is a query's single value.
func (h *house) number(query string, args ...any) (n int) {
	h.t.Helper()
	db := h.beside()
	defer func() { must(h.t, db.Close()) }()
	must(h.t, db.QueryRowContext(context.Background(), query, args...).Scan(&n))
	return n
}

// change is a transaction beside the engine.
func (h *house) change(f func(*store.Tx) error) {
	h.t.Helper()
	must(h.t, h.db.Write(context.Background(), store.Interactive, f))
}

// register adds instances, of which none has a link; their heartbeat is that of the registration.
func (h *house) register(ids ...string) {
	h.t.Helper()
	h.registerAs(orderly.Linux, ids...)
}

func (h *house) registerAs(os orderly.OSType, ids ...string) {
	h.t.Helper()
	for _, piece := range slices.Collect(slices.Chunk(ids, 500)) {
		h.change(func(tx *store.Tx) error {
			for _, id := range piece {
				if err := tx.AddInstance(orderly.Instance{Seq: h.db.NextSeq(), ID: id, Name: "name-" + id, Account: caller.Account, Region: region,
					OS: os, PublicKey: "key-" + id, Registered: tx.Now}); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// boot is the life of an agent in most tests.
var boot = orderly.Boot{Incarnation: "inc-1", ID: "boot-1"}

// hello is the greeting of an agent that holds tasks.
func hello(id string, b orderly.Boot, tasks ...orderly.TaskKey) engine.Greeting {
	return engine.Greeting{Link: store.Link{Instance: id, ID: "link-" + b.Incarnation + b.ID, Boot: b}, Listed: true, Tasks: tasks}
}

// connect brings links up whose agents hold no task, and passes on what waited for them.
func (h *house) connect(b orderly.Boot, ids ...string) {
	h.t.Helper()
	var list []engine.Greeting
	for _, id := range ids {
		list = append(list, hello(id, b))
	}
	admitted, err := h.Greet(context.Background(), list)
	must(h.t, err)
	for _, a := range admitted {
		if a.Unknown || a.Rival != "" || a.List {
			h.t.Fatalf("greeting is answered by %+v", a)
		}
		h.Send(a.Send)
	}
}

// disconnect takes links down.
func (h *house) disconnect(b orderly.Boot, ids ...string) {
	h.t.Helper()
	links := map[string]string{}
	for _, id := range ids {
		links[id] = "link-" + b.Incarnation + b.ID
	}
	must(h.t, h.Lost(context.Background(), links))
}

// request is one that is fine.
func request(ids ...string) engine.Request {
	return engine.Request{Region: region, Target: orderly.Target{Instances: ids}, MaxTags: 20,
		Command: orderly.Command{Type: orderly.RunShellScript, Content: []byte("true")}}
}

func toAll() engine.Request {
	q := request()
	q.Target = all
	return q
}

// start runs a command and returns its invocation's ID.
func (h *house) start(q engine.Request) string {
	h.t.Helper()
	a, err := h.RunCommand(h.t.Context(), caller, q, engine.Repetition{Operation: "RunCommand"})
	must(h.t, err)
	return a.InvokeID
}

// tasks are those of an invocation, in the order of its targets.
func (h *house) tasks(id string) []orderly.Task {
	h.t.Helper()
	var list []orderly.Task
	for {
		found, _, err := h.Results(context.Background(), caller, store.ResultFilter{Region: region, InvokeID: id}, store.Page{Limit: 1000, Offset: len(list)})
		must(h.t, err)
		for _, r := range found {
			list = append(list, r.Task)
		}
		if len(found) < 1000 {
			return list
		}
	}
}

// task is the only task of an invocation.
func (h *house) task(id string) orderly.Task {
	h.t.Helper()
	list := h.tasks(id)
	if len(list) != 1 {
		h.t.Fatalf("%d tasks, want 1", len(list))
	}
	return list[0]
}

// invocation is how one is shown.
func (h *house) invocation(id string) orderly.Invocation {
	h.t.Helper()
	list, _, err := h.Invocations(context.Background(), caller, store.InvocationFilter{Region: region, ID: id}, store.Page{Limit: 1})
	must(h.t, err)
	if len(list) != 1 {
		h.t.Fatalf("invocation %s is not shown", id)
	}
	return list[0]
}

// report is a snapshot of a task as its agent sees it.
func report(k orderly.Task, number int64, s orderly.State) orderly.Report {
	r := orderly.Report{Task: k.TaskKey, Instance: k.Instance, Number: number, State: s}
	if s == orderly.Pending || s == orderly.Cancelled || s == orderly.Aborted {
		return r
	}
	r.Started = time.Now()
	if !s.Live() {
		r.Finished, r.Output, r.Total = r.Started.Add(time.Millisecond), []byte("out"), 3
	}
	if code := 0; s == orderly.Success {
		r.ExitCode = &code
	}
	return r
}

// tell reports.
func (h *house) tell(reports ...orderly.Report) {
	h.t.Helper()
	must(h.t, h.Report(context.Background(), reports))
}

// expect checks the state and the code of an invocation's only task.
func (h *house) expect(id string, s orderly.State, code orderly.ErrorCode) orderly.Task {
	h.t.Helper()
	k := h.task(id)
	if k.State != s || k.ErrorCode != code {
		h.t.Errorf("task is %s %q, want %s %q", k.State, k.ErrorCode, s, code)
	}
	return k
}

// awaitEnd waits until an invocation's only task has ended and checks how.
func (h *house) awaitEnd(id string, s orderly.State, code orderly.ErrorCode) orderly.Task {
	h.t.Helper()
	h.await("end of "+id, func() bool { return !h.task(id).State.Live() })
	return h.expect(id, s, code)
}

// audit compares every invocation's counters, statuses and due time with its rows.
func (h *house) audit() {
	h.t.Helper()
	h.auditCounters()
	h.auditDues()
}

func (h *house) auditCounters() {
	h.t.Helper()
	list, _, err := h.Invocations(context.Background(), caller, store.InvocationFilter{Region: region}, store.Page{Limit: 1000})
	must(h.t, err)
	for _, v := range list {
		var want orderly.Counts
		for _, k := range h.tasks(v.ID) {
			want = want.Add(orderly.Count(k.State, !k.Stopped.IsZero()))
		}
		if v.Counts != want || want.Total() != v.Size {
			h.t.Errorf("%s of %d: counters %+v, rows %+v", v.ID, v.Size, v.Counts, want)
		}
		if (want.Live() == 0) == v.Finished.IsZero() {
			h.t.Errorf("%s with %d live tasks finished at %v", v.ID, want.Live(), v.Finished)
		}
		shown := h.number(`select count(*) from invocations where id = $1 and status = $2 and legacy_status = $3`, v.ID, string(want.Status()), string(want.LegacyStatus(v.Repeat)))
		if shown != 1 {
			h.t.Errorf("%s is not stored as %s, %s", v.ID, want.Status(), want.LegacyStatus(v.Repeat))
		}
	}
}

// auditDues finds invocations that are due later than one of their tasks.
func (h *house) auditDues() {
	h.t.Helper()
	if n := h.number(`select count(*) from counters c where exists
		(select 1 from tasks t where t.invocation = c.invocation and t.due > 0 and (c.next_due = 0 or t.due < c.next_due))`); n != 0 {
		h.t.Errorf("%d invocations are due after one of their tasks", n)
	}
}

func names(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("mi-%04d", i)
	}
	return ids
}
