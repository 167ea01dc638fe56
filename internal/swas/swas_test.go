package swas_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/evidence"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/swas"
)

const (
	region  = "cn-hangzhou"
	account = "1234567890123456"
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

// A house is a server of the dialect without its agents: what is sent to them is kept.
type house struct {
	t      *testing.T
	api    http.Handler
	db     *store.DB
	engine *engine.Engine
	fleet  *fleet.Fleet
	trial  *evidence.Trial
	asked  int

	mu   sync.Mutex
	sent []engine.Message
}

// Send makes a house a way to agents.
func (h *house) Send(list []engine.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, list...)
}

// AccessKey and SpendNonce let accounts in by their IDs, with one secret.
func (h *house) AccessKey(_ context.Context, id string) (rpc.Key, error) {
	return rpc.Key{ID: id, Account: id, Secret: "secret"}, nil
}

func (h *house) SpendNonce(context.Context, string, string, time.Time) error { return nil }

// each runs a promise on every database.
func each(t *testing.T, promise func(t *testing.T, h *house)) {
	t.Helper()
	eachWith(t, engine.Config{}, swas.Config{}, promise)
}

func eachWith(t *testing.T, e engine.Config, s swas.Config, promise func(t *testing.T, h *house)) {
	t.Helper()
	evidence.Run(t, "swas", "sqlite", func(t *testing.T, tr *evidence.Trial) {
		promise(t, build(t, tr, filepath.Join(t.TempDir(), "orderly.db"), e, s))
	})
	evidence.Run(t, "swas", "postgres", func(t *testing.T, tr *evidence.Trial) {
		promise(t, build(t, tr, pgtest.DSN(t), e, s))
	})
}

func build(t *testing.T, tr *evidence.Trial, dsn string, e engine.Config, s swas.Config) *house {
	t.Helper()
	h := &house{t: t, trial: tr}
	var err error
	h.db, err = store.Open(t.Context(), dsn, store.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	must(t, err)
	t.Cleanup(func() { must(t, h.db.Close()) })
	must(t, h.db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.AddAccount(account) }))
	e.Regions = []string{region, "cn-beijing"}
	h.engine = engine.New(h.db, h, e)
	h.fleet = fleet.New(h.db, h.engine, fleet.Config{})
	s.Engine, s.Fleet, s.TokenKey = h.engine, h.fleet, bytes.Repeat([]byte{9}, 32)
	s.Endpoint = func(region string) string { return region + ".orderly.example" }
	h.api = rpc.New(rpc.Config{APIs: []rpc.API{swas.New(s).API()}, Keys: h, Host: "orderly.example"})
	return h
}

// caller is who asks in this dialect.
var caller = orderly.Caller{Account: account, Realm: "swas"}

// exchange makes one signed request; without a region of its own it gets the usual one.
func (h *house) exchange(format string, r evidence.Request) (status int, body []byte) {
	h.t.Helper()
	r.Params = values{"RegionId": region}.with(pairs(r.Params)...)
	h.asked++
	p := auth.Params{
		"Action": r.Operation, "Version": "2020-06-01", "Format": format, "AccessKeyId": account, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": fmt.Sprint(h.asked), "Timestamp": time.Now().UTC().Format(time.RFC3339),
	}
	maps.Copy(p, h.trial.Ask(r))
	p["Signature"], _ = auth.SignV1(http.MethodGet, p, "secret")
	query := url.Values{}
	for name, value := range p {
		query.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.api.ServeHTTP(w, httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, "/?"+query.Encode(), nil))
	return w.Code, h.trial.Hear(r, w.Code, w.Body.Bytes())
}

func pairs(m map[string]string) (list []string) {
	for name, value := range m {
		list = append(list, name, value)
	}
	return list
}

// call makes a request that must go well, and reads its JSON.
func call[T any](h *house, action string, v values) (out T) {
	h.t.Helper()
	status, body := h.exchange("JSON", evidence.Request{Operation: action, Params: v})
	if err := json.Unmarshal(body, &out); err != nil || status != http.StatusOK {
		h.t.Fatalf("%s %v: %d %s: %v", action, v, status, body, err)
	}
	return out
}

// refused makes a request that must be refused so.
func (h *house) refused(action string, v values, status int, code string) {
	h.t.Helper()
	got, body := h.exchange("JSON", evidence.Request{Operation: action, Params: v, Expect: evidence.Refused})
	var e struct{ Code, Message, HostId, RequestId string }
	if err := json.Unmarshal(body, &e); err != nil || got != status || e.Code != code {
		h.t.Errorf("%s %.200v: %d %.200s, want %d %s", action, v, got, body, status, code)
	}
	if e.Message == "" || e.HostId == "" || e.RequestId == "" {
		h.t.Errorf("%s: an incomplete error %s", action, body)
	}
	h.trial.Refused(action, got, e.Code, e.Message)
}

