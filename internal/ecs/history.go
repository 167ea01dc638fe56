package ecs

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

// ofRuns is what a page token of a history is good for: not for the list without it.
type ofRuns struct{ Runs store.ResultFilter }

// history is DescribeInvocationResults with IncludeHistory: one row for each run (rules DR-1, SC-7).
// It is not ok for an invocation that keeps no records of its runs, where the flag is ignored (DR-2).
func (d *Dialect) history(ctx context.Context, c orderly.Caller, req *describeInvocationResultsRequest, f store.ResultFilter) (shown shownResults, ok bool, err error) {
	if ok, err = d.engine.Recurs(ctx, c, f.Region, f.InvokeID); err != nil || !ok {
		return shown, ok, err
	}
	page, err := d.cursor(req.Paging, rpc.Scope{Operation: "DescribeInvocationResults", Account: c.Account, Region: f.Region, Filter: ofRuns{f}})
	if err != nil {
		return shown, true, err
	}
	list, total, err := d.engine.Runs(ctx, c, f, page.Rows())
	if err != nil {
		return shown, true, err
	}
	list, shown.Paged = rpc.Cut(page, list, total, func(r store.Result) store.Place {
		return store.Place{Seq: int64(r.Repeats), Ordinal: r.Ordinal}
	})
	for i := range list {
		row := showResult(&list[i], req.ContentEncoding)
		row.InvokeRecordStatus = string(list[i].State.LegacyStatus(orderly.Once, false)) // LG-4
		shown.InvocationResults.InvocationResult = append(shown.InvocationResults.InvocationResult, row)
	}
	return shown, true, nil
}
