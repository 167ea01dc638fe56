package agent

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unmapProgram lets go of the pages of the program's own file. Those that are needed come back from the
// system's cache when they are; most are of start and registration, and never are.
func unmapProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	var at, end uintptr // of the mapping whose lines are read, if it is the program's and only read
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		line := lines.Text()
		fields := strings.Fields(line)
		if !strings.HasSuffix(fields[0], ":") {
			at, end = 0, 0
			if len(fields) > 5 && strings.HasPrefix(fields[1], "r-") && strings.HasSuffix(line, " "+program) {
				at, end = addresses(fields[0])
			}
			continue
		}
		// What was changed after it was mapped, as by relocations, has no other copy.
		if at < end && fields[0] == "Anonymous:" && fields[1] == "0" {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, at, end-at, unix.MADV_DONTNEED) // a request, no more
		}
	}
}

// addresses reads a range of a process's memory, zeros from what is none.
func addresses(text string) (from, to uintptr) {
	a, b, _ := strings.Cut(text, "-")
	first, err := strconv.ParseUint(a, 16, 64)
	last, errLast := strconv.ParseUint(b, 16, 64)
	if err != nil || errLast != nil {
		return 0, 0
	}
	return uintptr(first), uintptr(last)
}
