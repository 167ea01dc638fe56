// Command orderly-agent is what runs on each machine of a fleet; `orderly-agent help` says how it is called,
// and docs/agent.md more.
//
// On SIGTERM running commands are ended, in at most two and a half seconds, and reported as
// Error/ClientRestarted: a service manager should signal this process only, and give it ten seconds.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
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
  orderly-agent install   [--server URL --activation-id ID --activation-code CODE ...]
                          [--init systemd|openrc|sysv] [--program PATH] [--root DIR] [-- FLAGS OF run]
  orderly-agent uninstall [--init ...] [--root DIR]
  orderly-agent status    [--data DIR]
  orderly-agent doctor    [--data DIR] [--server URL [--ca-fingerprint F]] [--proxy URL] [--transport T] [--timeout D]
  orderly-agent register  --server URL[,URL...] --activation-id ID --activation-code CODE
                          [--ca-fingerprint F] [--name NAME] [--proxy URL|none] [--data DIR] [--force]
  orderly-agent run       [--data DIR] [--at-once N] [--reserved N] [--spool BYTES] [--kill-grace DURATION]
                          [--docker-socket PATH]
                          [--proxy URL|none] [--transport auto|tcp|websocket]
                          [--log-level LEVEL] [--log-file FILE] [--log-size BYTES]
                          [--power-off-command C] [--reboot-command C]
  orderly-agent version

Each flag can be given as ORDERLY_AGENT_<FLAG> in the environment too: a code in ORDERLY_AGENT_ACTIVATION_CODE
is not seen in the list of processes. Without --data the directory is /var/lib/orderly-agent for root and
~/.local/state/orderly-agent for others. Without --proxy, HTTPS_PROXY and NO_PROXY say what proxy is used.

Exit codes:
  0  done; told to end (SIGTERM, SIGINT); status: connected; doctor: all is well
  1  any other failure; status: not connected
  2  called wrongly, or the server refuses the registration
  3  running again will not help: not registered, deregistered, copied to another machine, too old for the server
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
	if t, ok := errors.AsType[agent.Trouble](err); ok {
		return int(t)
	}
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
	case "install":
		return install(ctx, args[1:])
	case "uninstall":
		return uninstall(ctx, args[1:])
	case "status":
		return status(ctx, args[1:])
	case "doctor":
		return doctor(ctx, args[1:])
	case "version", "--version":
		fmt.Println("orderly-agent", version, runtime.GOOS+"/"+runtime.GOARCH)
		return nil
	case "help", "-h", "--help":
		fmt.Print(usage + troubles())
		return nil
	}
	fmt.Fprint(os.Stderr, usage)
	return errUsage
}

// troubles are the exit codes of doctor.
func troubles() string {
	var b strings.Builder
	b.WriteString("Exit codes of doctor:\n")
	for _, t := range slices.Sorted(maps.Keys(agent.Troubles)) {
		fmt.Fprintf(&b, "  %d  %s\n", int(t), t.Error())
	}
	return b.String()
}
