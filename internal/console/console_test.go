package console_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/console"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
)

const region = "cn-hangzhou"

// root is the path of the pages of the region.
const root = "/console/in/" + region + "/"

// A house is a console with all behind it but agents; what would go to those goes nowhere.
type house struct {
	t       *testing.T
	db      *store.DB
	engine  *engine.Engine
	fleet   *fleet.Fleet
	console *console.Console
	server  *httptest.Server
	log     *journal
	mine    store.AccessKey // of the account that owns things
	theirs  store.AccessKey // of another one
}

// A journal is a log that can be read.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// nowhere is a link that no agent is at the end of.
type nowhere struct{}

func (nowhere) Send([]engine.Message) {}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// each tells a story on every database.
func each(t *testing.T, story func(t *testing.T, h *house)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { story(t, build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})) })
	t.Run("postgres", func(t *testing.T) { story(t, build(t, pgtest.DSN(t), console.Config{})) })
}

func build(t *testing.T, dsn string, cfg console.Config) *house {
	t.Helper()
	db, err := store.Open(t.Context(), dsn, store.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	h := &house{t: t, db: db, log: &journal{}}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(h.log, t.Output()), nil))
	h.engine = engine.New(db, nowhere{}, engine.Config{Log: log})
	h.fleet = fleet.New(db, h.engine, fleet.Config{Log: log})
	h.mine, h.theirs = h.key("1000000000000001", "OKmine"), h.key("2000000000000002", "OKtheirs")
	cfg.Engine, cfg.Fleet, cfg.Store, cfg.Log = h.engine, h.fleet, db, log
	made := 0
	cfg.NewKey = func(account string) store.AccessKey {
		made++
		return store.AccessKey{ID: fmt.Sprint("OKnew", made), Secret: "new-secret", Account: account}
	}
	h.console = console.New(cfg)
	h.server = httptest.NewServer(h.console)
	t.Cleanup(h.server.Close)
	t.Cleanup(h.console.Close) // before the server, which waits for what is under way
	return h
}

func (h *house) key(account, id string) store.AccessKey {
	k := store.AccessKey{ID: id, Secret: "secret-of-" + id, Account: account}
	must(h.t, h.db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error {
		if err := tx.AddAccount(account); err != nil {
			return err
		}
		return tx.AddKey(k)
	}))
	return k
}

// caller is who has a key.
func caller(k store.AccessKey) orderly.Caller { return orderly.Caller{Account: k.Account, KeyID: k.ID} }

// machine adds a machine to the fleet of a key's account; its agent is online.
func (h *house) machine(k store.AccessKey, name string, tags ...orderly.Tag) string {
	h.t.Helper()
	seq := h.db.NextSeq()
	id := orderly.NewID(orderly.InstancePrefix, region, seq)
	must(h.t, h.db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error {
		a := orderly.Activation{Seq: seq, ID: "act-" + id, CodeHash: []byte("x"), Account: k.Account, Region: region, Count: 1, TTL: time.Hour, Created: tx.Now}
		if err := tx.AddActivation(a); err != nil {
			return err
		}
		if err := tx.AddInstance(orderly.Instance{Seq: seq, ID: id, Account: k.Account, Region: region, Name: name, PublicKey: id, Activation: a.ID, OS: orderly.Linux, Registered: tx.Now, Tags: tags}); err != nil {
			return err
		}
		return tx.Linked([]store.Link{{Instance: id, ID: "link-" + id, AgentVersion: "1.2.3", Boot: orderly.Boot{Incarnation: "i", ID: "b"}}})
	}))
	return id
}

// ran makes an invocation of a script on machines, of which nothing has come yet.
func (h *house) ran(k store.AccessKey, script string, on ...string) orderly.Invocation {
	h.t.Helper()
	return h.ranIn(k, "", script, on...)
}

// ranIn is ran for one in a container, by its name.
func (h *house) ranIn(k store.AccessKey, container, script string, on ...string) orderly.Invocation {
	h.t.Helper()
	a, err := h.engine.RunCommand(h.t.Context(), caller(k), engine.Request{Region: region, Target: orderly.Target{Instances: on}, ContainerName: container,
		Command: orderly.Command{Type: orderly.RunShellScript, Content: []byte(script)}}, engine.Repetition{Operation: "RunCommand"})
	must(h.t, err)
	v, err := h.engine.Invocation(h.t.Context(), caller(k), region, a.InvokeID)
	must(h.t, err)
	return v
}

// end has a task end as a report of its agent would.
func (h *house) end(v orderly.Invocation, n int, state orderly.State, exit int, output string) {
	h.t.Helper()
	must(h.t, h.db.Write(h.t.Context(), store.Mass, func(tx *store.Tx) error {
		tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq, Ordinal: n}})
		if err != nil {
			return err
		}
		k := &tasks[0]
		before := orderly.Count(k.State, false)
		k.State, k.Output, k.Total, k.Started, k.Due = state, []byte(output), int64(len(output)), tx.Now, time.Time{}
		if !state.Live() {
			k.Finished, k.ExitCode = tx.Now, &exit
		}
		if err := tx.SaveTasks(tasks); err != nil {
			return err
		}
		return tx.Changed([]store.Change{{Seq: v.Seq, Delta: orderly.Count(state, false).Sub(before)}})
	}))
}

// A browser keeps cookies, says where its forms come from, and follows no redirects.
type browser struct {
	*house
	client *http.Client
	origin string
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(h.t, err)
	return &browser{h, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, h.server.URL}
}

// in is a browser that has signed in with a key.
func (h *house) in(k store.AccessKey) *browser {
	h.t.Helper()
	b := h.browser()
	if r := b.post("/console/sign-in", "key", k.ID, "secret", k.Secret); r.status != http.StatusSeeOther {
		h.t.Fatalf("sign in: %d %s", r.status, r.body)
	}
	return b
}

// An answer is what a browser got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (b *browser) do(req *http.Request, err error) answer {
	b.t.Helper()
	must(b.t, err)
	resp, err := b.client.Do(req)
	must(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.t, err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+path, nil))
}

// page is a get that must succeed.
func (b *browser) page(path string) string {
	b.t.Helper()
	r := b.get(path)
	if r.status != http.StatusOK {
		b.t.Fatalf("GET %s = %d %s", path, r.status, r.body)
	}
	return r.body
}

func (b *browser) post(path string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.server.URL+path, strings.NewReader(form.Encode()))
	must(b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.origin != "" {
		req.Header.Set("Origin", b.origin)
	}
	return b.do(req, nil)
}
