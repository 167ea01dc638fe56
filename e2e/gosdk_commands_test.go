package e2e_test

import (
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// commands are the kept commands, and how many there are.
func (p *play) commands(id string) []ecs.Command {
	p.Helper()
	q := ecs.CreateDescribeCommandsRequest()
	q.CommandId = id
	a := ask(p, p.SDK.DescribeCommands, q)
	check(p, "the page of commands", a, &ecs.DescribeCommandsResponse{
		TotalCount: int64(len(a.Commands.Command)), PageNumber: 1, PageSize: 10, Commands: a.Commands,
	})
	return a.Commands.Command
}

// createCommand makes a command that says all that one can say.
func (p *play) createCommand() ecs.Command {
	p.Helper()
	script := "echo \"{{ Greeting }} {{name}} from $(pwd) as {{ACS::CommandId}}\""
	q := ecs.CreateCreateCommandRequest()
	q.Name, q.Description, q.Type, q.CommandContent = "greet", "a <b> & c", "RunShellScript", base64Of(script)
	q.ContentEncoding, q.EnableParameter, q.Timeout, q.WorkingDir, q.ResourceGroupId = "Base64", truth(true), number(90), "/tmp", "rg-7"
	q.Tag = &[]ecs.CreateCommandTag{{Key: "team", Value: "a b"}}
	made := ask(p, p.SDK.CreateCommand, q)
	check(p, "CreateCommand", made, &ecs.CreateCommandResponse{CommandId: anyID})
	return ecs.Command{
		CommandId: made.CommandId, Name: "greet", Description: "a <b> & c", Type: "RunShellScript", CommandContent: base64Of(script),
		WorkingDir: "/tmp", Timeout: 90, EnableParameter: true, ResourceGroupId: "rg-7", CreationTime: anyTime,
		ParameterNames: ecs.ParameterNames{ParameterName: []string{"Greeting", "name"}},
		Tags:           ecs.TagsInDescribeCommands{Tag: []ecs.Tag{{TagKey: "team", TagValue: "a b"}}},
	}
}

// A command is kept, run by its ID as it is and otherwise, and deleted; what it did stays known
// (CMD-6, PAR-4, DC-2, DEL-1, DEL-2).
func TestGoSDKKeepsCommands(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		want := p.createCommand()
		check(p, "a new command", p.commands(want.CommandId), []ecs.Command{want})

		got, shown := p.invoke(want, a)
		p.checkEnded(got, shown, on(a, "hello  from /var/tmp as "+want.CommandId+"\n"))
		want.InvokeTimes = 1
		check(p, "a command that ran once", p.commands(want.CommandId), []ecs.Command{want})
		p.delete(want, a)
		check(p, "commands after the deletion", p.commands(""), nil)
		check(p, "what it did", p.invocation(got.InvokeId), got)
	})
}

// invoke runs the command with other settings than its own.
func (p *play) invoke(c ecs.Command, a *stage.Agent) (got, want ecs.Invocation) {
	p.Helper()
	q := ecs.CreateInvokeCommandRequest()
	q.CommandId, q.InstanceId, q.Parameters = c.CommandId, ids([]*stage.Agent{a}), map[string]any{"greeting": "hello"}
	q.Timeout, q.ClientToken = number(20), "again"
	q.QueryParams["WorkingDir"] = "/var/tmp" // is newer than this SDK
	q.Tag = &[]ecs.InvokeCommandTag{{Key: "run", Value: "1"}}
	run := ask(p, p.SDK.InvokeCommand, q)
	check(p, "InvokeCommand", run, &ecs.InvokeCommandResponse{InvokeId: anyID})
	check(p, "InvokeCommand with the same token", ask(p, p.SDK.InvokeCommand, q), &ecs.InvokeCommandResponse{InvokeId: run.InvokeId})

	want = once(run.InvokeId, c.CommandId, "")
	want.CommandName, want.CommandDescription, want.CommandContent = c.Name, c.Description, c.CommandContent
	want.WorkingDir, want.Timeout, want.Parameters = "/var/tmp", 20, `{"greeting":"hello"}`
	want.Tags.Tag = []ecs.Tag{{TagKey: "run", TagValue: "1"}}
	want.InvocationStatus, want.InvokeStatus = "Success", "Finished"
	return p.ended(run.InvokeId), want
}

// delete deletes a command, which is refused while it runs.
func (p *play) delete(c ecs.Command, a *stage.Agent) {
	p.Helper()
	run := ecs.CreateInvokeCommandRequest()
	run.CommandId, run.InstanceId, run.Parameters = c.CommandId, ids([]*stage.Agent{a}), map[string]any{"name": "$(sleep 100)"}
	going := ask(p, p.SDK.InvokeCommand, run)
	p.await(going.InvokeId, "Running")
	q := ecs.CreateDeleteCommandRequest()
	q.CommandId = c.CommandId
	refused(p, p.SDK.DeleteCommand, q, 403, "InvalidOperation.CommandInUse")
	stop := ecs.CreateStopInvocationRequest()
	stop.InvokeId = going.InvokeId
	ask(p, p.SDK.StopInvocation, stop)
	p.await(going.InvokeId, "Stopped")
	check(p, "DeleteCommand", ask(p, p.SDK.DeleteCommand, q), &ecs.DeleteCommandResponse{})
	refused(p, p.SDK.DeleteCommand, q, 404, "InvalidCmdId.NotFound")
	refused(p, p.SDK.InvokeCommand, run, 404, "InvalidCmdId.NotFound")
}

