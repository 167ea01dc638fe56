package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func activationCommand() *cobra.Command {
	return noun(&cobra.Command{
		Use: "activation", Aliases: []string{"activations"}, Short: "Make, list and disable codes with which machines register",
		Example: `  orderly activation create --count 40
  orderly activation list`,
	}, activateCommand("create"), activationListCommand(), activationDisableCommand())
}

// activateCommand is orderly activation create, and orderly activate.
func activateCommand(name string) *cobra.Command {
	var v view
	var a cli.Activation
	c := &cobra.Command{
		Use:   name,
		Short: "Make a code with which machines register, and print the lines to type on them",
		Long: `It makes an activation code and prints what to type on each machine. The code is shown this once.
For a server with an authority of its own, the line carries the fingerprint of the certificate in
ORDERLY_CA_FILE, or the one in ORDERLY_CA_FINGERPRINT, which the machine checks.
`,
		Example: `  orderly activation create
  orderly activation create --count 40 --ttl 2 --name web`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.IntVar(&a.Count, "count", 0, "how many machines may register with it (default 10)")
	f.IntVar(&a.Hours, "ttl", 0, "for how many `hours` it is good (default 4)")
	f.StringVar(&a.Prefix, "name", "", "`prefix` of the machines' names (default: their host names)")
	f.BoolVar(&a.JSON, "json", false, "print it as JSON")
	c = v.does(c, func(c *cobra.Command, s *cli.Session, _ []string) error {
		a.Endpoint, a.CAFile, a.CAPrint = v.Endpoint, v.CAFile, v.CAFingerprint
		return s.Activate(c.Context(), a)
	})
	return first(c, func(*cobra.Command, []string) error {
		if a.Count < 0 || a.Hours < 0 {
			return errors.New("--count and --ttl cannot be less than 0")
		}
		return nil
	})
}

func activationListCommand() *cobra.Command {
	var v view
	limit := 0
	c := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List activation codes, the newest first, without the codes", Args: cobra.NoArgs}
	c.Flags().IntVar(&limit, "limit", 0, "how `many` (default: all)")
	return v.shows(c, func(ctx context.Context, s *cli.Session, _ []string) error { return s.Activations(ctx, limit) })
}

func activationDisableCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "disable ACTIVATION_ID...", Short: "Disable activation codes: machines that registered stay", Args: atLeast(1, "an ACTIVATION_ID"),
		ValidArgsFunction: v.names((*cli.Session).ActivationIDs),
	}
	v.confirmed(c)
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		return s.DisableActivations(c.Context(), args)
	})
}
