package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func fileCommand() *cobra.Command {
	return noun(&cobra.Command{
		Use: "file", Short: "Put files on machines",
		Example: `  orderly file send motd /etc/motd --tag role=web --overwrite
  orderly file send deploy.sh /usr/local/bin/ --all --mode 755`,
	}, fileSendCommand())
}

func fileSendCommand() *cobra.Command {
	var r running
	var f cli.Sending
	var timeout time.Duration
	c := &cobra.Command{
		Use: "send FILE PATH (--all | --tag KEY=VALUE | --instance ID|NAME|PATTERN | --targets FILE) [flags]", Short: "Put a file on machines, whole or not at all",
		Long: `Send puts a file of up to 24 KB on machines, waits, and shows what came of it. FILE is - for standard input. PATH is
where it is to be on the machines: a whole path, or a directory with a slash at its end. More than 50 machines are
sent to in several requests.

Exit status: 0 it is on every machine, 1 it is not on some machine, 2 wrong usage or a refused request, 3 gave up
waiting, 130 interrupted.
`,
		Example: `  orderly file send motd /etc/motd --tag role=web --overwrite
  orderly file send deploy.sh /usr/local/bin/ --all --mode 755`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("want a FILE and a PATH on the machines; see %s --help", c.CommandPath())
			}
			return nil
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.Owner, "owner", "", "`user` who is to own it (default: root)")
	fs.StringVar(&f.Group, "group", "", "`group` that is to own it (default: root)")
	fs.StringVar(&f.Mode, "mode", "", "its permissions, in three or four `octal` digits (default: 0644)")
	fs.BoolVar(&f.Overwrite, "overwrite", false, "replace a file that is there already")
	fs.DurationVar(&timeout, "timeout", time.Minute, "`time` after which it is given up on a machine")
	fs.DurationVar(&f.Wait, "wait", 0, "`time` after which to give up waiting (default: wait for the end)")
	r.targeted(c)
	fs.BoolVar(&f.View.Lines, "json", false, "print one JSON object for each machine")
	r.formatted(c)
	r.confirmed(c)
	c = r.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		f.File, f.To, f.Targets, f.Timeout = args[0], args[1], r.Targets, timeout
		return s.Send(c.Context(), f)
	})
	return first(c, func(c *cobra.Command, _ []string) error { return cmp.Or(r.Targets.Check(), r.check(c)) })
}
