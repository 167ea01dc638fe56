// Wine writes into a folder what Wine 8 lacks and Go programs, ours among them, need of Windows:
//
//	prefix/…/bcryptprimitives.dll  a library, for the prefix that is there, with the function that Go takes random numbers from
//	overlay.json                   for go build -overlay: how Go deletes files on Windows before version 10
//	boot.reg                       the number of the machine's boot, for regedit
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: wine DIR")
		os.Exit(2)
	}
	dir, err := filepath.Abs(os.Args[1])
	for _, write := range []func(string) error{library, overlay, boot} {
		if err == nil {
			err = write(dir)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wine:", err)
		os.Exit(1)
	}
}

// library gives the prefix what Go looks for when a program starts.
func library(dir string) error {
	dll, err := forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "prefix", "drive_c", "windows", "system32", "bcryptprimitives.dll"), dll, 0o600)
}

// overlay has Go delete files as it does where Windows does not know the newer way. Wine does not know it either, but
// answers in other words than Windows.
func overlay(dir string) error {
	root, err := exec.Command("go", "env", "GOROOT").Output() //nolint:noctx // it ends at once
	if err != nil {
		return fmt.Errorf("find Go's source: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "internal", "syscall", "windows", "at_windows.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	const off, on = "\nvar TestDeleteatFallback bool\n", "\nvar TestDeleteatFallback = true\n"
	changed := bytes.Replace(text, []byte(off), []byte(on), 1)
	if bytes.Equal(changed, text) {
		return fmt.Errorf("%s has changed: look for what is TestDeleteatFallback now", original)
	}
	copied := filepath.Join(dir, "at_windows.go")
	if err := os.WriteFile(copied, changed, 0o600); err != nil {
		return err
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: copied}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600)
}

// boot numbers the boot, as Windows does itself.
func boot(dir string) error {
	const text = "REGEDIT4\r\n\r\n" +
		`[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters]` + "\r\n" +
		`"BootId"=dword:00000001` + "\r\n"
	return os.WriteFile(filepath.Join(dir, "boot.reg"), []byte(text), 0o600)
}
