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
		want := map[string][]string{}
		for i := range 7 {
			q := newRun("true", a)
			q.KeepCommand, q.Name = truth(true), fmt.Sprintf("run-%d", i)
			run := ask(p, p.SDK.RunCommand, q)
			want["invocations"] = append(want["invocations"], run.InvokeId)
			want["commands"] = append(want["commands"], run.CommandId)
		}
		want["results"] = want["invocations"]
		for name, ids := range want {
			newest := slices.Clone(ids)
			slices.Reverse(newest)
			want[name] = newest
		}
		lists := []list{{"invocations", p.invocationsPage}, {"results", p.resultsPage}, {"commands", p.commandsPage}}
		for _, l := range lists {
			p.byNumber(l, want[l.name])
			p.byToken(l, want[l.name], nil)
		}
		p.byToken(lists[0], want["invocations"], func() { ask(p, p.SDK.RunCommand, newRun("true", a)) })
	})
}

// byNumber reads seven rows in pages of three.
func (p *play) byNumber(l list, want []string) {
	p.Helper()
	for number, rows := range [][]string{want[0:3], want[3:6], want[6:], {}} {
		got := l.get(number+1, 3, 0, "")
		if more := number < 2; (got.NextToken != "") != more {
			p.Errorf("%s, page %d: NextToken = %q", l.name, number+1, got.NextToken)
		}
		got.NextToken = ""
		check(p, l.name, got, page{rows, 7, int64(number + 1), 3, ""})
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
