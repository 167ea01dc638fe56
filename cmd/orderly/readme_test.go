package main

import (
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// differing are what one run prints otherwise than another, and what stands for it.
var differing = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`\b(t|mi|c)-hz[0-9a-z]+`), "ID"},
	{regexp.MustCompile(`\b(web|db)-\d+`), "NAME"},
	{regexp.MustCompile(`(today|tomorrow) at \d\d:\d\d, in [0-9a-z]+( min| h)?`), "TIME"},
	{regexp.MustCompile(`\b\d+\.\d+ s\b`), "DURATION"},
	{regexp.MustCompile(` {2,}`), "  "},
	{regexp.MustCompile(` +\n`), "\n"},
}

func alike(text string) string {
	for _, d := range differing {
		text = d.pattern.ReplaceAllString(text, d.text)
	}
	return strings.TrimSpace(text)
}

// recorded is recorded COMMAND LINE PROGRAM ARGUMENT...: the program prints what README.md has under that
// line, but for names, IDs and times.
func recorded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: recorded COMMAND-LINE PROGRAM ARGUMENT...")
	}
	page, err := os.ReadFile("../../README.md")
	ts.Check(err)
	_, block, ok := strings.Cut(string(page), "\n    $ "+args[0]+"\n")
	if !ok {
		ts.Fatalf("README.md has no %q", args[0])
	}
	var want strings.Builder
	for line := range strings.Lines(block) {
		text, inside := strings.CutPrefix(line, "    ")
		if !inside && strings.TrimSpace(line) != "" || strings.HasPrefix(text, "$ ") {
			break
		}
		if inside {
			want.WriteString(text)
		} else {
			want.WriteString("\n")
		}
	}
	ts.Check(ts.Exec(args[1], args[2:]...))
	if got, want := alike(ts.ReadFile("stdout")), alike(want.String()); got != want {
		ts.Fatalf("it prints\n%s\nbut README.md says\n%s", got, want)
	}
}
