package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func runCommand() *cobra.Command {
	var a access
	var r cli.Run
	c := &cobra.Command{
		Use:   "run (--all | --instance ID...) [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command on machines, wait, and show what came of it",
		Long: `Run runs a shell command on machines, waits for its end on each of them, and shows the results with
machines of the same outcome together. COMMAND and its ARGUMENTs are joined by spaces and read by the
shell on the machine, as ssh does it: quote what that shell is to see as one word.

With --json it prints one object on a line for each machine: instance, name, status, exitCode (null when
there is none), errorCode, errorInfo, output, started, finished (UTC, empty for never) and dropped (bytes
that came before those in output and were not kept).

Ctrl-C leaves the command running; orderly results and orderly stop take it from there.

Exit status: 0 it succeeded everywhere, 1 it failed on some machine, 2 wrong usage or a refused request,
3 gave up waiting, 130 interrupted.
` + accessHelp,
		Example: `  orderly run --all -- uptime
  orderly run --instance mi-hz0000000000001,mi-hz0000000000002 --timeout 5m -- 'apt-get update && apt-get -y upgrade'
  orderly run --all --json -- cat /etc/os-release | jq -r .name`,
		RunE: func(c *cobra.Command, args []string) error {
			r.Command = strings.Join(args, " ")
			if err := check(&r); err != nil {
				return err
			}
			s, err := a.session(c)
			if err != nil {
				return err
			}
			return s.Run(c.Context(), r)
		},
	}
	f := c.Flags()
	f.SetInterspersed(false)
	f.StringSliceVar(&r.Instances, "instance", nil, "`ID` of a machine; more of them with commas or by repeating the flag")
	f.BoolVar(&r.All, "all", false, "all machines of the region")
	f.DurationVar(&r.Timeout, "timeout", time.Minute, "`time` after which the command is killed on a machine, with all it started; 10s to 24h, less counts as 10s")
	f.DurationVar(&r.Wait, "wait", 0, "`time` after which to give up waiting (default: wait for the end)")
	f.BoolVar(&r.JSON, "json", false, "print one JSON object for each machine, and for each late result, marked so")
	a.flags(c)
	return c
}

func check(r *cli.Run) error {
	switch {
	case strings.TrimSpace(r.Command) == "":
		return errors.New("say which command to run; see orderly run --help")
	case r.All == (len(r.Instances) > 0):
		return errors.New("say where to run it: either --all or --instance ID")
	case r.Timeout <= 0:
		return errors.New("--timeout must be more than 0")
	case r.Wait < 0:
		return errors.New("--wait cannot be less than 0")
	}
	return nil
}
