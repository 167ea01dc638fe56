package ecs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

// A named is what an answer says of the container that a command runs in.
type named struct{ ContainerId, ContainerName string }

// container is what both operations say of it, which must be the same.
func (h *house) container(invoke string) named {
	h.t.Helper()
	v := call[struct{ Invocations struct{ Invocation []named } }](h, "DescribeInvocations", values{"InvokeId": invoke})
	r := call[struct {
		Invocation struct {
			InvocationResults struct{ InvocationResult []named }
		}
	}](h, "DescribeInvocationResults", values{"InvokeId": invoke})
	if diff := cmp.Diff(v.Invocations.Invocation, r.Invocation.InvocationResults.InvocationResult); diff != "" || len(v.Invocations.Invocation) != 1 {
		h.t.Fatalf("%s (-invocation +result):\n%s", invoke, diff)
	}
	return v.Invocations.Invocation[0]
}

// CT-1, CT-2: a command runs in the container that is asked for, by ID, name or both, and the answers tell so.
func TestCommandsInContainers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		command := call[run](h, "CreateCommand", aCommand).CommandId
		digits := strings.Repeat("a1", 31)
		for action, asked := range map[string]values{"RunCommand": script(id), "InvokeCommand": {"CommandId": command, "InstanceId.1": id}} {
			for _, want := range []named{
				{"docker://" + digits + "B2", ""}, {digits + "b3", "web.1"}, {"", "web_2"}, {"containerd://" + digits + "b4", ""}, {"cri-o://" + digits + "b5", ""}, {},
			} {
				invoke := call[run](h, action, asked.with("ContainerId", want.ContainerId, "ContainerName", want.ContainerName, "Username", "nobody", "WorkingDir", "/nowhere")).InvokeId
				if diff := cmp.Diff(want, h.container(invoke)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", action, diff)
				}
				if v := h.handed(id); v.ContainerID != want.ContainerId || v.ContainerName != want.ContainerName {
					t.Errorf("%s: handed over for container %q, %q; want %+v", action, v.ContainerID, v.ContainerName, want)
				}
			}
		}
		schedule := call[run](h, "RunCommand", script(id).with("ContainerName", "web", "Frequency", "rate(1h)")).InvokeId
		if got := h.container(schedule); got.ContainerName != "web" {
			t.Errorf("a schedule: %+v", got)
		}
	})
}

// CT-2: containers are Linux's, and run shell scripts.
func TestContainersAreOfLinux(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		linux, windows, mac := h.online(), h.machine(orderly.Windows), h.machine(orderly.FreeBSD)
		h.refused("RunCommand", script(mac).with("ContainerName", "web"), 400, "InvalidInstance.NotMatch")
		h.refused("RunCommand", script(linux).with("InstanceId.2", mac, "ContainerId", strings.Repeat("0", 64)), 400, "InvalidInstance.NotMatch")
		for _, kind := range []string{"RunBatScript", "RunPowerShellScript"} {
			for _, on := range []string{linux, windows} {
				h.refused("RunCommand", script(on).with("Type", kind, "ContainerName", "web"), 400, "InvalidInstance.NotMatch")
			}
		}
		call[run](h, "RunCommand", script(linux).with("InstanceId.2", mac))
	})
}

// CT-2, CT-3, AB-2: why a command could not run in a container. An agent that knows of none must be upgraded.
func TestFaultsOfContainers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		inWeb := script(machine).with("ContainerName", "web")
		needUpgrade := ending{"Aborted", "Failed", "ClientNeedUpgrade", "The aliyun service in the instance need to be upgraded"}
		for code, info := range map[orderly.ErrorCode]string{
			orderly.ContainerNameAndIdNotMatch:  "The container name and the container ID belong to different containers",
			orderly.ContainerNotFound:           "The specified container does not exist on the instance",
			orderly.ContainerNameDuplicated:     "More than one container has the specified name",
			orderly.ContainerStateAbnormal:      "The specified container is not running",
			orderly.ContainerConnectFailed:      "The specified container could not be connected",
			orderly.UnsupportedContainerRuntime: "The container runtime of the instance is not supported",
		} {
			h.checkEnding(h.ran(inWeb, map[string]orderly.Report{machine: {State: orderly.Invalid, ErrorCode: code}}), ending{"Invalid", "Failed", string(code), info})
		}
		tooOld := orderly.Report{State: orderly.Invalid, ErrorCode: orderly.CommandNotApplicable}
		h.checkEnding(h.ran(inWeb, map[string]orderly.Report{machine: tooOld}), needUpgrade)
		h.checkEnding(h.ran(inWeb.with("RepeatMode", "DryRun"), map[string]orderly.Report{machine: tooOld}), needUpgrade)
		needUpgrade.Legacy = "Running" // LG-2
		h.checkEnding(h.ran(inWeb.with("Frequency", "rate(1h)"), map[string]orderly.Report{machine: over(orderly.Invalid, orderly.CommandNotApplicable)}), needUpgrade)
		h.checkEnding(h.ran(inWeb.with("RepeatMode", "EveryReboot"), map[string]orderly.Report{machine: over(orderly.Invalid, orderly.CommandNotApplicable)}), needUpgrade)

		stopped := call[run](h, "RunCommand", inWeb).InvokeId // T17
		call[struct{}](h, "StopInvocation", values{"InvokeId": stopped})
		h.report(machine, tooOld)
		needUpgrade.State, needUpgrade.Legacy = "Invalid", "Failed"
		h.checkEnding(stopped, needUpgrade)
	})
}
