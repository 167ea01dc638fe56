package ecs

import (
	"context"

	"github.com/orderly-run/orderly"
)

// modifyCommandRequest changes what it has of a command. A parameter that is there and empty empties
// what it is for, but for the name, without which there is no command.
type modifyCommandRequest struct {
	RegionId       string `rpc:",required"`
	CommandId      string `rpc:",required"`
	Name           string
	Description    *string
	WorkingDir     *string
	Launcher       *string
	Timeout        *int64
	CommandContent string // without effect, if it is no longer than a content may be (MOD-1)
}

func (d *Dialect) modifyCommand(ctx context.Context, c orderly.Caller, req modifyCommandRequest) (emptyResponse, error) {
	if len(req.CommandContent) > d.engine.Limits().ContentBytes {
		return emptyResponse{}, orderly.ContentTooLong
	}
	edit := orderly.CommandEdit{Description: req.Description, WorkingDir: req.WorkingDir, Launcher: req.Launcher}
	if req.Name != "" {
		edit.Name = &req.Name
	}
	if req.Timeout != nil {
		t := timeout(req.Timeout)
		edit.Timeout = &t
	}
	return emptyResponse{}, d.engine.ModifyCommand(ctx, c, req.RegionId, req.CommandId, edit)
}
