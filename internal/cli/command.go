package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/orderly-run/orderly/internal/client"
)

// A keptCommand is a command as the API shows it.
type keptCommand struct {
	CommandId, Name, Description, Type, CommandContent string
	WorkingDir, Launcher, CreationTime                 string
	Timeout                                            int64
	EnableParameter                                    bool
	ParameterNames                                     struct{ ParameterName []string }
	InvokeTimes                                        int
}

var commandColumns = []Column[keptCommand]{
	{Title: "NAME", Cell: func(c *keptCommand) string { return c.Name }, Cut: 12},
	{Title: "COMMAND ID", Cell: func(c *keptCommand) string { return c.CommandId }},
	{Title: "TYPE", Cell: func(c *keptCommand) string { return c.Type }},
	{Title: "PARAMETERS", Cell: func(c *keptCommand) string { return strings.Join(c.ParameterNames.ParameterName, ",") }, Cut: 8},
	{Title: "RUNS", Cell: func(c *keptCommand) string { return fmt.Sprint(c.InvokeTimes) }},
	{Title: "CREATED", Cell: func(c *keptCommand) string { return since(c.CreationTime) }},
	{Title: "DESCRIPTION", In: InWide, Cell: func(c *keptCommand) string { return c.Description }, Cut: 12},
	{Title: "TIMEOUT", In: InWide, Cell: func(c *keptCommand) string { return fmt.Sprintf("%d s", c.Timeout) }},
	{Title: "DIRECTORY", In: InWide, Cell: func(c *keptCommand) string { return c.WorkingDir }, Cut: 8},
	{Title: "LAUNCHER", In: Alone, Cell: func(c *keptCommand) string { return c.Launcher }},
	{Title: "SCRIPT", In: Alone, Cell: func(c *keptCommand) string { return c.CommandContent }},
}

type commandsRequest struct {
	CommandId, Name, ContentEncoding string
}

func (s *Session) commands(ctx context.Context, q commandsRequest, limit int) (client.List[keptCommand], error) {
	q.ContentEncoding = "PlainText"
	list, err := client.Fetch[keptCommand](ctx, s.api, client.Listing{
		Action: "DescribeCommands", Params: q, Path: []string{"Commands", "Command"}, Limit: limit,
	})
	if err != nil {
		return list, refused(ctx, err)
	}
	return list, nil
}

// Commands lists kept commands; name may begin and end with *.
func (s *Session) Commands(ctx context.Context, name string, limit int) error {
	list, err := s.commands(ctx, commandsRequest{Name: name}, limit)
	if err != nil {
		return err
	}
	return shown(s, commandColumns, list, "no kept commands: orderly command create keeps one")
}

// command finds the one kept command that the user means, by its ID or its name.
func (s *Session) command(ctx context.Context, ref string) (client.List[keptCommand], error) {
	q := commandsRequest{Name: ref}
	if strings.HasPrefix(ref, "c-") {
		q = commandsRequest{CommandId: ref}
	}
	list, err := s.commands(ctx, q, 0)
	if err != nil {
		return list, err
	}
	if q.Name != "" { // a * in it would find others, too
		keep(&list, 0, func(c *keptCommand) bool { return c.Name == ref })
	}
	switch len(list.Items) {
	case 1:
		return list, nil
	case 0:
		return list, &Exit{Refused, Advise(fmt.Errorf("there is no command %s", ref), "see which ones there are: orderly command list")}
	}
	return list, &Exit{Refused, Advise(fmt.Errorf("%d commands are named %s", len(list.Items), ref),
		"give the ID of one: "+strings.Join(ids(list.Items, func(c *keptCommand) string { return c.CommandId }), ", "))}
}

// CommandDetails shows one kept command.
func (s *Session) CommandDetails(ctx context.Context, ref string) error {
	list, err := s.command(ctx, ref)
	if err != nil {
		return err
	}
	return One(s, commandColumns, &list.Items[0], list.Raw[0])
}

// A Creation is a command to keep.
type Creation struct {
	Name            string
	Script          Script
	Description     string
	WorkingDir      string
	Launcher        string
	Timeout         int64 // seconds; 0 for the server's default
	EnableParameter bool
}

type createCommandRequest struct {
	Name, Type, CommandContent, ContentEncoding, Description, WorkingDir, Launcher, ClientToken string
	Timeout                                                                                     int64
	EnableParameter                                                                             bool
}

// CreateCommand keeps a command.
func (s *Session) CreateCommand(ctx context.Context, c Creation) error {
	content, kind, err := c.Script.read(s.In)
	if err != nil {
		return err
	}
	var made struct{ CommandId string }
	err = s.api.Call(ctx, "CreateCommand", createCommandRequest{
		Name: c.Name, Type: kind, CommandContent: base64.StdEncoding.EncodeToString(content), ContentEncoding: "Base64", Description: c.Description,
		WorkingDir: c.WorkingDir, Launcher: c.Launcher, Timeout: c.Timeout, EnableParameter: c.EnableParameter, ClientToken: rand.Text(),
	}, &made)
	if err != nil {
		return refused(ctx, err)
	}
	return s.print(fmt.Sprintf("Kept %s as %s. Run it: orderly command run %s --all\n", c.Name, made.CommandId, c.Name))
}

// DeleteCommands deletes kept commands, after asking.
func (s *Session) DeleteCommands(ctx context.Context, refs []string) error {
	var list []keptCommand
	for _, ref := range refs {
		one, err := s.command(ctx, ref)
		if err != nil {
			return err
		}
		list = append(list, one.Items[0])
	}
	names := ids(list, func(c *keptCommand) string { return c.Name + " (" + c.CommandId + ")" })
	if err := s.Confirm("delete " + strings.Join(names, ", ")); err != nil {
		return err
	}
	for i := range list {
		if err := s.api.Call(ctx, "DeleteCommand", map[string]string{"CommandId": list[i].CommandId}, nil); err != nil {
			return refused(ctx, err)
		}
		if err := s.print("deleted " + names[i] + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// CommandNames are the names and IDs of kept commands, for completion.
func (s *Session) CommandNames(ctx context.Context) ([]string, error) {
	list, err := s.commands(ctx, commandsRequest{}, completions)
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name, list.Items[i].CommandId)
	}
	return names, err
}
