package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/cli"
	"github.com/orderly-run/orderly/internal/server"
)

const (
	demoAgents = 3
	demoScript = "uname -sr; id -un; pwd"
	demoRegion = "cn-hangzhou"
	demoWait   = 20 * time.Second
)

func demoCommand() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Try it out: a server with three agents on this machine",
		Long: `Demo starts a server in a temporary directory and three agents, runs a command on all three, and prints
how to run more of them. It listens on loopback only and needs no rights; commands run as you. Ctrl-C ends
it and removes all it made.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(demo(c.Context(), c.OutOrStdout(), once)) },
	}
	c.Flags().BoolVar(&once, "once", false, "end after the first result")
	return c
}

// demo shows the whole in a temporary directory until ctx ends, or once.
func demo(ctx context.Context, out io.Writer, once bool) (err error) {
	dir, err := os.MkdirTemp("", "orderly-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	srv, err := server.New(ctx, server.Config{
		Data: filepath.Join(dir, "server"), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Regions: []string{demoRegion}, Log: log,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return srv.Run(ctx) })
	g.Go(func() error {
		defer cancel()
		return show(ctx, srv, stage{dir: dir, out: out, log: log, once: once})
	})
	return g.Wait()
}

// A stage is where a demo happens.
type stage struct {
	dir  string
	out  io.Writer
	log  *slog.Logger
	once bool
}

// show runs agents on a server that is starting, and a command on them; it stays until ctx ends,
// unless it is to happen once.
func show(ctx context.Context, srv *server.Server, s stage) error {
	agents, agentsCtx := errgroup.WithContext(ctx)
	agentsCtx, cancel := context.WithCancel(agentsCtx)
	err := s.perform(agentsCtx, srv, agents)
	if ctx.Err() != nil {
		err = nil // ended by the user, who has seen enough
	}
	if err == nil && !s.once {
		<-agentsCtx.Done()
	}
	cancel()
	return errors.Join(err, agents.Wait())
}

func (s *stage) perform(ctx context.Context, srv *server.Server, agents *errgroup.Group) error {
	select {
	case <-srv.Ready():
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.start(ctx, srv, agents); err != nil {
		return err
	}
	key := srv.First().Key
	session, err := open(cli.Access{Endpoint: srv.Endpoint(), KeyID: key.ID, Secret: key.Secret, Region: demoRegion})
	if err != nil {
		return err
	}
	session.Yes = true // nobody is asked about machines that were made for this
	waiting, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	if err := session.Await(waiting, demoAgents); err != nil {
		return fmt.Errorf("wait for the agents: %w", err)
	}
	if _, err := fmt.Fprintf(s.out, "$ orderly run --all -- %q\n\n", demoScript); err != nil {
		return err
	}
	if err := session.Run(waiting, cli.Run{Script: cli.Script{Line: demoScript}, Targets: cli.Targets{All: true}}); err != nil {
		return err
	}
	if s.once {
		return nil
	}
	_, err = io.WriteString(s.out, lines(srv.Endpoint(), key.ID, key.Secret))
	return err
}

// start registers the agents as any machine is, and has them run.
func (s *stage) start(ctx context.Context, srv *server.Server, agents *errgroup.Group) error {
	id, code, err := srv.Activate(ctx, demoAgents)
	if err != nil {
		return err
	}
	for n := range demoAgents {
		name := fmt.Sprintf("demo-%d", n+1)
		dir := filepath.Join(s.dir, name)
		_, err := agent.Register(ctx, agent.RegisterConfig{
			Dir: dir, Server: srv.Endpoint(), ActivationID: id, ActivationCode: code, Name: name, Version: version,
		})
		if err != nil {
			return err
		}
		a, err := agent.New(agent.Config{Dir: dir, Version: version, Log: s.log})
		if err != nil {
			return err
		}
		agents.Go(func() error { return a.Run(ctx) })
	}
	return nil
}

// lines are what to paste to go on.
func lines(endpoint, keyID, secret string) string {
	return strings.NewReplacer("{endpoint}", endpoint, "{host}", strings.TrimPrefix(endpoint, "http://"),
		"{id}", keyID, "{secret}", secret, "{region}", demoRegion).Replace(`
The server stays up at {endpoint} until Ctrl-C. Its console, to be signed in to with the key below:

  {endpoint}/console/

In another terminal:

  export ORDERLY_ENDPOINT={endpoint}
  export ORDERLY_ACCESS_KEY_ID={id} ORDERLY_ACCESS_KEY_SECRET={secret}
  orderly run --all -- uptime

The vendor's SDK for Go:

  client, err := ecs.NewClientWithAccessKey("{region}", "{id}", "{secret}")
  client.Domain = "{host}"
  client.GetConfig().WithScheme("HTTP")

The vendor's command line:

  aliyun ecs DescribeManagedInstances --endpoint {host} --insecure --region {region} \
    --mode AK --access-key-id {id} --access-key-secret {secret}
`)
}
