//go:build unix

package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeSize is more than any pipe holds unless somebody asked the kernel for it.
const pipeSize = 1 << 20

// prepare makes cmd run in a session of its own and as the named user, and returns that user's
// home.
func prepare(cmd *exec.Cmd, username string) (home string, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	a, err := FindAccount(username)
	if err != nil {
		return "", err
	}
	if cmd.Env == nil {
		cmd.Env = a.environ()
	}
	if a.UID == os.Geteuid() {
		return a.Home, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%w: %q", ErrOtherUser, username)
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID), Groups: a.Groups}
	return a.Home, nil
}

// barred reports whether err, from the start of cmd, means that its user may not enter its working
// directory: the system says the same of a program that may not be executed.
func barred(cmd *exec.Cmd, err error) bool {
	return errors.Is(err, fs.ErrPermission) && !mayEnter(cmd)
}

// mayEnter finds whether the user of cmd may enter its working directory, by trying.
func mayEnter(cmd *exec.Cmd) bool {
	try := exec.Command("sh", "-c", `cd -- "$0"`, cmd.Dir) //nolint:noctx // it ends at once
	try.Dir, try.Env = "/", []string{}
	try.SysProcAttr = &syscall.SysProcAttr{Credential: cmd.SysProcAttr.Credential}
	return try.Run() == nil
}

// leftover reads what the pipe holds now, without waiting.
func leftover(r *os.File, out *tail) {
	conn, err := r.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	_ = conn.Control(func(fd uintptr) {
		for read := 0; read < pipeSize; {
			n, err := unix.Read(int(fd), buf)
			if err != nil || n <= 0 {
				return
			}
			out.add(buf[:n])
			read += n
		}
	})
}

func exitCode(s *os.ProcessState) (code int, ok bool) {
	status, ok := waitStatus(s)
	switch {
	case !ok:
		return 0, false
	case status.Signaled():
		return 128 + int(status.Signal()), true
	default:
		return status.ExitStatus(), true
	}
}

func wasKilled(s *os.ProcessState) bool {
	status, ok := waitStatus(s)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func waitStatus(s *os.ProcessState) (syscall.WaitStatus, bool) {
	if s == nil {
		return 0, false
	}
	status, ok := s.Sys().(syscall.WaitStatus)
	return status, ok
}
