package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/windows"
)

// killedCode is the exit code that os.Process.Kill and taskkill /F give.
const killedCode = 1

// prepare knows only the current user: another one needs a password, which Spec has not.
func prepare(_ *exec.Cmd, username string) (home string, err error) {
	if username != "" {
		return "", fmt.Errorf("%w: %q", ErrOtherUser, username)
	}
	return os.Getwd() // CMD-7: the agent's own directory
}

func leftover(*os.File, *tail) {}

func exitCode(s *os.ProcessState) (code int, ok bool) {
	if s == nil {
		return 0, false
	}
	return s.ExitCode(), true
}

func wasKilled(s *os.ProcessState) bool { return s != nil && s.ExitCode() == killedCode }

func killTree(pid int, _ uint64, _ string) error {
	if out, err := exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).CombinedOutput(); err != nil {
		return fmt.Errorf("kill tree of process %d: %w: %s", pid, err, out)
	}
	return nil
}

// startTime is in units of 100 ns since 1601.
func startTime(pid int) (uint64, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return 0, err
	}
	defer windows.CloseHandle(h)
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return 0, err
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime), nil
}

// KillRecorded kills the process that had this number and start time, if it still runs, and with
// tree its descendants.
func KillRecorded(pid int, started uint64, tree bool) error {
	if now, err := startTime(pid); err != nil || now != started {
		return nil // it is gone
	}
	if tree {
		return killTree(pid, started, "")
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil // it ended just now
	}
	defer p.Release()
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return nil
}

// Find finds nothing on this system, which does not show environments.
func Find(string) (pid int, started uint64, ok bool) { return 0, 0, false }
