//go:build unix && !linux && !darwin

package agent

import "golang.org/x/sys/unix"

func systemFacts() map[string]string {
	id, err := unix.Sysctl("kern.hostuuid")
	if err != nil || id == "" {
		return nil
	}
	return map[string]string{"kern.hostuuid": id}
}

// bootID names the machine's current boot.
func bootID() (string, error) { return unix.Sysctl("kern.boot_id") }
