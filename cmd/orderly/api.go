package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func apiCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use:   "api ACTION [NAME=VALUE | NAME@FILE]...",
		Short: "Call any operation of the API and print its answer",
		Long: `Api signs and sends one request and prints the answer as JSON, for scripts. ACTION is an operation of the
dialect that --version names, with the parameters of its text. NAME@FILE takes a value from a file, NAME@- from
standard input. RegionId is given by itself.

A call that only reads (Describe..., List...), or that has a ClientToken, is repeated when the server cannot
be reached; any other is made once.

Exit status: 0 it was answered, 2 it was refused or the server could not be reached.
`,
		Example: `  orderly api DescribeManagedInstances MaxResults=50
  orderly api RunCommand Type=RunShellScript CommandContent@backup.sh InstanceId.1=mi-hz0000000000001
  orderly api --version 2020-06-01 ListInstances`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("say which operation to call, such as DescribeInvocations; see orderly api --help")
			}
			return nil
		},
	}
	v.formatted(c)
	v.format = cli.JSON
	c.Flags().Lookup("output").DefValue = string(cli.JSON)
	c.Flags().StringVar(&v.Version, "version", "2014-05-26", "dialect: 2014-05-26 (ECS) or 2020-06-01 (SWAS-OPEN)")
	completeFlag(c, "version", fixed("2014-05-26", "2020-06-01"))
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		return s.Call(c.Context(), args[0], args[1:])
	})
}
