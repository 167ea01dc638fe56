package swas

import (
	"context"
	"encoding/base64"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type describeInvocationResultRequest struct {
	RegionId   string `rpc:",required"`
	InstanceId string `rpc:",required"`
	InvokeId   string `rpc:",required"`
}

type describeInvocationResultResponse struct{ InvocationResult invocationResult }

type invocationResult struct {
	InvokeId           string
	InstanceId         string
	InvocationStatus   string
	InvokeRecordStatus string
	InvokeUser         string
	StartTime          string
	FinishedTime       string
	ExitCode           *int   // left out when there is none (EXI-1)
	Output             string // in Base64 (EN-3)
	ErrorCode          string
	ErrorInfo          string
}

func (d *Dialect) describeInvocationResult(ctx context.Context, c orderly.Caller, req describeInvocationResultRequest) (describeInvocationResultResponse, error) {
	f := store.ResultFilter{Region: req.RegionId, InvokeID: req.InvokeId, Instance: orderly.OfAlias(req.InstanceId, req.RegionId)}
	list, _, err := d.engine.Results(ctx, c, f, store.Page{Limit: 1})
	if err == nil && len(list) == 0 {
		err = d.noResult(ctx, c, req)
	}
	if err != nil {
		return describeInvocationResultResponse{}, err
	}
	return describeInvocationResultResponse{showResult(&list[0])}, nil
}

// noResult tells which of the two that a request names is why there is none.
func (d *Dialect) noResult(ctx context.Context, c orderly.Caller, req describeInvocationResultRequest) error {
	f := store.InvocationFilter{Region: req.RegionId, ID: req.InvokeId}
	switch _, n, err := d.engine.Invocations(ctx, c, f, store.Page{Limit: 1}); {
	case err != nil:
		return err
	case n == 0:
		return orderly.InvocationUnknown
	}
	return orderly.InstanceNotInTask
}

func showResult(r *store.Result) invocationResult {
	t := &r.Task
	code, info := t.ErrorCode.Older(t.State)
	return invocationResult{
		InvokeId: r.Of.ID, InstanceId: orderly.Alias(t.Instance), InvocationStatus: string(t.State), InvokeRecordStatus: legacyStatus(&r.Of, t),
		InvokeUser: r.Of.Username, StartTime: rpc.Timestamp(t.Started), FinishedTime: rpc.Timestamp(t.Finished), ExitCode: t.ExitCode,
		Output: base64.StdEncoding.EncodeToString(t.Output), ErrorCode: string(code), ErrorInfo: info,
	}
}
