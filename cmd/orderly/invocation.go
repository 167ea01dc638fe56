package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func invocationCommand() *cobra.Command {
	return noun(&cobra.Command{
		Use: "invocation", Aliases: []string{"invocations"}, Short: "See what ran and runs, stop it, and run it again where it failed",
		Example: `  orderly invocation list --status Failed
  orderly invocation show t-hz0000000000001
  orderly invocation retry t-hz0000000000001`,
	}, invocationListCommand(), invocationShowCommand(), stopCommand(), invocationRetryCommand())
}

// invocationStatuses are those that an invocation can be asked for by.
var invocationStatuses = []string{"Pending", "Scheduled", "Running", "Stopping", "Stopped", "Success", "Failed", "PartialFailed"}

func invocationListCommand() *cobra.Command {
	var v view
	var f cli.InvocationFilter
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List what ran and runs, the newest first", Args: cobra.NoArgs,
		Long: "List lists invocations, the newest first. Schedules that go on are in orderly schedule list.\n",
		Example: `  orderly invocation list
  orderly invocation list --instance web-1 --limit 5
  orderly invocation list --status Running --watch`,
	}
	fs := c.Flags()
	fs.StringVar(&f.Status, "status", "", "only those with this `status`, such as Running or Failed")
	fs.StringVarP(&f.Instance, "instance", "i", "", "only those on this machine, by its `ID` or name")
	fs.StringVar(&f.Command, "command", "", "only those of this kept command, by its `ID` or name")
	fs.StringVar(&f.CommandName, "name", "", "only those with this `name`")
	fs.IntVar(&f.Limit, "limit", 30, "how `many`; 0 for all")
	completeFlag(c, "status", fixed(invocationStatuses...))
	completeFlag(c, "instance", v.names((*cli.Session).InstanceNames))
	completeFlag(c, "command", v.names((*cli.Session).CommandNames))
	return v.shows(c, func(ctx context.Context, s *cli.Session, _ []string) error { return s.Invocations(ctx, f) })
}

func invocationShowCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "show INVOKE_ID", Short: "Show what runs or ran, and where it stands on each machine", Args: one("the INVOKE_ID"),
		Long:              "Show shows an invocation and the state of its machines. What they printed is in orderly results and orderly logs.\n",
		ValidArgsFunction: v.names((*cli.Session).InvocationIDs),
	}
	return v.shows(c, func(ctx context.Context, s *cli.Session, args []string) error { return s.Invocation(ctx, args[0]) })
}

func invocationRetryCommand() *cobra.Command {
	var r running
	var unknown, stopped bool
	c := &cobra.Command{
		Use: "retry INVOKE_ID", Short: "Run a command again on the machines where it failed", Args: one("the INVOKE_ID"),
		Long: `Retry runs the same script with the same parameters again, on the machines where it failed, could not be started
or was not delivered, and says which these are. Where nobody knows what became of it (ExecutionInterrupted),
the first one may still run: those machines are left out unless --unknown is given.

Exit status: that of orderly run, and 2 when it failed on no machine.
`,
		ValidArgsFunction: r.names((*cli.Session).InvocationIDs),
	}
	c.Flags().BoolVar(&unknown, "unknown", false, "also where nobody knows what became of it")
	c.Flags().BoolVar(&stopped, "stopped", false, "also where it was stopped")
	c.Flags().BoolVarP(&r.Detach, "detach", "d", false, "do not wait for its end")
	r.watching(c)
	r.formatted(c)
	return r.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		return s.Retry(c.Context(), cli.Retry{InvokeID: args[0], Unknown: unknown, Stopped: stopped, Run: r.Run})
	})
}

func logsCommand() *cobra.Command {
	var v view
	var l cli.Logs
	c := &cobra.Command{
		Use: "logs INVOKE_ID", Short: "Print what a command printed on its machines, or is printing", Args: one("the INVOKE_ID"),
		Long: `Logs prints the output of an invocation, with the machine's name in front of each line when there is more than one
machine. With --follow it goes on until it has ended everywhere. The last 24 KB of each machine are kept.
`,
		Example: `  orderly logs t-hz0000000000001
  orderly logs -f t-hz0000000000001 --instance web-1`,
		ValidArgsFunction: v.names((*cli.Session).InvocationIDs),
	}
	c.Flags().BoolVarP(&l.Follow, "follow", "f", false, "go on while it runs")
	c.Flags().StringSliceVarP(&l.Machines, "instance", "i", nil, "`ID` or name of a machine; more of them with commas or by repeating the flag (default: all)")
	c.Flags().BoolVar(&l.Plain, "no-names", false, "without the machines' names")
	completeFlag(c, "instance", v.names((*cli.Session).InstanceNames))
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		l.InvokeID = args[0]
		return s.Logs(c.Context(), l)
	})
}
