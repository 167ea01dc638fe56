package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A CommandEdit is what of a kept command is to change; nil stays.
type CommandEdit struct {
	Name, Description, WorkingDir, Launcher *string
	Timeout                                 *int64 // seconds
}

func (e CommandEdit) none() bool { return e == CommandEdit{} }

type modifyCommandRequest struct {
	CommandId string
	Name      *string
	// What a pointer points to is sent even when it is empty, which empties it.
	Description, WorkingDir, Launcher *string
	Timeout                           *int64
}

// EditCommand changes a kept command: as e says, or, when e says nothing, as the user does in an
// editor.
func (s *Session) EditCommand(ctx context.Context, ref string, e CommandEdit, editor string) error {
	list, err := s.command(ctx, ref)
	if err != nil {
		return err
	}
	c := &list.Items[0]
	if e.none() {
		if e, err = s.edited(ctx, c, editor); err != nil {
			return err
		}
	}
	if e.none() {
		return s.print("nothing was changed\n")
	}
	err = s.api.Call(ctx, "ModifyCommand", modifyCommandRequest{c.CommandId, e.Name, e.Description, e.WorkingDir, e.Launcher, e.Timeout}, nil)
	if err != nil {
		return refused(ctx, err)
	}
	return s.print("changed " + c.CommandId + "\n")
}

// An editable is what of a command can be edited. Its names are the API's.
type editable struct {
	Name        string `yaml:"Name"`
	Description string `yaml:"Description"`
	Timeout     int64  `yaml:"Timeout"`
	WorkingDir  string `yaml:"WorkingDir"`
	Launcher    string `yaml:"Launcher"`
}

// edited has the user edit c in a file, and returns what is different then.
func (s *Session) edited(ctx context.Context, c *keptCommand, editor string) (CommandEdit, error) {
	if !s.Ask {
		return CommandEdit{}, &Exit{Refused, Advise(errors.New("there is no terminal to edit on"), "say what to change: see the flags of orderly command edit --help")}
	}
	before := editable{c.Name, c.Description, c.Timeout, c.WorkingDir, c.Launcher}
	text, err := yaml.Marshal(before)
	if err != nil {
		return CommandEdit{}, err
	}
	heading := "# " + c.CommandId + ". Timeout is in seconds. The script itself cannot be changed: create another command for another one.\n"
	script := "#\n# " + strings.ReplaceAll(strings.TrimRight(c.CommandContent, "\n"), "\n", "\n# ") + "\n"
	text, err = s.inEditor(ctx, heading+string(text)+script, editor)
	if err != nil {
		return CommandEdit{}, err
	}
	var after editable
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&after); err != nil {
		return CommandEdit{}, &Exit{Refused, Advise(fmt.Errorf("what was saved cannot be read: %w", err), "nothing was changed; edit again and keep the names at the left")}
	}
	return difference(before, after), nil
}

func difference(before, after editable) (e CommandEdit) {
	text := func(from, to string) *string {
		if from == to {
			return nil
		}
		return &to
	}
	e.Name, e.Description = text(before.Name, after.Name), text(before.Description, after.Description)
	e.WorkingDir, e.Launcher = text(before.WorkingDir, after.WorkingDir), text(before.Launcher, after.Launcher)
	if before.Timeout != after.Timeout {
		e.Timeout = &after.Timeout
	}
	return e
}

// inEditor has the user edit text, and returns it as it was saved.
func (s *Session) inEditor(ctx context.Context, text, editor string) ([]byte, error) {
	f, err := os.CreateTemp("", "orderly-*.yaml")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // what stays is one file of a temporary directory
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	words := strings.Fields(editor) // such as code --wait
	edit := exec.CommandContext(context.WithoutCancel(ctx), words[0], append(words[1:], f.Name())...)
	edit.Stdin, edit.Stdout, edit.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := edit.Run(); err != nil {
		return nil, &Exit{Refused, Advise(fmt.Errorf("the editor %s: %w", editor, err), "nothing was changed; set EDITOR to another one")}
	}
	return os.ReadFile(f.Name())
}
