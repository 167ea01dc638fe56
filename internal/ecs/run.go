package ecs

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/rpc"
)

// How many ResourceTag select the targets (rule TGT-3).
const (
	maxRunTags    = 20
	maxInvokeTags = 10
)

// runParameters are the parameters that RunCommand and InvokeCommand share.
type runParameters struct {
	RegionId            string   `rpc:",required"`
	InstanceId          []string `rpc:",unless=ResourceTag,missing=MissingParam.InstanceId"`
	ResourceTag         []rpc.Tag
	Parameters          string
	WorkingDir          string
	Timeout             *int64
	RepeatMode          string
	Frequency           string `rpc:",when=RepeatMode:Period,missing=MissingParam.Frequency"`
	Timed               string // without effect, whatever it is (RM-3)
	TerminationMode     string
	Username            string
	WindowsPasswordName string
	ContainerId         string
	ContainerName       string
	Launcher            string
	OssOutputDelivery   string
	DeliveryTimeout     *int64
	ResourceGroupId     string
	Tag                 []rpc.Tag
	ClientToken         string
}

type runCommandRequest struct {
	runParameters
	Type            string `rpc:",required"`
	CommandContent  string `rpc:",required"`
	ContentEncoding string
	Name            string
	Description     string
	EnableParameter bool
	KeepCommand     bool
}

type runCommandResponse struct {
	CommandId string
	InvokeId  string
}

func (d *Dialect) runCommand(ctx context.Context, c orderly.Caller, req runCommandRequest) (runCommandResponse, error) {
	if err := req.check(); err != nil {
		return runCommandResponse{}, err
	}
	q := req.request(maxRunTags)
	q.KeepCommand = req.KeepCommand
	q.Command.Type, q.Command.Name, q.Command.Description = orderly.CommandType(req.Type), req.Name, req.Description
	q.Command.EnableParameter = req.EnableParameter
	var err error
	if q.Command.Content, err = contentOf(req.CommandContent, isBase64(req.ContentEncoding)); err != nil {
		return runCommandResponse{}, err
	}
	a, err := d.engine.RunCommand(ctx, c, q, repetition("RunCommand", req.ClientToken, req))
	return runCommandResponse{CommandId: a.CommandID, InvokeId: a.InvokeID}, err
}

type invokeCommandRequest struct {
	runParameters
	CommandId string `rpc:",required"`
}

type invokeCommandResponse struct{ InvokeId string }

func (d *Dialect) invokeCommand(ctx context.Context, c orderly.Caller, req invokeCommandRequest) (invokeCommandResponse, error) {
	if err := req.check(); err != nil {
		return invokeCommandResponse{}, err
	}
	q := req.request(maxInvokeTags)
	q.Command.ID = req.CommandId
	a, err := d.engine.InvokeCommand(ctx, c, q, repetition("InvokeCommand", req.ClientToken, req))
	return invokeCommandResponse{InvokeId: a.InvokeID}, err
}

// request is what the engine is asked for, but for the command itself.
func (p *runParameters) request(maxTags int) engine.Request {
	q := engine.Request{
		Region: p.RegionId,
		Target: orderly.Target{Instances: p.InstanceId, Tags: rpc.Tags(p.ResourceTag)}, MaxTags: maxTags,
		Parameters: p.Parameters, Repeat: orderly.RepeatMode(p.RepeatMode), Frequency: p.Frequency, Termination: orderly.TerminationMode(p.TerminationMode),
		Username: p.Username, PasswordName: p.WindowsPasswordName, ResourceGroup: p.ResourceGroupId, Tags: rpc.Tags(p.Tag),
		ContainerID: p.ContainerId, ContainerName: p.ContainerName,
	}
	q.Command.WorkingDir, q.Command.Launcher, q.Command.Timeout = p.WorkingDir, p.Launcher, rpc.Timeout(p.Timeout)
	if p.DeliveryTimeout != nil {
		limit := rpc.Seconds(*p.DeliveryTimeout)
		q.Delivery = &limit
	}
	return q
}

// check refuses, with its published code when it has one, what is malformed and the engine does not
// look at; and what is not offered.
func (p *runParameters) check() error {
	if err := orderly.CheckContainer(p.ContainerId, p.ContainerName); err != nil {
		return err
	}
	return firstGiven([2]string{"OssOutputDelivery", p.OssOutputDelivery})
}

// maxStopped is how many instances one stop may name (rule STOP-1).
const maxStopped = 50

type stopInvocationRequest struct {
	RegionId   string `rpc:",required"`
	InvokeId   string `rpc:",required"`
	InstanceId []string
}

func (d *Dialect) stopInvocation(ctx context.Context, c orderly.Caller, req stopInvocationRequest) (emptyResponse, error) {
	if len(req.InstanceId) > maxStopped {
		return emptyResponse{}, orderly.TargetsTooMany
	}
	return emptyResponse{}, d.engine.StopInvocation(ctx, c, req.RegionId, req.InvokeId, req.InstanceId)
}
