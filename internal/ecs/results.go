package ecs

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type describeInvocationResultsRequest struct {
	RegionId           string `rpc:",required"`
	InvokeId           string `rpc:",when=IncludeHistory:true"`
	InstanceId         string
	CommandId          string
	InvokeRecordStatus string
	InvocationStatus   string
	IncludeHistory     bool
	ContentEncoding    string
	ResourceGroupId    string
	Tag                []rpc.Tag
	rpc.Paging
}

// Where the page is stands inside Invocation here, not beside it.
type describeInvocationResultsResponse struct{ Invocation shownResults }

type shownResults struct {
	rpc.Paged
	InvocationResults wrappedResults
}

type wrappedResults struct{ InvocationResult []shownResult }

type shownResult struct {
	InvokeId           string
	InstanceId         string
	CommandId          string
	InvocationStatus   string
	InvokeRecordStatus string
	ExitCode           *int // left out when there is none (EXI-1)
	ErrorCode          string
	ErrorInfo          string
	Output             string
	Dropped            int32
	Repeats            int
	StartTime          string
	FinishedTime       string
	StopTime           string
	Username           string
	TerminationMode    string
	Launcher           string
	ContainerId        string
	ContainerName      string
	OssOutputDelivery  string
	delivery
	Tags wrappedTags
}

func (d *Dialect) describeInvocationResults(ctx context.Context, c orderly.Caller, req describeInvocationResultsRequest) (describeInvocationResultsResponse, error) {
	var resp describeInvocationResultsResponse
	if err := req.check(); err != nil {
		return resp, err
	}
	f := store.ResultFilter{
		Region: req.RegionId, InvokeID: req.InvokeId, CommandID: req.CommandId, Instance: req.InstanceId, ResourceGroup: req.ResourceGroupId,
		Record: req.InvokeRecordStatus, State: req.InvocationStatus, Tags: rpc.Tags(req.Tag),
	}
	if req.IncludeHistory {
		history, ok, err := d.history(ctx, c, &req, f)
		if resp.Invocation = history; ok || err != nil {
			return resp, err
		}
	}
	page, err := d.cursor(req.Paging, rpc.Scope{Operation: "DescribeInvocationResults", Account: c.Account, Region: req.RegionId, Filter: f})
	if err != nil {
		return resp, err
	}
	list, total, err := d.engine.Results(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, resp.Invocation.Paged = rpc.Cut(page, list, total, func(r store.Result) store.Place {
		return store.Place{Seq: r.Invocation, Ordinal: r.Ordinal}
	})
	shown := &resp.Invocation.InvocationResults
	for i := range list {
		shown.InvocationResult = append(shown.InvocationResult, showResult(&list[i], req.ContentEncoding))
	}
	return resp, nil
}

func (r *describeInvocationResultsRequest) check() error {
	if r.IncludeHistory && r.InvokeId == "" {
		return orderly.InvokeIDMissing // DR-2
	}
	return orderly.CheckTags(rpc.Tags(r.Tag))
}

func showResult(r *store.Result, encoding string) shownResult {
	t, v := &r.Task, &r.Of
	return shownResult{
		InvokeId: v.ID, InstanceId: t.Instance, CommandId: v.Command.ID,
		InvocationStatus: string(t.State), InvokeRecordStatus: legacyStatus(v, t),
		ExitCode: t.ExitCode, ErrorCode: string(t.ErrorCode), ErrorInfo: errorInfo(t.ErrorCode),
		Output: output(t, encoding), Dropped: dropped(t), Repeats: t.Repeats,
		StartTime: rpc.Timestamp(t.Started), FinishedTime: rpc.Timestamp(t.Finished), StopTime: rpc.Timestamp(t.Stopped),
		Username: v.Username, TerminationMode: string(v.Termination), Launcher: v.Command.Launcher,
		ContainerId: v.ContainerID, ContainerName: v.ContainerName, Tags: wrappedTags{tagsShown(v.Tags)},
	}
}
