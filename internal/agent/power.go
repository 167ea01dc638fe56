package agent

import (
	"os/exec"

	"github.com/orderly-run/orderly"
)

// Power says how the machine is powered off and booted again: programs with their arguments. What is
// empty is not done.
type Power struct{ Off, Reboot []string }

// order is what a command asks for by its exit code (EXI-2).
func (s system) order(p Power, code int) (name string, command []string) {
	off, reboot := 193, 194
	if s == onWindows {
		off, reboot = 3009, 3010
	}
	switch code {
	case off:
		return "power off", p.Off
	case reboot:
		return "reboot", p.Reboot
	}
	return "", nil
}

// obey does what a command has asked for by its exit code, once the server has its result. It is not
// done for a command that another life of this agent ran: the machine may have been booted since.
func (a *Agent) obey(it item) {
	t := a.tasks[it.of]
	if t == nil || t.begun.IsZero() || !it.end || it.State != orderly.Failed || it.ExitCode == nil {
		return
	}
	name, command := here.order(a.cfg.Power, *it.ExitCode)
	if name == "" {
		return
	}
	if len(command) == 0 {
		a.log.Info("a command asked for what this agent is not set to do", "task", it.of, "order", name)
		return
	}
	a.log.Warn("a command asked for it", "task", it.of, "order", name)
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // it outlives this agent
	go func() {
		if out, err := cmd.CombinedOutput(); err != nil {
			a.log.Error("an order cannot be carried out", "order", name, "error", err, "output", string(out))
		}
	}()
}
