package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/orderly-run/orderly/internal/agent"
)

// doctor looks for what keeps this machine from working for its server.
func doctor(ctx context.Context, args []string) error {
	c := agent.Checkup{Say: func(s string) { fmt.Println("  " + s) }}
	f := flags("doctor")
	f.StringVar(&c.Dir, "data", defaultDir(), "`directory` of the agent")
	f.StringVar(&c.Server, "server", "", "`URL` of the server, before the machine is registered; several with commas between")
	f.StringVar(&c.CAFingerprint, "ca-fingerprint", "", "SHA-256 `fingerprint` of its CA, if it has one of its own")
	f.DurationVar(&c.Timeout, "timeout", 0, "`time` that each step may take (default 10s)")
	networkFlags(f, &c.Proxy, &c.Transport)
	if err := parse(f, args); err != nil {
		return err
	}
	err := c.Run(ctx)
	if err == nil {
		fmt.Println("all is well")
		return nil
	}
	if t, ok := errors.AsType[agent.Trouble](err); ok {
		fmt.Printf("%s.\n%s\n", t.Error(), agent.Troubles[t].Next)
	}
	return err
}
