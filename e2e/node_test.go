package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
)

// An object is one in JSON, in requests and in answers.
type object = map[string]any

// A nodeClient is one of the vendor's Node clients, in a process of its own: see node/caller.js.
type nodeClient struct {
	*testing.T
	Server *stage.Server
	in     io.Writer
	out    *bufio.Scanner
}

// openNode starts a client that sends requests of that form to a server. More of its environment
// may be given.
func openNode(t *testing.T, form string, s *stage.Server, env ...string) *nodeClient {
	t.Helper()
	if _, err := os.Stat("node/node_modules/.package-lock.json"); err != nil {
		t.Fatalf("the Node clients are not installed; run hack/prepare: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "caller.js", form)
	cmd.Dir, cmd.Stderr = "node", t.Output()
	cmd.Env = append(os.Environ(), "ENDPOINT="+s.Endpoint, "KEY_ID="+s.KeyID, "KEY_SECRET="+s.Secret, "REGION="+stage.Region, "NO_PROXY=127.0.0.1")
	cmd.Env = append(cmd.Env, env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the end of the test's context has killed it
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return &nodeClient{t, s, in, lines}
}

// A nodeError is an error as a client shows it; what is in it differs from client to client.
type nodeError struct {
	Name, Message string
	Code          string
	StatusCode    int
	Data          object
}

// send calls an operation.
func (c *nodeClient) send(action string, params object) (answer object, refused *nodeError) {
	c.Helper()
	line, err := json.Marshal(object{"action": action, "params": params})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.Fatal(err)
	}
	if !c.out.Scan() {
		c.Fatalf("%s: the client has ended: %v", action, c.out.Err())
	}
	var result struct {
		Answer object
		Error  *nodeError
	}
	if err := json.Unmarshal(c.out.Bytes(), &result); err != nil {
		c.Fatalf("%s: %v: %s", action, err, c.out.Bytes())
	}
	return result.Answer, result.Error
}

// call calls an operation, which must succeed. Each answer has a RequestId, which is left out.
func (c *nodeClient) call(action string, params object) object {
	c.Helper()
	answer, refused := c.send(action, params)
	if refused != nil {
		c.Fatalf("%s: %+v", action, refused)
	}
	if id, _ := answer["RequestId"].(string); !requestID.MatchString(id) {
		c.Errorf("%s: RequestId = %q", action, id)
	}
	delete(answer, "RequestId")
	return answer
}

// nodeForms are the forms of request that the clients send: all that there are but the Go SDK's,
// which is like that of sdk-v1.
var nodeForms = []struct {
	name, method string
	signed       string // where the signature is
	inQuery      bool   // parameters of the operation, which else are in the form
	code         string // the SDK's name of a refusal
	status       int    // of it, if the SDK tells
}{
	{"sdk-v3", "POST", "header", true, "InvalidInvokeId.NotFound", 404},
	{"sdk-v1", "POST", "query", true, "InvalidInvokeId.NotFound", 404},
	{"pop-core-get", "GET", "query", true, "InvalidInvokeId.NotFound", 0},
	{"pop-core-post", "POST", "form", false, "InvalidInvokeId.NotFound", 0},
	{"openapi-client", "POST", "header", false, "InvalidInvokeId.NotFound", 404},
	{"rpc-client", "POST", "query", false, "InvalidInvokeId.NotFoundError", 0},
}

// Each of the vendor's Node clients runs a command on real agents and reads every value of what
// came of it.
func TestNodeClients(t *testing.T) {
	t.Parallel()
	s := stage.Open(t, stage.Options{})
	agents := s.Agents("one", "two")
	for _, form := range nodeForms {
		t.Run(form.name, func(t *testing.T) {
			c := openNode(t, form.name, s)
			c.run(agents)
			c.pages(agents[0])
			_, refused := c.send("StopInvocation", object{"RegionId": stage.Region, "InvokeId": "t-hz0aaaaaaaaaaaa"})
			if refused == nil {
				t.Fatal("a stop of what does not exist is not refused")
			}
			if refused.Code != form.code || refused.StatusCode != form.status || !strings.Contains(refused.Message, "The specified invocation ID does not exist.") {
				t.Errorf("stop of what does not exist: %+v, want %d %s", refused, form.status, form.code)
			}
			c.checkData(refused.Data)
		})
	}
}

// The clients decide the forms of what our server must understand. A new version that speaks
// differently shows here first.
func TestNodeClientsSendTheirForms(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		requests <- r
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Header().Set("X-Acs-Request-Id", "2E6F9C6A-1B9C-4C64-9C0B-000000000000")
		w.Write([]byte(`{"RequestId":"2E6F9C6A-1B9C-4C64-9C0B-000000000000"}`))
	}))
	t.Cleanup(srv.Close)
	for _, form := range nodeForms {
		c := openNode(t, form.name, &stage.Server{Endpoint: srv.URL, KeyID: "testid", Secret: "testsecret"})
		c.call("StopInvocation", object{"RegionId": stage.Region, "InvokeId": "t-1"})
		got := <-requests
		signed := map[string]string{
			"header": got.Header.Get("Authorization"), "query": got.URL.Query().Get("Signature"), "form": got.PostForm.Get("Signature"),
		}
		parameters := got.PostForm
		if form.inQuery {
			parameters = got.URL.Query()
		}
		for where, signature := range signed {
			if (signature != "") != (where == form.signed) {
				t.Errorf("%s: signature in the %s = %q", form.name, where, signature)
			}
		}
		if got.Method != form.method || parameters.Get("InvokeId") != "t-1" {
			t.Errorf("%s: %s, InvokeId = %q", form.name, got.Method, parameters.Get("InvokeId"))
		}
	}
}

