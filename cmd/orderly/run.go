package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

// A running is what commands that run something share: where, how, and how it is shown.
type running struct {
	view
	cli.Run
	parameters []string
}

// flags adds the flags for how it is run and shown.
func (r *running) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVarP(&r.parameters, "parameter", "p", nil, "`NAME=VALUE` of a parameter, which stands in the script as {{NAME}}; may be repeated")
	f.StringVar(&r.User, "user", "", "`name` of the user to run it as on the machines")
	f.StringVar(&r.Dir, "workdir", "", "`directory` to run it in on the machines")
	f.StringVar(&r.Launcher, "launcher", "", "`program` that starts the script, such as python3")
	f.StringVar(&r.Container, "container", "", "`name` of the container to run it in on the machines, by its /bin/sh, user and directory")
	f.StringVar(&r.ContainerID, "container-id", "", "`ID` of that container, 64 hexadecimal digits")
	f.DurationVar(&r.Timeout, "timeout", r.Timeout, "`time` after which the command is killed on a machine, with all it started; 10s to 24h, less counts as 10s")
	f.DurationVar(&r.Delivery, "delivery-timeout", 0, "`time` for which a machine that is away is waited for; 10s to a week (default: not at all)")
	f.StringVar(&r.Schedule, "schedule", "", "`expression` of when to run it, such as rate(1h) or '0 30 9 ? * MON-FRI'; boot for every boot, next-boot for the next one")
	f.BoolVarP(&r.Detach, "detach", "d", false, "do not wait for its end")
	r.watching(c)
	r.formatted(c)
	r.confirmed(c)
}

// watching adds the flags for how it is waited for and shown.
func (r *running) watching(c *cobra.Command) {
	f := c.Flags()
	f.DurationVar(&r.Wait, "wait", 0, "`time` after which to give up waiting (default: wait for the end)")
	f.BoolVar(&r.View.Diff, "diff", false, "show how other outputs differ from the commonest one")
	f.BoolVar(&r.View.Lines, "json", false, "print one JSON object for each machine, and for each late result, marked so")
}

// targeted adds the flags for where it is run.
func (r *running) targeted(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVarP(&r.Targets.Machines, "instance", "i", nil, "`ID` or name of a machine, or a pattern of names such as 'web-*'; more of them with commas or by repeating the flag")
	f.StringArrayVarP(&r.Targets.Tags, "tag", "t", nil, "`KEY=VALUE` of a tag that the machines carry; all of them when repeated")
	f.StringVar(&r.Targets.File, "targets", "", "`file` with an ID, a name or a pattern on each line; - for standard input")
	f.BoolVar(&r.Targets.All, "all", false, "all machines of the region; asks first on a terminal")
	completeFlag(c, "instance", r.names((*cli.Session).InstanceNames))
}

// check finds what is wrong before anybody is called.
func (r *running) check(c *cobra.Command) error {
	switch {
	case r.Timeout < 0 || c.Flags().Changed("timeout") && r.Timeout == 0:
		return errors.New("--timeout must be more than 0")
	case r.Wait < 0:
		return errors.New("--wait cannot be less than 0")
	case r.Delivery < 0:
		return errors.New("--delivery-timeout cannot be less than 0")
	}
	for _, p := range r.parameters {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return cli.Advise(fmt.Errorf("%q is no parameter", p), "write -p NAME=VALUE")
		}
		if r.Parameters == nil {
			r.Parameters = map[string]string{}
		}
		r.Parameters[name] = value
	}
	return nil
}

const runHelp = `
Machines with the same outcome are shown together, the largest group first; --diff shows how the others
differ from it.

On a terminal a bar, the numbers by state, the slowest machines, the pace and the time left are shown while it
runs, and Ctrl-C asks whether to stop the command on all machines or to leave it running. Elsewhere a line is
written to standard error every 10 seconds, and an interruption leaves the command running: orderly results
and orderly stop take it from there.

With --json it prints one object on a line for each machine: instance, name, status, exitCode (null when
there is none), errorCode, errorInfo, output, started, finished (UTC, empty for never) and dropped (bytes
that came before those in output and were not kept). With --output json it prints one document with the names
of the API.

Exit status: 0 it succeeded everywhere, 1 it failed on some machine, 2 wrong usage or a refused request,
3 gave up waiting, 130 interrupted.
`

func runCommand() *cobra.Command {
	var r running
	r.Timeout = time.Minute
	c := &cobra.Command{
		Use:   "run (--all | --tag KEY=VALUE | --instance ID|NAME|PATTERN | --targets FILE) [flags] (--script FILE | -- COMMAND [ARGUMENT...])",
		Short: "Run a command on machines, wait, and show what came of it",
		Long: `Run runs a shell command or a script on machines, waits for its end on each of them, and shows the results.
COMMAND and its ARGUMENTs are joined by spaces and read by the shell on the machine, as ssh does it: quote what
that shell is to see as one word. --script takes a file instead, or - for standard input.
` + runHelp,
		Example: `  orderly run --all -- uptime
  orderly run --instance 'web-*' --timeout 5m -- 'apt-get update && apt-get -y upgrade'
  orderly run --tag role=db --script backup.sh -p target=/mnt/backup
  orderly run --instance web-1 --schedule '0 30 2 * * ?' -- logrotate /etc/logrotate.conf
  orderly run --all --json -- cat /etc/os-release | jq -r .name`,
	}
	f := c.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&r.Script.File, "script", "s", "", "`file` to run in place of COMMAND; - for standard input")
	f.StringVar(&r.Script.Type, "type", "", "shell, powershell or bat (default: by the file's name)")
	f.StringVar(&r.Name, "name", "", "`name` for it in lists")
	completeFlag(c, "type", fixed(cli.ScriptTypes...))
	r.targeted(c)
	r.flags(c)
	c = r.does(c, func(c *cobra.Command, s *cli.Session, _ []string) error { return s.Run(c.Context(), r.Run) })
	return first(c, func(c *cobra.Command, args []string) error {
		r.Script.Line = strings.Join(args, " ")
		switch blank := strings.TrimSpace(r.Script.Line) == ""; {
		case blank && r.Script.File == "":
			return errors.New("say which command to run, or give --script FILE; see orderly run --help")
		case !blank && r.Script.File != "":
			return errors.New("give either --script FILE or a COMMAND; see orderly run --help")
		}
		return cmp.Or(r.Targets.Check(), r.check(c))
	})
}

// first has a command check its use before it does anything.
func first(c *cobra.Command, check func(c *cobra.Command, args []string) error) *cobra.Command {
	do := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return err
		}
		return do(c, args)
	}
	return c
}
