//go:build unix

package agent

import (
	"os"
	"syscall"

	"github.com/orderly-run/orderly/internal/proc"
)

// owner is a user that is not the agent's own.
func owner(name string) (uid, gid int, foreign bool) {
	if name == "" || os.Geteuid() != 0 {
		return 0, 0, false
	}
	a, err := proc.FindAccount(name)
	if err != nil {
		return 0, 0, false // proc will say so
	}
	return a.UID, a.GID, a.UID != 0
}

// ownDir reports whether a path is a directory of the agent's own user.
func ownDir(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// makePrivate has nothing to do where a directory's mode says who may see what is in it.
func makePrivate(string) error { return nil }
