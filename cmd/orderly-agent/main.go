// Command orderly-agent is what runs on each machine of a fleet.
//
//	orderly-agent register --server URL --activation-id ID --activation-code CODE [--ca-fingerprint F] [--name NAME] [--data DIR] [--force]
//	orderly-agent run [--data DIR] [--at-once N] [--reserved N] [--spool BYTES] [--kill-grace DURATION]
//	                  [--log-level LEVEL] [--log-file FILE] [--log-size BYTES]
//	                  [--power-off-command C] [--reboot-command C]
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
// On SIGTERM running commands are ended, in at most two and a half seconds, and reported as
// Error/ClientRestarted: a service manager should signal this process only, and give it ten seconds.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
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
  orderly-agent run      [--data DIR] [--at-once N] [--reserved N] [--spool BYTES] [--kill-grace DURATION]
                         [--log-level LEVEL] [--log-file FILE] [--log-size BYTES]
                         [--power-off-command C] [--reboot-command C]
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
