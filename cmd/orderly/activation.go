package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func activateCommand() *cobra.Command {
	var a access
	var v cli.Activation
	c := &cobra.Command{
		Use:   "activate",
		Short: "Make a code with which machines register, and print the lines to type on them",
		Long: `Activate makes an activation code and prints what to type on each machine. The code is shown this once.
For a server with an authority of its own, the line carries the fingerprint of the certificate in
ORDERLY_CA_FILE, which the machine checks.
` + accessHelp,
		Example: `  orderly activate
  orderly activate --count 40 --ttl 2 --name web`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if v.Count < 0 || v.Hours < 0 {
				return errors.New("--count and --ttl cannot be less than 0")
			}
			s, err := a.session(c)
			if err != nil {
				return err
			}
			v.Endpoint, v.CAFile = a.Endpoint, a.CAFile
			return s.Activate(c.Context(), v)
		},
	}
	f := c.Flags()
	f.IntVar(&v.Count, "count", 0, "how many machines may register with it (default 10)")
	f.IntVar(&v.Hours, "ttl", 0, "for how many `hours` it is good (default 4)")
	f.StringVar(&v.Prefix, "name", "", "`prefix` of the machines' names (default: their host names)")
	f.BoolVar(&v.JSON, "json", false, "print it as JSON")
	a.flags(c)
	return c
}
