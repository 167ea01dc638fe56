package main

import (
	"context"
	"fmt"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// A query is one operation with one filter, as a handler asks for it. A page that is not whole leaves out
// what is embedded in its rows.
type query struct {
	op, filter string
	page       func(ctx context.Context, e *engine.Engine, p store.Page, whole bool) (rows []store.Place, total int, err error)
	explain    func(ctx context.Context, db *store.DB, p store.Page) (string, error)
}

func (q query) String() string { return fmt.Sprintf("%s, %s", q.op, q.filter) }

var caller = orderly.Caller{Account: account}

// invocations is DescribeInvocations, with the tasks that it embeds.
func invocations(name string, f store.InvocationFilter) query {
	f.Region = region
	return query{"DescribeInvocations", name,
		func(ctx context.Context, e *engine.Engine, p store.Page, whole bool) ([]store.Place, int, error) {
			list, total, err := e.Invocations(ctx, caller, f, p)
			if err != nil {
				return nil, 0, err
			}
			rows := make([]store.Place, len(list))
			for i := range list {
				rows[i].Seq = list[i].Seq
			}
			if whole {
				_, err = e.TasksOf(ctx, list[:min(len(list), pageSize)], f.Instance, false)
			}
			return rows, total, err
		},
		func(ctx context.Context, db *store.DB, p store.Page) (string, error) {
			f.Account = account
			return db.ExplainInvocations(ctx, f, p)
		},
	}
}

// results is DescribeInvocationResults.
func results(name string, f store.ResultFilter) query {
	f.Region = region
	return query{"DescribeInvocationResults", name,
		func(ctx context.Context, e *engine.Engine, p store.Page, _ bool) ([]store.Place, int, error) {
			list, total, err := e.Results(ctx, caller, f, p)
			rows := make([]store.Place, len(list))
			for i := range list {
				rows[i] = store.Place{Seq: list[i].Invocation, Ordinal: list[i].Ordinal}
			}
			return rows, total, err
		},
		func(ctx context.Context, db *store.DB, p store.Page) (string, error) {
			f.Account = account
			return db.ExplainResults(ctx, f, p)
		},
	}
}

// machine is the first of those that hack/load makes, which takes part in every invocation.
func machine() string { return orderly.NewID(orderly.InstancePrefix, region, 1<<50) }

// queries are all that is measured: each filter alone, and some together. newest is the ID of an
// invocation that failed in part.
func queries(newest string) []query {
	yes, no := true, false
	tag := func(k, v string) []orderly.Tag { return []orderly.Tag{{Key: k, Value: v}} }
	list := []query{
		invocations("none (Timed=false)", store.InvocationFilter{Timed: &no}),
		invocations("Timed=true", store.InvocationFilter{Timed: &yes}),
		invocations("InvokeId", store.InvocationFilter{ID: newest}),
		invocations("CommandId", store.InvocationFilter{CommandID: "c-hz0load00000deploy", Timed: &no}),
		invocations("CommandName", store.InvocationFilter{CommandName: "deploy", Timed: &no}),
		invocations("CommandType", store.InvocationFilter{CommandType: "RunShellScript", Timed: &no}),
		invocations("ResourceGroupId", store.InvocationFilter{ResourceGroup: "rg-load", Timed: &no}),
		invocations("Tag", store.InvocationFilter{Tags: tag("env", "prod"), Timed: &no}),
		invocations("two Tags", store.InvocationFilter{Tags: append(tag("env", "prod"), tag("team", "1")...), Timed: &no}),
		invocations("RepeatMode=Once", store.InvocationFilter{Repeat: "Once"}),
		invocations("RepeatMode=Period", store.InvocationFilter{Repeat: "Period"}),
		invocations("InstanceId", store.InvocationFilter{Instance: machine()}),
		invocations("InstanceId, InvokeStatus=Failed", store.InvocationFilter{Instance: machine(), Status: "Failed"}),
		invocations("CommandId, InvokeStatus=Failed", store.InvocationFilter{CommandID: "c-hz0load00000deploy", Status: "Failed"}),
	}
	for _, s := range []string{"Running", "Finished", "Success", "Failed", "Stopped", "Stopping", "PartialFailed", "Pending", "Scheduled"} {
		list = append(list, invocations("InvokeStatus="+s, store.InvocationFilter{Status: s}))
	}
	list = append(list,
		results("none", store.ResultFilter{}),
		results("InvokeId", store.ResultFilter{InvokeID: newest}),
		results("InvokeId, InvocationStatus=Success", store.ResultFilter{InvokeID: newest, State: "Success"}),
		results("CommandId", store.ResultFilter{CommandID: "c-hz0load00000deploy"}),
		results("ResourceGroupId", store.ResultFilter{ResourceGroup: "rg-load"}),
		results("Tag", store.ResultFilter{Tags: tag("env", "prod")}),
		results("InstanceId", store.ResultFilter{Instance: machine()}),
		results("InstanceId, InvokeRecordStatus=Failed", store.ResultFilter{Instance: machine(), Record: "Failed"}),
		results("CommandId, InvocationStatus=Timeout", store.ResultFilter{CommandID: "c-hz0load00000deploy", State: "Timeout"}),
	)
	for _, s := range []string{"Running", "Finished", "Success", "Failed", "Stopped", "Stopping"} {
		list = append(list, results("InvokeRecordStatus="+s, store.ResultFilter{Record: s}))
	}
	for _, s := range []string{"Pending", "Scheduled", "Running", "Success", "Failed", "Timeout", "Error", "Aborted", "Cancelled", "Terminated"} {
		list = append(list, results("InvocationStatus="+s, store.ResultFilter{State: s}))
	}
	return list
}
