package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
)

func scheduleCommand() *cobra.Command {
	return noun(&cobra.Command{
		Use: "schedule", Aliases: []string{"schedules"}, Short: "See what will run again, and end it",
		Long: "A schedule is made by orderly run --schedule EXPRESSION. The machines keep it and run it, also while no server can be reached.\n",
		Example: `  orderly run --tag role=db --schedule '0 30 2 * * ? * Europe/Berlin' --script backup.sh
  orderly schedule list
  orderly schedule stop t-hz0000000000001`,
	}, scheduleListCommand(), scheduleShowCommand(), scheduleStopCommand())
}

func scheduleListCommand() *cobra.Command {
	var v view
	limit := 0
	c := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List schedules that go on, with their next times and by which clock these are", Args: cobra.NoArgs}
	c.Flags().IntVar(&limit, "limit", 0, "how `many`, the newest first (default: all)")
	return v.shows(c, func(ctx context.Context, s *cli.Session, _ []string) error { return s.Schedules(ctx, limit) })
}

func scheduleShowCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "show INVOKE_ID", Short: "Show a schedule, its next times and its last run on each machine", Args: one("the INVOKE_ID"),
		ValidArgsFunction: v.names((*cli.Session).ScheduleIDs),
	}
	return v.shows(c, func(ctx context.Context, s *cli.Session, args []string) error { return s.Schedule(ctx, args[0]) })
}

func scheduleStopCommand() *cobra.Command {
	var v view
	var instances []string
	c := &cobra.Command{
		Use: "stop INVOKE_ID", Short: "End a schedule for good, on all machines or on some", Args: one("the INVOKE_ID"),
		Long:              "Stop kills what runs and ends the schedule. It is Stopping on a machine that is away until that machine is back.\n",
		ValidArgsFunction: v.names((*cli.Session).ScheduleIDs),
	}
	c.Flags().StringSliceVarP(&instances, "instance", "i", nil, "`ID`, name or pattern of names of machines to end it on (default: all)")
	completeFlag(c, "instance", v.names((*cli.Session).InstanceNames))
	v.confirmed(c)
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		return s.StopSchedule(c.Context(), args[0], instances)
	})
}
