package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

func flags(name string) *flag.FlagSet {
	return flag.NewFlagSet("orderly-agent "+name, flag.ContinueOnError)
}

// parse reads the flags, and those that are not given from the environment.
func parse(f *flag.FlagSet, args []string) error {
	if f.Parse(args) != nil {
		return errUsage
	}
	if f.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s takes no argument %s\n", f.Name(), strconv.Quote(f.Arg(0)))
		return errUsage
	}
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	var wrong error
	f.VisitAll(func(fl *flag.Flag) {
		name := "ORDERLY_AGENT_" + strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		value := os.Getenv(name)
		if given[fl.Name] || value == "" {
			return
		}
		if err := f.Set(fl.Name, value); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			wrong = errUsage
		}
	})
	return wrong
}

func defaultDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/orderly-agent"
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "orderly-agent")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".local", "state", "orderly-agent")
}
