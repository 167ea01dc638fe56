package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/windows"
)

// killedCode is the exit code that os.Process.Kill and taskkill /F give.
const killedCode = 1

// prepare knows only the current user, which System stands for too: another one needs a password, which
// Spec has not.
func prepare(cmd *exec.Cmd, username string) (home string, err error) {
	if username != "" && !strings.EqualFold(username, "System") {
		return "", fmt.Errorf("%w: %q", ErrOtherUser, username)
	}
	if cmd.Env == nil {
		if cmd.Env, err = loginEnviron(); err != nil {
			return "", fmt.Errorf("read the user's environment: %w", err)
		}
	}
	return os.Getwd() // CMD-7: the agent's own directory
}

// loginEnviron is the environment that the system gives the current user, without this process's own.
func loginEnviron() ([]string, error) {
	token, err := windows.OpenCurrentProcessToken()
	if err != nil {
		return nil, err
	}
	defer token.Close()
	return token.Environ(false)
}

func barred(*exec.Cmd, error) bool { return false }

func mayEnter(*exec.Cmd) bool { return true }

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
