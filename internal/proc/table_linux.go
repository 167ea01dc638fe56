package proc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A process is a row of the kernel's table.
type process struct {
	pid, parent, group, session int
	state                       byte
	start                       uint64 // clock ticks since boot; with pid, it names a process
}

func (p process) alive() bool    { return p.pid != 0 && p.state != 'Z' && p.state != 'X' }
func (p process) isKernel() bool { return p.group == 0 }

// current is the process as it is now, or nothing when it is gone.
func (p process) current() process {
	now, err := readStat(p.pid)
	if err != nil || now.start != p.start {
		return process{}
	}
	return now
}

// signal reaches this process only, never one that got its number later, nor one of our threads.
// That it is gone is no error.
func (p process) signal(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	switch {
	case errors.Is(err, unix.ENOSYS): // before Linux 5.3
		if p.current().alive() {
			err = unix.Kill(p.pid, sig)
		} else {
			err = nil
		}
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT): // the latter of newer kernels, as 6.18
		return nil // a thread
	case err == nil:
		defer unix.Close(fd)
		if p.current().alive() {
			err = unix.PidfdSendSignal(fd, sig, nil, 0)
		}
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// startTime is in clock ticks since boot.
func startTime(pid int) (uint64, error) {
	p, err := readStat(pid)
	return p.start, err
}

func readStat(pid int) (process, error) {
	var buf [1024]byte
	b, err := readSome(fmt.Sprintf("/proc/%d/stat", pid), buf[:])
	if err != nil {
		return process{}, err
	}
	// The name in parentheses may hold anything; what follows the last one is plain.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 {
		return process{}, fmt.Errorf("read /proc/%d/stat: %d fields after the name", pid, len(fields))
	}
	p := process{pid: pid, state: fields[0][0]}
	for i, into := range []*int{&p.parent, &p.group, &p.session} {
		if *into, err = strconv.Atoi(string(fields[1+i])); err != nil {
			return process{}, err
		}
	}
	p.start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return p, err
}

// readSome reads the beginning of a file of the kernel's with one call.
func readSome(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	return buf[:max(n, 0)], err
}

// markOf returns the mark in a process's environment, as it was when it began its program. The
// environment is empty for a moment while a process executes another program.
func markOf(pid int) (mark string, empty bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "", false
	}
	for entry := range bytes.SplitSeq(b, []byte{0}) {
		if mark, ok := bytes.CutPrefix(entry, []byte(markVariable+"=")); ok {
			return string(mark), false
		}
	}
	return "", len(b) == 0
}

// nobody is the user of a process that is gone.
const nobody = -2

// realUser is who started a process, whatever it may do since.
func realUser(pid int) int {
	var buf [2048]byte
	b, _ := readSome(fmt.Sprintf("/proc/%d/status", pid), buf[:])
	_, rest, _ := bytes.Cut(b, []byte("\nUid:"))
	if fields := bytes.Fields(rest); len(fields) > 0 {
		if n, err := strconv.Atoi(string(fields[0])); err == nil {
			return n
		}
	}
	return nobody
}

// privileged reports whether a process's program gave it rights that its user has not, as sudo: its environment is
// that of whoever called it.
func privileged(pid int) bool {
	const secure = 23 // AT_SECURE of <elf.h>
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	word := strconv.IntSize / 8
	for ; err == nil && len(b) >= 2*word; b = b[2*word:] {
		if number(b[:word]) == secure {
			return number(b[word:2*word]) != 0
		}
	}
	return false
}

// number is a word of the machine's.
func number(b []byte) uint64 {
	if len(b) == 4 {
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}

func listPIDs() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// lastPID is the number given last to a process or thread.
func lastPID() int {
	var buf [128]byte
	b, err := readSome("/proc/loadavg", buf[:])
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	pid, _ := strconv.Atoi(fields[len(fields)-1])
	return pid
}

func ownThread(pid int) bool {
	return unix.Access(fmt.Sprintf("/proc/self/task/%d", pid), unix.F_OK) == nil
}
