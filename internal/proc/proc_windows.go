package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

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
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: cmdLine(cmd)}
	return os.Getwd() // CMD-7: the agent's own directory
}

// cmdLine is the command line of cmd.exe, which reads quotes in its own way: with /s it takes away the first and the last,
// and what is between them is a command. It is "" for other programs.
func cmdLine(cmd *exec.Cmd) string {
	if !strings.EqualFold(filepath.Base(cmd.Path), "cmd.exe") || len(cmd.Args) < 2 {
		return ""
	}
	last := len(cmd.Args) - 1
	return strings.Join(cmd.Args[:last], " ") + ` ""` + cmd.Args[last] + `""`
}

// loginEnviron is the environment that the system gives the current user, without this process's own.
func loginEnviron() ([]string, error) {
	var token windows.Token
	if err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_QUERY|windows.TOKEN_DUPLICATE, &token); err != nil {
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

// ask has no way to ask: a process without a window and without our console hears nothing.
func (*Process) ask() bool { return false }

// startTime is in units of 100 ns since 1601.
func startTime(pid int) (uint64, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return 0, err
	}
	defer windows.CloseHandle(h)
	return created(h)
}

// created is startTime of a process that is open.
func created(h windows.Handle) (uint64, error) {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return 0, err
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime), nil
}

// KillRecorded kills a process, if it still runs, and with KillTree its descendants. A job that it had was killed
// with whoever started it.
func KillRecorded(r Recorded) error {
	if now, err := startTime(r.PID); err != nil || now != r.StartTime {
		return nil // it is gone
	}
	if r.KillTree {
		return killDescendants(r.PID)
	}
	f := family{}
	defer f.leave()
	return f.end(uint32(r.PID))
}

// Find finds nothing on this system, which does not show environments.
func Find(string) (pid int, started uint64, ok bool) { return 0, 0, false }
