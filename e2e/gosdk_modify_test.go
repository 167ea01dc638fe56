package e2e_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// modify is a request to change a schedule.
func modify(id string) *ecs.ModifyInvocationAttributeRequest {
	q := ecs.CreateModifyInvocationAttributeRequest()
	q.InvokeId = id
	return q
}

// told is what an invocation says that it runs.
func (p *play) told(id string) ecs.Invocation {
	p.Helper()
	q := ecs.CreateDescribeInvocationsRequest()
	q.InvokeId, q.ContentEncoding = id, "PlainText"
	return ask(p, p.SDK.DescribeInvocations, q).Invocations.Invocation[0]
}

// A schedule is changed while its machine is away: it runs what it had, then hears of the change and
// runs that, on the machine that was added too.
func TestGoSDKModifiedSchedule(t *testing.T) { // MIA-2, MIA-5, MIA-7, MIA-8, STOP-3
	eachFormat(t, func(p *play) {
		one, two := p.Server.Agent("one"), p.Server.Agent("two")
		file := filepath.Join(p.TempDir(), "runs")
		id := p.schedule(one, "Period", each10s, "echo old >> "+file)
		p.await(id, "Scheduled")
		first := p.told(id).CommandId
		p.lines(file, 1)

		one.Kill()
		q := modify(id)
		q.CommandContent, q.EnableParameter = "echo {{word}} >> "+file, truth(true)
		q.Parameters = map[string]interface{}{"word": "new"}
		q.InstanceId = ids([]*stage.Agent{two, one})
		second := ask(p, p.SDK.ModifyInvocationAttribute, q).CommandId
		if v := p.told(id); second == first || v.CommandId != second || v.CommandContent != q.CommandContent || v.Parameters != `{"word":"new"}` || v.Frequency != each10s {
			p.Errorf("modified: %+v", v)
		}
		one.Start()
		stage.Await(p.T, stage.Patience, "both machines run the new script", func() error {
			for _, task := range p.invocation(id).InvokeInstances.InvokeInstance {
				runs := map[string]int{one.ID: 2, two.ID: 1}[task.InstanceId]
				if task.Repeats < runs {
					return fmt.Errorf("%s has %d runs", task.InstanceId, task.Repeats)
				}
			}
			return nil
		})
		words := map[string]int{}
		for _, w := range p.lines(file, 3) {
			words[w]++
		}
		if old := words["old"]; old < 1 || old > 2 || words["new"] < 2 { // twice when it was due while the agent started
			p.Errorf("the machines wrote %v, want the old script until the change was heard of", words)
		}

		q = modify(id)
		q.Frequency = "rate(1h)"
		ask(p, p.SDK.ModifyInvocationAttribute, q)
		stop := ecs.CreateStopInvocationRequest()
		stop.InvokeId = id
		ask(p, p.SDK.StopInvocation, stop)
		for _, task := range p.await(id, "Stopped").InvokeInstances.InvokeInstance {
			if task.InvocationStatus != "Terminated" || task.ExitCode != 0 {
				p.Errorf("stopped: %+v", task)
			}
		}
		refused(p, p.SDK.ModifyInvocationAttribute, modify(id), 403, "InvalidOperation.InvokeAlreadyFinished")
		once := ask(p, p.SDK.RunCommand, newRun("true", one)).InvokeId
		refused(p, p.SDK.ModifyInvocationAttribute, modify(once), 403, "InvalidOperation.RepeatModeUnsupported")
		bad := modify(id)
		bad.Frequency = "rate(1)"
		refused(p, p.SDK.ModifyInvocationAttribute, bad, 400, "InvalidParameter.Frequency")
	})
}
