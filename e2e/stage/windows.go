package stage

import (
	"os"
	"testing"
)

// NeedWindows skips a story where agents cannot be Windows programs: hack/windows sets up what they need.
func NeedWindows(t testing.TB) {
	t.Helper()
	if os.Getenv("ORDERLY_WINE") == "" {
		t.Skip("NOT TESTED ON WINDOWS: run hack/windows")
	}
}

// onWindows is how orderly-agent is called as a Windows program.
func onWindows(args []string) (path string, all []string) {
	return os.Getenv("ORDERLY_WINE"), append([]string{os.Getenv("ORDERLY_WINDOWS_AGENT")}, args...)
}
