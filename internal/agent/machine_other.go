//go:build unix && !linux && !darwin

package agent

import (
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func systemFacts() map[string]string {
	id, err := unix.Sysctl("kern.hostuuid")
	if err != nil || id == "" {
		return nil
	}
	return map[string]string{"kern.hostuuid": id}
}

// bootID names the machine's current boot.
func bootID() (string, error) { return unix.Sysctl("kern.boot_id") }

// bootAge is how long ago that boot was.
func bootAge() (time.Duration, error) {
	tv, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return 0, err
	}
	return time.Since(time.Unix(tv.Unix())), nil
}

// systemName is what the system calls itself where it has no /etc/os-release.
func systemName() string {
	kernel, err := unix.Sysctl("kern.ostype")
	if err != nil {
		return runtime.GOOS
	}
	release, err := unix.Sysctl("kern.osrelease")
	if err != nil {
		return kernel
	}
	return strings.TrimSpace(kernel + " " + release)
}
