//go:build crashpoints && unix

package agent

import (
	"os"
	"syscall"
)

// crashAt kills the process, without a chance to do anything, at the point that ORDERLY_CRASH_AT names.
func crashAt(point string) {
	if os.Getenv("ORDERLY_CRASH_AT") == point {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // it is not at once
	}
}
