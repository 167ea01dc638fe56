package swas

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type createCommandRequest struct {
	RegionId        string `rpc:",required"`
	Name            string `rpc:",required"`
	Type            string `rpc:",required"`
	CommandContent  string `rpc:",required"`
	Description     string
	WorkingDir      string
	Timeout         *int64
	EnableParameter bool
	ResourceGroupId string
	Tag             []rpc.Tag
}

type createCommandResponse struct{ CommandId string }

func (d *Dialect) createCommand(ctx context.Context, c orderly.Caller, req createCommandRequest) (resp createCommandResponse, err error) {
	cmd := orderly.Command{
		Region: req.RegionId, Name: req.Name, Type: orderly.CommandType(req.Type), Content: []byte(req.CommandContent),
		Description: req.Description, WorkingDir: req.WorkingDir, Timeout: rpc.Timeout(req.Timeout), EnableParameter: req.EnableParameter,
		ResourceGroup: req.ResourceGroupId, Tags: rpc.Tags(req.Tag),
	}
	if err := rpc.CheckText("CommandContent", req.CommandContent); err != nil {
		return resp, err
	}
	if err := checkTags(cmd.Tags); err != nil {
		return resp, err
	}
	if err := orderly.CheckResourceGroup(cmd.ResourceGroup); err != nil {
		return resp, err
	}
	resp.CommandId, err = d.engine.CreateCommand(ctx, c, cmd, engine.Repetition{})
	return resp, err
}

// The providers of commands that one can ask for: the vendor's public ones, of which there are none,
// and one's own.
var providers = []string{"AlibabaCloud", "User"}

const ownCommands = "User"

type describeCommandsRequest struct {
	RegionId        string `rpc:",required"`
	Provider        string `rpc:",required"`
	CommandId       string
	Name            string
	Type            string
	ResourceGroupId string
	Tag             []rpc.Tag
	paging
}

type describeCommandsResponse struct {
	paged
	Commands []shownCommand
}

type shownCommand struct {
	CommandId            string
	Name                 string
	Description          string
	Type                 string
	CommandContent       string // plain (EN-3)
	WorkingDir           string
	Timeout              int64
	EnableParameter      bool
	ParameterNames       []string
	ParameterDefinitions []parameterDefinition // what only public commands have
	Provider             string
	ResourceGroupId      string
	CreationTime         string
	Tags                 []rpc.Tag
}

type parameterDefinition struct {
	ParameterName  string
	Description    string
	Required       bool
	DefaultValue   string
	PossibleValues []string
}

func (d *Dialect) describeCommands(ctx context.Context, c orderly.Caller, req describeCommandsRequest) (resp describeCommandsResponse, err error) {
	if err := req.check(); err != nil {
		return resp, err
	}
	page, err := d.cursor(req.paging, rpc.MaxSize)
	if err != nil {
		return resp, err
	}
	var list []orderly.Command
	var total int
	if req.Provider == ownCommands {
		f := store.CommandFilter{
			Region: req.RegionId, ID: req.CommandId, ExactName: req.Name, Type: req.Type, ResourceGroup: req.ResourceGroupId, Tags: rpc.Tags(req.Tag),
		}
		if list, total, err = d.engine.Commands(ctx, c, f, page.Rows()); err != nil {
			return resp, err
		}
	}
	list, resp.paged = cut(page, list, total)
	for i := range list {
		resp.Commands = append(resp.Commands, showCommand(&list[i]))
	}
	return resp, nil
}

// maxNameFilter is the length of a name to filter by, in characters.
const maxNameFilter = 128

func (r *describeCommandsRequest) check() error {
	switch {
	case !slices.Contains(providers, r.Provider):
		return rpc.Invalid("Provider", "The specified parameter %s is not valid.")
	case r.Type != "" && !orderly.CommandType(r.Type).Known():
		return orderly.FilterTypeUnknown
	case utf8.RuneCountInString(r.Name) > maxNameFilter:
		return orderly.FilterNameTooLong
	}
	if err := rpc.CheckText("Name", r.Name); err != nil {
		return err
	}
	return checkTags(rpc.Tags(r.Tag))
}

func showCommand(cmd *orderly.Command) shownCommand {
	s := shownCommand{
		CommandId: cmd.ID, Name: cmd.Name, Description: cmd.Description, Type: string(cmd.Type), CommandContent: string(cmd.Content),
		WorkingDir: cmd.WorkingDir, Timeout: int64(cmd.Timeout / time.Second), EnableParameter: cmd.EnableParameter,
		Provider: ownCommands, ResourceGroupId: cmd.ResourceGroup, CreationTime: rpc.Timestamp(cmd.Created), Tags: tagsShown(cmd.Tags),
	}
	if cmd.EnableParameter { // PAR-6
		s.ParameterNames, _ = orderly.ParameterNames(cmd.Content) // were checked when it was stored
	}
	return s
}

// updateCommandAttributeRequest changes what it has of a command. A parameter that is there and empty
// empties what it is for, but for the name, without which there is no command.
type updateCommandAttributeRequest struct {
	RegionId    string `rpc:",required"`
	CommandId   string `rpc:",required"`
	Name        string
	Description *string
	WorkingDir  *string
	Timeout     *int64
}

func (d *Dialect) updateCommandAttribute(ctx context.Context, c orderly.Caller, req updateCommandAttributeRequest) (emptyResponse, error) {
	edit := orderly.CommandEdit{Description: req.Description, WorkingDir: req.WorkingDir}
	if req.Name != "" {
		edit.Name = &req.Name
	}
	if req.Timeout != nil {
		t := rpc.Timeout(req.Timeout)
		edit.Timeout = &t
	}
	return emptyResponse{}, d.engine.ModifyCommand(ctx, c, req.RegionId, req.CommandId, edit)
}

type deleteCommandRequest struct {
	RegionId  string `rpc:",required"`
	CommandId string `rpc:",required"`
}

func (d *Dialect) deleteCommand(ctx context.Context, c orderly.Caller, req deleteCommandRequest) (emptyResponse, error) {
	return emptyResponse{}, d.engine.DeleteCommand(ctx, c, req.RegionId, req.CommandId)
}
