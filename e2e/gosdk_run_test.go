package e2e_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// newRun is a request to run a script on machines.
func newRun(script string, on ...*stage.Agent) *ecs.RunCommandRequest {
	q := ecs.CreateRunCommandRequest()
	q.Type, q.CommandContent, q.InstanceId = "RunShellScript", script, ids(on)
	return q
}

func ids(agents []*stage.Agent) *[]string {
	list := make([]string, len(agents))
	for i, a := range agents {
		list[i] = a.ID
	}
	return &list
}

// invocation is the one with that ID, with the outputs.
func (p *play) invocation(id string) ecs.Invocation {
	p.Helper()
	q := ecs.CreateDescribeInvocationsRequest()
	q.InvokeId, q.IncludeOutput = id, truth(true)
	a := ask(p, p.SDK.DescribeInvocations, q)
	if n := len(a.Invocations.Invocation); n != 1 || a.TotalCount != 1 {
		p.Fatalf("%s: %d invocations, TotalCount %d, want 1", id, n, a.TotalCount)
	}
	return a.Invocations.Invocation[0]
}

// ended waits until an invocation has ended on every machine.
func (p *play) ended(id string) ecs.Invocation {
	p.Helper()
	return p.await(id, "Success", "Failed", "PartialFailed", "Stopped")
}

// await waits until an invocation has one of these InvocationStatus.
func (p *play) await(id string, status ...string) (v ecs.Invocation) {
	p.Helper()
	stage.Await(p.T, stage.Patience, fmt.Sprintf("%s is %v", id, status), func() error {
		v = p.invocation(id)
		for _, s := range status {
			if v.InvocationStatus == s {
				return nil
			}
		}
		return fmt.Errorf("it is %s", v.InvocationStatus)
	})
	return v
}

// results are the results of an invocation.
func (p *play) results(id string) []ecs.InvocationResult {
	p.Helper()
	q := ecs.CreateDescribeInvocationResultsRequest()
	q.InvokeId = id
	a := ask(p, p.SDK.DescribeInvocationResults, q)
	list := a.Invocation.InvocationResults.InvocationResult
	check(p, "the page of results", a.Invocation, ecs.Invocation{
		TotalCount: int64(len(list)), PageNumber: 1, PageSize: 10, InvocationResults: ecs.InvocationResults{InvocationResult: list},
	})
	return list
}

// once is what invocations of one run have in common.
func once(id, commandID, content string) ecs.Invocation {
	return ecs.Invocation{
		InvokeId: id, CommandId: commandID, CommandType: "RunShellScript", CommandContent: base64Of(content), Parameters: "{}",
		Timeout: 60, RepeatMode: "Once", TerminationMode: "Process", CreationTime: anyTime,
	}
}

// on is a task that ended with success on a machine.
func on(a *stage.Agent, output string) ecs.InvokeInstance {
	return ecs.InvokeInstance{
		InstanceId: a.ID, InvocationStatus: "Success", InstanceInvokeStatus: "Finished", Output: base64Of(output), Repeats: 1,
		CreationTime: anyTime, StartTime: anyTime, UpdateTime: anyTime, FinishTime: anyTime,
	}
}

// resultOf is the result that DescribeInvocationResults has for a task of DescribeInvocations.
func resultOf(v ecs.Invocation, t ecs.InvokeInstance) ecs.InvocationResult {
	r := ecs.InvocationResult{
		InvokeId: v.InvokeId, CommandId: v.CommandId, InstanceId: t.InstanceId, InvocationStatus: t.InvocationStatus,
		InvokeRecordStatus: t.InstanceInvokeStatus, ExitCode: t.ExitCode, ErrorCode: t.ErrorCode, ErrorInfo: t.ErrorInfo,
		Output: t.Output, Dropped: t.Dropped, Repeats: t.Repeats, StartTime: t.StartTime, FinishedTime: t.FinishTime,
		StopTime: t.StopTime, Username: v.Username, TerminationMode: v.TerminationMode, Launcher: v.Launcher,
	}
	r.Tags.Tag = v.Tags.Tag
	return r
}

