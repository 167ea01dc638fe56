package gateway

import (
	"bytes"
	"encoding/json"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/wire"
)

// Send publishes messages, each on the subject of its link. What cannot be sent is lost; the engine
// sends again what stays unanswered.
func (b *Bus) Send(list []engine.Message) {
	nc := b.conn()
	if nc == nil {
		return
	}
	jobs := jobs{}
	for i := range list {
		m := &list[i]
		_ = nc.Publish(wire.ToSubject(m.Instance, m.Link), encode(m, jobs))
	}
	_ = nc.Flush()
}

// say sends one message of the gateway's own.
func (b *Bus) say(instance, link string, m wire.ToAgent) {
	if nc := b.conn(); nc != nil {
		_ = nc.Publish(wire.ToSubject(instance, link), wire.Encode(m))
	}
}

func encode(m *engine.Message, jobs jobs) []byte {
	ref := &wire.TaskRef{TaskKey: m.Task, Incarnation: m.Boot.Incarnation, Boot: m.Boot.ID}
	switch m.Kind {
	case engine.SendStop:
		return wire.Encode(wire.ToAgent{Stop: ref})
	case engine.SendExpire:
		return wire.Encode(wire.ToAgent{Expire: ref})
	case engine.SendProbe:
		return wire.Encode(wire.ToAgent{Probe: true})
	}
	r := wire.Run{TaskKey: m.Task, Incarnation: m.Boot.Incarnation, Boot: m.Boot.ID, Plan: plan(m)}
	if m.Allowed > 0 {
		r.Allowance = max(1, m.Allowed.Milliseconds())
	}
	return wire.EncodeRun(r, jobs.of(m))
}

// plan says when a task runs, nil when it runs once, at once.
func plan(m *engine.Message) *wire.Plan {
	v := m.Of
	if v.Repeat == orderly.Once {
		return nil
	}
	p := &wire.Plan{Mode: v.Repeat, Age: m.Age.Milliseconds(), Ran: m.Ran, Before: m.Former, Version: v.Version}
	if v.Repeat == orderly.Period {
		p.Frequency = v.Frequency
	}
	return p
}

// jobs remembers the jobs of invocations while a list of messages is written, for all tasks of one
// mostly share theirs.
type jobs map[*orderly.Invocation]json.RawMessage

// of is the job of a message, encoded.
func (j jobs) of(m *engine.Message) json.RawMessage {
	if data, ok := j[m.Of]; ok {
		return data
	}
	v := m.Of
	if v.File != nil {
		j[v] = fileJob(v)
		return j[v]
	}
	job := wire.Job{
		InvokeID: v.ID, CommandID: v.Command.ID, Type: v.Command.Type, Content: v.Command.Content, WorkingDir: v.Command.WorkingDir,
		Username: v.Username, Timeout: v.Command.Timeout.Milliseconds(), Termination: v.Termination, Launcher: v.Command.Launcher,
	}
	if v.Command.EnableParameter {
		job.Content = orderly.Render(v.Command.Content, v.Parameters, orderly.Builtins{
			RegionID: v.Region, AccountID: v.Account, InstanceID: m.Instance, InstanceName: m.Name, InvokeID: v.ID, CommandID: v.Command.ID,
		})
	}
	if v.InContainer() {
		job = inContainer(v, job.Content)
	}
	data := json.RawMessage(wire.Encode(job))
	if !v.Command.EnableParameter || !bytes.Contains(v.Command.Content, []byte("ACS")) {
		j[v] = data
	}
	return data
}

// inContainer is the job of an invocation that runs a script in a container, where its user, directory and launcher
// have no meaning (CT-2).
func inContainer(v *orderly.Invocation, script []byte) wire.Job {
	return wire.Job{
		InvokeID: v.ID, CommandID: v.Command.ID, Timeout: v.Command.Timeout.Milliseconds(), Termination: v.Termination,
		Container: &wire.Container{ID: v.ContainerID, Name: v.ContainerName, Content: script},
	}
}

// fileJob is the job of an invocation that sends a file, encoded. A content that cannot be read was refused when
// it was sent; an agent refuses the empty one that stands for it here.
func fileJob(v *orderly.Invocation) json.RawMessage {
	f := v.File
	content, _ := f.Bytes()
	return wire.Encode(wire.Job{InvokeID: v.ID, Timeout: v.Command.Timeout.Milliseconds(), File: &wire.File{
		Name: f.Name, Dir: f.Dir, Content: content, Mode: f.Mode, Owner: f.Owner, Group: f.Group, Overwrite: f.Overwrite,
	}})
}
