package gateway_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/wire"
)

// ENV-1, ENV-2, ENV-5, PAR-1, PAR-4: each agent gets the script with the values of its own instance,
// also when it was away and when it is sent the script again.
func TestScriptsHaveTheValuesOfTheirInstance(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		c := start(t, url, false)
		here := c.connect(c.register(), "link-1")
		away := c.register()
		q := engine.Request{
			Region: region, Target: orderly.Target{Instances: []string{here.id.instance, away.instance}}, Parameters: `{"greeting":"{{ACS::RegionId}}"}`,
			Command: orderly.Command{Type: orderly.RunShellScript, EnableParameter: true, Content: []byte(
				"{{Greeting}}[{{none}}] {{ACS::RegionId}} {{ACS::AccountId}} {{ACS::InstanceId}} {{ ACS :: InstanceName }} {{ACS::InvokeId}} {{ACS::CommandId}}")},
		}
		a, err := c.engine.RunCommand(t.Context(), caller, q, engine.Repetition{})
		must(t, err)
		for _, p := range []*peer{here, c.connect(away, "link-2")} {
			run := p.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run
			again := p.until("the run again", func(m wire.ToAgent) bool { return m.Run != nil }).Run
			for _, r := range []*wire.Run{run, again} {
				job, err := wire.Decode[wire.Job](r.Job)
				must(t, err)
				want := "{{ACS::RegionId}}[] " + region + " " + caller.Account + " " + p.id.instance + " host " + a.InvokeID + " " + a.CommandID
				if string(job.Content) != want {
					t.Errorf("%s runs %q, want %q", p.name, job.Content, want)
				}
			}
		}
	})
}

// CT-2: a script for a container is no job of a type, so that an agent which knows of none refuses it.
func TestScriptsForContainers(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		c := start(t, url, false)
		p := c.connect(c.register(), "link-1")
		q := engine.Request{
			Region: region, Target: orderly.Target{Instances: []string{p.id.instance}}, ContainerName: "web", Username: "ann", Termination: orderly.KillProcessTree,
			Command: orderly.Command{Type: orderly.RunShellScript, EnableParameter: true, Content: []byte("echo {{ACS::InstanceId}}"), WorkingDir: "/srv", Launcher: "sh -x"},
		}
		a, err := c.engine.RunCommand(t.Context(), caller, q, engine.Repetition{})
		must(t, err)
		run := p.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run
		job, err := wire.Decode[wire.Job](run.Job)
		must(t, err)
		want := wire.Job{
			InvokeID: a.InvokeID, CommandID: a.CommandID, Timeout: 60_000, Termination: orderly.KillProcessTree,
			Container: &wire.Container{Name: "web", Content: []byte("echo " + p.id.instance)},
		}
		if diff := cmp.Diff(want, job); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
