package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/orderly-run/orderly/internal/agent"
)

// An installation is what install and uninstall are told.
type installation struct {
	service service
	reg     agent.RegisterConfig
	init    string
}

func (i *installation) flags(f *flag.FlagSet) {
	f.StringVar(&i.service.root, "root", "", "stage: write below this `directory`, and start nothing")
	f.StringVar(&i.init, "init", "", "service `manager`: systemd, openrc or sysv (default: the one that runs here)")
}

// install makes the agent a service of this machine, and registers the machine when it is told a server.
// What follows "--" are flags of run.
func install(ctx context.Context, args []string) error {
	args, runArgs := split(args)
	i := installation{reg: agent.RegisterConfig{Version: version}}
	f := flags("install")
	i.flags(f)
	registerFlags(f, &i.reg)
	f.StringVar(&i.service.program, "program", "/usr/local/bin/orderly-agent", "`path` to which this program is copied")
	if err := parse(f, args); err != nil {
		return err
	}
	var c runConfig
	if err := c.parse(runArgs); err != nil {
		return err
	}
	if err := i.complete(runArgs); err != nil {
		return err
	}
	if err := i.register(ctx); err != nil {
		return err
	}
	if err := i.service.install(ctx); err != nil {
		return err
	}
	fmt.Printf("installed: %s\n", i.service.file())
	return nil
}

// split cuts args at "--".
func split(args []string) (before, after []string) {
	if n := slices.Index(args, "--"); n >= 0 {
		return args[:n], args[n+1:]
	}
	return args, nil
}

func (i *installation) complete(runArgs []string) (err error) {
	if i.service.root != "" && i.reg.Server != "" {
		return usageError("--root prepares an image and --server registers this machine: machines made from the image register themselves")
	}
	if i.service.kind, err = kindOf(i.init, i.service.root); err != nil {
		return err
	}
	if i.reg.Dir, err = filepath.Abs(i.reg.Dir); err != nil {
		return err
	}
	if i.service.program, err = filepath.Abs(i.service.program); err != nil {
		return err
	}
	i.service.args = append([]string{"run", "--data", i.reg.Dir}, runArgs...)
	return nil
}

// register registers the machine, unless it is registered and no server is given.
func (i *installation) register(ctx context.Context) error {
	if i.reg.Server == "" {
		_, err := agent.LoadIdentity(i.reg.Dir)
		if errors.Is(err, agent.ErrUnregistered) && i.service.root != "" {
			return nil
		}
		if errors.Is(err, agent.ErrUnregistered) {
			return usageError("this machine is not registered: install with --server, --activation-id and --activation-code, or register first")
		}
		return err
	}
	if i.reg.Proxy == "" { // the service will not have this environment
		i.reg.Proxy = environmentProxy(i.reg.Server)
	}
	return registerMachine(ctx, i.reg)
}

// environmentProxy is the proxy that the environment has for the first of some servers, "" for none.
func environmentProxy(servers string) string {
	first, _, _ := strings.Cut(servers, ",")
	u, err := url.Parse(first)
	if err != nil {
		return ""
	}
	p, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil || p == nil {
		return ""
	}
	return p.String()
}

// uninstall ends the service and removes it. Who the machine is, and the program, stay.
func uninstall(ctx context.Context, args []string) error {
	var i installation
	f := flags("uninstall")
	i.flags(f)
	if err := parse(f, args); err != nil {
		return err
	}
	var installed bool
	if i.service.kind, installed = installedKind(i.init, i.service.root); !installed {
		return errors.New("it is not installed")
	}
	if err := i.service.uninstall(ctx); err != nil {
		return err
	}
	fmt.Printf("removed: %s\nThe program and the agent's directory are left.\n", i.service.file())
	return nil
}

// usageError prints what was wrong with a call.
func usageError(text string) error {
	fmt.Fprintln(os.Stderr, text)
	return errUsage
}

// copyProgram copies this program to a path, so that there is either the old one or the new one.
func copyProgram(to string) (err error) {
	from, err := os.Executable()
	if err != nil {
		return err
	}
	if same(from, to) {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
