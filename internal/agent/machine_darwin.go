package agent

import "golang.org/x/sys/unix"

func systemFacts() map[string]string {
	id, err := unix.Sysctl("kern.uuid")
	if err != nil || id == "" {
		return nil
	}
	return map[string]string{"kern.uuid": id}
}

// bootID names the machine's current boot.
func bootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }
