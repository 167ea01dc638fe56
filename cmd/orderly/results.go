package main

import (
	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func resultsCommand() *cobra.Command {
	var r running
	c := &cobra.Command{
		Use:   "results INVOKE_ID",
		Short: "Show what came of a command, or has come of it so far",
		Long: `Results shows what orderly run shows at its end, for any invocation of the region.

Results that came after their rows had ended, as from a machine that was away for too long, stand
below the others. They are in no count and not in the exit status.

Exit status: 0 it succeeded everywhere, 1 it failed on some machine, 2 wrong usage or a refused request,
3 it has not ended everywhere, 130 interrupted.
`,
		Example: `  orderly results t-hz0000000000001
  orderly results --wait 1h t-hz0000000000001`,
		Args: one("the INVOKE_ID"), ValidArgsFunction: r.names((*cli.Session).InvocationIDs),
	}
	r.watching(c)
	c.Flags().Lookup("wait").Usage = "`time` to wait for its end (default: none)"
	r.formatted(c)
	return r.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		return s.Results(c.Context(), args[0], r.Wait, r.View)
	})
}
