package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

type commandsBody struct {
	Query    query
	Commands []orderly.Command
	Total    int
	Next     int64
}

func (c *Console) commandsPage(v *visit) error {
	b := commandsBody{Query: v.query()}
	f := store.CommandFilter{Region: v.region, Type: b.Query.Get("type"), Tags: tags(b.Query.All("tag"))}
	if name := strings.Trim(b.Query.Get("name"), "* "); name != "" {
		f.Name = "*" + name + "*"
	}
	var err error
	if b.Commands, b.Total, err = c.cfg.Engine.Commands(v.Context(), v.caller, f, store.Page{Limit: pageSize + 1, After: store.Place{Seq: b.Query.after()}}); err != nil {
		return err
	}
	if len(b.Commands) > pageSize {
		b.Commands = b.Commands[:pageSize]
		b.Next = b.Commands[pageSize-1].Seq
	}
	return c.show(v, http.StatusOK, "commands", &frame{Title: "Commands", Nav: "commands",
		Same: same(v.region, []string{"command", "list", f.Name}, "DescribeCommands", "Name="+f.Name)}, b)
}

// command finds a kept command of the caller's.
func (c *Console) command(v *visit, id string) (orderly.Command, error) {
	list, _, err := c.cfg.Engine.Commands(v.Context(), v.caller, store.CommandFilter{Region: v.region, ID: id}, store.Page{Limit: 1})
	if err == nil && len(list) == 0 {
		err = orderly.CommandUnknown
	}
	if err != nil {
		return orderly.Command{}, err
	}
	return list[0], nil
}

type commandBody struct {
	orderly.Command
	New    bool
	Limit  string // its timeout, as it is typed
	Types  []orderly.CommandType
	Names  []string // of its parameters
	Region string
}

func (c *Console) newCommandPage(v *visit) error {
	return c.showCommand(v, http.StatusOK, commandBody{New: true, Limit: "60s", Command: orderly.Command{Type: orderly.RunShellScript}}, "")
}

func (c *Console) commandPage(v *visit) error {
	cmd, err := c.command(v, v.PathValue("id"))
	if err != nil {
		return err
	}
	return c.showCommand(v, http.StatusOK, commandBody{Command: cmd, Limit: limit(cmd.Timeout)}, "")
}

func limit(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }

func (c *Console) showCommand(v *visit, status int, b commandBody, problem string) error {
	b.Types, b.Region = commandTypes, v.region
	f := &frame{Title: "New command", Nav: "commands", Error: problem, Same: same(v.region, []string{"command", "create", "NAME", "--script", "FILE"}, "CreateCommand", "Name=…", "Type=…", "CommandContent=…")}
	if !b.New {
		f.Title, f.Same = b.Name, same(v.region, []string{"command", "show", b.ID}, "DescribeCommands", "CommandId="+b.ID)
		if b.EnableParameter {
			b.Names, _ = orderly.ParameterNames(b.Content) // were checked when it was stored
		}
	}
	return c.show(v, status, "command", f, b)
}

// createCommand keeps a new command.
func (c *Console) createCommand(v *visit) error {
	f := v.readRun()
	cmd := orderly.Command{
		Region: v.region, Name: f.Name, Description: f.Description, Type: orderly.CommandType(f.Type), Content: []byte(f.Content), WorkingDir: f.WorkingDir,
		Launcher: f.Launcher, EnableParameter: f.Parameters,
	}
	t, err := duration(f.Timeout, orderly.TimeoutTooLong)
	if err == nil && strings.TrimSpace(f.Content) == "" {
		err = orderly.ContentUndecodable.Errorf("there is no script")
	}
	id := ""
	if cmd.Timeout = t; err == nil {
		id, err = c.cfg.Engine.CreateCommand(v.Context(), v.caller, cmd, engine.Repetition{Operation: "CreateCommand", Token: f.Token, Digest: []byte(v.PostForm.Encode())})
	}
	if text, ok := refusal(err); ok {
		if err := c.showCommand(v, http.StatusUnprocessableEntity, commandBody{New: true, Command: cmd, Limit: f.Timeout}, text); err != nil {
			return err
		}
		return answered{err}
	}
	if err != nil {
		return err
	}
	return v.to(v.in("commands", id))
}

// modifyCommand changes what can be changed of a command: all but its script, for what ran by its name
// would not be what it was.
func (c *Console) modifyCommand(v *visit) error {
	id := v.PathValue("id")
	get := func(name string) *string {
		text := strings.TrimSpace(v.PostFormValue(name))
		return &text
	}
	e := orderly.CommandEdit{Name: get("name"), Description: get("description"), WorkingDir: get("dir"), Launcher: get("launcher")}
	t, err := duration(*get("timeout"), orderly.TimeoutTooLong)
	if e.Timeout = &t; err == nil {
		err = c.cfg.Engine.ModifyCommand(v.Context(), v.caller, v.region, id, e)
	}
	if text, ok := refusal(err); ok && !errors.Is(err, orderly.CommandUnknown) {
		cmd, found := c.command(v, id)
		if found != nil {
			return found
		}
		if err := c.showCommand(v, http.StatusUnprocessableEntity, commandBody{Command: cmd, Limit: *get("timeout")}, text); err != nil {
			return err
		}
		return answered{err}
	}
	if err != nil {
		return err
	}
	return v.to(v.in("commands", id))
}

func (c *Console) deleteCommandPage(v *visit) error {
	cmd, err := c.command(v, v.PathValue("id"))
	if err != nil {
		return err
	}
	return c.show(v, http.StatusOK, "confirm", &frame{Title: "Delete " + cmd.Name, Nav: "commands",
		Same: same(v.region, []string{"command", "delete", cmd.ID}, "DeleteCommand", "CommandId="+cmd.ID)}, confirm{
		Question: "Delete the command " + cmd.Name + "?", Facts: []string{"What it ran stays in the list of invocations.", "A command of which an invocation is unfinished, such as a schedule, cannot be deleted."},
		Verb: "Delete the command", Danger: true, Back: v.in("commands", cmd.ID),
	})
}

func (c *Console) deleteCommand(v *visit) error {
	if err := c.cfg.Engine.DeleteCommand(v.Context(), v.caller, v.region, v.PathValue("id")); err != nil {
		return err
	}
	return v.to(v.in("commands"))
}
