package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/orderly-run/orderly/internal/agent"
)

// registerFlags are those of what registers a machine.
func registerFlags(f *flag.FlagSet, c *agent.RegisterConfig) {
	f.StringVar(&c.Dir, "data", defaultDir(), "`directory` of the agent")
	f.StringVar(&c.Server, "server", "", "`URL` of the server; several with commas between")
	f.StringVar(&c.ActivationID, "activation-id", "", "`ID` of the activation")
	f.StringVar(&c.ActivationCode, "activation-code", "", "its `code`")
	f.StringVar(&c.CAFingerprint, "ca-fingerprint", "", "SHA-256 `fingerprint` of the server's CA, if it has one of its own")
	f.StringVar(&c.Name, "name", "", "`name` of the instance")
	f.StringVar(&c.Proxy, "proxy", "", proxyUsage)
	f.BoolVar(&c.Force, "force", false, "replace the registration that is there")
}

func register(ctx context.Context, args []string) error {
	c := agent.RegisterConfig{Version: version}
	f := flags("register")
	registerFlags(f, &c)
	if err := parse(f, args); err != nil {
		return err
	}
	return registerMachine(ctx, c)
}

func registerMachine(ctx context.Context, c agent.RegisterConfig) error {
	if c.Server == "" || c.ActivationID == "" || c.ActivationCode == "" {
		return usageError("register needs --server, --activation-id and --activation-code")
	}
	id, err := agent.Register(ctx, c)
	if err != nil {
		return err
	}
	fmt.Printf("registered as %s (%s) in %s\n", id.Instance, id.Name, id.Region)
	return nil
}
