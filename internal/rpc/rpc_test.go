package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/rpc"
)

const (
	version = "2014-05-26"
	secret  = "testsecret"
)

// ring is a key ring in memory, as durable as the test.
type ring struct {
	mu    sync.Mutex
	spent map[string]bool
}

func (r *ring) AccessKey(_ context.Context, id string) (rpc.Key, error) {
	switch id {
	case "testid", "offid":
		return rpc.Key{ID: id, Account: "1234567890123456", Secret: secret, Disabled: id == "offid"}, nil
	case "brokenid":
		return rpc.Key{}, errors.New("the disk is gone")
	}
	return rpc.Key{}, fmt.Errorf("look up key: %w", rpc.KeyUnknown)
}

func (r *ring) SpendNonce(_ context.Context, keyID, nonce string, _ time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spent == nil {
		r.spent = map[string]bool{}
	}
	if r.spent[keyID+" "+nonce] {
		return rpc.NonceUsed
	}
	r.spent[keyID+" "+nonce] = true
	return nil
}

type region struct {
	RegionId string `rpc:",required"`
}

type tag struct{ Key, Value string }

type runRequest struct {
	region
	CommandContent string   `rpc:",required"`
	InstanceId     []string `rpc:",required,missing=MissingParam.InstanceId"`
	Parameters     *string
	Timeout        *int64
	PageNumber     int `rpc:",code=InvalidParam.PageNumber"`
	KeepCommand    bool
	Timed          *bool
	Tag            []tag
	Count          []int64
	Ranges         []rangeParam `rpc:"Range"`
}

type rangeParam struct {
	From int64 `rpc:",required"`
	Name []string
}

type runResponse struct {
	InvokeId       string
	CommandContent string
	Instances      []string
	Parameters     *string
	Timeout        *int64
	Timed          *bool
	KeepCommand    bool
	Tags           []tag
	Count          []int64
	Ranges         []rangeParam
}

func run(_ context.Context, _ orderly.Caller, req runRequest) (runResponse, error) {
	return runResponse{
		InvokeId: "t-1", CommandContent: req.CommandContent, Instances: req.InstanceId, Parameters: req.Parameters,
		Timeout: req.Timeout, Timed: req.Timed, KeepCommand: req.KeepCommand, Tags: req.Tag, Count: req.Count, Ranges: req.Ranges,
	}, nil
}

type invocation struct {
	InvokeId, StopTime string
	ExitCode           *int64
	Timed              bool
}

type describeResponse struct {
	TotalCount  int64
	Invocations struct{ Invocation []invocation }
}

func describe(_ context.Context, _ orderly.Caller, req struct {
	region
	InvokeId string
}) (describeResponse, error) {
	var resp describeResponse
	if req.InvokeId == "" {
		return resp, nil
	}
	exit := int64(-1)
	resp.TotalCount = 2
	resp.Invocations.Invocation = []invocation{{InvokeId: req.InvokeId, ExitCode: &exit}, {InvokeId: "<&>\"\x00\x1b\r\né\xff", Timed: true}}
	return resp, nil
}

type instance struct {
	InstanceId string
	Tags       []tag
}

func machines(context.Context, orderly.Caller, region) (struct{ Instances []instance }, error) {
	return struct{ Instances []instance }{[]instance{{"mi-1", []tag{{"a", "1"}, {"b", ""}}}, {InstanceId: "mi-2"}}}, nil
}

const (
	told   orderly.Reason = "told reason"
	fixed  orderly.Reason = "fixed reason"
	absent orderly.Reason = "reason that no table has"
)

// fail fails in the way it is asked to.
func fail(_ context.Context, c orderly.Caller, req struct{ Reason string }) (struct{}, error) {
	switch req.Reason {
	case "told":
		return struct{}{}, fmt.Errorf("our inner workings: %w", told.Errorf("i-1 is %s", "<asleep>"))
	case "fixed":
		return struct{}{}, fixed.Errorf("detail that the table replaces")
	case "absent":
		return struct{}{}, absent
	case "dynamic":
		return struct{}{}, fmt.Errorf("x: %w", &rpc.Error{Status: 409, Code: "Dynamic.Code", Message: "as it is"})
	case "panic":
		panic("secret detail")
	case "forbidden", "throttled", "conflict", "overloaded":
		return struct{}{}, map[string]error{
			"forbidden": rpc.Forbidden, "throttled": rpc.Throttled,
			"conflict": rpc.Conflict.Errorf("later"), "overloaded": rpc.Overloaded,
		}[req.Reason]
	}
	return struct{}{}, errors.New("secret detail")
}

func whoami(_ context.Context, c orderly.Caller, _ struct{}) (struct{ Account, KeyID, SourceIP string }, error) {
	return struct{ Account, KeyID, SourceIP string }{c.Account, c.KeyID, c.SourceIP}, nil
}

