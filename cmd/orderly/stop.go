package main

import (
	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

// stopCommand is orderly stop, and orderly invocation stop.
func stopCommand() *cobra.Command {
	var v view
	var instances []string
	c := &cobra.Command{
		Use:   "stop INVOKE_ID",
		Short: "Stop a command that runs",
		Long:  "Stop asks for the stop of an invocation and does not wait for it. It is a brake, and asks nothing back.\n",
		Example: `  orderly stop t-hz0000000000001
  orderly stop t-hz0000000000001 --instance web-2`,
		Args: one("the INVOKE_ID"), ValidArgsFunction: v.names((*cli.Session).InvocationIDs),
	}
	c.Flags().StringSliceVarP(&instances, "instance", "i", nil, "`ID`, name or pattern of names of machines to stop it on (default: all)")
	completeFlag(c, "instance", v.names((*cli.Session).InstanceNames))
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		return s.Stop(c.Context(), args[0], instances)
	})
}
