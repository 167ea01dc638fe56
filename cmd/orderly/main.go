// Command orderly is a whole server, and the command line of its users.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(program()) }

// once is how long a second signal is taken for the first one sent twice, as timeout(1) does.
const once = 200 * time.Millisecond

// program runs the command line and returns the code to exit with. The first signal ends what is
// being done in an orderly way, the second at once.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(once, stop) })
	err := root().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var exit *cli.Exit
	if !errors.As(err, &exit) {
		exit = &cli.Exit{Code: cli.Refused, Err: err}
	}
	if exit.Err != nil {
		fmt.Fprintln(os.Stderr, "orderly:", exit.Err)
	}
	return exit.Code
}

func root() *cobra.Command {
	c := noun(&cobra.Command{
		Use:           "orderly",
		Short:         "Run commands on a fleet of machines and know what became of each one",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       build(),
		Example: `  orderly demo                  # a server and machines to try it on
  orderly instance list         # who is there
  orderly run --all -- uptime   # run a command everywhere
  orderly invocation list       # what ran and runs`,
	})
	c.SetVersionTemplate("{{.Version}}\n")
	c.SetUsageFunc(usage)
	c.SetHelpFunc(help)
	c.AddGroup(&cobra.Group{ID: "use", Title: "Run commands and see what came of them:"}, &cobra.Group{ID: "serve", Title: "Serve, and prepare:"})
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	})
	for group, commands := range map[string][]*cobra.Command{
		"use": {
			runCommand(), resultsCommand(), stopCommand(), logsCommand(), invocationCommand(), commandCommand(), scheduleCommand(), instanceCommand(), fileCommand(), apiCommand(),
		},
		"serve": {
			serverCommand(), demoCommand(), simCommand(), keyCommand(), activationCommand(), backupCommand(), restoreCommand(), configCommand(),
		},
	} {
		for _, below := range commands {
			below.GroupID = group
			c.AddCommand(below)
		}
	}
	activate := activateCommand("activate") // the name it had first
	activate.Hidden = true
	c.AddCommand(activate, versionCommand(), manCommand(), connectionTopic())
	return c
}

// failed is the end of a program that was used rightly, by an error that says nothing of codes.
func failed(err error) error {
	if exit := (*cli.Exit)(nil); err == nil || errors.As(err, &exit) {
		return err
	}
	return &cli.Exit{Code: 1, Err: err}
}
