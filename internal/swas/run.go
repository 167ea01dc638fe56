package swas

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/rpc"
)

// Sizes of the requests to run something (rules TGT-1, PAR-3).
const (
	maxTargets       = 50 // of InvokeCommand; RunCommand has one
	maxRunParameters = 20
	maxParameters    = 10 // of InvokeCommand
)

type runCommandRequest struct {
	RegionId            string `rpc:",required"`
	InstanceId          string `rpc:",required"`
	Name                string `rpc:",required"`
	Type                string `rpc:",required"`
	CommandContent      string `rpc:",required"`
	EnableParameter     bool
	Parameters          string
	WorkingDir          string
	Timeout             *int64
	WorkingUser         string
	WindowsPasswordName string
	DeliveryTimeout     *int64
}

// An invokeResponse names what was begun. That of RunCommand has no CommandId either.
type invokeResponse struct{ InvokeId string }

func (d *Dialect) runCommand(ctx context.Context, c orderly.Caller, req runCommandRequest) (invokeResponse, error) {
	if err := rpc.CheckText("CommandContent", req.CommandContent); err != nil {
		return invokeResponse{}, err
	}
	q := engine.Request{
		Region: req.RegionId, Target: orderly.Target{Instances: []string{orderly.OfAlias(req.InstanceId, req.RegionId)}},
		Command: orderly.Command{
			Name: req.Name, Type: orderly.CommandType(req.Type), Content: []byte(req.CommandContent), EnableParameter: req.EnableParameter,
			WorkingDir: req.WorkingDir, Timeout: rpc.Timeout(req.Timeout),
		},
		Parameters: req.Parameters, MaxParameters: maxRunParameters, MaxContent: d.cfg.RunContent,
		Username: req.WorkingUser, PasswordName: req.WindowsPasswordName, Delivery: delivery(req.DeliveryTimeout),
	}
	a, err := d.engine.RunCommand(ctx, c, q, engine.Repetition{})
	return invokeResponse{a.InvokeID}, err
}

type invokeCommandRequest struct {
	RegionId        string `rpc:",required"`
	CommandId       string `rpc:",required"`
	InstanceIds     string `rpc:",required"` // a JSON list
	Parameters      string
	Username        string
	DeliveryTimeout *int64
}

func (d *Dialect) invokeCommand(ctx context.Context, c orderly.Caller, req invokeCommandRequest) (invokeResponse, error) {
	ids, err := instanceIDs(req.InstanceIds, req.RegionId, maxTargets)
	if err != nil {
		return invokeResponse{}, err
	}
	q := engine.Request{
		Region: req.RegionId, Target: orderly.Target{Instances: ids}, Command: orderly.Command{ID: req.CommandId},
		Parameters: req.Parameters, MaxParameters: maxParameters, MaxContent: d.cfg.InvokeContent,
		Username: req.Username, Delivery: delivery(req.DeliveryTimeout),
	}
	a, err := d.engine.InvokeCommand(ctx, c, q, engine.Repetition{})
	return invokeResponse{a.InvokeID}, err
}
