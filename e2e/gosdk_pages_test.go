package e2e_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

// A page is one of a list, whatever it is a list of.
type page struct {
	IDs                 []string
	Total, Number, Size int64
	NextToken           string
}

// A list is asked for page by page; each call is a request of its own.
type list struct {
	name string
	get  func(number, size, limit int, token string) page
}

// Long lists come in pages, by number and by token, newest first (PG-1 to PG-7).
func TestGoSDKReadsPages(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		var invocations, commands []string
		for i := range rows {
			q := newRun("true", a)
			q.KeepCommand, q.Name = truth(true), fmt.Sprintf("run-%d", i)
			run := ask(p, p.SDK.RunCommand, q)
			invocations, commands = append(invocations, run.InvokeId), append(commands, run.CommandId)
		}
		for _, l := range []list{{"invocations", p.invocationsPage}, {"results", p.resultsPage}} {
			p.readPages(l, invocations)
		}
		p.readPages(list{"commands", p.commandsPage}, commands)
		p.byToken(list{"invocations", p.invocationsPage}, newestFirst(invocations), func() { ask(p, p.SDK.RunCommand, newRun("true", a)) })
	})
}

func TestGoSDKReadsPagesOfMachines(t *testing.T) {
	eachFormat(t, func(p *play) {
		all := ask(p, p.SDK.DescribeActivations, ecs.CreateDescribeActivationsRequest()).ActivationList
		activations := []string{all[0].ActivationId} // made by the server
		var code *ecs.CreateActivationResponse
		for range rows - 1 {
			code, _ = p.createActivation()
			activations = append(activations, code.ActivationId)
		}
		var machines []string
		for range rows {
			machines = append(machines, p.Server.Register("", code.ActivationId, code.ActivationCode).ID)
		}
		p.readPages(list{"activations", p.activationsPage}, activations)
		p.readPages(list{"machines", p.machinesPage}, machines)
		p.readPages(list{"statuses", p.statusPage}, machines)
	})
}

// rows is how many there are of everything.
const rows = 7

func newestFirst(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Reverse(ids)
	return ids
}

// readPages reads a list of what was made in that order.
func (p *play) readPages(l list, made []string) {
	p.Helper()
	p.byNumber(l, newestFirst(made))
	p.byToken(l, newestFirst(made), nil)
}

// byNumber reads seven rows in pages of three.
func (p *play) byNumber(l list, want []string) {
	p.Helper()
	for number, ids := range [][]string{want[0:3], want[3:6], want[6:], {}} {
		got := l.get(number+1, 3, 0, "")
		if more := number < 2; (got.NextToken != "") != more {
			p.Errorf("%s, page %d: NextToken = %q", l.name, number+1, got.NextToken)
		}
		got.NextToken = ""
		check(p, l.name, got, page{ids, rows, int64(number + 1), 3, ""})
	}
}

// byToken reads them in pages of three. What comes in meanwhile is counted and does not shift the
// pages (PG-6).
func (p *play) byToken(l list, want []string, meanwhile func()) {
	p.Helper()
	first := l.get(0, 0, 3, "")
	got, token, total := first.IDs, first.NextToken, int64(len(want))
	if meanwhile != nil {
		meanwhile()
		total++
	}
	for range 2 {
		next := l.get(0, 0, 3, token)
		check(p, l.name+" by token", next, page{next.IDs, total, 1, 3, next.NextToken})
		got, token = append(got, next.IDs...), next.NextToken
	}
	check(p, l.name+" by token", got, want)
	if token != "" {
		p.Errorf("%s: NextToken of the last page = %q", l.name, token)
	}
}

func (p *play) invocationsPage(n, size, limit int, token string) page {
	p.Helper()
	q := ecs.CreateDescribeInvocationsRequest()
	q.NextToken = token
	place(&q.PageNumber, n)
	place(&q.PageSize, size)
	place(&q.MaxResults, limit)
	a := ask(p, p.SDK.DescribeInvocations, q)
	got := page{nil, a.TotalCount, a.PageNumber, a.PageSize, a.NextToken}
	for _, v := range a.Invocations.Invocation {
		got.IDs = append(got.IDs, v.InvokeId)
	}
	return got
}

func (p *play) resultsPage(n, size, limit int, token string) page {
	p.Helper()
	q := ecs.CreateDescribeInvocationResultsRequest()
	q.NextToken = token
	place(&q.PageNumber, n)
	place(&q.PageSize, size)
	place(&q.MaxResults, limit)
	a := ask(p, p.SDK.DescribeInvocationResults, q).Invocation
	got := page{nil, a.TotalCount, a.PageNumber, a.PageSize, a.NextToken}
	for _, r := range a.InvocationResults.InvocationResult {
		got.IDs = append(got.IDs, r.InvokeId)
	}
	return got
}

func (p *play) commandsPage(n, size, limit int, token string) page {
	p.Helper()
	q := ecs.CreateDescribeCommandsRequest()
	q.NextToken = token
	place(&q.PageNumber, n)
	place(&q.PageSize, size)
	place(&q.MaxResults, limit)
	a := ask(p, p.SDK.DescribeCommands, q)
	got := page{nil, a.TotalCount, a.PageNumber, a.PageSize, a.NextToken}
	for _, c := range a.Commands.Command {
		got.IDs = append(got.IDs, c.CommandId)
	}
	return got
}

func (p *play) activationsPage(n, size, limit int, token string) page {
	p.Helper()
	q := ecs.CreateDescribeActivationsRequest()
	q.NextToken = token
	place(&q.PageNumber, n)
	place(&q.PageSize, size)
	place(&q.MaxResults, limit)
	a := ask(p, p.SDK.DescribeActivations, q)
	got := page{nil, a.TotalCount, a.PageNumber, a.PageSize, a.NextToken}
	for _, v := range a.ActivationList {
		got.IDs = append(got.IDs, v.ActivationId)
	}
	return got
}

func (p *play) machinesPage(n, size, limit int, token string) page {
	p.Helper()
	q := ecs.CreateDescribeManagedInstancesRequest()
	q.NextToken = token
	place(&q.PageNumber, n)
	place(&q.PageSize, size)
	place(&q.MaxResults, limit)
	a := ask(p, p.SDK.DescribeManagedInstances, q)
	got := page{nil, a.TotalCount, a.PageNumber, a.PageSize, a.NextToken}
	for _, m := range a.Instances {
		got.IDs = append(got.IDs, m.InstanceId)
	}
	return got
}

func (p *play) statusPage(n, size, limit int, token string) page {
	p.Helper()
	q := ecs.CreateDescribeCloudAssistantStatusRequest()
	q.NextToken = token
	place(&q.PageNumber, n)
	place(&q.PageSize, size)
	place(&q.MaxResults, limit)
	a := ask(p, p.SDK.DescribeCloudAssistantStatus, q)
	got := page{nil, a.TotalCount, a.PageNumber, a.PageSize, a.NextToken}
	for _, s := range a.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus {
		got.IDs = append(got.IDs, s.InstanceId)
	}
	return got
}
