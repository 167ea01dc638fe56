//go:build unix && !linux

package proc

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// killTree kills the group that the process leads.
func killTree(pid int, _ uint64, _ string) error {
	if err := unix.Kill(-pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", pid, err)
	}
	return nil
}

// KillRecorded kills the process that had this number and start time, if it still runs, and with
// tree its group. It returns errors.ErrUnsupported where start times are not known.
func KillRecorded(pid int, started uint64, tree bool) error {
	now, err := startTime(pid)
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	if err != nil || now != started {
		return nil // it is gone
	}
	if tree {
		return killTree(pid, started, "")
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return nil
}

// Find finds nothing on this system, which does not show environments.
func Find(string) (pid int, started uint64, ok bool) { return 0, 0, false }
