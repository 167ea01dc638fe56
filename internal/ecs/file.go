package ecs

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type sendFileRequest struct {
	RegionId        string   `rpc:",required"`
	InstanceId      []string `rpc:",required,missing=MissingParam.InstanceId"`
	Name            string   `rpc:",required"`
	TargetDir       string   `rpc:",required"`
	Content         string   `rpc:",required"`
	ContentType     string
	Description     string
	FileOwner       string
	FileGroup       string
	FileMode        string
	Overwrite       bool
	Timeout         *int64
	ResourceGroupId string
	Tag             []rpc.Tag
	ClientToken     string
}

type sendFileResponse struct{ InvokeId string }

func (d *Dialect) sendFile(ctx context.Context, c orderly.Caller, req sendFileRequest) (sendFileResponse, error) {
	f := engine.FileRequest{
		Region: req.RegionId, Instances: req.InstanceId, Timeout: rpc.Timeout(req.Timeout), ResourceGroup: req.ResourceGroupId, Tags: rpc.Tags(req.Tag),
		File: orderly.File{
			Name: req.Name, Content: req.Content, Description: req.Description, Dir: req.TargetDir,
			Owner: req.FileOwner, Group: req.FileGroup, Mode: req.FileMode, Overwrite: req.Overwrite,
		},
	}
	var err error
	if f.File.Base64, err = req.check(); err != nil {
		return sendFileResponse{}, err
	}
	id, err := d.engine.SendFile(ctx, c, f, repetition("SendFile", req.ClientToken, req))
	return sendFileResponse{InvokeId: id}, err
}

// check refuses text that no database holds, and tells how the content is encoded.
func (r *sendFileRequest) check() (encoded bool, err error) {
	for _, text := range [][2]string{{"Name", r.Name}, {"Description", r.Description}} {
		if err := rpc.CheckText(text[0], text[1]); err != nil {
			return false, err
		}
	}
	switch {
	case r.ContentType == "", strings.EqualFold(r.ContentType, plainText):
		return false, nil
	case strings.EqualFold(r.ContentType, base64Text):
		return true, nil
	}
	return false, orderly.FileTypeUnknown
}

type describeSendFileResultsRequest struct {
	RegionId         string `rpc:",required"`
	InvokeId         string
	InstanceId       string
	Name             string
	InvocationStatus string
	ResourceGroupId  string
	Tag              []rpc.Tag
	rpc.Paging
}

type describeSendFileResultsResponse struct {
	rpc.Paged
	Invocations wrappedFiles
}

type wrappedFiles struct{ Invocation []shownFile }

type shownFile struct {
	InvokeId         string
	Name             string
	Description      string
	TargetDir        string
	Content          string
	ContentType      string
	FileOwner        string
	FileGroup        string
	FileMode         string
	Overwrite        string
	VmCount          int
	CreationTime     string
	InvocationStatus string
	InvokeInstances  wrappedFileTasks
	Tags             wrappedTags
}

type wrappedFileTasks struct{ InvokeInstance []shownFileTask }

type shownFileTask struct {
	InstanceId       string
	InvocationStatus string
	ErrorCode        string
	ErrorInfo        string
	CreationTime     string
	StartTime        string
	UpdateTime       string
	FinishTime       string
}

func (d *Dialect) describeSendFileResults(ctx context.Context, c orderly.Caller, req describeSendFileResultsRequest) (describeSendFileResultsResponse, error) {
	var resp describeSendFileResultsResponse
	f := store.InvocationFilter{
		Region: req.RegionId, ID: req.InvokeId, CommandName: req.Name, Instance: req.InstanceId, ResourceGroup: req.ResourceGroupId,
		Aggregate: req.InvocationStatus, Tags: rpc.Tags(req.Tag),
	}
	if err := cmp.Or(rpc.CheckText("Name", req.Name), orderly.CheckTags(f.Tags)); err != nil {
		return resp, err
	}
	page, err := d.cursor(req.Paging, rpc.Scope{Operation: "DescribeSendFileResults", Account: c.Account, Region: req.RegionId, Filter: f})
	if err != nil {
		return resp, err
	}
	list, total, err := d.engine.Files(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, resp.Paged = rpc.Cut(page, list, total, func(v orderly.Invocation) store.Place { return store.Place{Seq: v.Seq} })
	tasks, err := d.engine.TasksOf(ctx, list, req.InstanceId, false)
	for i := range list {
		resp.Invocations.Invocation = append(resp.Invocations.Invocation, showFile(&list[i], tasks[list[i].Seq]))
	}
	return resp, err
}

func showFile(v *orderly.Invocation, tasks []orderly.Task) shownFile {
	f := v.File
	shown := shownFile{
		InvokeId: v.ID, Name: f.Name, Description: f.Description, TargetDir: f.Dir, Content: f.Content, ContentType: plainText,
		FileOwner: cmp.Or(f.Owner, orderly.DefaultFileOwner), FileGroup: cmp.Or(f.Group, orderly.DefaultFileOwner), FileMode: f.Mode,
		Overwrite: strconv.FormatBool(f.Overwrite), VmCount: v.Size, CreationTime: rpc.Timestamp(v.Created), InvocationStatus: string(v.Status()),
		Tags: wrappedTags{tagsShown(v.Tags)},
	}
	if f.Base64 {
		shown.ContentType = base64Text
	}
	for i := range tasks {
		t := &tasks[i]
		shown.InvokeInstances.InvokeInstance = append(shown.InvokeInstances.InvokeInstance, shownFileTask{
			InstanceId: t.Instance, InvocationStatus: string(t.State), ErrorCode: string(t.ErrorCode), ErrorInfo: errorInfo(t.ErrorCode),
			CreationTime: rpc.Timestamp(t.Created), StartTime: rpc.Timestamp(t.Started), UpdateTime: rpc.Timestamp(t.Updated),
			FinishTime: rpc.Timestamp(t.Finished),
		})
	}
	return shown
}
