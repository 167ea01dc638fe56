package ecs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/ecs"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/evidence"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

const (
	region  = "cn-hangzhou"
	account = "1234567890123456"
	other   = "6543210987654321" // another account
)

// values are the parameters of a request.
type values map[string]string

// with is v with more, or other, parameters: pairs of name and value.
func (v values) with(pairs ...string) values {
	w := maps.Clone(v)
	for i := 0; i < len(pairs); i += 2 {
		w[pairs[i]] = pairs[i+1]
	}
	return w
}

// A wire is the way to agents that are not there: it remembers what was sent.
type wire struct {
	mu   sync.Mutex
	sent []engine.Message
}

func (w *wire) Send(list []engine.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, list...)
}

// keys are the access keys of a database.
type keys struct{ db *store.DB }

func (k keys) AccessKey(ctx context.Context, id string) (rpc.Key, error) {
	key, err := k.db.Key(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return rpc.Key{}, rpc.KeyUnknown
	}
	return rpc.Key{ID: key.ID, Account: key.Account, Secret: key.Secret, Disabled: key.Disabled}, err
}

func (k keys) SpendNonce(ctx context.Context, keyID, nonce string, until time.Time) error {
	err := k.db.SpendNonce(ctx, keyID, nonce, until)
	if errors.Is(err, store.ErrTaken) {
		return rpc.NonceUsed
	}
	return err
}

// A house is a whole server but for its agents.
type house struct {
	t      *testing.T
	url    string
	dsn    string // of its database
	key    string // that signs requests: the ID of an access key of the account of that name
	db     *store.DB
	engine *engine.Engine
	fleet  *fleet.Fleet
	wire   *wire
	trial  *evidence.Trial
}

// A setting changes how a house is built.
type setting struct {
	engine    engine.Config
	fleet     fleet.Config
	authorize func(ctx context.Context, c orderly.Caller, product, action string) error
}

// each runs a promise on every database.
func each(t *testing.T, promise func(t *testing.T, h *house)) {
	t.Helper()
	eachWith(t, setting{}, promise)
}

func eachWith(t *testing.T, s setting, promise func(t *testing.T, h *house)) {
	t.Helper()
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "orderly.db") },
		"postgres": func(t *testing.T) string { return pgtest.DSN(t) },
	} {
		evidence.Run(t, "ecs", name, func(t *testing.T, tr *evidence.Trial) {
			h := build(t, url(t), s)
			h.trial = tr
			promise(t, h)
		})
	}
}

func build(t *testing.T, dsn string, s setting) *house {
	t.Helper()
	db, err := store.Open(t.Context(), dsn, store.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	h := &house{t: t, dsn: dsn, db: db, key: account, wire: &wire{}}
	must(t, db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
		for _, id := range []string{account, other} {
			if err := errors.Join(tx.AddAccount(id), tx.AddKey(store.AccessKey{ID: id, Account: id, Secret: "secret"})); err != nil {
				return err
			}
		}
		return nil
	}))
	s.engine.Regions = []string{region, "cn-beijing"}
	h.engine = engine.New(db, h.wire, s.engine)
	h.fleet = fleet.New(db, h.engine, s.fleet)
	dialect := ecs.New(ecs.Config{
		Engine: h.engine, Fleet: h.fleet, TokenKey: bytes.Repeat([]byte{9}, 32),
		Endpoint: func(region string) string { return region + ".orderly.example" },
	})
	web := httptest.NewServer(rpc.New(rpc.Config{APIs: []rpc.API{dialect.API()}, Keys: keys{db}, Host: "orderly.example", Authorize: s.authorize}))
	t.Cleanup(web.Close)
	h.url = web.URL
	return h
}

// as is the same house for requests of another account.
func (h *house) as(account string) *house {
	g := *h
	g.key = account
	return &g
}

// An answer is what came back.
type answer struct {
	status int
	body   []byte
}

var nonces struct {
	sync.Mutex
	n int
}

// send makes one signed request; without a region or an action of its own it gets the usual ones.
func (h *house) send(action, format string, v values) answer {
	h.t.Helper()
	return h.exchange(format, evidence.Request{Operation: action, Params: v})
}

// exchange is send, and says what is expected of the answer.
func (h *house) exchange(format string, r evidence.Request) answer {
	h.t.Helper()
	v := values{"RegionId": region}
	maps.Copy(v, r.Params)
	r.Params = v
	asked := h.trial.Ask(r)
	if asked["RegionId"] == "" {
		asked = values(asked).with("RegionId", "") // or it would get the usual one
	}
	a := h.sendSigned(r.Operation, format, asked, "secret")
	a.body = h.trial.Hear(r, a.status, a.body)
	return a
}

