package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func commandCommand() *cobra.Command {
	return noun(&cobra.Command{
		Use: "command", Aliases: []string{"commands"}, Short: "Keep commands, and run them by name",
		Example: `  orderly command create backup --script backup.sh --parameters
  orderly command list
  orderly command run backup --tag role=db -p target=/mnt/backup
  orderly command edit backup --timeout 2h`,
	}, commandListCommand(), commandCreateCommand(), commandShowCommand(), commandEditCommand(), commandDeleteCommand(), commandRunCommand())
}

func commandListCommand() *cobra.Command {
	var v view
	limit := 0
	c := &cobra.Command{
		Use: "list [NAME]", Aliases: []string{"ls"}, Short: "List kept commands; NAME may begin and end with *", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: v.names((*cli.Session).CommandNames),
	}
	c.Flags().IntVar(&limit, "limit", 0, "how `many`, the newest first (default: all)")
	return v.shows(c, func(ctx context.Context, s *cli.Session, args []string) error {
		return s.Commands(ctx, strings.Join(args, ""), limit)
	})
}

func commandShowCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "show COMMAND", Short: "Show a kept command and its script, by its ID or name", Args: one("the COMMAND"), ValidArgsFunction: v.names((*cli.Session).CommandNames),
	}
	return v.shows(c, func(ctx context.Context, s *cli.Session, args []string) error { return s.CommandDetails(ctx, args[0]) })
}

func commandCreateCommand() *cobra.Command {
	var v view
	var m cli.Creation
	var timeout time.Duration
	c := &cobra.Command{
		Use: "create NAME (--script FILE | -- COMMAND [ARGUMENT...])", Short: "Keep a command",
		Example: `  orderly command create backup --script backup.sh --parameters
  orderly command create disks -- df -h`,
		Args: atLeast(1, "a NAME and --script FILE, or a NAME and -- COMMAND"),
	}
	f := c.Flags()
	f.StringVarP(&m.Script.File, "script", "s", "", "`file` with the script; - for standard input")
	f.StringVar(&m.Script.Type, "type", "", "shell, powershell or bat (default: by the file's name)")
	f.StringVar(&m.Description, "description", "", "what it is for")
	f.StringVar(&m.WorkingDir, "workdir", "", "`directory` to run it in on the machines")
	f.StringVar(&m.Launcher, "launcher", "", "`program` that starts the script, such as python3")
	f.DurationVar(&timeout, "timeout", time.Minute, "`time` after which it is killed on a machine")
	f.BoolVar(&m.EnableParameter, "parameters", false, "{{NAME}} in the script is a parameter, to be given with -p NAME=VALUE")
	completeFlag(c, "type", fixed(cli.ScriptTypes...))
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		m.Name, m.Script.Line, m.Timeout = args[0], strings.Join(args[1:], " "), int64(timeout/time.Second)
		if (m.Script.File == "") == (strings.TrimSpace(m.Script.Line) == "") {
			return errors.New("say what to keep: either --script FILE or -- COMMAND; see orderly command create --help")
		}
		return s.CreateCommand(c.Context(), m)
	})
}

func commandEditCommand() *cobra.Command {
	var v view
	var name, description, dir, launcher string
	var timeout time.Duration
	c := &cobra.Command{
		Use: "edit COMMAND", Short: "Change a kept command: by flags, or else in an editor",
		Long: `Edit changes what is said of a kept command: by flags, or, without any, in the editor that VISUAL or EDITOR names.
The script itself cannot be changed: create another command for another one. What runs already goes on as it
began.
`,
		Args: one("the COMMAND"), ValidArgsFunction: v.names((*cli.Session).CommandNames),
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "its new `name`")
	f.StringVar(&description, "description", "", "what it is for")
	f.StringVar(&dir, "workdir", "", "`directory` to run it in on the machines")
	f.StringVar(&launcher, "launcher", "", "`program` that starts the script")
	f.DurationVar(&timeout, "timeout", 0, "`time` after which it is killed on a machine")
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		var e cli.CommandEdit
		for flag, to := range map[string]struct {
			value *string
			place **string
		}{"name": {&name, &e.Name}, "description": {&description, &e.Description}, "workdir": {&dir, &e.WorkingDir}, "launcher": {&launcher, &e.Launcher}} {
			if c.Flags().Changed(flag) {
				*to.place = to.value
			}
		}
		if c.Flags().Changed("timeout") {
			seconds := int64(timeout / time.Second)
			e.Timeout = &seconds
		}
		return s.EditCommand(c.Context(), args[0], e, cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
	})
}

func commandDeleteCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "delete COMMAND...", Aliases: []string{"rm"}, Short: "Delete kept commands", Args: atLeast(1, "a COMMAND"), ValidArgsFunction: v.names((*cli.Session).CommandNames),
	}
	v.confirmed(c)
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		return s.DeleteCommands(c.Context(), args)
	})
}

func commandRunCommand() *cobra.Command {
	var r running
	c := &cobra.Command{
		Use:   "run COMMAND (--all | --tag KEY=VALUE | --instance ID|NAME|PATTERN | --targets FILE) [flags]",
		Short: "Run a kept command on machines, wait, and show what came of it",
		Long:  "Run runs a kept command as orderly run does one that is typed. What no flag says is as the command was kept.\n" + runHelp,
		Example: `  orderly command run backup --tag role=db -p target=/mnt/backup
  orderly command run disks --all --diff`,
		Args: one("the COMMAND"), ValidArgsFunction: r.names((*cli.Session).CommandNames),
	}
	r.targeted(c)
	r.flags(c)
	c = r.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		r.Kept = args[0]
		return s.Run(c.Context(), r.Run)
	})
	return first(c, func(c *cobra.Command, _ []string) error { return cmp.Or(r.Targets.Check(), r.check(c)) })
}
