package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/agent"
)

// Settings that keep the agent small: it does little, and what it does does not wait for it.
const (
	gcPercent   = 50
	memoryLimit = 10 << 20 // with what is mapped of the program itself, less than 20 MB are resident
	processors  = 2
)

// A runConfig is what run is told.
type runConfig struct {
	agent.Config
	powerOff, reboot string
	grace            time.Duration
	log              logging
	scale            int
}

// flags are those of run.
func (c *runConfig) flags() *flag.FlagSet {
	f := flags("run")
	f.StringVar(&c.Dir, "data", defaultDir(), "`directory` of the agent")
	f.IntVar(&c.AtOnce, "at-once", 0, "how many commands may run at the same time (default 64)")
	f.IntVar(&c.Reserved, "reserved", 0, "how many of those only commands may be whose time limit is a minute at most (default a quarter; below 0 is none)")
	f.Int64Var(&c.Spool, "spool", 0, "how many `bytes` of results may wait for the server (default 64 MiB)")
	f.StringVar(&c.powerOff, "power-off-command", "", "`command` to run after a script exited with 193 (Windows: 3009), such as \"systemctl poweroff\" (default none)")
	f.StringVar(&c.reboot, "reboot-command", "", "`command` to run after a script exited with 194 (Windows: 3010), such as \"systemctl reboot\" (default none)")
	f.DurationVar(&c.grace, "kill-grace", agent.DefaultTimes.Grace, "how long a command that is stopped, or out of time, has to end by itself; at most 45s")
	f.StringVar(&c.Docker, "docker-socket", "", "`path` of the socket of the container engine (default "+agent.DefaultEngine+")")
	networkFlags(f, &c.Proxy, &c.Transport)
	c.log.flags(f)
	f.IntVar(&c.scale, "time-scale", 1, "how many times shorter all pauses are, for tests")
	return f
}

const proxyUsage = "`URL` of an HTTP proxy, or none (default: HTTPS_PROXY and NO_PROXY of the environment)"

// networkFlags say how servers are reached.
func networkFlags(f *flag.FlagSet, proxy *string, transport *agent.Transport) {
	f.StringVar(proxy, "proxy", "", proxyUsage)
	*transport = agent.Auto
	f.Func("transport", "auto (TCP, and WebSocket where that does not work), tcp or websocket", func(s string) error {
		*transport = agent.Transport(s)
		return transport.Check()
	})
}

// parse reads the flags of run and looks at their values.
func (c *runConfig) parse(args []string) error {
	if err := parse(c.flags(), args); err != nil {
		return err
	}
	if c.scale < 1 || c.AtOnce < 0 || c.Spool < 0 {
		return usageError("numbers must be positive")
	}
	if c.grace < 0 || c.grace > agent.MaxGrace {
		return usageError(fmt.Sprint("--kill-grace must be between 0s and ", agent.MaxGrace))
	}
	return nil
}

func run(ctx context.Context, args []string) error {
	c := runConfig{Config: agent.Config{Version: version}}
	if err := c.parse(args); err != nil {
		return err
	}
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	runtime.GOMAXPROCS(min(processors, runtime.GOMAXPROCS(0)))
	c.Times = agent.DefaultTimes
	c.Times.Grace = c.grace
	c.Times = c.Times.Scale(c.scale)
	c.Power = agent.Power{Off: strings.Fields(c.powerOff), Reboot: strings.Fields(c.reboot)}
	var closeLog func() error
	var err error
	if c.Log, closeLog, err = c.log.open(); err != nil {
		return err
	}
	a, err := agent.New(c.Config)
	if err == nil {
		err = a.Run(ctx)
	}
	return errors.Join(err, closeLog())
}
