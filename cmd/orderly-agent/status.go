package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderly-run/orderly/internal/agent"
)

// errNotConnected was told of where it was seen.
var errNotConnected = errors.New("not connected")

// status tells who this machine is, whether its agent runs as a service, and how that stands with the server.
func status(ctx context.Context, args []string) error {
	var i installation
	var dir string
	f := flags("status")
	i.flags(f)
	f.StringVar(&dir, "data", defaultDir(), "`directory` of the agent")
	if err := parse(f, args); err != nil {
		return err
	}
	id, err := agent.LoadIdentity(dir)
	if err != nil {
		return err
	}
	s, err := agent.ReadStatus(dir)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "registered as\t%s (%s) in %s\n", id.Instance, id.Name, id.Region)
	fmt.Fprintf(out, "server\t%s\n", strings.Join(id.Addresses(), ", "))
	fmt.Fprintf(out, "service\t%s\n", serviceState(ctx, &i))
	connected := tell(out, s)
	if err := out.Flush(); err != nil {
		return err
	}
	if !connected {
		return errNotConnected
	}
	return nil
}

func serviceState(ctx context.Context, i *installation) string {
	if k, ok := installedKind(i.init, i.service.root); ok {
		i.service.kind = k
		return i.service.state(ctx)
	}
	return "not installed"
}

// tell tells what the agent said of itself; it returns whether it is connected.
func tell(out *tabwriter.Writer, s agent.Status) (connected bool) {
	connected = s.Running && s.Standing == agent.Connected
	switch {
	case s.PID == 0:
		fmt.Fprintf(out, "agent\thas never run\n")
	case !s.Running:
		fmt.Fprintf(out, "agent\tdoes not run; was %s since %s\n", s.Standing, stamp(s.Since))
	default:
		fmt.Fprintf(out, "agent\truns since %s, process %d, version %s\n", stamp(s.Started), s.PID, s.Version)
	}
	if connected {
		fmt.Fprintf(out, "connected\tsince %s to %s by %s\n", stamp(s.Since), s.Bus, s.Transport)
	} else if s.Running {
		fmt.Fprintf(out, "not connected\t%s since %s\n", s.Standing, stamp(s.Since))
	}
	if s.Error != "" {
		fmt.Fprintf(out, "last error\t%s: %s\n", stamp(s.ErrorAt), strings.ReplaceAll(s.Error, "\n", "; "))
	}
	return connected
}

func stamp(t time.Time) string { return t.Local().Format(time.RFC3339) }
