package client_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/client"
	"github.com/orderly-run/orderly/internal/rpc"
)

// A world is a server of a few actions over a counter, with outages to order.
type world struct {
	mu     sync.Mutex
	outage []int    // statuses of the next answers; -1 cuts the connection
	runs   []string // client tokens of RunCommand, as they came
	stops  []stopRequest
	polls  int // until an invocation has ended
	nonces map[string]bool
}

func (w *world) AccessKey(_ context.Context, id string) (rpc.Key, error) {
	if id != "testid" {
		return rpc.Key{}, rpc.KeyUnknown
	}
	return rpc.Key{ID: id, Account: "1", Secret: "testsecret"}, nil
}

func (w *world) SpendNonce(_ context.Context, _, nonce string, _ time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nonces[nonce] {
		return rpc.NonceUsed
	}
	w.nonces[nonce] = true
	return nil
}

// text is how the server shows text when Base64 is asked for.
func text(encoding, s string) string {
	if encoding == "Base64" {
		return base64.StdEncoding.EncodeToString([]byte(s))
	}
	return s
}

type runRequest struct {
	RegionId, Type, CommandContent string `rpc:",required"`
	ContentEncoding, ClientToken   string
	InstanceId                     []string
	ResourceTag                    []client.Tag
	Timeout                        *int64
	KeepCommand                    *bool
}

func (w *world) run(_ context.Context, _ orderly.Caller, req runRequest) (struct{ CommandId, InvokeId string }, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, req.ClientToken)
	content, err := base64.StdEncoding.DecodeString(req.CommandContent)
	if err != nil || req.ContentEncoding != "Base64" {
		return struct{ CommandId, InvokeId string }{}, &rpc.Error{Status: 400, Code: "CmdContent.DecodeError", Message: "not Base64"}
	}
	timeout, keep := "-", "-"
	if req.Timeout != nil {
		timeout = strconv.FormatInt(*req.Timeout, 10)
	}
	if req.KeepCommand != nil {
		keep = strconv.FormatBool(*req.KeepCommand)
	}
	return struct{ CommandId, InvokeId string }{"c-1", fmt.Sprint(req.RegionId, " ", req.Type, " ", string(content), " ", req.InstanceId, req.ResourceTag, " ", timeout, " ", keep)}, nil
}

type stopRequest struct {
	InvokeId   string
	InstanceId []string
}

func (w *world) stop(_ context.Context, _ orderly.Caller, req stopRequest) (struct{}, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stops = append(w.stops, req)
	return struct{}{}, nil
}

type invocations struct {
	TotalCount  int64
	Invocations struct{ Invocation []invocation }
}

type invocation struct {
	InvokeId, InvocationStatus, CommandContent string
	InvokeInstances                            struct{ InvokeInstance []result }
}

type result struct {
	InstanceId, InvocationStatus, Output string
	ExitCode                             *int64
	Dropped                              int64
}

type pageRequest struct {
	InvokeId, ContentEncoding, NextToken string
	MaxResults                           int
	InstanceId                           string
}

func (w *world) describe(_ context.Context, _ orderly.Caller, req pageRequest) (resp invocations, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if req.InvokeId != "t-1" {
		return resp, nil
	}
	status := "Running"
	if w.polls--; w.polls <= 0 {
		status = "Success"
	}
	resp.Invocations.Invocation = []invocation{{InvokeId: req.InvokeId, InvocationStatus: status, CommandContent: text(req.ContentEncoding, "echo é")}}
	return resp, nil
}

type resultPage struct {
	NextToken         string
	InvocationResults struct{ InvocationResult []result }
}

const rows = 120

func (w *world) results(_ context.Context, _ orderly.Caller, req pageRequest) (resp struct{ Invocation resultPage }, err error) {
	start, _ := strconv.Atoi(req.NextToken)
	end := min(start+req.MaxResults, rows)
	for i := start; i < end; i++ {
		exit := int64(i - 1)
		r := result{InstanceId: fmt.Sprint("i-", i), Output: text(req.ContentEncoding, "out\x00\xff"), ExitCode: &exit, Dropped: 7}
		resp.Invocation.InvocationResults.InvocationResult = append(resp.Invocation.InvocationResults.InvocationResult, r)
	}
	if end < rows {
		resp.Invocation.NextToken = strconv.Itoa(end)
	}
	if req.InstanceId == "stuck" {
		resp.Invocation.NextToken = "1"
	}
	return resp, nil
}

