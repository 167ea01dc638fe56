// Command orderly-agent is what runs on each machine of a fleet.
//
//	orderly-agent register --server URL --activation-id ID --activation-code CODE [--ca-fingerprint F] [--name NAME] [--data DIR] [--force]
//	orderly-agent run [--data DIR] [--at-once N] [--spool BYTES]
//	orderly-agent version
//
// Each flag can be given as a variable of the environment too, in capitals behind ORDERLY_AGENT_: a code in
// ORDERLY_AGENT_ACTIVATION_CODE is not seen in the list of processes. Without --data the directory is
// /var/lib/orderly-agent for root and ~/.local/state/orderly-agent for others.
//
// It exits with 0 when it was told to end (SIGTERM, SIGINT), with 2 when it was called wrongly or the
// server refuses the registration, with 3 when running again will not help (deregistered, copied to
// another machine, or too old for the server), and with 1 on any other failure.
//
// On SIGTERM running commands are killed and reported as Error/ClientRestarted: a service manager
// should signal this process only, and give it ten seconds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	_ "time/tzdata" // for schedules on machines that have no time zone database: 400 kB of the program

	"github.com/orderly-run/orderly/internal/agent"
)

// version is set by the build.
var version = "dev"

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	exitFinal  = 3
)

const usage = `Usage:
  orderly-agent register --server URL --activation-id ID --activation-code CODE
                         [--ca-fingerprint F] [--name NAME] [--data DIR] [--force]
  orderly-agent run      [--data DIR] [--at-once N] [--spool BYTES]
  orderly-agent version

Each flag can be given as ORDERLY_AGENT_<FLAG> in the environment too.
`

// errUsage was explained where it was found.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command(ctx, os.Args[1:])
	if err == nil {
		return
	}
	if !errors.Is(err, errUsage) {
		fmt.Fprintln(os.Stderr, "orderly-agent:", err)
	}
	stop()
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	if _, refused := errors.AsType[*agent.Refusal](err); refused || errors.Is(err, errUsage) || errors.Is(err, agent.ErrRegistered) {
		return exitUsage
	}
	for _, final := range []error{agent.ErrDeregistered, agent.ErrVersion, agent.ErrCopied, agent.ErrUnregistered} {
		if errors.Is(err, final) {
			return exitFinal
		}
	}
	return exitFailed
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	switch args[0] {
	case "register":
		return register(ctx, args[1:])
	case "run":
		return run(ctx, args[1:])
	case "version", "--version":
		fmt.Println("orderly-agent", version, runtime.GOOS+"/"+runtime.GOARCH)
		return nil
	case "help", "-h", "--help":
		fmt.Print(usage)
		return nil
	}
	fmt.Fprint(os.Stderr, usage)
	return errUsage
}

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

// Settings that keep the agent small: it does little, and what it does does not wait for it.
const (
	gcPercent   = 50
	memoryLimit = 64 << 20
	processors  = 2
)

func run(ctx context.Context, args []string) error {
	c := agent.Config{Version: version}
	f := flags("run")
	f.StringVar(&c.Dir, "data", defaultDir(), "`directory` of the agent")
	f.IntVar(&c.AtOnce, "at-once", 0, "how many commands may run at the same time (default 64)")
	f.Int64Var(&c.Spool, "spool", 0, "how many `bytes` of results may wait for the server (default 64 MiB)")
	scale := f.Int("time-scale", 1, "how many times shorter all pauses are, for tests")
	if err := parse(f, args); err != nil {
		return err
	}
	if *scale < 1 || c.AtOnce < 0 || c.Spool < 0 {
		fmt.Fprintln(os.Stderr, "numbers must be positive")
		return errUsage
	}
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	runtime.GOMAXPROCS(min(processors, runtime.GOMAXPROCS(0)))
	c.Times = agent.DefaultTimes.Scale(*scale)
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	a, err := agent.New(c)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func flags(name string) *flag.FlagSet {
	return flag.NewFlagSet("orderly-agent "+name, flag.ContinueOnError)
}

// parse reads the flags, and those that are not given from the environment.
func parse(f *flag.FlagSet, args []string) error {
	if f.Parse(args) != nil {
		return errUsage
	}
	if f.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s takes no argument %s\n", f.Name(), strconv.Quote(f.Arg(0)))
		return errUsage
	}
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	var wrong error
	f.VisitAll(func(fl *flag.Flag) {
		name := "ORDERLY_AGENT_" + strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		value := os.Getenv(name)
		if given[fl.Name] || value == "" {
			return
		}
		if err := f.Set(fl.Name, value); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			wrong = errUsage
		}
	})
	return wrong
}

func defaultDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/orderly-agent"
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "orderly-agent")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".local", "state", "orderly-agent")
}
