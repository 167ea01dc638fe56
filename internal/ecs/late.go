package ecs

import (
	"context"
	"strings"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

// DescribeLateResults is ours: see docs/api-extension.md.
type describeLateResultsRequest struct {
	RegionId        string `rpc:",required"`
	InvokeId        string `rpc:",required"`
	InstanceId      string
	ContentEncoding string
	MaxResults      string
	NextToken       string
}

type describeLateResultsResponse struct {
	TotalCount  int
	PageSize    int
	NextToken   string
	LateResults wrappedLateResults
}

type wrappedLateResults struct{ LateResult []shownLateResult }

type shownLateResult struct {
	InvokeId         string
	InstanceId       string
	InvocationStatus string
	ExitCode         *int // left out when there is none (EXI-1)
	ErrorCode        string
	ErrorInfo        string
	Output           string
	Dropped          int32
	Repeats          int
	StartTime        string
	FinishedTime     string
	ReceivedTime     string
}

func (d *Dialect) describeLateResults(ctx context.Context, c orderly.Caller, req describeLateResultsRequest) (describeLateResultsResponse, error) {
	var resp describeLateResultsResponse
	if strings.HasPrefix(req.InvokeId, orderly.FilePrefix+"-") {
		c.Realm = orderly.FileRealm
	}
	f := store.LateFilter{Region: req.RegionId, InvokeID: req.InvokeId, Instance: req.InstanceId}
	page, err := d.cursor(rpc.Paging{MaxResults: req.MaxResults, NextToken: req.NextToken}, rpc.Scope{Operation: "DescribeLateResults", Account: c.Account, Region: req.RegionId, Filter: f})
	if err != nil {
		return resp, err
	}
	list, total, err := d.engine.LateResults(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, at := rpc.Cut(page, list, total, func(l store.LateResult) store.Place {
		return store.Place{Seq: l.Number, Ordinal: l.Task.Ordinal}
	})
	resp.TotalCount, resp.PageSize, resp.NextToken = at.TotalCount, at.PageSize, at.NextToken
	for i := range list {
		resp.LateResults.LateResult = append(resp.LateResults.LateResult, showLateResult(&list[i], req.InvokeId, req.ContentEncoding))
	}
	return resp, nil
}

func showLateResult(l *store.LateResult, invokeID, encoding string) shownLateResult {
	ended := orderly.Task{State: l.State, Output: l.Output, Total: l.Total}
	return shownLateResult{
		InvokeId: invokeID, InstanceId: l.Instance, InvocationStatus: string(l.State),
		ExitCode: l.ExitCode, ErrorCode: string(l.ErrorCode), ErrorInfo: errorInfo(l.ErrorCode),
		Output: output(&ended, encoding), Dropped: dropped(&ended), Repeats: ordinalOfRun(l.Number),
		StartTime: rpc.Timestamp(l.Started), FinishedTime: rpc.Timestamp(l.Finished), ReceivedTime: rpc.Timestamp(l.Received),
	}
}

// ordinalOfRun is which run a report speaks of: its number has that above its lower 32 bits, or 0
// when the task runs once.
func ordinalOfRun(number int64) int { return int(max(1, number>>32)) }
