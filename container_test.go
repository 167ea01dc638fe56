package orderly_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

// CT-2, AB-2: an agent that finds a container not applicable knows of none. It must be upgraded, whatever the task
// was to do and wherever it stands.
func TestAgentsThatKnowOfNoContainers(t *testing.T) {
	old := orderly.Report{Number: 1 << 31, State: orderly.Invalid, ErrorCode: orderly.CommandNotApplicable, Finished: at(5)}
	inContainer := func(p orderly.Plan) orderly.Plan { p.Container = true; return p }
	for name, c := range map[string]struct {
		plan orderly.Plan
		run  int
		stop bool
		want orderly.State
	}{
		"once":            {inContainer(plan), 0, false, orderly.Aborted},
		"once, stopped":   {inContainer(plan), 0, true, orderly.Invalid},
		"a schedule":      {inContainer(period), orderly.OverRun, false, orderly.Aborted},
		"not a container": {plan, 0, false, orderly.Invalid},
	} {
		task := handed()
		if c.stop {
			task.Stop(at(2), c.plan, limit)
		}
		r := old
		r.Run, r.Last = c.run, c.run > 0
		task.Apply(r, c.plan, limit, at(100))
		code := orderly.ClientNeedUpgrade
		if !c.plan.Container {
			code = orderly.CommandNotApplicable
		}
		want := outcome{State: c.want, Code: code, Finished: at(5)}
		if c.stop {
			want.Stopped = at(2)
		}
		if diff := cmp.Diff(want, seen(task)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestContainersFit(t *testing.T) { // CT-2
	plain, inside := orderly.Invocation{Command: orderly.Command{Type: orderly.RunShellScript}}, orderly.Invocation{Command: orderly.Command{Type: orderly.RunShellScript}, ContainerName: "web"}
	for os, want := range map[orderly.OSType][2]bool{orderly.Linux: {true, true}, orderly.FreeBSD: {true, false}, orderly.Windows: {false, false}} {
		if got := [2]bool{plain.Fits(os), inside.Fits(os)}; got != want {
			t.Errorf("on %s: %v, want %v", os, got, want)
		}
	}
	inside.Command.Type = orderly.RunPowerShellScript
	if inside.Fits(orderly.Linux) || inside.Fits(orderly.Windows) {
		t.Error("PowerShell runs in a container")
	}
}

func TestContainersAreNamedAsPublished(t *testing.T) { // CT-1
	id := strings.Repeat("0aF", 21) + "1"
	for _, tt := range []struct {
		id, name string
		want     error
	}{
		{"", "", nil}, {id, "", nil}, {"docker://" + id, "", nil}, {"containerd://" + id, "", nil}, {"cri-o://" + id, "web", nil},
		{id[1:], "", orderly.ContainerIDMalformed}, {id + "0", "", orderly.ContainerIDMalformed}, {"podman://" + id, "", orderly.ContainerIDMalformed},
		{"docker:" + id, "", orderly.ContainerIDMalformed}, {"g" + id[1:], "", orderly.ContainerIDMalformed}, {id + "\n", "", orderly.ContainerIDMalformed},
		{"", "w", nil}, {"", "0.web_1-a", nil}, {"", strings.Repeat("a", 255), nil},
		{"", strings.Repeat("a", 256), orderly.ContainerNameMalformed}, {"", "-web", orderly.ContainerNameMalformed}, {"", "/web", orderly.ContainerNameMalformed},
		{"", "we b", orderly.ContainerNameMalformed}, {"", "wéb", orderly.ContainerNameMalformed}, {id, "a/b", orderly.ContainerNameMalformed},
	} {
		if err := orderly.CheckContainer(tt.id, tt.name); !errors.Is(err, tt.want) {
			t.Errorf("CheckContainer(%q, %q) = %v, want %v", tt.id, tt.name, err, tt.want)
		}
	}
	for _, tt := range [][3]string{{id, "", strings.ToLower(id)}, {"docker://" + id, "docker", strings.ToLower(id)}, {"", "", ""}} {
		if runtime, digits := orderly.SplitContainerID(tt[0]); runtime != tt[1] || digits != tt[2] {
			t.Errorf("SplitContainerID(%q) = %q, %q", tt[0], runtime, digits)
		}
	}
}
