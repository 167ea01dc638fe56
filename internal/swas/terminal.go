package swas

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
)

// What needs a terminal is refused in every region, once the request is right: there are none yet.

type startTerminalSessionRequest struct {
	RegionId   string `rpc:",required"`
	InstanceId string `rpc:",required"`
}

type startTerminalSessionResponse struct {
	SessionId     string
	SecurityToken string
	WebSocketUrl  string
}

func (d *Dialect) startTerminalSession(ctx context.Context, c orderly.Caller, req startTerminalSessionRequest) (startTerminalSessionResponse, error) {
	return startTerminalSessionResponse{}, d.noTerminal(ctx, c, req.RegionId, req.InstanceId)
}

// maxPort is the highest number of a port.
const maxPort = 65535

type loginInstanceRequest struct {
	RegionId   string `rpc:",required"`
	InstanceId string `rpc:",required"`
	Username   string
	Password   string
	Port       *int64
}

type loginInstanceResponse struct{ RedirectUrl string }

func (d *Dialect) loginInstance(ctx context.Context, c orderly.Caller, req loginInstanceRequest) (resp loginInstanceResponse, err error) {
	if req.Port != nil && (*req.Port < 1 || *req.Port > maxPort) {
		return resp, rpc.Invalid("Port", "The specified parameter %s is not valid.")
	}
	if err := orderly.CheckUser(req.Username, ""); err != nil {
		return resp, err
	}
	return resp, d.noTerminal(ctx, c, req.RegionId, req.InstanceId)
}

type describeInstanceVncURLRequest struct {
	RegionId    string `rpc:",required"`
	InstanceId  string `rpc:",required"`
	ClientToken string
}

type describeInstanceVncURLResponse struct{ VncUrl string }

func (d *Dialect) describeInstanceVncURL(ctx context.Context, c orderly.Caller, req describeInstanceVncURLRequest) (resp describeInstanceVncURLResponse, err error) {
	if err := orderly.CheckClientToken(req.ClientToken); err != nil {
		return resp, err
	}
	return resp, d.noTerminal(ctx, c, req.RegionId, req.InstanceId)
}

// noTerminal is why there is no terminal on an instance: it does not exist, or else none does.
func (d *Dialect) noTerminal(ctx context.Context, c orderly.Caller, region, instance string) error {
	if err := d.exist(ctx, c, region, []string{orderly.OfAlias(instance, region)}); err != nil {
		return err
	}
	return operationNotOffered
}
