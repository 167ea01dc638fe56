package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/orderly-run/orderly/internal/agent"
)

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
	f.IntVar(&c.Reserved, "reserved", 0, "how many of those only commands may be whose time limit is a minute at most (default a quarter; below 0 is none)")
	f.Int64Var(&c.Spool, "spool", 0, "how many `bytes` of results may wait for the server (default 64 MiB)")
	powerOff := f.String("power-off-command", "", "`command` to run after a script exited with 193 (Windows: 3009), such as \"systemctl poweroff\" (default none)")
	reboot := f.String("reboot-command", "", "`command` to run after a script exited with 194 (Windows: 3010), such as \"systemctl reboot\" (default none)")
	grace := f.Duration("kill-grace", agent.DefaultTimes.Grace, "how long a command that is stopped, or out of time, has to end by itself; at most 45s")
	var out logging
	out.flags(f)
	scale := f.Int("time-scale", 1, "how many times shorter all pauses are, for tests")
	if err := parse(f, args); err != nil {
		return err
	}
	if *scale < 1 || c.AtOnce < 0 || c.Spool < 0 {
		fmt.Fprintln(os.Stderr, "numbers must be positive")
		return errUsage
	}
	if *grace < 0 || *grace > agent.MaxGrace {
		fmt.Fprintln(os.Stderr, "--kill-grace must be between 0s and", agent.MaxGrace)
		return errUsage
	}
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	runtime.GOMAXPROCS(min(processors, runtime.GOMAXPROCS(0)))
	c.Times = agent.DefaultTimes
	c.Times.Grace = *grace
	c.Times = c.Times.Scale(*scale)
	c.Power = agent.Power{Off: strings.Fields(*powerOff), Reboot: strings.Fields(*reboot)}
	var closeLog func() error
	var err error
	if c.Log, closeLog, err = out.open(); err != nil {
		return err
	}
	a, err := agent.New(c)
	if err == nil {
		err = a.Run(ctx)
	}
	return errors.Join(err, closeLog())
}
