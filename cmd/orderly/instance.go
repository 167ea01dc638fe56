package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func instanceCommand() *cobra.Command {
	return noun(&cobra.Command{
		Use: "instance", Aliases: []string{"instances", "machine"}, Short: "See, name, tag and remove machines",
		Example: `  orderly instance list --tag role=db
  orderly instance show web-1
  orderly instance tag web-1 role=web env=prod
  orderly instance rename web-1 front-1`,
	}, instanceListCommand(), instanceShowCommand(), instanceTagCommand(), instanceRenameCommand(), instanceRemoveCommand())
}

func instanceListCommand() *cobra.Command {
	var v view
	var f cli.Fleet
	var connected, away bool
	c := &cobra.Command{
		Use: "list [NAME | PATTERN]", Aliases: []string{"ls"}, Short: "List machines", Args: cobra.MaximumNArgs(1),
		Example: `  orderly instance list
  orderly instance list 'web-*' --away
  orderly instance list --tag role=db --output json | jq -r '.[].InstanceId'`,
		ValidArgsFunction: v.names((*cli.Session).InstanceNames),
	}
	c.Flags().StringArrayVarP(&f.Tags, "tag", "t", nil, "`KEY=VALUE` of a tag that they carry; all of them when repeated")
	c.Flags().BoolVar(&connected, "connected", false, "only those that are connected")
	c.Flags().BoolVar(&away, "away", false, "only those that are not")
	c.Flags().IntVar(&f.Limit, "limit", 0, "how `many` (default: all)")
	c.MarkFlagsMutuallyExclusive("connected", "away")
	return v.shows(c, func(ctx context.Context, s *cli.Session, args []string) error {
		f.Name = strings.Join(args, "")
		switch {
		case connected:
			f.Connected = "true"
		case away:
			f.Connected = "false"
		}
		return s.Instances(ctx, f)
	})
}

func instanceShowCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "show INSTANCE", Short: "Show a machine, by its ID or name", Args: one("the INSTANCE"), ValidArgsFunction: v.names((*cli.Session).InstanceNames),
	}
	return v.shows(c, func(ctx context.Context, s *cli.Session, args []string) error { return s.Instance(ctx, args[0]) })
}

func instanceTagCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "tag INSTANCE... KEY=VALUE... KEY-...", Short: "Set tags of machines (KEY=VALUE) and take tags off (KEY-)",
		Example: `  orderly instance tag web-1 web-2 role=web env=prod
  orderly instance tag web-1 env-`,
		Args: atLeast(2, "an INSTANCE and a tag: KEY=VALUE sets it, KEY- takes it off"), ValidArgsFunction: v.names((*cli.Session).InstanceNames),
	}
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		n := 0
		for n < len(args) && !strings.Contains(args[n], "=") && !strings.HasSuffix(args[n], "-") {
			n++
		}
		if n == 0 || n == len(args) {
			return cli.Advise(errors.New("want machines and then tags"), "KEY=VALUE sets a tag, KEY- takes one off: orderly instance tag web-1 role=web old-")
		}
		return s.Tag(c.Context(), args[:n], args[n:])
	})
}

func instanceRenameCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "rename INSTANCE NAME", Short: "Give a machine another name", Args: atLeast(2, "the INSTANCE and its new NAME"),
		ValidArgsFunction: v.names((*cli.Session).InstanceNames),
	}
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		if len(args) > 2 {
			return errors.New("want the INSTANCE and its new NAME; see orderly instance rename --help")
		}
		return s.Rename(c.Context(), args[0], args[1])
	})
}

func instanceRemoveCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "remove INSTANCE...", Aliases: []string{"rm"}, Short: "Remove machines: they must register again to come back",
		Args: atLeast(1, "an INSTANCE"), ValidArgsFunction: v.names((*cli.Session).InstanceNames),
	}
	v.confirmed(c)
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error { return s.Remove(c.Context(), args) })
}