// checkEnded checks an ended invocation, its tasks and their results against what is wanted.
func (p *play) checkEnded(got, want ecs.Invocation, tasks ...ecs.InvokeInstance) {
	p.Helper()
	want.InvokeInstances.InvokeInstance = tasks
	check(p, got.InvokeId, got, want)
	var results []ecs.InvocationResult
	for _, t := range got.InvokeInstances.InvokeInstance {
		checkOrder(p, t.InstanceId, got.CreationTime, t.CreationTime, t.StartTime, t.FinishTime)
		checkOrder(p, t.InstanceId, t.CreationTime, t.UpdateTime)
		results = append(results, resultOf(got, t))
	}
	check(p, "results of "+got.InvokeId, p.results(got.InvokeId), results)
}

// A script runs on three machines, with all that a request can say, and every value comes back.
func TestGoSDKRunsAScript(t *testing.T) {
	eachFormat(t, func(p *play) {
		agents := p.Server.Agents("one", "two", "three")
		script := "printf '%s & <%s> ' {{who}} \"{{ empty }}\"; printf 'é \\001\\n' >&2; pwd; id -un"
		q := newRun(base64Of(script), agents...)
		q.ContentEncoding, q.EnableParameter = "Base64", truth(true)
		q.Parameters = map[string]any{"who": "'Jack & Jill'"}
		q.Name, q.Description, q.WorkingDir, q.Timeout, q.TerminationMode = "greet", "says <hello> & more", "/tmp", number(100), "ProcessTree"
		q.Tag = &[]ecs.RunCommandTag{{Key: "k 1", Value: "v*~1"}, {Key: "a", Value: ""}}
		run := ask(p, p.SDK.RunCommand, q)
		check(p, "RunCommand", run, &ecs.RunCommandResponse{CommandId: anyID, InvokeId: anyID})

		want := once(run.InvokeId, run.CommandId, script)
		want.CommandName, want.CommandDescription, want.WorkingDir, want.Timeout, want.TerminationMode = q.Name, q.Description, q.WorkingDir, 100, q.TerminationMode
		want.Parameters, want.InvocationStatus, want.InvokeStatus = `{"who":"'Jack & Jill'"}`, "Success", "Finished"
		want.Tags.Tag = []ecs.Tag{{TagKey: "a"}, {TagKey: "k 1", TagValue: "v*~1"}}
		output := "Jack & Jill & <> é \x01\n/tmp\n" + account(p).Username + "\n"
		p.checkEnded(p.ended(run.InvokeId), want, on(agents[0], output), on(agents[1], output), on(agents[2], output))
		p.checkFound(run)
	})
}

// checkFound finds the only invocation there is, or not, by what it was given (DI-1 to DI-7).
func (p *play) checkFound(run *ecs.RunCommandResponse) {
	p.Helper()
	for _, f := range []struct {
		found int64
		by    func(q *ecs.DescribeInvocationsRequest)
	}{
		{1, func(q *ecs.DescribeInvocationsRequest) { q.CommandId, q.CommandName = run.CommandId, "greet" }},
		{0, func(q *ecs.DescribeInvocationsRequest) { q.CommandName = "Greet" }},
		{1, func(q *ecs.DescribeInvocationsRequest) { q.CommandType, q.RepeatMode = "RunShellScript", "Once" }},
		{0, func(q *ecs.DescribeInvocationsRequest) { q.CommandType = "RunBatScript" }},
		{1, func(q *ecs.DescribeInvocationsRequest) {
			q.Tag = &[]ecs.DescribeInvocationsTag{{Key: "a"}, {Key: "k 1", Value: "v*~1"}}
		}},
		{0, func(q *ecs.DescribeInvocationsRequest) { q.Tag = &[]ecs.DescribeInvocationsTag{{Key: "a", Value: "b"}} }},
		{0, func(q *ecs.DescribeInvocationsRequest) { q.Timed = truth(true) }},
		{0, func(q *ecs.DescribeInvocationsRequest) { q.ResourceGroupId = "rg-1" }},
		{0, func(q *ecs.DescribeInvocationsRequest) { q.InvokeId = "t-hz0aaaaaaaaaaaa" }},
	} {
		q := ecs.CreateDescribeInvocationsRequest()
		f.by(q)
		a := ask(p, p.SDK.DescribeInvocations, q)
		if a.TotalCount != f.found || int64(len(a.Invocations.Invocation)) != f.found {
			p.Errorf("invocations found by %v = %d, want %d", q.QueryParams, a.TotalCount, f.found)
		}
	}
}