// checkData checks the body of a refusal, which all clients keep.
func (c *nodeClient) checkData(data object) {
	c.Helper()
	if id, _ := data["RequestId"].(string); !requestID.MatchString(id) {
		c.Errorf("RequestId of a refusal = %q", id)
	}
	for name, want := range map[string]string{"Code": "InvalidInvokeId.NotFound", "HostId": c.Server.Host()} {
		if data[name] != want {
			c.Errorf("%s of a refusal = %v, want %s", name, data[name], want)
		}
	}
}

// A script with everything in it that has to be escaped somewhere on the way.
const hardScript = `echo 'a b*~+%&=é/?#' "{{what}}"; echo "<{{ACS::InstanceName}}>" >&2; [ {{ACS::InstanceName}} = one ]`

// run runs it on two machines, of which one succeeds, and checks what comes back.
func (c *nodeClient) run(agents []*stage.Agent) {
	c.Helper()
	params := object{
		"RegionId": stage.Region, "Type": "RunShellScript", "CommandContent": hardScript, "EnableParameter": true, "Timeout": 30,
		"Name": "hard & *~", "Description": "<é>", "WorkingDir": "/tmp", "InstanceId": *ids(agents),
		"Parameters": object{"what": "Jack & Jill+*~"}, "Tag": []object{{"Key": "k 1", "Value": "v*~1"}},
	}
	run := c.call("RunCommand", params)
	check(c, "RunCommand", run, object{"CommandId": anyID, "InvokeId": anyID})

	got := c.ended(run["InvokeId"])
	tasks := []any{nodeTask(agents[0]), failedTask(agents[1])}
	want := c.invocation(run, tasks)
	check(c, "DescribeInvocations", got, object{
		"TotalCount": 1.0, "PageNumber": 1.0, "PageSize": 10.0, "NextToken": "", "Invocations": object{"Invocation": []any{want}},
	})
	var results []any
	for _, t := range tasks {
		results = append(results, resultObject(run, t.(object)))
	}
	check(c, "DescribeInvocationResults", c.call("DescribeInvocationResults", object{"RegionId": stage.Region, "InvokeId": run["InvokeId"]}), object{
		"Invocation": object{
			"TotalCount": 2.0, "PageNumber": 1.0, "PageSize": 10.0, "NextToken": "", "InvocationResults": object{"InvocationResult": results},
		},
	})
}

// ended waits until an invocation has ended, and returns the answer that says so.
func (c *nodeClient) ended(id any) (answer object) {
	c.Helper()
	stage.Await(c.T, stage.Patience, fmt.Sprintf("%v has ended", id), func() error {
		answer = c.call("DescribeInvocations", object{"RegionId": stage.Region, "InvokeId": id, "IncludeOutput": true})
		list, _ := answer["Invocations"].(object)["Invocation"].([]any)
		if len(list) != 1 {
			return fmt.Errorf("%d invocations", len(list))
		}
		if s := list[0].(object)["InvocationStatus"]; s == "Pending" || s == "Running" {
			return fmt.Errorf("it is %v", s)
		}
		return nil
	})
	return answer
}

