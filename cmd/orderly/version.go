package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), build())
			return err
		},
	}
}

// build is which program this is.
func build() string {
	return fmt.Sprintf("orderly %s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