// RunCommand keeps its command only when it is told to; a token makes it run once (KEEP-1, TOK-1).
func TestGoSDKRunsOnceWithAToken(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		q := newRun("echo once", a)
		q.ClientToken, q.KeepCommand, q.Name = "token-1", truth(true), "kept"
		run := ask(p, p.SDK.RunCommand, q)
		p.ended(run.InvokeId)
		check(p, "RunCommand with the same token", ask(p, p.SDK.RunCommand, q), &ecs.RunCommandResponse{InvokeId: run.InvokeId, CommandId: run.CommandId})
		other := newRun("echo twice", a)
		other.ClientToken, other.KeepCommand, other.Name = "token-1", truth(true), "kept"
		refused(p, p.SDK.RunCommand, other, 403, "IdempotentParameterMismatch")
		other.ClientToken, other.KeepCommand = "token-2", truth(false)
		gone := ask(p, p.SDK.RunCommand, other)
		p.ended(gone.InvokeId)

		check(p, "kept commands", p.commands(""), []ecs.Command{{
			CommandId: run.CommandId, Name: "kept", Type: "RunShellScript", CommandContent: base64Of("echo once"), Timeout: 60,
			InvokeTimes: 1, CreationTime: anyTime,
		}})
		all := ask(p, p.SDK.DescribeInvocations, ecs.CreateDescribeInvocationsRequest())
		if all.TotalCount != 2 {
			p.Errorf("invocations = %d, want 2", all.TotalCount)
		}
		if s := p.statusOf(a)[0]; s.InvocationCount != 2 {
			p.Errorf("runs on the machine = %d, want 2", s.InvocationCount)
		}
	})
}

// A command is changed for what runs from then on (MOD-1, MOD-2, CMD-6, LA-1).
func TestGoSDKModifiesCommands(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		want := p.createCommand()
		before, _ := p.invoke(want, a)

		q := ecs.CreateModifyCommandRequest()
		q.CommandId, q.Name, q.Description, q.WorkingDir, q.Timeout = want.CommandId, "changed", "other <b>", "/", number(5)
		q.Launcher, q.CommandContent = `sh {{ACS::ScriptFileName|Ext(".txt")}}`, base64Of("exit 1")
		check(p, "ModifyCommand", ask(p, p.SDK.ModifyCommand, q), &ecs.ModifyCommandResponse{})
		want.Name, want.Description, want.WorkingDir, want.Timeout, want.Launcher, want.InvokeTimes = q.Name, q.Description, "/", 10, q.Launcher, 1
		check(p, "a command that was changed", p.commands(want.CommandId), []ecs.Command{want})
		check(p, "what it did before", p.invocation(before.InvokeId), before)

		run := ecs.CreateInvokeCommandRequest()
		run.CommandId, run.InstanceId, run.Parameters = want.CommandId, ids([]*stage.Agent{a}), map[string]any{"name": "you"}
		now := ask(p, p.SDK.InvokeCommand, run)
		after := once(now.InvokeId, want.CommandId, "")
		after.CommandName, after.CommandDescription, after.CommandContent = want.Name, want.Description, want.CommandContent
		after.WorkingDir, after.Timeout, after.Launcher, after.Parameters = "/", 10, want.Launcher, `{"name":"you"}`
		after.InvocationStatus, after.InvokeStatus = "Success", "Finished"
		p.checkEnded(p.ended(now.InvokeId), after, on(a, " you from / as "+want.CommandId+"\n"))

		q.Timeout = number(86401)
		refused(p, p.SDK.ModifyCommand, q, 403, "InvalidTimeout.ExceedLimit")
		q = ecs.CreateModifyCommandRequest()
		q.CommandId, q.Name = "c-hz0aaaaaaaaaaaa", "x"
		refused(p, p.SDK.ModifyCommand, q, 404, "InvalidCmdId.NotFound")
	})
}

// The operator limits what an account may have.
func TestGoSDKMeetsLimits(t *testing.T) {
	t.Parallel()
	s := stage.Open(t, stage.Options{Args: []string{"--max-commands", "1", "--max-invocations", "2", "--max-targets", "1"}})
	p := &play{t, s, goSDK(t, s.Endpoint, s.KeyID, s.Secret), "JSON"}
	agents := s.Agents("one", "two")
	p.createCommand()
	again := ecs.CreateCreateCommandRequest()
	again.Name, again.Type, again.CommandContent = "more", "RunShellScript", base64Of("true")
	refused(p, p.SDK.CreateCommand, again, 403, "CmdCount.ExceedQuota")
	refused(p, p.SDK.RunCommand, newRun("true", agents...), 403, "InstanceIds.ExceedLimit")
	q := newRun("true", agents[0])
	q.ClientToken = "once"
	first := ask(p, p.SDK.RunCommand, q)
	p.ended(first.InvokeId)
	p.ended(ask(p, p.SDK.RunCommand, newRun("true", agents[1])).InvokeId)
	refused(p, p.SDK.RunCommand, newRun("true", agents[1]), 403, "Invocation.ExceedQuota")
	check(p, "a repetition", ask(p, p.SDK.RunCommand, q), &ecs.RunCommandResponse{InvokeId: first.InvokeId, CommandId: first.CommandId})
}
