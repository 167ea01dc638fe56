package swas

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type describeCommandInvocationsRequest struct {
	RegionId         string `rpc:",required"`
	InstanceId       string
	CommandId        string
	InvokeId         string
	CommandName      string // without effect beside InstanceId
	InvocationStatus string
	CommandType      string
	paging
}

type describeCommandInvocationsResponse struct {
	paged
	CommandInvocations []commandInvocation
}

type commandInvocation struct {
	InvokeId           string
	CreationTime       string
	CommandId          string
	InvocationStatus   string
	CommandName        string
	CommandType        string
	CommandDescription string
	Username           string
	WorkingDir         string
	Timeout            int64
	CommandContent     string // plain, as the outputs are (EN-3)
	Parameters         string
	InvokeInstances    []invokeInstance
}

type invokeInstance struct {
	InstanceId       string
	StartTime        string
	FinishTime       string
	InvocationStatus string
	Output           string
	ExitCode         *int // left out when there is none (EXI-1)
	ErrorInfo        string
	ErrorCode        string
}

func (d *Dialect) describeCommandInvocations(ctx context.Context, c orderly.Caller, req describeCommandInvocationsRequest) (resp describeCommandInvocationsResponse, err error) {
	page, err := d.cursor(req.paging, rpc.MaxSize)
	if err != nil {
		return resp, err
	}
	f := req.filter()
	list, total, err := d.engine.Invocations(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, resp.paged = cut(page, list, total)
	tasks, err := d.engine.TasksOf(ctx, list, f.Instance, true)
	for i := range list {
		resp.CommandInvocations = append(resp.CommandInvocations, showCommandInvocation(&list[i], tasks[list[i].Seq]))
	}
	return resp, err
}

// filter is which invocations are asked for (rules SW-1, AG-4).
func (r *describeCommandInvocationsRequest) filter() store.InvocationFilter {
	f := store.InvocationFilter{
		Region: r.RegionId, ID: r.InvokeId, CommandID: r.CommandId, CommandName: r.CommandName, CommandType: r.CommandType,
		Instance: orderly.OfAlias(r.InstanceId, r.RegionId), Aggregate: r.InvocationStatus,
	}
	if f.Instance != "" {
		f.CommandName = ""
	}
	return f
}

func showCommandInvocation(v *orderly.Invocation, tasks []orderly.Task) commandInvocation {
	cmd := &v.Command
	s := commandInvocation{
		InvokeId: v.ID, CreationTime: rpc.Timestamp(v.Created), CommandId: cmd.ID, InvocationStatus: status(v, tasks),
		CommandName: cmd.Name, CommandType: string(cmd.Type), CommandDescription: cmd.Description, Username: v.Username,
		WorkingDir: cmd.WorkingDir, Timeout: int64(cmd.Timeout / time.Second), CommandContent: string(cmd.Content), Parameters: rpc.Parameters(v.Parameters),
	}
	for i := range tasks {
		t := &tasks[i]
		code, info := t.ErrorCode.Older(t.State)
		s.InvokeInstances = append(s.InvokeInstances, invokeInstance{
			InstanceId: orderly.Alias(t.Instance), StartTime: rpc.Timestamp(t.Started), FinishTime: rpc.Timestamp(t.Finished),
			InvocationStatus: string(t.State), Output: string(t.Text()), ExitCode: t.ExitCode, ErrorInfo: info, ErrorCode: string(code),
		})
	}
	return s
}

// status is what an invocation shows for all of its tasks: of a single one its own state (rule AG-4).
func status(v *orderly.Invocation, tasks []orderly.Task) string {
	if v.Size == 1 && len(tasks) == 1 {
		return string(tasks[0].State)
	}
	return string(v.Status())
}

type describeInvocationsRequest struct {
	RegionId     string `rpc:",required"`
	InstanceId   string `rpc:",required"`
	InvokeStatus string
	paging
}

type describeInvocationsResponse struct {
	paged
	Invocations []shownInvocation
}

// A shownInvocation is one as a single instance of it has it.
type shownInvocation struct {
	InvokeId         string
	CreationTime     string
	CommandName      string
	CommandType      string
	CommandContent   string // in Base64 (EN-3)
	Parameters       map[string]string
	InvocationStatus string
	InvokeStatus     string
}

func (d *Dialect) describeInvocations(ctx context.Context, c orderly.Caller, req describeInvocationsRequest) (resp describeInvocationsResponse, err error) {
	page, err := d.cursor(req.paging, rpc.MaxSize)
	if err != nil {
		return resp, err
	}
	f := store.InvocationFilter{Region: req.RegionId, Instance: orderly.OfAlias(req.InstanceId, req.RegionId), Legacy: req.InvokeStatus}
	list, total, err := d.engine.Invocations(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, resp.paged = cut(page, list, total)
	tasks, err := d.engine.TasksOf(ctx, list, f.Instance, false)
	for i := range list {
		for _, t := range tasks[list[i].Seq] { // the one
			resp.Invocations = append(resp.Invocations, showInvocation(&list[i], &t))
		}
	}
	return resp, err
}

func showInvocation(v *orderly.Invocation, t *orderly.Task) shownInvocation {
	return shownInvocation{
		InvokeId: v.ID, CreationTime: rpc.Timestamp(v.Created), CommandName: v.Command.Name, CommandType: string(v.Command.Type),
		CommandContent: base64.StdEncoding.EncodeToString(v.Command.Content), Parameters: v.Parameters,
		InvocationStatus: string(t.State), InvokeStatus: legacyStatus(v, t),
	}
}

// legacyStatus is a task's status in the older vocabulary (rule LG-1).
func legacyStatus(v *orderly.Invocation, t *orderly.Task) string {
	return string(t.State.LegacyStatus(v.Repeat, !t.Stopped.IsZero()))
}
