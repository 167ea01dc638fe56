package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/cli"
	"github.com/orderly-run/orderly/internal/sim"
)

// A simulation is a fleet of pretend agents and how it is watched.
type simulation struct {
	access
	fleet   sim.Config
	profile string
	out     io.Writer
}

func simCommand() *cobra.Command {
	var s simulation
	c := &cobra.Command{
		Use:   "sim",
		Short: "Pretend to be a fleet of machines, for tests and measurements",
		Long: `Sim registers machines that do not exist and is the agent of each, all in one process, until it is
interrupted. They speak the protocol of real agents but start no process: every task ends by itself. A line
is printed when all are connected. The machines stay registered afterwards: use a server of its own.`,
		Example: `  orderly sim --agents 1000
  orderly sim --agents 100 --delay 2s --output 4096 --fail 5`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.complete(); err != nil {
				return err
			}
			s.out = c.OutOrStdout()
			return s.run(c.Context())
		},
	}
	f := c.Flags()
	f.IntVar(&s.fleet.Agents, "agents", 10, "how `many`")
	f.DurationVar(&s.fleet.Delay, "delay", 0, "how long a task takes")
	f.IntVar(&s.fleet.Output, "output", 0, "how many `bytes` a task writes")
	f.BoolVar(&s.fleet.Alike, "alike", false, "all tasks write the same, not each its machine's ID")
	f.IntVar(&s.fleet.Fail, "fail", 0, "`percentage` of agents whose tasks fail")
	f.StringVar(&s.fleet.Name, "name", "sim", "`prefix` of the machines' names")
	f.StringVar(&s.profile, "cpu-profile", "", "write a profile of the time from when all are connected to `file`")
	s.flags(c)
	return c
}

func (s *simulation) run(ctx context.Context) error {
	session, err := open(s.Access)
	if err != nil {
		return err
	}
	s.fleet.HTTP = session.HTTP()
	s.fleet.Server = s.Endpoint
	s.fleet.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	s.fleet.Activate = func(ctx context.Context, count int) (id, code string, err error) {
		return session.NewCode(ctx, cli.Activation{Count: count})
	}
	fleet, err := sim.New(s.fleet)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return fleet.Run(ctx) })
	g.Go(func() error { return s.watch(ctx, fleet) })
	return failed(g.Wait())
}

// watch says when all agents are connected and, at the end, what they did.
func (s *simulation) watch(ctx context.Context, fleet *sim.Fleet) error {
	start := time.Now()
	select {
	case <-ctx.Done():
		return nil
	case <-fleet.Ready():
	}
	_, _ = fmt.Fprintf(s.out, "%d agents are connected after %v\n", s.fleet.Agents, time.Since(start).Round(time.Millisecond))
	if s.profile != "" {
		file, err := os.Create(s.profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	<-ctx.Done()
	n := fleet.Counts()
	_, _ = fmt.Fprintf(s.out, "%d tasks were run, %d repeated, %d stopped, %d ends acknowledged\n", n.Runs, n.Repeated, n.Stopped, n.Acked)
	return nil
}
