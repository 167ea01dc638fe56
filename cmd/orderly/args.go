package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// one is for commands with one argument, named what.
func one(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("want one argument, %s; see %s --help", what, c.CommandPath())
		}
		return nil
	}
}

// atLeast is for commands with so many arguments or more, named what.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < n {
			return fmt.Errorf("want %s; see %s --help", what, c.CommandPath())
		}
		return nil
	}
}

// noun is a command that only has others below it.
func noun(c *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		next := "see " + c.CommandPath() + " --help"
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			next = "did you mean " + strings.Join(near, " or ") + "? " + next
		}
		return fmt.Errorf("there is no command %q; %s", strings.TrimPrefix(c.CommandPath()+" "+args[0], "orderly "), next)
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.SuggestionsMinimumDistance = 2
	c.AddCommand(verbs...)
	return c
}