// config is a dialect of a few actions.
func config() rpc.Config {
	api := rpc.API{
		Product: "Ecs", Version: version,
		Actions: []rpc.Action{
			rpc.Change("RunCommand", run),
			rpc.Handle("DescribeInvocations", describe),
			rpc.Handle("DescribeManagedInstances", machines),
			rpc.Handle("Fail", fail),
			rpc.Handle("WhoAmI", whoami),
			rpc.Change("Forbidden", whoami),
		},
		Codes: map[orderly.Reason]rpc.Code{
			told:                      {Status: 400, Code: "Told.Code"},
			fixed:                     {Status: 403, Code: "Fixed.Code", Message: "The fixed message."},
			orderly.RegionUnknown:     {Status: 404, Code: "InvalidRegionId.NotFound", Message: "The RegionId provided does not exist in our records."},
			orderly.PageNumberInvalid: {Status: 400, Code: "InvalidParam.PageNumber", Message: "The specified parameter is invalid."},
		},
		Internal: rpc.Code{Status: 500, Code: "InternalError.Dispatch", Message: "An error occurred when you dispatched the request."},
		Check: func(_ orderly.Caller, _ string, p map[string]string) error {
			if r := p["RegionId"]; r != "" && r != "cn-hangzhou" {
				return orderly.RegionUnknown
			}
			return nil
		},
	}
	return rpc.Config{
		APIs: []rpc.API{api}, Keys: &ring{}, Host: "ecs.example",
		Authorize: func(_ context.Context, _ orderly.Caller, _, action string) error {
			if action == "Forbidden" {
				return rpc.Forbidden
			}
			return nil
		},
	}
}

// values are the parameters of a test's request.
type values = auth.Params

// v1 adds the common parameters of V1, freshly signed. Parameters that are there already stay.
func v1(method, action string, p values) values {
	out := values{
		"Action": action, "Version": version, "AccessKeyId": "testid", "SignatureMethod": auth.HMACSHA1, "SignatureVersion": "1.0",
		"SignatureNonce": fmt.Sprint(nonce.next()), "Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05Z"), "Format": "JSON",
	}
	for name, value := range p {
		out[name] = value
	}
	out["Signature"], _ = auth.SignV1(method, out, secret)
	return out
}

// get is a signed V1 request in the query.
func get(action string, p values) *http.Request {
	return httptest.NewRequest(http.MethodGet, "/?"+v1(http.MethodGet, action, p).Canonical(), nil)
}

// v3 is a V3 request with its parameters in a form, signed after change has had its way.
func v3(action string, p values, change func(*http.Request)) *http.Request {
	body := p.Canonical()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("x-acs-action", action)
	r.Header.Set("x-acs-version", version)
	r.Header.Set("x-acs-date", time.Now().UTC().Format("2006-01-02T15:04:05Z"))
	r.Header.Set("x-acs-signature-nonce", fmt.Sprint(nonce.next()))
	r.Header.Set(auth.ContentHash, auth.HashPayload([]byte(body)))
	if change != nil {
		change(r)
	}
	signed := auth.Request{Method: r.Method, Path: "/", Query: values{}, Host: r.Host, Header: r.Header, PayloadHash: auth.HashPayload([]byte(body))}
	r.Header.Set("Authorization", auth.SignV3(signed, "testid", secret).String())
	return r
}

// nonce numbers requests, so that no two of a test run are replays.
var nonce counter

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) next() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}

// answer is an answer as a client sees it.
type answer struct {
	status int
	header http.Header
	body   string

	RequestId, HostId, Code, Message string
}

// do sends the request and checks the envelope: every answer is well formed, has a RequestId and
// names the same one in its header.
func do(t testing.TB, h http.Handler, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return read(t, w.Result())
}

func read(t testing.TB, resp *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	switch resp.Header.Get("Content-Type") {
	case "application/json;charset=utf-8":
		err = json.Unmarshal(body, &a)
	case "text/xml;charset=utf-8":
		err = xml.Unmarshal(body, &a)
	default:
		t.Fatalf("content type %q", resp.Header.Get("Content-Type"))
	}
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if a.RequestId == "" || a.RequestId != resp.Header.Get("x-acs-request-id") {
		t.Fatalf("RequestId %q, header %q", a.RequestId, resp.Header.Get("x-acs-request-id"))
	}
	if (a.Code == "") != (a.status == 200) {
		t.Fatalf("status %d with code %q", a.status, a.Code)
	}
	return a
}

// logTo makes the configuration log JSON lines into a buffer.
func logTo(cfg *rpc.Config) *bytes.Buffer {
	var b bytes.Buffer
	cfg.Log = slog.New(slog.NewJSONHandler(&b, nil))
	return &b
}
