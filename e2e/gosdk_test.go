package e2e_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// goSDK is the vendor's Go client, pointed at endpoint (http://host:port) the way its users would.
func goSDK(t testing.TB, endpoint, keyID, secret string) *ecs.Client {
	t.Helper()
	c, err := ecs.NewClientWithAccessKey(stage.Region, keyID, secret)
	if err != nil {
		t.Fatal(err)
	}
	scheme, host, _ := strings.Cut(endpoint, "://")
	c.Domain = host
	c.GetConfig().WithScheme(strings.ToUpper(scheme))
	return c
}

// A play is one telling of a story: by the vendor's Go client in one format, to a server of its own
// on one database.
type play struct {
	*testing.T
	Server *stage.Server
	SDK    *ecs.Client
	Format string // JSON or XML
}

// eachFormat tells a story in JSON on SQLite and in XML on PostgreSQL.
func eachFormat(t *testing.T, story func(p *play)) {
	t.Parallel()
	for format, db := range map[string]stage.Database{"JSON": stage.SQLite, "XML": stage.PostgreSQL} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := stage.Open(t, stage.Options{Database: db})
			story(&play{t, s, goSDK(t, s.Endpoint, s.KeyID, s.Secret), format})
		})
	}
}

// An answer is what any operation answers.
type answer interface {
	responses.AcsResponse
	comparable
}

// ask calls an operation, which must succeed, and returns its answer.
func ask[Q requests.AcsRequest, A answer](p *play, do func(Q) (A, error), q Q) A {
	p.Helper()
	setFormat(q, p.Format)
	a, err := do(q)
	if err != nil {
		p.Fatalf("%s: %v", q.GetActionName(), err)
	}
	id := reflect.ValueOf(a).Elem().FieldByName("RequestId").String()
	if header := a.GetHttpHeaders()["X-Acs-Request-Id"]; !requestID.MatchString(id) || len(header) != 1 || header[0] != id {
		p.Errorf("%s: RequestId = %q, in the header %q, want a UUID twice", q.GetActionName(), id, header)
	}
	want := map[string]string{"JSON": "application/json;charset=utf-8", "XML": "text/xml;charset=utf-8"}[p.Format]
	if got := a.GetHttpHeaders()["Content-Type"]; len(got) != 1 || got[0] != want {
		p.Errorf("%s: Content-Type = %q, want %s", q.GetActionName(), got, want)
	}
	return a
}

// setFormat has a request ask for a format; the SDK has a field for it in each of its types.
func setFormat(q requests.AcsRequest, format string) {
	reflect.ValueOf(q).Elem().FieldByName("AcceptFormat").SetString(format)
}

// A refusal is the answer of an operation that was refused.
type refusal struct {
	Status            int
	Code, Message     string
	RequestId, HostId string
}

// refused calls an operation, which must be refused with that status and code.
func refused[Q requests.AcsRequest, A answer](p *play, do func(Q) (A, error), q Q, status int, code string) {
	p.Helper()
	setFormat(q, p.Format)
	_, err := do(q)
	var e *sdkerrors.ServerError
	if !errors.As(err, &e) {
		p.Errorf("%s: error = %v, want one from the server", q.GetActionName(), err)
		return
	}
	got, err := refusalIn(e, p.Format)
	if err != nil {
		p.Errorf("%s: %v: %s", q.GetActionName(), err, e.Message())
		return
	}
	if got.Status != status || got.Code != code || got.Message == "" {
		p.Errorf("%s: got %d %s %q, want %d %s", q.GetActionName(), got.Status, got.Code, got.Message, status, code)
	}
	if header := e.RespHeaders["X-Acs-Request-Id"]; !requestID.MatchString(got.RequestId) || len(header) > 0 && header[0] != got.RequestId || got.HostId != p.Server.Host() {
		p.Errorf("%s: RequestId = %q, in the header %q; HostId = %q, want %s", q.GetActionName(), got.RequestId, header, got.HostId, p.Server.Host())
	}
}

// refusalIn is what the SDK makes of a refusal. It reads those in JSON only; one in XML is the
// message as it came.
func refusalIn(e *sdkerrors.ServerError, format string) (refusal, error) {
	r := refusal{Status: e.HttpStatus(), Code: e.ErrorCode(), Message: e.Message(), RequestId: e.RequestId(), HostId: e.HostId()}
	if format == "JSON" {
		return r, nil
	}
	if r.Code != "" {
		return r, fmt.Errorf("the SDK reads XML now: code %s", r.Code)
	}
	var root struct {
		XMLName xml.Name `xml:"Error"`
		refusal
	}
	err := xml.Unmarshal([]byte(e.Message()), &root)
	root.Status = e.HttpStatus()
	return root.refusal, err
}

// number and truth are values as the SDK wants them.
func number(n int) requests.Integer { return requests.NewInteger(n) }
func truth(b bool) requests.Boolean { return requests.NewBoolean(b) }

// The client decides the form of what our server must understand. A new version of it that
// speaks differently shows here first.
func TestGoSDKSignsInTheQuery(t *testing.T) {
	var got url.Values
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Query()
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"RequestId":"r-1","InvokeId":"t-1"}`))
	}))
	defer srv.Close()

	q := ecs.CreateRunCommandRequest()
	q.Type = "RunShellScript"
	q.CommandContent = "echo hello"
	q.InstanceId = &[]string{"i-1", "i-2"}
	answer, err := goSDK(t, srv.URL, "testid", "testsecret").RunCommand(q)
	if err != nil {
		t.Fatal(err)
	}
	if answer.InvokeId != "t-1" {
		t.Errorf("InvokeId = %q, want t-1", answer.InvokeId)
	}
	for name, want := range map[string]string{
		"Action": "RunCommand", "Version": "2014-05-26", "Format": "JSON", "RegionId": "cn-hangzhou",
		"AccessKeyId": "testid", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"Type": "RunShellScript", "CommandContent": "echo hello", "InstanceId.1": "i-1", "InstanceId.2": "i-2",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
	if got.Get("Signature") == "" || got.Get("SignatureNonce") == "" {
		t.Errorf("not signed: %v", got)
	}
}

// place sets a number of a request, unless it is 0.
func place(parameter *requests.Integer, n int) {
	if n != 0 {
		*parameter = number(n)
	}
}
