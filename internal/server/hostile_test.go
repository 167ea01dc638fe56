package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/server"
	"github.com/orderly-run/orderly/internal/store"
)

// A house is a running server with the key of its account.
type house struct {
	t        *testing.T
	url      string
	secret   string // file
	key      store.AccessKey
	endpoint string
}

// each runs a story on every backend.
func each(t *testing.T, story func(t *testing.T, h *house)) {
	t.Run("sqlite", func(t *testing.T) { story(t, start(t, filepath.Join(t.TempDir(), "orderly.db"))) })
	t.Run("postgres", func(t *testing.T) { story(t, start(t, pgtest.DSN(t))) })
}

func start(t *testing.T, db string) *house {
	t.Helper()
	data := t.TempDir()
	srv := run(t, server.Config{Data: data, Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", DB: db})
	return &house{t: t, url: db, secret: filepath.Join(data, "secret"), key: srv.First().Key, endpoint: srv.Endpoint()}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var nonces int

// call makes a signed request with a key.
func (h *house) call(key store.AccessKey, action string, params auth.Params) (status int, body string) {
	h.t.Helper()
	nonces++
	p := auth.Params{
		"Action": action, "Version": "2014-05-26", "AccessKeyId": key.ID, "SignatureMethod": auth.HMACSHA1, "SignatureVersion": "1.0",
		"SignatureNonce": fmt.Sprint("n", nonces), "Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05Z"), "Format": "JSON", "RegionId": "cn-hangzhou",
	}
	for name, value := range params {
		p[name] = value
	}
	p["Signature"], _ = auth.SignV1(http.MethodPost, p, key.Secret)
	form := url.Values{}
	for name, value := range p {
		form.Set(name, value)
	}
	resp, err := http.PostForm(h.endpoint, form)
	must(h.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return resp.StatusCode, string(text)
}

// parameters are all that some operation takes.
var parameters = []string{
	"AccessKeyId", "ActivationId", "AddressRange", "ClientToken", "CommandContent", "CommandId", "CommandName", "Connected", "ContainerId", "ContainerName",
	"ContentEncoding", "DeliveryTimeout", "Description", "EnableParameter", "Format", "Frequency", "IncludeOutput", "InstanceCount", "InstanceId", "InstanceId.1", "InstanceIp",
	"InstanceName", "InstanceName.1", "InvokeId", "InvokeRecordStatus", "InvokeStatus", "KeepCommand", "Latest", "Launcher", "MachineId", "MaxResults", "Name", "NextToken",
	"OSType", "OsType", "OssOutputDelivery", "PageNumber", "PageSize", "Parameters", "Provider", "RegionId", "RepeatMode", "ResourceGroupId", "ResourceTag.1.Key", "ResourceTag.1.Value",
	"SecurityToken", "SignatureNonce", "SignatureType", "Tag.1.Key", "Tag.1.Value", "TerminationMode", "TimeToLiveInHours", "Timed", "Timeout", "Type", "Username", "WindowsPasswordName", "WorkingDir",
}

// operations are all operations with what makes them go as far as they go here.
var operations = map[string]auth.Params{
	"CreateActivation": {}, "DescribeActivations": {}, "DisableActivation": {"ActivationId": "x"}, "DeleteActivation": {"ActivationId": "x"},
	"DescribeManagedInstances": {}, "ModifyManagedInstance": {"InstanceId": "mi-1", "InstanceName": "web"}, "DeregisterManagedInstance": {"InstanceId": "mi-1"},
	"DescribeCloudAssistantStatus": {}, "CreateCommand": {"Name": "n", "Type": "RunShellScript", "CommandContent": "dHJ1ZQ=="}, "DescribeCommands": {},
	"DeleteCommand": {"CommandId": "c-1"}, "RunCommand": {"Type": "RunShellScript", "CommandContent": "true", "InstanceId.1": "mi-1"},
	"InvokeCommand": {"CommandId": "c-1", "InstanceId.1": "mi-1"}, "StopInvocation": {"InvokeId": "t-1"}, "DescribeInvocations": {},
	"DescribeInvocationResults": {}, "DescribeRegions": {},
}

// secondary are the operations of the second dialect, likewise, and its parameters.
var (
	secondary = map[string]auth.Params{
		"CreateCommand": {"Name": "n", "Type": "RunShellScript", "CommandContent": "true"}, "DescribeCommands": {"Provider": "User"},
		"UpdateCommandAttribute": {"CommandId": "c-1"}, "DeleteCommand": {"CommandId": "c-1"},
		"RunCommand":    {"Name": "n", "Type": "RunShellScript", "CommandContent": "true", "InstanceId": "mi-1"},
		"InvokeCommand": {"CommandId": "c-1", "InstanceIds": `["mi-1"]`}, "DescribeCommandInvocations": {}, "DescribeInvocations": {"InstanceId": "mi-1"},
		"DescribeInvocationResult": {"InstanceId": "mi-1", "InvokeId": "t-1"}, "InstallCloudAssistant": {"InstanceIds": `["mi-1"]`},
		"DescribeCloudAssistantStatus": {}, "DescribeCloudAssistantAttributes": {"InstanceIds": `["mi-1"]`}, "ListInstances": {}, "ListInstanceStatus": {},
		"TagResources":   {"ResourceType": "command", "ResourceId.1": "c-1", "Tag.1.Key": "k"},
		"UntagResources": {"ResourceType": "command", "ResourceId.1": "c-1", "All": "true"}, "ListTagResources": {"ResourceType": "command"},
		"StartTerminalSession": {"InstanceId": "mi-1"}, "LoginInstance": {"InstanceId": "mi-1"}, "DescribeInstanceVncUrl": {"InstanceId": "mi-1"},
	}
	secondaryParameters = []string{
		"All", "ChargeType", "ClientToken", "CommandContent", "CommandId", "CommandName", "CommandType", "DeliveryTimeout", "Description", "EnableParameter",
		"InstanceId", "InstanceIds", "InstanceName", "InvocationStatus", "InvokeId", "InvokeStatus", "Name", "NextToken", "PageNumber", "PageSize", "Parameters",
		"Password", "PlanType", "Port", "Provider", "PublicIpAddresses", "RegionId", "ResourceGroupId", "ResourceId.1", "ResourceType", "Status", "Tag.1.Key",
		"Tag.1.Value", "TagKey.1", "Timeout", "Type", "Username", "WindowsPasswordName", "WorkingDir", "WorkingUser",
	}
)

// Bad input never hurts: whatever text stands in whatever parameter, it is an answer's and not a
// fault of ours.
func TestNoTextInAnyParameterIsAFault(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for action, base := range operations {
			for _, name := range parameters {
				h.hurt(action, name, base)
			}
		}
		for action, base := range secondary {
			for _, name := range secondaryParameters {
				h.hurt(action, name, swas(base))
			}
		}
	})
}

// hurt puts text that may hurt into one parameter of a request.
func (h *house) hurt(action, name string, base auth.Params) {
	h.t.Helper()
	for _, text := range []string{"\x00", "a\x00b", "\xff\xfe", "'", "';--", "%", strings.Repeat("9", 30), "-9223372036854775808", "\u2028\U000e0001", `["\ud800"]`} {
		p := auth.Params{name: text}
		for k, v := range base {
			if k != name {
				p[k] = v
			}
		}
		if status, body := h.call(h.key, action, p); status >= 500 || !json.Valid([]byte(body)) && name != "Format" {
			h.t.Errorf("%s with %s=%q: %d %s", action, name, text, status, body)
		}
	}
}

// What a server keeps is for its owner's eyes only.
func TestFilesAreTheirOwnersOnly(t *testing.T) {
	db := filepath.Join(t.TempDir(), "orderly.db")
	h := start(t, db)
	h.call(h.key, "CreateCommand", operations["CreateCommand"])
	dir := filepath.Dir(db)
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) < 2 {
		t.Errorf("%d files beside the database, want its log too", len(files))
	}
	for _, f := range files {
		info, err := f.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}

// Anybody may ask whether a server is ready; where its database is and who it is there is no answer.
func TestReadinessTellsNothingOfTheDatabase(t *testing.T) {
	dsn, err := url.Parse(pgtest.DSN(t))
	must(t, err)
	relay := relayTo(t, dsn)
	h := start(t, relay.url)
	if status, body := h.get("/readyz"); status != http.StatusOK {
		t.Fatalf("readyz: %d %s", status, body)
	}
	relay.cut()
	for range 40 { // first the connections that were open are found broken, then no new one can be made
		status, body := h.get("/readyz")
		if status != http.StatusServiceUnavailable {
			t.Errorf("readyz without a database: %d", status)
		}
		for _, told := range []string{relay.addr, "user=", "database="} {
			if strings.Contains(body, told) {
				t.Fatalf("readyz tells %q: %s", told, body)
			}
		}
	}
}

func (h *house) get(path string) (int, string) {
	h.t.Helper()
	resp, err := http.Get(h.endpoint + path)
	must(h.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return resp.StatusCode, string(text)
}

// A relay stands between a server and its database.
type relay struct {
	url, addr string
	cut       func()
}

func relayTo(t *testing.T, dsn *url.URL) relay {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(ctx, "tcp", dsn.Host)
			if err != nil {
				near.Close()
				return
			}
			context.AfterFunc(ctx, func() { near.Close(); far.Close() })
			done.Go(func() { _, _ = io.Copy(near, far); near.Close() })
			done.Go(func() { _, _ = io.Copy(far, near); far.Close() })
		}
	})
	cut := func() { cancel(); l.Close(); done.Wait() }
	t.Cleanup(cut)
	through := *dsn
	through.Host = l.Addr().String()
	return relay{through.String(), through.Host, cut}
}