// sendSigned makes a request with the signature of some secret.
func (h *house) sendSigned(action, format string, params values, secret string) answer {
	h.t.Helper()
	nonces.Lock()
	nonces.n++
	p := auth.Params{
		"Action": action, "Version": "2014-05-26", "Format": format, "AccessKeyId": h.key, "SignatureMethod": "HMAC-SHA1",
		"SignatureVersion": "1.0", "SignatureNonce": fmt.Sprint(nonces.n), "Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05Z"),
		"RegionId": region,
	}
	nonces.Unlock()
	maps.Copy(p, auth.Params(params))
	p["Signature"], _ = auth.SignV1(http.MethodPost, p, secret)
	form := url.Values{}
	for name, value := range p {
		form.Set(name, value)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url, strings.NewReader(form.Encode()))
	must(h.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	must(h.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return answer{resp.StatusCode, body}
}

// call makes a request that must go well, and reads its JSON.
func call[T any](h *house, action string, v values) (out T) {
	h.t.Helper()
	a := h.send(action, "JSON", v)
	if a.status != http.StatusOK {
		h.t.Fatalf("%s: status %d, %s", action, a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		h.t.Fatalf("%s: %v in %s", action, err, a.body)
	}
	return out
}

// refused makes a request that must be refused so.
func (h *house) refused(action string, v values, status int, code string) {
	h.t.Helper()
	a := h.exchange("JSON", evidence.Request{Operation: action, Params: v, Expect: evidence.Refused})
	var e struct{ Code, Message, HostId, RequestId string }
	if err := json.Unmarshal(a.body, &e); err != nil {
		h.t.Fatalf("%s: %v in %s", action, err, a.body)
	}
	if a.status != status || e.Code != code {
		h.t.Errorf("%s %v: %d %s (%s), want %d %s", action, v, a.status, e.Code, e.Message, status, code)
	}
	if want := verbatim[code]; want != "" && e.Message != want {
		h.t.Errorf("%s: %s says %q, want %q", action, code, e.Message, want)
	}
	if e.Message == "" || e.HostId == "" || e.RequestId == "" {
		h.t.Errorf("%s: an incomplete error %s", action, a.body)
	}
	h.trial.Refused(action, a.status, e.Code, e.Message)
}

// machine registers a machine and returns its ID. Its agent is not connected.
func (h *house) machine(os orderly.OSType, tags ...orderly.Tag) string {
	h.t.Helper()
	act := call[struct{ ActivationId, ActivationCode string }](h, "CreateActivation", values{"InstanceName": "web", "ResourceGroupId": "rg-machines"})
	return h.register(act.ActivationId, act.ActivationCode, os, tags...)
}

func (h *house) register(id, code string, os orderly.OSType, tags ...orderly.Tag) string {
	h.t.Helper()
	user, err := nkeys.CreateUser()
	must(h.t, err)
	public, err := user.PublicKey()
	must(h.t, err)
	i, err := h.fleet.Register(h.t.Context(), fleet.Registration{
		ActivationID: id, ActivationCode: code, From: netip.MustParseAddr("203.0.113.7"),
		Instance: orderly.Instance{
			PublicKey: public, MachineID: "machine-0001", Hostname: "host", OS: os, OSVersion: "13", AgentVersion: "1.2.3",
			IntranetIP: "10.0.0.7", Tags: tags,
		},
	})
	must(h.t, err)
	return i.ID
}

// connect brings the agent of an instance up.
func (h *house) connect(ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		h.greet(id, "link-"+id)
	}
}

// greet lets a process of the agent of an instance, which knows of no task, say that it is there.
func (h *house) greet(instance, link string) {
	h.t.Helper()
	_, err := h.engine.Greet(h.t.Context(), []engine.Greeting{{Listed: true, Link: store.Link{
		Instance: instance, ID: link, AgentVersion: "1.2.3", Boot: orderly.Boot{Incarnation: "inc-" + instance, ID: "boot"},
	}}})
	must(h.t, err)
}

// online is a machine with a connected agent.
func (h *house) online(tags ...orderly.Tag) string {
	h.t.Helper()
	id := h.machine(orderly.Linux, tags...)
	h.connect(id)
	return id
}

// away is a machine that was not heard of since it registered, an hour ago.
func (h *house) away(os orderly.OSType) string {
	h.t.Helper()
	seq := h.db.NextSeq()
	i := orderly.Instance{
		Seq: seq, ID: orderly.NewID(orderly.InstancePrefix, region, seq), Account: account, Region: region, PublicKey: fmt.Sprint(seq),
		MachineID: "machine-0001", OS: os, AgentVersion: "1.2.3", IntranetIP: "10.0.0.7", InternetIP: "203.0.113.7", ResourceGroup: "rg-machines",
		Registered: h.db.Now().Add(-time.Hour),
	}
	must(h.t, h.db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.AddInstance(i) }))
	return i.ID
}

// report is what the agent of an instance says of the newest task that was sent to it.
func (h *house) report(instance string, r orderly.Report) {
	h.t.Helper()
	h.wire.mu.Lock()
	for _, m := range h.wire.sent {
		if m.Instance == instance {
			r.Task, r.Instance = m.Task, instance
		}
	}
	h.wire.mu.Unlock()
	if r.Instance == "" {
		h.t.Fatalf("nothing was sent to %s", instance)
	}
	if r.Number == 0 {
		r.Number = 1
	}
	must(h.t, h.engine.Report(h.t.Context(), []orderly.Report{r}))
}

// ended is a report of a run that took a second.
func (h *house) ended(state orderly.State, exit int, output string) orderly.Report {
	now := h.db.Now()
	return orderly.Report{
		Number: 9, State: state, Started: now, Finished: now, ExitCode: &exit, Output: []byte(output), Total: int64(len(output)),
	}
}

// A run is what RunCommand answers.
type run struct{ InvokeId, CommandId string }

// script are the parameters of a RunCommand on some instances.
func script(ids ...string) values {
	v := values{"Type": "RunShellScript", "CommandContent": "echo hello"}
	for i, id := range ids {
		v[fmt.Sprintf("InstanceId.%d", i+1)] = id
	}
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