// What cannot run as asked ends as invalid, before any process was started (T2).
func TestGoSDKSeesWhatIsInvalid(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		nobody, nowhere := newRun("echo never", a), newRun("echo never", a)
		nobody.Username, nowhere.WorkingDir = "no-such-user", "/no/such/directory"
		for _, q := range []*ecs.RunCommandRequest{nobody, nowhere} {
			run := ask(p, p.SDK.RunCommand, q)
			want := once(run.InvokeId, run.CommandId, "echo never")
			want.Username, want.WorkingDir, want.InvocationStatus, want.InvokeStatus = q.Username, q.WorkingDir, "Failed", "Failed"
			task := on(a, "")
			task.InvocationStatus, task.InstanceInvokeStatus, task.Repeats, task.StartTime = "Invalid", "Failed", 0, ""
			task.ErrorCode, task.ErrorInfo = "AccountNotExists", "The specified account does not exist"
			if q == nowhere {
				task.ErrorCode, task.ErrorInfo = "DirectoryNotExists", "The specified directory does not exist"
			}
			got := p.ended(run.InvokeId)
			want.InvokeInstances.InvokeInstance = []ecs.InvokeInstance{task}
			check(p, got.InvokeId, got, want)
			check(p, "its result", p.results(run.InvokeId), []ecs.InvocationResult{resultOf(want, task)})
		}
	})
}

// Without anything said, a script is plain text and runs in its user's home.
func TestGoSDKRunsAScriptWithDefaults(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		script := "pwd; id -un; echo '{{not}} replaced'"
		run := ask(p, p.SDK.RunCommand, newRun(script, a))
		got := p.ended(run.InvokeId)
		want := once(run.InvokeId, run.CommandId, script)
		want.InvocationStatus, want.InvokeStatus = "Success", "Finished"
		p.checkEnded(got, want, on(a, account(p).HomeDir+"\n"+account(p).Username+"\n{{not}} replaced\n"))

		q := ecs.CreateDescribeInvocationsRequest()
		q.InvokeId, q.ContentEncoding = run.InvokeId, "PlainText"
		want.CommandContent = script // and outputs were not asked for: DI-8
		task := got.InvokeInstances.InvokeInstance[0]
		task.Output = ""
		want.InvokeInstances.InvokeInstance = []ecs.InvokeInstance{task}
		check(p, "as plain text", ask(p, p.SDK.DescribeInvocations, q), &ecs.DescribeInvocationsResponse{
			TotalCount: 1, PageNumber: 1, PageSize: 10,
			Invocations: ecs.InvocationsInDescribeInvocations{Invocation: []ecs.Invocation{want}},
		})
	})
}

