//go:build linux

package machine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// Where things are on a machine: the program as it came, and as it is installed.
const (
	brought   = "/root/orderly-agent"
	installed = "/usr/local/bin/orderly-agent"
	unit      = "/etc/systemd/system/orderly-agent.service"
	dataDir   = "/var/lib/orderly-agent"
	scripts   = dataDir + "/work/" // of commands that run
)

// bring copies the agent's program to the machine.
func (m *machine) bring() {
	m.Helper()
	program, err := os.ReadFile(stage.Program(m, "orderly-agent"))
	if err == nil {
		err = os.WriteFile(m.path(brought), program, 0o700)
	}
	if err != nil {
		m.Fatal(err)
	}
}

var registered = regexp.MustCompile(`(?m)^registered as (mi-\S+) `)

// install installs the agent in the one step of docs/agent.md, and returns what that said, when the server
// shows the machine online.
func (m *machine) install(flags ...string) string {
	m.Helper()
	m.bring()
	code, err := m.server.API.CreateActivation(m.Context(), client.CreateActivationRequest{InstanceCount: 1})
	if err != nil {
		m.Fatal(err)
	}
	said := m.do(append([]string{brought, "install", "--server", m.server.Endpoint, "--activation-id", code.ActivationId,
		"--activation-code", code.ActivationCode, "--ca-fingerprint", m.server.Fingerprint, "--name", "web-1"}, flags...)...)
	match := registered.FindStringSubmatch(said)
	if match == nil {
		m.Fatalf("install says %q", said)
	}
	m.id = match[1]
	m.awaitOnline()
	m.awaitConnected()
	return said
}

// awaitOnline waits until the server shows the machine as online. It goes on doing so for a while when the
// agent has ended.
func (m *machine) awaitOnline() {
	m.Helper()
	stage.Await(m, stage.Patience, "the server shows the machine online", func() error {
		list, err := m.server.API.DescribeManagedInstances(m.Context(), client.DescribeManagedInstancesRequest{InstanceId: []string{m.id}, Connected: "true"})
		if err == nil && len(list) != 1 {
			err = errors.New("not yet")
		}
		return err
	})
}

// awaitConnected waits until the agent says that it is connected.
func (m *machine) awaitConnected() {
	m.Helper()
	stage.Await(m, stage.Patience, "the agent is connected", func() error {
		out, err := m.enter(installed, "status")
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	})
}

// agent is the process that is the agent, or was.
func (m *machine) agent() string {
	m.Helper()
	text, err := os.ReadFile(m.path(filepath.Join(dataDir, "status.json")))
	var status struct{ PID int }
	if err == nil {
		err = json.Unmarshal(text, &status)
	}
	if err != nil {
		m.Fatal(err)
	}
	return strconv.Itoa(status.PID)
}

// awaitOther waits until another process is the agent, and connected.
func (m *machine) awaitOther(before string) {
	m.Helper()
	m.awaitNew(before)
	m.awaitConnected()
}

// awaitNew waits until another process is the agent.
func (m *machine) awaitNew(before string) {
	m.Helper()
	stage.Await(m, stage.Patience, "another agent runs", func() error {
		if pid := m.agent(); pid == before {
			return fmt.Errorf("process %s", pid)
		}
		return nil
	})
}

// crash kills the agent as kill -9 does.
func (m *machine) crash() {
	m.Helper()
	m.do("kill", "-KILL", m.agent())
}

// deregister takes the machine out of the fleet.
func (m *machine) deregister() {
	m.Helper()
	var answer struct{ RequestId string }
	if err := m.server.API.Call(m.Context(), "DeregisterManagedInstance", struct{ InstanceId string }{m.id}, &answer); err != nil {
		m.Fatal(err)
	}
}

// properties are some of the unit's, as systemctl shows them.
func (m *machine) properties(names ...string) map[string]string {
	m.Helper()
	all := map[string]string{}
	for line := range strings.Lines(m.do("systemctl", "show", "orderly-agent", "--property="+strings.Join(names, ","))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		all[name] = value
	}
	return all
}

// property is one of them.
func (m *machine) property(name string) string {
	m.Helper()
	return m.properties(name)[name]
}

// A command is what a story has run.
type command struct {
	m  *machine
	id string
}

// begin has a script run.
func (m *machine) begin(q client.RunCommandRequest) command {
	m.Helper()
	q.InstanceId = []string{m.id}
	run, err := m.server.API.RunCommand(m.Context(), q)
	if err != nil {
		m.Fatal(err)
	}
	return command{m, run.InvokeId}
}

// state is how it stands with a command.
func (c command) state() client.InvokeInstance {
	c.m.Helper()
	answer, err := c.m.server.API.DescribeInvocations(c.m.Context(), client.DescribeInvocationsRequest{InvokeId: c.id, IncludeOutput: true})
	if err != nil || len(answer.Invocations.Invocation) != 1 {
		c.m.Fatalf("describe %s: %v, %v", c.id, answer, err)
	}
	return answer.Invocations.Invocation[0].InvokeInstances.InvokeInstance[0]
}

// await waits for a command to be as it says in what.
func (c command) await(what string, is func(client.InvokeInstance) bool) client.InvokeInstance {
	c.m.Helper()
	var now client.InvokeInstance
	stage.Await(c.m, 2*stage.Patience, what, func() error {
		if now = c.state(); !is(now) {
			return fmt.Errorf("it is %+v", now)
		}
		return nil
	})
	return now
}

// end waits for the end.
func (c command) end() client.InvokeInstance {
	c.m.Helper()
	return c.await("the end of the command", func(now client.InvokeInstance) bool { return now.FinishTime != "" })
}

// stop asks for the end.
func (c command) stop() {
	c.m.Helper()
	if err := c.m.server.API.StopInvocation(c.m.Context(), client.StopInvocationRequest{InvokeId: c.id}); err != nil {
		c.m.Fatal(err)
	}
}

// said waits until a command has said something.
func (c command) said(text string) {
	c.m.Helper()
	c.await("the command says "+text, func(now client.InvokeInstance) bool { return strings.Contains(string(now.Output), text) })
}

// run runs a script that must succeed, and returns its output.
func (m *machine) run(q client.RunCommandRequest) string {
	m.Helper()
	r := m.begin(q).end()
	if r.InvocationStatus != "Success" {
		m.Fatalf("%s: %+v", q.CommandContent, r)
	}
	return string(r.Output)
}
