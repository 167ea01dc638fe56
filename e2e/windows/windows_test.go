// Package windows_test tells the story of a machine with Windows: the agent is the Windows program, under Wine, and its
// server an ordinary one. hack/windows runs it.
package windows_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

func TestMain(m *testing.M) { os.Exit(stage.Main(m)) }

// A play is a server and its one machine.
type play struct {
	*stage.Server
	t     *testing.T
	agent *stage.Agent
}

func begin(t *testing.T) *play {
	stage.NeedWindows(t)
	s := stage.Open(t, stage.Options{TLS: true, Scale: 10})
	s.Windows = true
	return &play{s, t, s.Agent("win-1")}
}

// start starts a batch file.
func (p *play) start(script string, change func(*client.RunCommandRequest)) (id string) {
	p.t.Helper()
	q := client.RunCommandRequest{Type: "RunBatScript", CommandContent: script, InstanceId: []string{p.agent.ID}, Timeout: 600}
	if change != nil {
		change(&q)
	}
	run, err := p.API.RunCommand(p.t.Context(), q)
	if err != nil {
		p.t.Fatal(err)
	}
	return run.InvokeId
}

// end is how an invocation ended on the machine.
func (p *play) end(id string) client.InvocationResult {
	p.t.Helper()
	if _, err := p.API.WaitInvocation(p.t.Context(), id, nil); err != nil {
		p.t.Fatal(err)
	}
	list, err := p.API.DescribeInvocationResults(p.t.Context(), client.DescribeInvocationResultsRequest{InvokeId: id})
	if err != nil || len(list) != 1 {
		p.t.Fatalf("%d results, %v", len(list), err)
	}
	return list[0]
}

// expect says what is wrong with an end.
func (p *play) expect(what string, r client.InvocationResult, status, errorCode string, exit int64, output string) {
	p.t.Helper()
	code := int64(-1)
	if r.ExitCode != nil {
		code = *r.ExitCode
	}
	if r.InvocationStatus != status || r.ErrorCode != errorCode || code != exit || string(r.Output) != output {
		p.t.Errorf("%s: %s %s, exit code %d, output %q; want %s %s, %d, %q", what, r.InvocationStatus, r.ErrorCode, code, r.Output,
			status, errorCode, exit, output)
	}
}

// CMD-1, CMD-7, PRM-1, EXI-1: from a call of the API to what cmd said.
func TestBatchScriptOnWindows(t *testing.T) {
	p := begin(t)
	list, err := p.API.DescribeManagedInstances(t.Context(), client.DescribeManagedInstancesRequest{OsType: "windows"})
	if err != nil || len(list) != 1 || list[0].InstanceId != p.agent.ID || !strings.HasPrefix(list[0].OsVersion, "Windows ") || !list[0].Connected {
		t.Errorf("machines with Windows: %+v, %v", list, err)
	}
	p.expect("with parameters", p.end(p.start("echo hello {{name}}\ncd\necho %~x0", func(q *client.RunCommandRequest) {
		q.EnableParameter, q.Parameters, q.WorkingDir, q.Username = true, `{"name":"orderly"}`, `C:\windows`, "System"
	})), "Success", "", 0, "hello orderly\r\nC:\\windows\r\n.bat\r\n")
	p.expect("a failure", p.end(p.start("exit /b 3", nil)), "Failed", "ExitCodeNonzero", 3, "")
	p.expect("no directory", p.end(p.start("ver", func(q *client.RunCommandRequest) { q.WorkingDir = `C:\missing` })),
		"Invalid", "DirectoryNotExists", -1, "")

	before := p.agent.Welcomes()
	p.Kill()
	p.Start()
	p.agent.AwaitWelcome(before)
	p.expect("after the server was away", p.end(p.start("echo back", nil)), "Success", "", 0, "back\r\n")
}

// A tree is three pings, one of which has no parent any more. They are told from all others by how often they are to ping.
type tree struct{ first int }

func newTree() tree { return tree{first: 100_000 + rand.IntN(1_000_000)*3} }

func (r tree) script() string {
	return fmt.Sprintf("start /b ping -n %d 127.0.0.1 >nul\ncmd /d /c start /b ping -n %d 127.0.0.1 >nul\nping -n %d 127.0.0.1 >nul\n", r.first, r.first+1, r.first+2)
}

