//go:build unix

package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeSize is more than any pipe holds unless somebody asked the kernel for it.
const pipeSize = 1 << 20

// prepare makes cmd run in a session of its own and as the named user, and returns that user's
// home.
func prepare(cmd *exec.Cmd, username string) (home string, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if username == "" {
		return currentHome(), nil
	}
	u, err := user.Lookup(username)
	if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
		return "", fmt.Errorf("%w: %q", ErrNoSuchUser, username)
	}
	if err != nil {
		return "", fmt.Errorf("look up user %q: %w", username, err)
	}
	if u.Uid == strconv.Itoa(os.Geteuid()) {
		return u.HomeDir, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%w: %q", ErrOtherUser, username)
	}
	if cmd.SysProcAttr.Credential, err = credential(u); err != nil {
		return "", fmt.Errorf("read ids of user %q: %w", username, err)
	}
	cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)],
		"HOME="+u.HomeDir, "USER="+u.Username, "LOGNAME="+u.Username)
	return u.HomeDir, nil
}

func currentHome() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.HomeDir
}

func credential(u *user.User) (*syscall.Credential, error) {
	groups, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	ids := make([]uint32, 0, len(groups)+2)
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, err
		}
		ids = append(ids, uint32(id))
	}
	return &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:]}, nil
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