// late answers with two late results, each on a page of its own.
func (w *world) late(_ context.Context, _ orderly.Caller, req pageRequest) (resp struct {
	NextToken   string
	LateResults struct{ LateResult []client.LateResult }
}, err error) {
	l := client.LateResult{InvokeId: req.InvokeId, InstanceId: "i-1", Output: client.Text(text(req.ContentEncoding, "out\x00\xff")), Repeats: 2}
	if req.NextToken == "" {
		l.InstanceId, resp.NextToken = fmt.Sprint("i-", req.MaxResults), "more"
	}
	resp.LateResults.LateResult = []client.LateResult{l}
	return resp, nil
}

type managed struct {
	InstanceId string
	Connected  bool
	Tags       []struct{ TagKey, TagValue string }
}

func (w *world) machines(_ context.Context, _ orderly.Caller, req struct {
	NextToken, Connected string
	InstanceId           []string
}) (resp struct {
	NextToken string
	Instances []managed
}, err error) {
	resp.Instances = []managed{{InstanceId: "mi-2"}}
	if req.NextToken == "" {
		resp.NextToken = "more"
		resp.Instances = []managed{{"mi-1", req.Connected == "true", []struct{ TagKey, TagValue string }{{"a", "b"}}}}
	}
	return resp, nil
}

func (w *world) activate(_ context.Context, _ orderly.Caller, req struct {
	InstanceCount int
	ClientToken   string `rpc:",required"`
}) (struct{ ActivationId, ActivationCode string }, error) {
	return struct{ ActivationId, ActivationCode string }{"A", fmt.Sprint("code for ", req.InstanceCount)}, nil
}

// handler answers like the real server, or has the outage that was ordered.
func (w *world) handler() http.Handler {
	h := rpc.New(rpc.Config{Keys: w, APIs: []rpc.API{{Version: "2014-05-26", Actions: []rpc.Action{
		rpc.Change("RunCommand", w.run), rpc.Change("StopInvocation", w.stop), rpc.Handle("DescribeInvocations", w.describe),
		rpc.Handle("DescribeInvocationResults", w.results), rpc.Handle("DescribeManagedInstances", w.machines),
		rpc.Handle("DescribeLateResults", w.late), rpc.Change("CreateActivation", w.activate),
	}}}})
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch status := w.nextOutage(); {
		case status == 0:
			h.ServeHTTP(rw, r)
		case status < 0:
			panic(http.ErrAbortHandler)
		default:
			h.ServeHTTP(httptest.NewRecorder(), r) // what was asked for happens; the answer is lost
			http.Error(rw, "bad gateway", status)
		}
	})
}

func (w *world) nextOutage() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.outage) == 0 {
		return 0
	}
	status := w.outage[0]
	w.outage = w.outage[1:]
	return status
}

// open starts a world and a client of it.
func open(t *testing.T) (*world, *client.Client) {
	t.Helper()
	w := &world{nonces: map[string]bool{}}
	server := httptest.NewServer(w.handler())
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{Endpoint: server.URL, KeyID: "testid", Secret: "testsecret", Region: "r-1"})
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