// A machine is one of the fleet by both of its names.
type machine struct{ id, name string }

// machine registers one, and brings its agent up.
func (h *house) machine(os orderly.OSType, tags ...orderly.Tag) machine {
	h.t.Helper()
	m := h.away(os, 0, tags...)
	_, err := h.engine.Greet(h.t.Context(), []engine.Greeting{{Listed: true, Link: store.Link{
		Instance: m.id, ID: "link-" + m.id, AgentVersion: "1.2.3", Boot: orderly.Boot{Incarnation: "inc-" + m.id, ID: "boot"},
	}}})
	must(h.t, err)
	return m
}

// away is a machine that registered some time ago and was not heard of since.
func (h *house) away(os orderly.OSType, ago time.Duration, tags ...orderly.Tag) machine {
	h.t.Helper()
	seq := h.db.NextSeq()
	i := orderly.Instance{
		Seq: seq, ID: orderly.NewID(orderly.InstancePrefix, region, seq), Account: account, Region: region, Name: "web", PublicKey: fmt.Sprint(seq),
		MachineID: "machine", OS: os, OSVersion: "13", AgentVersion: "1.2.3", IntranetIP: "10.0.0.7", InternetIP: "203.0.113.7",
		ResourceGroup: "rg-machines", Registered: h.db.Now().Add(-ago), Tags: tags,
	}
	must(h.t, h.db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.AddInstance(i) }))
	return machine{i.ID, orderly.Alias(i.ID)}
}

// list is a JSON list of machines, as requests have it.
func list(machines ...machine) string {
	names := []string{}
	for _, m := range machines {
		names = append(names, `"`+m.name+`"`)
	}
	return "[" + strings.Join(names, ",") + "]"
}

// report is what the agent of a machine says of the newest task that was sent to it.
func (h *house) report(m machine, r orderly.Report) {
	h.t.Helper()
	h.mu.Lock()
	for _, s := range h.sent {
		if s.Instance == m.id {
			r.Task, r.Instance = s.Task, m.id
		}
	}
	h.mu.Unlock()
	if r.Instance == "" {
		h.t.Fatalf("nothing was sent to %s", m.id)
	}
	r.Number++
	must(h.t, h.engine.Report(h.t.Context(), []orderly.Report{r}))
}

// end is a report of a run that is over; an exit code below 0 is none.
func (h *house) end(m machine, state orderly.State, code orderly.ErrorCode, exit int, output string) {
	h.t.Helper()
	now := h.db.Now()
	r := orderly.Report{Number: 8, State: state, ErrorCode: code, Started: now, Finished: now, Output: []byte(output), Total: int64(len(output))}
	if exit >= 0 {
		r.ExitCode = &exit
	}
	h.report(m, r)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// The answers that tests read.
type (
	began struct{ InvokeId, CommandId string }

	page struct{ TotalCount, PageNumber, PageSize int }

	invocations struct {
		page
		CommandInvocations []invocation
	}

	invocation struct {
		InvokeId, CommandId, CommandName, InvocationStatus, CommandContent, Parameters, Username, CreationTime string
		InvokeInstances                                                                                        []result
	}

	result struct {
		InstanceId, InvocationStatus, InvokeStatus, InvokeRecordStatus, Output, ErrorCode, ErrorInfo, StartTime, FinishTime, FinishedTime, InvokeId string
		ExitCode                                                                                                                                    *int
	}

	onOne struct {
		page
		Invocations []result
	}

	commands struct {
		page
		Commands []struct{ CommandId, Name, Provider string }
	}

	machines struct {
		page
		Instances            []struct{ InstanceId, Status string }
		InstanceStatuses     []struct{ InstanceId, Status string }
		CloudAssistantStatus []struct {
			InstanceId string
			Status     bool
		}
		CloudAssistant []struct{ InstanceId, CloudAssistantStatus, CloudAssistantVersion string }
	}
)

// script is a RunCommand on a machine.
func script(m machine) values {
	return values{"Type": "RunShellScript", "Name": "hello", "CommandContent": "echo hello", "InstanceId": m.name}
}

var aCommand = values{"Name": "greet", "Type": "RunShellScript", "CommandContent": "echo hello"}