// What fails, and what says too much: each machine has its own result (AG, LG-1, OUT-1, OUT-2).
func TestGoSDKSeesFailures(t *testing.T) {
	eachFormat(t, func(p *play) {
		agents := p.Server.Agents("good", "bad", "ugly")
		q := newRun("case {{ACS::InstanceName}} in bad) echo no >&2; exit 7;; ugly) seq 1 9999;; *) echo yes;; esac")
		q.EnableParameter, q.InstanceId = truth(true), nil
		q.ResourceTag = &[]ecs.RunCommandResourceTag{{Key: "orderly:all"}} // TGT-7
		run := ask(p, p.SDK.RunCommand, q)

		want := once(run.InvokeId, run.CommandId, q.CommandContent)
		want.InvocationStatus, want.InvokeStatus = "PartialFailed", "Finished" // 5.5: Failed, Success
		bad := on(agents[1], "no\n")
		bad.InvocationStatus, bad.ExitCode = "Failed", 7
		bad.ErrorCode, bad.ErrorInfo = "ExitCodeNonzero", "The command execution exit code is not zero"
		said := numbers(9999)
		const kept = 24576
		ugly := on(agents[2], said[len(said)-kept:])
		ugly.Dropped = len(said) - kept
		p.checkEnded(p.ended(run.InvokeId), want, on(agents[0], "yes\n"), bad, ugly)
		p.checkFilters(run.InvokeId, agents[1].ID)
	})
}

// checkFilters finds an invocation that succeeded in part, by both vocabularies (DI-2, DI-6, DR-3).
func (p *play) checkFilters(id, failed string) {
	p.Helper()
	for _, f := range []struct {
		status, instance string
		found            int64
	}{
		{"PartialFailed", "", 1}, {"Finished", "", 1}, {"Failed", "", 0}, {"Success", "", 0}, {"Running", "", 0},
		{"Failed", failed, 1}, {"Finished", failed, 1}, {"Success", failed, 0}, {"PartialFailed", failed, 1},
	} {
		q := ecs.CreateDescribeInvocationsRequest()
		q.InvokeId, q.InvokeStatus, q.InstanceId = id, f.status, f.instance
		if a := ask(p, p.SDK.DescribeInvocations, q); a.TotalCount != f.found {
			p.Errorf("invocations that are %s on %q = %d, want %d", f.status, f.instance, a.TotalCount, f.found)
		}
	}
	for status, found := range map[string]int64{"Failed": 1, "Success": 2, "Finished": 3, "Stopped": 0, "PartialFailed": 0} {
		q := ecs.CreateDescribeInvocationResultsRequest()
		q.InvokeId, q.InvokeRecordStatus = id, status
		if a := ask(p, p.SDK.DescribeInvocationResults, q); a.Invocation.TotalCount != found || int64(len(a.Invocation.InvocationResults.InvocationResult)) != found {
			p.Errorf("results that are %s = %d, want %d", status, a.Invocation.TotalCount, found)
		}
	}
}

// numbers is what seq prints.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

// A script that takes too long is killed after its time, which is never less than 10 s (CMD-5, T10).
func TestGoSDKSeesTimeout(t *testing.T) {
	eachFormat(t, func(p *play) {
		agents := p.Server.Agents("slow", "quick")
		q := newRun("echo begun; [ {{ACS::InstanceName}} = quick ] || exec sleep 100", agents...)
		q.EnableParameter, q.Timeout = truth(true), number(1)
		run := ask(p, p.SDK.RunCommand, q)
		p.await(run.InvokeId, "Running")

		want := once(run.InvokeId, run.CommandId, q.CommandContent)
		want.Timeout, want.InvocationStatus, want.InvokeStatus = 10, "PartialFailed", "PartialFailed"
		slow := on(agents[0], "begun\n")
		slow.InvocationStatus, slow.InstanceInvokeStatus, slow.ExitCode = "Timeout", "Failed", 128+15
		slow.ErrorCode, slow.ErrorInfo = "ExecutionTimeout", "The command execution has been timeout"
		got := p.ended(run.InvokeId)
		p.checkEnded(got, want, slow, on(agents[1], "begun\n"))
		task := got.InvokeInstances.InvokeInstance[0]
		if took := apart(p, task.StartTime, task.FinishTime); took != 10*time.Second {
			p.Errorf("FinishTime is %v after StartTime, want 10s", took)
		}
	})
}