func TestCommandsTravelWhole(t *testing.T) {
	w, c := open(t)
	resp, err := c.RunCommand(t.Context(), client.RunCommandRequest{
		CommandContent: "echo '&=+%' é\x00", InstanceId: []string{"i-1", "i-2"},
		ResourceTag: []client.Tag{{Key: "a b", Value: "*~"}, {Key: "c"}}, Timeout: 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "r-1 RunShellScript echo '&=+%' é\x00 [i-1 i-2] [{a b *~} {c }] 30 -"; resp.InvokeId != want || resp.CommandId != "c-1" || resp.RequestId == "" {
		t.Errorf("got %+v, want %q", resp, want)
	}
	if err := c.StopInvocation(t.Context(), client.StopInvocationRequest{InvokeId: "t-1", InstanceId: []string{"i-2"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]stopRequest{{"t-1", []string{"i-2"}}}, w.stops); diff != "" {
		t.Error(diff)
	}
	a, err := c.CreateActivation(t.Context(), client.CreateActivationRequest{InstanceCount: 3})
	if err != nil || a.ActivationCode != "code for 3" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAllPagesAreRead(t *testing.T) {
	_, c := open(t)
	got, err := c.DescribeInvocationResults(t.Context(), client.DescribeInvocationResultsRequest{InvokeId: "t-1"})
	if err != nil || len(got) != rows {
		t.Fatalf("%d results, %v, want %d", len(got), err, rows)
	}
	for i, r := range got {
		if r.InstanceId != fmt.Sprint("i-", i) || r.Output != "out\x00\xff" || *r.ExitCode != int64(i-1) || r.Dropped != 7 {
			t.Fatalf("row %d: %+v", i, r)
		}
	}
	machines, err := c.DescribeManagedInstances(t.Context(), client.DescribeManagedInstancesRequest{Connected: "true"})
	if err != nil || len(machines) != 2 || !machines[0].Connected || machines[0].Tags[0].TagValue != "b" || machines[1].InstanceId != "mi-2" {
		t.Errorf("%+v, %v", machines, err)
	}
	late, err := c.DescribeLateResults(t.Context(), client.DescribeLateResultsRequest{InvokeId: "t-1"})
	if err != nil || len(late) != 2 || late[0].InstanceId != "i-50" || late[1].InstanceId != "i-1" || late[1].Output != "out\x00\xff" || late[1].Repeats != 2 {
		t.Errorf("%+v, %v", late, err)
	}
	if _, err := c.DescribeInvocationResults(t.Context(), client.DescribeInvocationResultsRequest{InstanceId: "stuck"}); err == nil {
		t.Error("a page that names itself as the next did not end the reading with an error")
	}
}

func TestRefusalIsAnError(t *testing.T) {
	_, c := open(t)
	err := c.Call(t.Context(), "Nonsense", nil, nil)
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Status != 404 || refused.Code != "InvalidAction.NotFound" || refused.RequestID == "" {
		t.Errorf("got %v", err)
	}
}

func TestOnlySafeCallsAreRepeated(t *testing.T) {
	for _, c := range []struct {
		name, action string
		params       auth.Params
		outage       []int
		ok           bool
		left         int // outages that nobody ran into
	}{
		{"a read after 503 and a cut connection", "DescribeInvocations", nil, []int{503, -1, 500}, true, 0},
		{"a read, but not for ever", "DescribeInvocations", nil, []int{503, 503, 503, 503, 503}, false, 1},
		{"a refusal never", "DescribeInvocations", nil, []int{404, 503}, false, 1},
		{"a change with a token", "RunCommand", auth.Params{"ClientToken": "tok"}, []int{502, -1}, true, 0},
		{"a change without a token never", "RunCommand", nil, []int{502, 503}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, cl := inMemory(t)
				w.outage = c.outage
				p := auth.Params{"RegionId": "r", "Type": "t", "CommandContent": "bHM=", "ContentEncoding": "Base64", "ClientToken": c.params["ClientToken"]}
				if c.action != "RunCommand" {
					p = nil
				}
				if err := cl.Call(t.Context(), c.action, p, nil); (err == nil) != c.ok {
					t.Errorf("error %v, want none: %v", err, c.ok)
				}
				if len(w.outage) != c.left {
					t.Errorf("%d outages left, want %d", len(w.outage), c.left)
				}
				if len(slices.Compact(w.runs)) > 1 {
					t.Errorf("tokens %q, want the same", w.runs)
				}
			})
		})
	}
}

// direct is a connection without a network, for tests in bubbles of time.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		p := recover()
		if cause, ok := p.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
			err = errors.New("connection cut")
		} else if p != nil {
			panic(p)
		}
	}()
	r = r.Clone(r.Context())
	r.RemoteAddr = "192.0.2.1:1"
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

