package ecs

import (
	"context"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type describeInvocationsRequest struct {
	RegionId        string `rpc:",required"`
	InvokeId        string `rpc:",when=IncludeOutput:true,unless=InstanceId"`
	CommandId       string
	CommandName     string
	CommandType     string
	InstanceId      string
	InvokeStatus    string
	RepeatMode      string
	Timed           *bool
	IncludeOutput   bool
	ContentEncoding string
	ResourceGroupId string
	Tag             []rpc.Tag
	rpc.Paging
}

type describeInvocationsResponse struct {
	rpc.Paged
	Invocations wrappedInvocations
}

type wrappedInvocations struct{ Invocation []shownInvocation }

type shownInvocation struct {
	InvokeId           string
	CommandId          string
	CommandName        string
	CommandDescription string
	CommandType        string
	CommandContent     string
	Parameters         string
	WorkingDir         string
	Timeout            int64
	Username           string
	RepeatMode         string
	Frequency          string
	Timed              bool
	TerminationMode    string
	Launcher           string
	ContainerId        string
	ContainerName      string
	OssOutputDelivery  string
	CreationTime       string
	InvocationStatus   string
	InvokeStatus       string
	InvokeInstances    wrappedInstances
	Tags               wrappedTags
}

type wrappedInstances struct{ InvokeInstance []shownTask }

type shownTask struct {
	InstanceId           string
	InvocationStatus     string
	InstanceInvokeStatus string
	ExitCode             *int // left out when there is none (EXI-1)
	ErrorCode            string
	ErrorInfo            string
	Output               string
	Dropped              int32
	Repeats              int
	Timed                bool
	CreationTime         string
	StartTime            string
	UpdateTime           string
	FinishTime           string
	StopTime             string
	delivery
}

// delivery is what became of an output's delivery to a bucket: there is none.
type delivery struct {
	OssOutputStatus    string
	OssOutputUri       string
	OssOutputErrorCode string
	OssOutputErrorInfo string
}

func (d *Dialect) describeInvocations(ctx context.Context, c orderly.Caller, req describeInvocationsRequest) (describeInvocationsResponse, error) {
	var resp describeInvocationsResponse
	if req.IncludeOutput && req.InvokeId == "" && req.InstanceId == "" {
		return resp, orderly.InvokeIDMissing // DI-8
	}
	if err := orderly.CheckTags(rpc.Tags(req.Tag)); err != nil {
		return resp, err
	}
	f := req.filter()
	page, err := d.cursor(req.Paging, rpc.Scope{Operation: "DescribeInvocations", Account: c.Account, Region: req.RegionId, Filter: f})
	if err != nil {
		return resp, err
	}
	list, total, err := d.engine.Invocations(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, resp.Paged = rpc.Cut(page, list, total, func(v orderly.Invocation) store.Place { return store.Place{Seq: v.Seq} })
	tasks, err := d.engine.TasksOf(ctx, list, req.InstanceId, req.IncludeOutput)
	for i := range list {
		v := &list[i]
		shown := showInvocation(v, req.ContentEncoding)
		shown.InvokeInstances.InvokeInstance = showTasks(v, tasks[v.Seq], req.ContentEncoding)
		resp.Invocations.Invocation = append(resp.Invocations.Invocation, shown)
	}
	return resp, err
}

// filter is which invocations are asked for (rules DI-1 to DI-7).
func (r *describeInvocationsRequest) filter() store.InvocationFilter {
	f := store.InvocationFilter{
		Region: r.RegionId, ID: r.InvokeId, CommandID: r.CommandId, CommandName: r.CommandName, CommandType: r.CommandType,
		Instance: r.InstanceId, ResourceGroup: r.ResourceGroupId, Repeat: r.RepeatMode, Status: r.InvokeStatus,
		Timed: r.timed(), Tags: rpc.Tags(r.Tag),
	}
	if r.InstanceId != "" { // DI-2
		f.CommandName, f.Repeat = "", ""
		if f.Status == string(orderly.StatusPartialFailed) {
			f.Status = ""
		}
	}
	return f
}

// timed is the filter Timed, whose default false holds only when nothing else says which
// invocations are meant (rule DI-4).
func (r *describeInvocationsRequest) timed() *bool {
	if r.Timed != nil || r.InvokeId != "" || r.InstanceId != "" || r.InvokeStatus != "" || r.RepeatMode != "" {
		return r.Timed
	}
	return new(bool)
}

func showInvocation(v *orderly.Invocation, encoding string) shownInvocation {
	cmd := &v.Command
	return shownInvocation{
		InvokeId: v.ID, CommandId: cmd.ID, CommandName: cmd.Name, CommandDescription: cmd.Description, CommandType: string(cmd.Type),
		CommandContent: encode(cmd.Content, encoding), Parameters: rpc.Parameters(v.Parameters), WorkingDir: cmd.WorkingDir,
		Timeout: int64(cmd.Timeout / time.Second), Username: v.Username, RepeatMode: string(v.Repeat), Frequency: v.Frequency,
		Timed: v.Timed(), TerminationMode: string(v.Termination), Launcher: cmd.Launcher, ContainerId: v.ContainerID, ContainerName: v.ContainerName,
		CreationTime: rpc.Timestamp(v.Created), InvocationStatus: string(v.Status()), InvokeStatus: string(v.LegacyStatus()),
		Tags: wrappedTags{tagsShown(v.Tags)},
	}
}

func showTasks(v *orderly.Invocation, tasks []orderly.Task, encoding string) []shownTask {
	list := make([]shownTask, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		list[i] = shownTask{
			InstanceId: t.Instance, InvocationStatus: string(t.State), InstanceInvokeStatus: legacyStatus(v, t),
			ExitCode: t.ExitCode, ErrorCode: string(t.ErrorCode), ErrorInfo: errorInfo(t.ErrorCode),
			Output: output(t, encoding), Dropped: dropped(t), Repeats: t.Repeats, Timed: v.Timed(),
			CreationTime: rpc.Timestamp(t.Created), StartTime: rpc.Timestamp(t.Started), UpdateTime: rpc.Timestamp(t.Updated),
			FinishTime: rpc.Timestamp(t.Finished), StopTime: rpc.Timestamp(t.Stopped),
		}
	}
	return list
}

// legacyStatus is a task's status in the older vocabulary (rules LG-1, LG-2).
func legacyStatus(v *orderly.Invocation, t *orderly.Task) string {
	return string(t.State.LegacyStatus(v.Repeat, !t.Stopped.IsZero()))
}
