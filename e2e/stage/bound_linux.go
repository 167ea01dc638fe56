package stage

import "syscall"

// bound has a process end with ours, also when ours is killed. It gets a process group of its own,
// so that Ctrl-C reaches the tests alone, which then end it.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
