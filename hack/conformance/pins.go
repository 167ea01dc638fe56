package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/orderly-run/orderly/internal/evidence"
)

// dialects are the packages whose tests give evidence.
var dialects = []string{"./internal/ecs", "./internal/swas"}

// findPins finds the test that pins each item: by what tests of the dialects compare and need, and
// by the rules that tests name.
func findPins(ctx context.Context, items []item) (map[string]string, error) {
	pins, err := ruleTests(".")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(inMemory(), "conformance-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var list strings.Builder
	for _, i := range items {
		fmt.Fprintln(&list, i)
	}
	if err := os.WriteFile(filepath.Join(dir, evidence.ItemsFile), []byte(list.String()), 0o644); err != nil {
		return nil, err
	}
	for _, pkg := range dialects {
		if err := collect(ctx, dir, pkg, pins); err != nil {
			return nil, fmt.Errorf("%s: %w", pkg, err)
		}
	}
	return pins, nil
}

// inMemory is a folder for what need not survive, which saves half of the time; "" is the usual one.
func inMemory() string {
	if _, err := os.Stat("/dev/shm"); err != nil {
		return ""
	}
	return "/dev/shm"
}

// collect runs the tests of a package on one database, which give their evidence into dir. Most of
// the runs fail, for what they need was taken away; those as they are must not.
func collect(ctx context.Context, dir, pkg string, pins map[string]string) error {
	binary := filepath.Join(dir, filepath.Base(pkg)+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, pkg)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the tests: %w", err)
	}
	tests := exec.CommandContext(ctx, binary, "-test.run", "/^(sqlite|without_)", "-test.v")
	tests.Dir = pkg
	tests.Env = append(os.Environ(), evidence.Variable+"="+dir, "TMPDIR="+dir)
	output, err := tests.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	for line := range strings.Lines(string(output)) {
		if strings.HasPrefix(line, "    --- FAIL: ") && strings.Contains(line, "/sqlite ") || strings.HasPrefix(line, "panic: ") {
			return fmt.Errorf("a test fails as it is: %s", strings.TrimSpace(line))
		}
	}
	return readFindings(filepath.Join(dir, evidence.FoundFile), strings.TrimPrefix(pkg, "./"), pins)
}

func readFindings(path, pkg string, pins map[string]string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no test gives evidence")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for text := bufio.NewScanner(f); text.Scan(); {
		words := strings.Split(text.Text(), "\t")
		if len(words) == 3 && words[0] != evidence.Passed {
			pins[words[1]] = pkg + " " + words[2]
		}
	}
	return nil
}
