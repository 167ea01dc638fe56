package proc

import "golang.org/x/sys/unix"

// startTime is in microseconds since 1970.
func startTime(pid int) (uint64, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0, err
	}
	return uint64(info.Proc.P_starttime.Nano() / 1000), nil
}