// size is how many of them run.
func (r tree) size() (n int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		text, _ := os.ReadFile(path) // it may be gone
		words := strings.Fields(string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		for i := range 3 {
			if len(words) > 2 && strings.Contains(strings.ToLower(words[0]), "ping") && words[2] == fmt.Sprint(r.first+i) {
				n++
			}
		}
	}
	return n
}

// await waits until n of them run.
func (r tree) await(t *testing.T, n int) {
	t.Helper()
	stage.Await(t, stage.Patience, fmt.Sprint(n, " processes"), func() error {
		if got := r.size(); got != n {
			return fmt.Errorf("%d run", got)
		}
		return nil
	})
}

// TERM-1, STOP-1, HND-6: whoever ends a tree, nobody of it is left.
func TestTreeEndsOnWindows(t *testing.T) {
	p := begin(t)
	inTree := func(q *client.RunCommandRequest) { q.TerminationMode = "ProcessTree" }

	r := newTree()
	id := p.start(r.script(), inTree)
	r.await(t, 3)
	if err := p.API.StopInvocation(t.Context(), client.StopInvocationRequest{InvokeId: id}); err != nil {
		t.Fatal(err)
	}
	if got := p.end(id); got.InvocationStatus != "Terminated" {
		t.Errorf("stopped: %s %s, want Terminated", got.InvocationStatus, got.ErrorCode)
	}
	r.await(t, 0)

	r = newTree()
	id = p.start(r.script(), inTree)
	r.await(t, 3)
	p.agent.Kill()
	r.await(t, 0) // at once: nobody waits for the agent's next start
	p.agent.Start()
	if got := p.end(id); got.InvocationStatus != "Error" || got.ErrorCode != "ClientRestarted" {
		t.Errorf("with its agent killed: %s %s, want Error ClientRestarted", got.InvocationStatus, got.ErrorCode)
	}
}

// SF-1, SF-3: a file is made with its directory, is not replaced, and is.
func TestFileOnWindows(t *testing.T) {
	p := begin(t)
	folder := fmt.Sprint("orderly test ", rand.IntN(1_000_000)) // others may share the prefix
	type request struct {
		Name, TargetDir, Content, ContentType string
		Overwrite                             bool
		InstanceId                            []string
	}
	send := func(content string, overwrite bool) (status, code string) {
		var sent struct{ InvokeId string }
		q := request{"app.conf", `C:\` + folder + `\conf`, content, "PlainText", overwrite, []string{p.agent.ID}}
		if err := p.API.Call(t.Context(), "SendFile", q, &sent); err != nil {
			t.Fatal(err)
		}
		stage.Await(t, stage.Patience, "the file is sent", func() error {
			var shown struct {
				Invocations struct {
					Invocation []struct {
						InvokeInstances struct {
							InvokeInstance []struct{ InvocationStatus, ErrorCode string }
						}
					}
				}
			}
			q := struct{ InvokeId string }{sent.InvokeId}
			if err := p.API.Call(t.Context(), "DescribeSendFileResults", q, &shown); err != nil {
				return err
			}
			on := shown.Invocations.Invocation[0].InvokeInstances.InvokeInstance[0]
			if status, code = on.InvocationStatus, on.ErrorCode; status == "Pending" || status == "Running" {
				return errors.New(status)
			}
			return nil
		})
		return status, code
	}
	dir := filepath.Join(os.Getenv("WINEPREFIX"), "drive_c", folder, "conf")
	for _, c := range []struct {
		content      string
		overwrite    bool
		status, want string
	}{
		{"first", false, "Success", "first"},
		{"second", false, "Invalid", "first"},
		{"third", true, "Success", "third"},
	} {
		status, code := send(c.content, c.overwrite)
		got, err := os.ReadFile(filepath.Join(dir, "app.conf"))
		if err != nil || status != c.status || string(got) != c.want {
			t.Errorf("%s: %s %s, there is %q, %v; want %s, %q", c.content, status, code, got, err, c.status, c.want)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("the directory holds %v, %v", list, err)
	}
	p.expect("reading it", p.end(p.start(`type "C:\`+folder+`\conf\app.conf"`, nil)), "Success", "", 0, "third")
}