// invocation is what is shown of the run of the hard script.
func (c *nodeClient) invocation(run object, tasks []any) object {
	return object{
		"InvokeId": run["InvokeId"], "CommandId": run["CommandId"], "CommandName": "hard & *~", "CommandDescription": "<é>",
		"CommandType": "RunShellScript", "CommandContent": base64Of(hardScript), "Parameters": `{"what":"Jack & Jill+*~"}`,
		"WorkingDir": "/tmp", "Timeout": 30.0, "Username": "", "RepeatMode": "Once", "Frequency": "", "Timed": false,
		"TerminationMode": "Process", "Launcher": "", "ContainerId": "", "ContainerName": "", "OssOutputDelivery": "",
		"CreationTime": anyTime, "InvocationStatus": "PartialFailed", "InvokeStatus": "Finished",
		"InvokeInstances": object{"InvokeInstance": tasks},
		"Tags":            object{"Tag": []any{object{"TagKey": "k 1", "TagValue": "v*~1"}}},
	}
}

// nodeTask is a task that succeeded, and failedTask one that did not.
func nodeTask(a *stage.Agent) object {
	return object{
		"InstanceId": a.ID, "InvocationStatus": "Success", "InstanceInvokeStatus": "Finished", "ExitCode": 0.0, "ErrorCode": "", "ErrorInfo": "",
		"Output": base64Of("a b*~+%&=é/?# Jack & Jill+*~\n<" + a.Name + ">\n"), "Dropped": 0.0, "Repeats": 1.0, "Timed": false,
		"CreationTime": anyTime, "StartTime": anyTime, "UpdateTime": anyTime, "FinishTime": anyTime, "StopTime": "",
		"OssOutputStatus": "", "OssOutputUri": "", "OssOutputErrorCode": "", "OssOutputErrorInfo": "",
	}
}

func failedTask(a *stage.Agent) object {
	t := nodeTask(a)
	t["InvocationStatus"], t["ExitCode"] = "Failed", 1.0
	t["ErrorCode"], t["ErrorInfo"] = "ExitCodeNonzero", "The command execution exit code is not zero"
	return t
}

// resultObject is what DescribeInvocationResults shows of such a task.
func resultObject(run, t object) object {
	return object{
		"InvokeId": run["InvokeId"], "CommandId": run["CommandId"], "InstanceId": t["InstanceId"],
		"InvocationStatus": t["InvocationStatus"], "InvokeRecordStatus": t["InstanceInvokeStatus"], "ExitCode": t["ExitCode"],
		"ErrorCode": t["ErrorCode"], "ErrorInfo": t["ErrorInfo"], "Output": t["Output"], "Dropped": 0.0, "Repeats": 1.0,
		"StartTime": anyTime, "FinishedTime": anyTime, "StopTime": "", "Username": "", "TerminationMode": "Process", "Launcher": "",
		"ContainerId": "", "ContainerName": "", "OssOutputDelivery": "",
		"OssOutputStatus": "", "OssOutputUri": "", "OssOutputErrorCode": "", "OssOutputErrorInfo": "",
		"Tags": object{"Tag": []any{object{"TagKey": "k 1", "TagValue": "v*~1"}}},
	}
}

// pages reads three invocations by token, two and one.
func (c *nodeClient) pages(a *stage.Agent) {
	c.Helper()
	var want, got []any
	name := "paged " + c.Name()
	for range 3 {
		run := c.call("RunCommand", object{
			"RegionId": stage.Region, "Type": "RunShellScript", "CommandContent": "true", "Name": name, "InstanceId": []string{a.ID},
		})
		want = append([]any{run["InvokeId"]}, want...)
	}
	token := ""
	for _, n := range []int{2, 1} {
		page := c.call("DescribeInvocations", object{"RegionId": stage.Region, "CommandName": name, "MaxResults": 2, "NextToken": token})
		list := page["Invocations"].(object)["Invocation"].([]any)
		if len(list) != n || page["TotalCount"] != 3.0 || page["PageSize"] != 2.0 {
			c.Errorf("page of %d: %v", n, page)
		}
		for _, v := range list {
			got = append(got, v.(object)["InvokeId"])
		}
		token, _ = page["NextToken"].(string)
	}
	check(c, "invocations by token", got, want)
	if token != "" {
		c.Errorf("NextToken of the last page = %q", token)
	}
}
