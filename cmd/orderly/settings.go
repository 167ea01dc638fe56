package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// A setting is given by a flag, else by a variable, else by a line of a file.

// variable is the name of the environment variable for a flag.
func variable(flag string) string {
	return "ORDERLY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fill sets the named flags that were not given, from the environment or else from file. A variable
// that is empty counts as not set.
func fill(flags *pflag.FlagSet, file map[string]string, names ...string) error {
	for _, name := range names {
		if flags.Changed(name) {
			continue
		}
		from, value := variable(name), os.Getenv(variable(name))
		if value == "" {
			from, value = "setting "+name, file[name]
		}
		if value == "" {
			continue
		}
		if err := flags.Set(name, value); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	return nil
}

// readSettings reads a file of lines "name = value"; # begins a line that is not read. Other names
// than those given are refused, and so are names that come twice.
func readSettings(path string, names []string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	settings := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch _, twice := settings[name]; {
		case !ok:
			return nil, fmt.Errorf("%s:%d: want name = value", path, n)
		case !slices.Contains(names, name):
			return nil, fmt.Errorf("%s:%d: there is no setting %q", path, n, name)
		case twice:
			return nil, fmt.Errorf("%s:%d: %s is set a second time", path, n, name)
		}
		settings[name] = value
	}
	return settings, lines.Err()
}

// dataDir is where a server keeps its files unless it is told otherwise.
func dataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/orderly"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".local", "share", "orderly")
}
