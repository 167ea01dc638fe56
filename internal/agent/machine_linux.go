package agent

import (
	"os"
	"strings"
)

func systemFacts() map[string]string { return nil }

// bootID names the machine's current boot.
func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}
