package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/cli.md")

const manualHead = `# The command line

Every command and flag of ` + "`orderly`" + `, printed from the program itself: ` + "`go test ./cmd/orderly -run TestManual -update`" + `
writes this page. ` + "`orderly man DIRECTORY`" + ` writes the same as pages for man(1), and ` + "`orderly completion`" + ` the file that has a shell
complete commands, flags and the names of machines. What goes wrong, and what to do then, is in [cli-errors.md](cli-errors.md).

## Whom it calls
`

// manual is the page: all commands that are not hidden, in the order of help.
func manual(root *cobra.Command) string {
	var text strings.Builder
	text.WriteString(manualHead + fenced(strings.TrimSpace(accessHelp)))
	var add func(*cobra.Command)
	add = func(c *cobra.Command) {
		if c.Hidden || c.IsAdditionalHelpTopicCommand() || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if c.HasParent() {
			section(&text, c)
		}
		for _, below := range c.Commands() {
			add(below)
		}
	}
	add(root)
	return text.String()
}

func section(text *strings.Builder, c *cobra.Command) {
	text.WriteString("\n## " + c.CommandPath() + "\n\n" + c.Short + ".\n")
	if long := strings.TrimSpace(c.Long); long != "" {
		text.WriteString(fenced(long))
	}
	if c.Runnable() && !c.HasSubCommands() {
		text.WriteString(fenced(c.UseLine()))
	}
	if c.Example != "" {
		text.WriteString(fenced(c.Example))
	}
	c.InitDefaultHelpFlag()
	if c.HasAvailableLocalFlags() && !c.HasSubCommands() {
		text.WriteString(fenced(strings.ReplaceAll(c.LocalFlags().FlagUsages(), dataDir(), "/var/lib/orderly")))
	}
}

// fenced is text that is shown as it is.
func fenced(text string) string {
	var b strings.Builder
	b.WriteString("\n")
	for line := range strings.Lines(strings.Trim(text, "\n") + "\n") {
		b.WriteString(strings.TrimRight("    "+line, " \n") + "\n")
	}
	return b.String()
}

func TestManualIsThatOfTheProgram(t *testing.T) {
	got := manual(root())
	if *update {
		if err := os.WriteFile("../../docs/cli.md", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("write it anew with -update:\n%s", diff)
	}
}
