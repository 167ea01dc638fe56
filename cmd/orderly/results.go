package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
)

func resultsCommand() *cobra.Command {
	var a access
	var wait time.Duration
	var asJSON bool
	c := &cobra.Command{
		Use:   "results INVOKE_ID",
		Short: "Show what came of a command, or has come of it so far",
		Long: `Results shows what orderly run shows at its end, for any invocation of the region.

Results that came after their rows had ended, as from a machine that was away for too long, stand
below the others. They are in no count and not in the exit status.

Exit status: 0 it succeeded everywhere, 1 it failed on some machine, 2 wrong usage or a refused request,
3 it has not ended everywhere, 130 interrupted.
` + accessHelp,
		Example: `  orderly results t-hz0000000000001
  orderly results --wait 1h t-hz0000000000001`,
		Args: one("the INVOKE_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.session(c)
			if err != nil {
				return err
			}
			return s.Results(c.Context(), args[0], wait, asJSON)
		},
	}
	c.Flags().DurationVar(&wait, "wait", 0, "`time` to wait for its end (default: none)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each machine, and for each late result, marked so")
	a.flags(c)
	return c
}

// one is for commands with one argument, named what.
func one(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return errors.New("want one argument, " + what + "; see " + c.CommandPath() + " --help")
		}
		return nil
	}
}
