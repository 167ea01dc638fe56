package main

import (
	"context"
	"fmt"
	"os"

	"github.com/orderly-run/orderly/internal/agent"
)

func register(ctx context.Context, args []string) error {
	c := agent.RegisterConfig{Version: version}
	f := flags("register")
	f.StringVar(&c.Dir, "data", defaultDir(), "`directory` of the agent")
	f.StringVar(&c.Server, "server", "", "`URL` of the server")
	f.StringVar(&c.ActivationID, "activation-id", "", "`ID` of the activation")
	f.StringVar(&c.ActivationCode, "activation-code", "", "its `code`")
	f.StringVar(&c.CAFingerprint, "ca-fingerprint", "", "SHA-256 `fingerprint` of the server's CA, if it has one of its own")
	f.StringVar(&c.Name, "name", "", "`name` of the instance")
	f.BoolVar(&c.Force, "force", false, "replace the registration that is there")
	if err := parse(f, args); err != nil {
		return err
	}
	if c.Server == "" || c.ActivationID == "" || c.ActivationCode == "" {
		fmt.Fprintln(os.Stderr, "register needs --server, --activation-id and --activation-code")
		return errUsage
	}
	id, err := agent.Register(ctx, c)
	if err != nil {
		return err
	}
	fmt.Printf("registered as %s (%s) in %s\n", id.Instance, id.Name, id.Region)
	return nil
}
