package ecs

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type createCommandRequest struct {
	RegionId        string `rpc:",required"`
	Name            string `rpc:",required"`
	Type            string `rpc:",required"`
	CommandContent  string `rpc:",required"`
	ContentEncoding string
	Description     string
	WorkingDir      string
	Timeout         *int64
	EnableParameter bool
	Launcher        string
	ResourceGroupId string
	Tag             []rpc.Tag
	ClientToken     string
}

type createCommandResponse struct{ CommandId string }

func (d *Dialect) createCommand(ctx context.Context, c orderly.Caller, req createCommandRequest) (createCommandResponse, error) {
	cmd := orderly.Command{
		Region: req.RegionId, Name: req.Name, Description: req.Description, Type: orderly.CommandType(req.Type),
		WorkingDir: req.WorkingDir, Timeout: rpc.Timeout(req.Timeout), EnableParameter: req.EnableParameter, Launcher: req.Launcher,
		ResourceGroup: req.ResourceGroupId, Tags: rpc.Tags(req.Tag),
	}
	var err error
	if cmd.Content, err = contentOf(req.CommandContent, req.ContentEncoding != plainText); err != nil {
		return createCommandResponse{}, err
	}
	if err := orderly.CheckResourceGroup(req.ResourceGroupId); err != nil {
		return createCommandResponse{}, err
	}
	id, err := d.engine.CreateCommand(ctx, c, cmd, repetition("CreateCommand", req.ClientToken, req))
	return createCommandResponse{CommandId: id}, err
}

// contentOf is the script in a request.
func contentOf(content string, encoded bool) ([]byte, error) {
	if encoded {
		return decodeBase64(content)
	}
	return []byte(content), rpc.CheckText("CommandContent", content)
}

type describeCommandsRequest struct {
	RegionId        string `rpc:",required"`
	CommandId       string
	Name            string
	Description     string
	Type            string
	Provider        string
	Latest          bool // of public commands, which there are none of
	ContentEncoding string
	ResourceGroupId string
	Tag             []rpc.Tag
	rpc.Paging
}

type describeCommandsResponse struct {
	rpc.Paged
	Commands wrappedCommands
}

type wrappedCommands struct{ Command []shownCommand }

// A shownCommand leaves out what only public commands have: Category, Latest, ParameterDefinitions
// and Version (rule PUB-1).
type shownCommand struct {
	CommandId       string
	Name            string
	Description     string
	Type            string
	CommandContent  string
	WorkingDir      string
	Timeout         int64
	EnableParameter bool
	ParameterNames  wrappedNames
	InvokeTimes     int
	Launcher        string
	Provider        string
	ResourceGroupId string
	CreationTime    string
	Tags            wrappedTags
}

type wrappedNames struct{ ParameterName []string }

func (d *Dialect) describeCommands(ctx context.Context, c orderly.Caller, req describeCommandsRequest) (describeCommandsResponse, error) {
	var resp describeCommandsResponse
	if err := req.check(); err != nil {
		return resp, err
	}
	f := store.CommandFilter{
		Region: req.RegionId, ID: req.CommandId, Name: req.Name, Description: req.Description, Type: req.Type,
		ResourceGroup: req.ResourceGroupId, Tags: rpc.Tags(req.Tag),
	}
	page, err := d.cursor(req.Paging, rpc.Scope{Operation: "DescribeCommands", Account: c.Account, Region: req.RegionId, Filter: []any{f, req.Provider}})
	if err != nil {
		return resp, err
	}
	var list []orderly.Command
	var total int
	if req.Provider == "" { // with one, the public commands of that provider are asked for: there are none
		if list, total, err = d.engine.Commands(ctx, c, f, page.Rows()); err != nil {
			return resp, err
		}
	}
	list, resp.Paged = rpc.Cut(page, list, total, func(cmd orderly.Command) store.Place { return store.Place{Seq: cmd.Seq} })
	for _, cmd := range list {
		resp.Commands.Command = append(resp.Commands.Command, showCommand(cmd, req.ContentEncoding))
	}
	return resp, nil
}

// Sizes of filters, in characters without the * at their ends.
const (
	maxNameFilter        = 128
	maxDescriptionFilter = 512
)

func (r *describeCommandsRequest) check() error {
	switch {
	case r.Type != "" && !orderly.CommandType(r.Type).Known():
		return orderly.FilterTypeUnknown
	case utf8.RuneCountInString(strings.Trim(r.Name, "*")) > maxNameFilter:
		return orderly.FilterNameTooLong
	case utf8.RuneCountInString(strings.Trim(r.Description, "*")) > maxDescriptionFilter:
		return orderly.FilterDescTooLong
	}
	if err := rpc.CheckText("Name", r.Name); err != nil {
		return err
	}
	if err := rpc.CheckText("Description", r.Description); err != nil {
		return err
	}
	return orderly.CheckTags(rpc.Tags(r.Tag))
}

func showCommand(cmd orderly.Command, encoding string) shownCommand {
	s := shownCommand{
		CommandId: cmd.ID, Name: cmd.Name, Description: cmd.Description, Type: string(cmd.Type),
		CommandContent: encode(cmd.Content, encoding), WorkingDir: cmd.WorkingDir, Timeout: int64(cmd.Timeout / time.Second),
		EnableParameter: cmd.EnableParameter, InvokeTimes: cmd.InvokeTimes, Launcher: cmd.Launcher,
		ResourceGroupId: cmd.ResourceGroup, CreationTime: rpc.Timestamp(cmd.Created), Tags: wrappedTags{tagsShown(cmd.Tags)},
	}
	if cmd.EnableParameter { // PAR-6
		s.ParameterNames.ParameterName, _ = orderly.ParameterNames(cmd.Content) // were checked when it was stored
	}
	return s
}

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
		t := rpc.Timeout(req.Timeout)
		edit.Timeout = &t
	}
	return emptyResponse{}, d.engine.ModifyCommand(ctx, c, req.RegionId, req.CommandId, edit)
}

type deleteCommandRequest struct {
	RegionId  string `rpc:",required"`
	CommandId string `rpc:",required"`
}

// An emptyResponse holds nothing but the RequestId that every answer has.
type emptyResponse struct{}

func (d *Dialect) deleteCommand(ctx context.Context, c orderly.Caller, req deleteCommandRequest) (emptyResponse, error) {
	return emptyResponse{}, d.engine.DeleteCommand(ctx, c, req.RegionId, req.CommandId)
}
