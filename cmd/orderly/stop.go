package main

import "github.com/spf13/cobra"

func stopCommand() *cobra.Command {
	var a access
	var instances []string
	c := &cobra.Command{
		Use:   "stop INVOKE_ID",
		Short: "Stop a command that runs",
		Long:  "Stop asks for the stop of an invocation and does not wait for it.\n" + accessHelp,
		Example: `  orderly stop t-hz0000000000001
  orderly stop t-hz0000000000001 --instance mi-hz0000000000002`,
		Args: one("the INVOKE_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.session(c)
			if err != nil {
				return err
			}
			return s.Stop(c.Context(), args[0], instances)
		},
	}
	c.Flags().StringSliceVar(&instances, "instance", nil, "`ID` of a machine to stop it on (default: all)")
	a.flags(c)
	return c
}
