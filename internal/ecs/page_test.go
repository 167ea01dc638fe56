package ecs_test

import (
	"fmt"
	"testing"
)

var pageRefusals = []refusal{
	{"PG-2", "DescribeInvocations", values{"PageNumber": "0"}, 400, "InvalidParam.PageNumber"},
	{"PG-2", "DescribeInvocations", values{"PageNumber": "x"}, 400, "InvalidParam.PageNumber"},
	{"PG-2", "DescribeInvocations", values{"PageNumber": "99999999999999999999"}, 400, "InvalidParam.PageNumber"},
	{"PG-2", "DescribeInvocations", values{"PageSize": "0"}, 400, "InvalidParam.PageSize"},
	{"PG-2", "DescribeInvocations", values{"PageSize": "51"}, 400, "InvalidParam.PageSize"},
	{"PG-9", "DescribeInvocations", values{"PageNumber": "2001", "PageSize": "50"}, 400, "InvalidParam.PageNumber"},
	{"PG-3", "DescribeInvocations", values{"MaxResults": "0"}, 400, "InvalidParameter.MaxResults"},
	{"PG-3", "DescribeInvocations", values{"MaxResults": "51"}, 400, "InvalidParameter.MaxResults"},
	{"PG-3", "DescribeInvocations", values{"MaxResults": "all"}, 400, "InvalidParameter.MaxResults"},
	{"PG-3", "DescribeInvocations", values{"NextToken": "AAAAAdDWBF2"}, 400, "InvalidParameter.NextToken"},
	{"PG-3", "DescribeInvocations", values{"NextToken": "\xff"}, 400, "InvalidParameter.NextToken"},
	{"PG-3", "DescribeInvocationResults", values{"NextToken": "x"}, 400, "InvalidParameter.NextToken"},
	{"PG-3", "DescribeCommands", values{"NextToken": "x"}, 400, "InvalidParameter.NextToken"},
	{"PG-3", "DescribeActivations", values{"NextToken": "x"}, 400, "InvalidParameter.NextToken"},
	{"PG-3", "DescribeManagedInstances", values{"NextToken": "x"}, 400, "InvalidParameter.NextToken"},
	{"PG-3", "DescribeCloudAssistantStatus", values{"NextToken": "x"}, 400, "InvalidParameter.NextToken"},
}

// A page is where the rows of an answer stand.
type page struct {
	TotalCount, PageNumber, PageSize int
	NextToken                        string
}

// invocations is an answer of DescribeInvocations.
type invocations struct {
	page
	Invocations struct{ Invocation []invocation }
}

type invocation struct {
	InvokeId, CommandId, CommandName, CommandContent, Parameters string
	InvocationStatus, InvokeStatus, RepeatMode, CreationTime     string
	Timeout                                                      int
	Timed                                                        bool
	InvokeInstances                                              struct{ InvokeInstance []task }
}

type task struct {
	InstanceId, InvocationStatus, InstanceInvokeStatus, InvokeRecordStatus  string
	ErrorCode, ErrorInfo, Output                                            string
	ExitCode                                                                *int
	Dropped                                                                 int64
	Repeats                                                                 int
	Timed                                                                   bool
	CreationTime, StartTime, UpdateTime, FinishTime, FinishedTime, StopTime string
	InvokeId, TerminationMode                                               string
}

func (r invocations) ids() (list []string) {
	for _, v := range r.Invocations.Invocation {
		list = append(list, v.InvokeId)
	}
	return list
}

// results is an answer of DescribeInvocationResults.
type results struct {
	Invocation struct {
		page
		InvocationResults struct{ InvocationResult []task }
	}
}

func (r results) ids() (list []string) {
	for _, t := range r.Invocation.InvocationResults.InvocationResult {
		list = append(list, t.InvokeId+" "+t.InstanceId)
	}
	return list
}

// instances is an answer of DescribeManagedInstances.
type instances struct {
	page
	Instances []struct {
		InstanceId, InstanceName, ActivationId, LastInvokedTime string
		InvocationCount                                         int
		Connected                                               bool
	}
}

func (r instances) ids() (list []string) {
	for _, i := range r.Instances {
		list = append(list, i.InstanceId)
	}
	return list
}

