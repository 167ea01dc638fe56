package e2e_test

import (
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/dockertest"
)

// CT-1 to CT-3: a command runs in a container of a real engine, by a real agent, and each reason why it cannot comes back.
func TestGoSDKRunsInContainers(t *testing.T) {
	engine := dockertest.Start(t)
	id := engine.Run(t, "web", nil)
	engine.Create(t, "idle", nil)
	pod := map[string]string{"io.kubernetes.container.name": "twice"}
	engine.Run(t, "k8s_twice_a", pod)
	engine.Run(t, "k8s_twice_b", pod)
	eachFormat(t, func(p *play) {
		p.Server.Engine = engine.Socket
		machine := p.Server.Agent("machine")
		in := func(id, name, script string) ecs.Invocation {
			p.Helper()
			q := newRun(script, machine)
			q.ContainerId, q.ContainerName, q.TerminationMode = id, name, "ProcessTree"
			return p.ended(ask(p, p.SDK.RunCommand, q).InvokeId)
		}
		v := in("docker://"+id, "web", "echo in $HOSTNAME; pwd >&2; id -u")
		if v.InvocationStatus != "Success" || v.ContainerId != "docker://"+id || v.ContainerName != "web" {
			p.Errorf("%s in %q, %q", v.InvocationStatus, v.ContainerId, v.ContainerName)
		}
		r := p.results(v.InvokeId)[0]
		if want := base64Of("in " + id[:12] + "\n/srv\n7\n"); r.Output != want || r.ExitCode != 0 || r.ContainerId != v.ContainerId || r.ContainerName != "web" {
			p.Errorf("result %+v, want output %s", r, want)
		}
		if v := in("", "web", "echo so far; exit 3"); v.InvocationStatus != "Failed" || v.InvokeInstances.InvokeInstance[0].ExitCode != 3 {
			p.Errorf("%s, want Failed", v.InvocationStatus)
		}
		for _, c := range []struct{ id, name, code string }{
			{id, "idle", "ContainerNameAndIdNotMatch"},
			{strings.Repeat("0", 64), "", "ContainerNotFound"},
			{"", "twice", "ContainerNameDuplicated"},
			{"", "idle", "ContainerStateAbnormal"},
			{"containerd://" + id, "", "UnsupportedContainerRuntime"},
		} {
			if got := in(c.id, c.name, "true").InvokeInstances.InvokeInstance[0]; got.InvocationStatus != "Invalid" || got.ErrorCode != c.code || got.ErrorInfo == "" {
				p.Errorf("container %q, %q: %s/%s, want Invalid/%s", c.id, c.name, got.InvocationStatus, got.ErrorCode, c.code)
			}
		}
		p.stopsInContainers(machine)
		p.Server.Engine = p.TempDir() + "/nobody"
		alone := p.Server.Agent("alone")
		q := newRun("true", alone)
		q.ContainerName = "web"
		if got := p.ended(ask(p, p.SDK.RunCommand, q).InvokeId).InvokeInstances.InvokeInstance[0]; got.InvocationStatus != "Invalid" || got.ErrorCode != "ContainerConnectFailed" {
			p.Errorf("without an engine: %s/%s", got.InvocationStatus, got.ErrorCode)
		}
	})
}

// stopsInContainers stops what runs in a container, of which nothing is left. Both stories share that.
func (p *play) stopsInContainers(machine *stage.Agent) {
	p.Helper()
	program := map[string]string{"JSON": "sleep 1008", "XML": "sleep 1009"}[p.Format]
	q := newRun("echo begun; "+program+"; echo not reached", machine)
	q.ContainerName, q.TerminationMode, q.Timeout = "web", "ProcessTree", number(600)
	id := ask(p, p.SDK.RunCommand, q).InvokeId
	p.await(id, "Running")
	stop := ecs.CreateStopInvocationRequest()
	stop.InvokeId = id
	ask(p, p.SDK.StopInvocation, stop)
	if v := p.ended(id); v.InvokeInstances.InvokeInstance[0].InvocationStatus != "Terminated" {
		p.Errorf("stopped: %+v", v.InvokeInstances.InvokeInstance[0])
	}
	look := newRun("ps | grep -v grep | grep -c '"+program+"' || true", machine)
	look.ContainerName = "web"
	if r := p.results(p.ended(ask(p, p.SDK.RunCommand, look).InvokeId).InvokeId)[0]; r.Output != base64Of("0\n") {
		p.Errorf("left in the container: %s", r.Output)
	}
}
