package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

// completionLimit is how long a shell waits for names.
const completionLimit = 2 * time.Second

// A completer finds what may stand at a place of the command line.
type completer = func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective)

// completeFlag has the shell complete the value of a flag.
func completeFlag(c *cobra.Command, flag string, values completer) {
	if err := c.RegisterFlagCompletionFunc(flag, values); err != nil {
		panic(err) // there is no such flag
	}
}

// fixed completes with what is known beforehand.
func fixed(values ...string) completer {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	}
}

func profileNames(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	p, err := loadProfiles()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return p.names(), cobra.ShellCompDirectiveNoFileComp
}

// names completes with what the server knows. Whatever is wrong, the shell just has nothing to offer.
func (a *access) names(ask func(*cli.Session, context.Context) ([]string, error)) completer {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		s, err := a.session()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionLimit) // c has no context yet
		defer cancel()
		names, err := ask(s, ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