// A stop kills what runs, on the machines it names (STOP-1 to STOP-6).
func TestGoSDKStopsWhatRuns(t *testing.T) {
	eachFormat(t, func(p *play) {
		agents := p.Server.Agents("one", "two")
		q := newRun("echo begun; sleep 100 & sleep 200", agents...)
		q.TerminationMode = "ProcessTree"
		run := ask(p, p.SDK.RunCommand, q)
		p.awaitOutputs(run.InvokeId, "begun\n")
		p.checkRunning(run, q, agents)

		stop := ecs.CreateStopInvocationRequest()
		stop.InvokeId, stop.InstanceId = run.InvokeId, ids(agents[:1])
		check(p, "StopInvocation", ask(p, p.SDK.StopInvocation, stop), &ecs.StopInvocationResponse{})
		stage.Await(p.T, stage.Patience, "one is terminated", func() error {
			if s := p.invocation(run.InvokeId).InvokeInstances.InvokeInstance[0].InvocationStatus; s != "Terminated" {
				return fmt.Errorf("it is %s", s)
			}
			return nil
		})
		if v := p.invocation(run.InvokeId); v.InvocationStatus != "Running" || v.InvokeInstances.InvokeInstance[1].StopTime != "" {
			p.Errorf("after a stop on one of two: %+v", v)
		}
		rest := ecs.CreateStopInvocationRequest()
		rest.InvokeId = run.InvokeId // on all that are left
		ask(p, p.SDK.StopInvocation, rest)

		want := once(run.InvokeId, run.CommandId, q.CommandContent)
		want.TerminationMode, want.InvocationStatus, want.InvokeStatus = "ProcessTree", "Stopped", "Stopped"
		var tasks []ecs.InvokeInstance
		for _, a := range agents {
			task := on(a, "begun\n")
			task.InvocationStatus, task.InstanceInvokeStatus, task.ExitCode, task.StopTime = "Terminated", "Stopped", 128+15, anyTime
			tasks = append(tasks, task)
		}
		got := p.ended(run.InvokeId)
		p.checkEnded(got, want, tasks...)
		ask(p, p.SDK.StopInvocation, rest) // STOP-5: without effect
		check(p, "after another stop", p.invocation(run.InvokeId), got)
	})
}

// awaitOutputs waits until an invocation has this output on every machine.
func (p *play) awaitOutputs(id, output string) {
	p.Helper()
	stage.Await(p.T, stage.Patience, "output of "+id, func() error {
		for _, t := range p.invocation(id).InvokeInstances.InvokeInstance {
			if raw, err := base64.StdEncoding.DecodeString(t.Output); err != nil || string(raw) != output {
				return fmt.Errorf("on %s it is %q", t.InstanceId, raw)
			}
		}
		return nil
	})
}

// checkRunning checks what is shown of an invocation that runs on all its machines (EXI-1, TM-3),
// and of the machines (HB-3).
func (p *play) checkRunning(run *ecs.RunCommandResponse, q *ecs.RunCommandRequest, agents []*stage.Agent) {
	p.Helper()
	want := once(run.InvokeId, run.CommandId, q.CommandContent)
	want.TerminationMode, want.InvocationStatus, want.InvokeStatus = q.TerminationMode, "Running", "Running"
	var tasks []ecs.InvokeInstance
	for _, a := range agents {
		task := on(a, "begun\n")
		task.InvocationStatus, task.InstanceInvokeStatus, task.FinishTime = "Running", "Running", ""
		tasks = append(tasks, task)
	}
	want.InvokeInstances.InvokeInstance = tasks
	check(p, "while it runs", p.invocation(run.InvokeId), want)
	for _, s := range p.statusOf(agents...) {
		if s.ActiveTaskCount != 1 || s.InvocationCount != 0 {
			p.Errorf("status of %s while one command runs: %+v", s.InstanceId, s)
		}
	}
}
