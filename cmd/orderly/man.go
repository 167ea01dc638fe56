package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIRECTORY", Short: "Write the manual's pages into a directory", Example: "  orderly man /usr/local/share/man/man1", Args: one("the DIRECTORY"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return failed(err)
			}
			root := c.Root()
			root.InitDefaultCompletionCmd()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Orderly " + version, Manual: "Orderly"}, args[0]); err != nil {
				return failed(err)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "The pages are in %s: man %[1]s/orderly.1\n", args[0])
			return err
		},
	}
}
