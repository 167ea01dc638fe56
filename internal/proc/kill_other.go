//go:build unix && !linux

package proc

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func (p *Process) begin() error { return p.cmd.Start() }

// A tree is the group that the process leads.
type tree struct{}

func (*tree) kill(p *Process) error { return signalGroup(p.PID(), unix.SIGKILL) }

func (*tree) release(*Cgroups) {}

// ask asks the process, with Spec.KillTree its group, to end; false when it has ended.
func (p *Process) ask() bool {
	if p.cmd.Process.Signal(unix.SIGTERM) != nil {
		return false
	}
	if p.spec.KillTree {
		_ = signalGroup(p.PID(), unix.SIGTERM)
		_ = signalGroup(p.PID(), unix.SIGCONT)
	}
	_ = p.cmd.Process.Signal(unix.SIGCONT) // it may have died of the first one
	return true
}

func signalGroup(pid int, sig unix.Signal) error {
	if err := unix.Kill(-pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process group %d: %w", pid, err)
	}
	return nil
}

// KillRecorded kills a process, if it still runs, and with KillTree its group. It returns
// errors.ErrUnsupported where start times are not known.
func KillRecorded(r Recorded) error {
	now, err := startTime(r.PID)
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("kill process %d: %w", r.PID, err)
	}
	if err != nil || now != r.StartTime {
		return nil // it is gone
	}
	if r.KillTree {
		return signalGroup(r.PID, unix.SIGKILL)
	}
	if err := unix.Kill(r.PID, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", r.PID, err)
	}
	return nil
}

// Find finds nothing on this system, which does not show environments.
func Find(string) (pid int, started uint64, ok bool) { return 0, 0, false }