// PG-1, PG-5 to PG-7: pages by token hold every row once, newest first, whatever is added meanwhile.
func TestPagesByToken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.online(), h.online()
		var want []string
		for range 5 {
			id := call[run](h, "RunCommand", script(second, first)).InvokeId
			want = append([]string{id + " " + second, id + " " + first}, want...)
		}
		var got []string
		asked := values{"MaxResults": "3", "InvocationStatus": "Pending"}
		for token := "first"; token != ""; {
			r := call[results](h, "DescribeInvocationResults", asked)
			at := r.Invocation.page
			if at.PageNumber != 1 || at.PageSize != 3 || at.TotalCount < 10 {
				t.Errorf("page %+v", at)
			}
			call[run](h, "RunCommand", script(first)) // a newer row does not shift the pages after
			got = append(got, r.ids()...)
			token = at.NextToken
			asked["NextToken"] = token
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// PG-2, PG-5: pages by number; one may go on by token from any of them.
func TestPagesByNumber(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		want := make([]string, 5)
		for i := range want {
			want[len(want)-1-i] = call[run](h, "RunCommand", script(id)).InvokeId
		}
		second := call[invocations](h, "DescribeInvocations", values{"PageNumber": "2", "PageSize": "2"})
		if fmt.Sprint(second.ids()) != fmt.Sprint(want[2:4]) || second.TotalCount != 5 || second.PageNumber != 2 || second.PageSize != 2 {
			t.Errorf("second page %v %+v, want %v", second.ids(), second.page, want[2:4])
		}
		last := call[invocations](h, "DescribeInvocations", values{"NextToken": second.NextToken, "PageNumber": "nonsense", "PageSize": "0"}) // PG-4
		if fmt.Sprint(last.ids()) != fmt.Sprint(want[4:]) || last.NextToken != "" || last.PageSize != 10 || last.PageNumber != 1 {
			t.Errorf("last page %v %+v, want %v", last.ids(), last.page, want[4:])
		}
		exact := call[invocations](h, "DescribeInvocations", values{"PageSize": "5"})
		if len(exact.ids()) != 5 || exact.NextToken != "" {
			t.Errorf("one full page %v goes on at %q", exact.ids(), exact.NextToken)
		}
		past := call[invocations](h, "DescribeInvocations", values{"PageNumber": "2000", "PageSize": "50"})
		if len(past.ids()) != 0 || past.TotalCount != 5 || past.NextToken != "" {
			t.Errorf("past the end: %v %+v", past.ids(), past.page)
		}
	})
}

// Every list can be read in pages.
func TestEveryListHasPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ids := []string{h.online(), h.online()}
		for range 2 {
			call[run](h, "CreateCommand", aCommand)
			call[run](h, "RunCommand", script(ids...))
		}
		for _, action := range []string{
			"DescribeActivations", "DescribeManagedInstances", "DescribeCloudAssistantStatus", "DescribeCommands", "DescribeInvocations", "DescribeInvocationResults",
		} {
			read := func(v values) page {
				r := call[struct {
					page
					Invocation struct{ page }
				}](h, action, v)
				if r.PageSize == 0 {
					return r.Invocation.page
				}
				return r.page
			}
			seen := 0
			at := read(values{"MaxResults": "1"})
			for ; at.NextToken != ""; at = read(values{"MaxResults": "1", "NextToken": at.NextToken}) {
				seen++
			}
			if seen+1 != at.TotalCount || at.TotalCount < 2 {
				t.Errorf("%s: %d pages of one, TotalCount %d", action, seen+1, at.TotalCount)
			}
		}
	})
}

// PG-6: a token is good for its operation, account, region and filters only.
func TestTokensAreBound(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		for range 2 {
			call[run](h, "RunCommand", script(id))
		}
		token := call[invocations](h, "DescribeInvocations", values{"MaxResults": "1"}).NextToken
		asked := values{"NextToken": token}
		call[invocations](h, "DescribeInvocations", asked.with("MaxResults", "7", "ContentEncoding", "PlainText"))
		for _, more := range [][]string{
			{"RegionId", "cn-beijing"}, {"CommandName", "x"}, {"InstanceId", id}, {"Timed", "true"}, {"Tag.1.Key", "x"},
			{"NextToken", token[1:]}, {"NextToken", token + "A"}, {"NextToken", "B" + token[1:]}, {"NextToken", token + "\n"},
		} {
			h.refused("DescribeInvocations", asked.with(more...), 400, "InvalidParameter.NextToken")
		}
		h.refused("DescribeInvocationResults", asked, 400, "InvalidParameter.NextToken")
		h.as(other).refused("DescribeInvocations", asked, 400, "InvalidParameter.NextToken")
	})
}
