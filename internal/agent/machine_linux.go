package agent

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func systemFacts() map[string]string { return nil }

// bootID names the machine's current boot.
func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// bootAge is how long ago that boot was, sleep included.
func bootAge() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// systemName is what the system calls itself where it has no /etc/os-release.
func systemName() string { return "linux" }
