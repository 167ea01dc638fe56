package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

func systemFacts() map[string]string {
	id, err := unix.Sysctl("kern.uuid")
	if err != nil || id == "" {
		return nil
	}
	return map[string]string{"kern.uuid": id}
}

// bootID names the machine's current boot.
func bootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }

// bootAge is how long ago that boot was.
func bootAge() (time.Duration, error) {
	tv, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return 0, err
	}
	return time.Since(time.Unix(tv.Unix())), nil
}

// systemName is what the system calls itself.
func systemName() string {
	version, err := unix.Sysctl("kern.osproductversion")
	if err != nil || version == "" {
		return "macOS"
	}
	return "macOS " + version
}