func inMemory(t *testing.T) (*world, *client.Client) {
	t.Helper()
	w := &world{nonces: map[string]bool{}}
	c, err := client.New(client.Config{
		Endpoint: "http://orderly.test", KeyID: "testid", Secret: "testsecret", HTTP: &http.Client{Transport: direct{w.handler()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

func TestWaitSeesAShortCommandAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			polls int
			took  time.Duration
		}{{1, 0}, {2, 5 * time.Millisecond}, {3, 10 * time.Millisecond}} {
			w, cl := inMemory(t)
			w.polls = c.polls
			began, seen := time.Now(), []string{}
			inv, err := cl.WaitInvocation(t.Context(), "t-1", func(i *client.Invocation) { seen = append(seen, i.InvocationStatus) })
			if err != nil || !inv.Ended() || inv.CommandContent != "echo é" || len(seen) != c.polls || seen[c.polls-1] != "Success" {
				t.Errorf("%+v, %v, saw %v", inv, err, seen)
			}
			if took := time.Since(began); took != c.took {
				t.Errorf("%d polls took %s, want %s", c.polls, took, c.took)
			}
		}
	})
}

func TestWaitSlowsDownAndEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := inMemory(t)
		w.polls = 1 << 30
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		inv, err := c.WaitInvocation(ctx, "t-1", nil)
		if !errors.Is(err, context.DeadlineExceeded) || inv == nil {
			t.Errorf("%+v, %v", inv, err)
		}
		if n := 1<<30 - w.polls; n < 60 || n > 80 {
			t.Errorf("asked %d times in 10 s, want about 70", n)
		}
	})
}

func TestWaitOutlivesARestartOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := inMemory(t)
		w.polls = 2
		for range 20 {
			w.outage = append(w.outage, -1)
		}
		if _, err := c.WaitInvocation(t.Context(), "t-1", nil); err != nil {
			t.Error(err)
		}
		w.outage = slices.Repeat([]int{503}, 1000)
		began := time.Now()
		if _, err := c.WaitInvocation(t.Context(), "t-1", nil); err == nil || time.Since(began) > time.Minute {
			t.Errorf("error %v after %s, want one within a minute", err, time.Since(began))
		}
	})
}

func TestWaitForNothingIsRefused(t *testing.T) {
	_, c := open(t)
	var refused *client.Error
	if _, err := c.WaitInvocation(t.Context(), "t-9", nil); !errors.As(err, &refused) || refused.Code != "InvalidInvokeId.NotFound" {
		t.Errorf("got %v", err)
	}
}

func TestTrustsTheGivenAuthorityOnly(t *testing.T) {
	w := &world{nonces: map[string]bool{}, polls: 1}
	server := httptest.NewUnstartedServer(w.handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake that fails is meant to
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, ok := range map[string]bool{ca: true, "": false} {
		c, err := client.New(client.Config{Endpoint: server.URL, KeyID: "testid", Secret: "testsecret", CAFile: file})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Call(t.Context(), "DescribeInvocations", nil, nil); (err == nil) != ok {
			t.Errorf("with authority %q: %v", file, err)
		}
	}
}

func TestEndpointsThatCannotBeOne(t *testing.T) {
	for _, endpoint := range []string{"", "127.0.0.1:80", "ftp://h", "http://", "http://h/api", "http://h:x"} {
		if _, err := client.New(client.Config{Endpoint: endpoint}); err == nil {
			t.Errorf("%q was accepted", endpoint)
		}
	}
}

func TestPointersSendZeroValues(t *testing.T) {
	no, zero := false, int64(0)
	got := client.Flatten(struct {
		A *bool
		B *int64
		C *string
		D bool
		E []client.Tag
	}{A: &no, B: &zero, E: []client.Tag{{Key: "k"}}})
	if diff := cmp.Diff(auth.Params{"A": "false", "B": "0", "E.1.Key": "k"}, got); diff != "" {
		t.Error(diff)
	}
}
