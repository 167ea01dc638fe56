package stage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// programs builds both programs, once, for the first who needs them.
var programs = sync.OnceValues(build)

// built is the folder of what was built, "" before.
var built string

// Main runs the tests of a package that uses this one, and removes afterwards what was built for
// them. It returns the code to exit with.
func Main(m *testing.M) int {
	code := m.Run()
	if err := os.RemoveAll(built); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

// build makes the programs with the flags of make build, whose cache it shares, in a new folder.
func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "orderly-e2e-"); err != nil {
		return "", err
	}
	built = dir
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=e2e", "-o", dir+string(filepath.Separator), "./cmd/orderly", "./cmd/orderly-agent") //nolint:noctx // it ends by itself, and with our process
	if cmd.Dir, err = root(); err != nil {
		return "", err
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return dir, nil
}

// root is the folder of the main module, above the one where tests of this module run.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "orderly", "main.go")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the tests do not run inside the source tree")
		}
		dir = parent
	}
}

// Program is the path of orderly or orderly-agent.
func Program(t testing.TB, name string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}
