package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// connecting marks the flags that say whom to call: help shows them apart from a command's own.
const connecting = "connecting"

// split takes the flags that say whom to call out of a command's flags.
func split(c *cobra.Command) (own, connection *pflag.FlagSet) {
	own, connection = pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[connecting] != nil {
			connection.AddFlag(f)
			return
		}
		own.AddFlag(f)
	})
	return own, connection
}

// help prints all about a command.
func help(c *cobra.Command, _ []string) {
	text := c.Long
	if text == "" {
		text = c.Short
	}
	text = reflow(strings.TrimSpace(text), columns()) + "\n"
	if c.Runnable() || c.HasSubCommands() {
		text += "\n" + c.UsageString()
	}
	_, _ = io.WriteString(c.OutOrStdout(), text) // there is nobody to tell
}

// reflow breaks the paragraphs of a text anew, for lines of at most width; 0 leaves them as they are. What is
// indented stays as it is.
func reflow(text string, width int) string {
	if width == 0 {
		return text
	}
	var b strings.Builder
	used, inside := 0, false // of the line, and whether it is one of a paragraph
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' {
			if inside {
				b.WriteString("\n")
			}
			b.WriteString(line + "\n")
			used, inside = 0, false
			continue
		}
		for word := range strings.FieldsSeq(line) {
			switch {
			case !inside:
			case used+1+len(word) >= width:
				b.WriteString("\n")
				used = 0
			default:
				b.WriteString(" ")
				used++
			}
			b.WriteString(word)
			used, inside = used+len(word), true
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// usage prints how a command is used, in lines that fit the terminal.
func usage(c *cobra.Command) error {
	var w strings.Builder
	line := c.UseLine()
	if c.HasAvailableSubCommands() {
		line = c.CommandPath() + " <command>"
	}
	fmt.Fprintf(&w, "Usage:\n  %s\n", line)
	if len(c.Aliases) > 0 {
		fmt.Fprintf(&w, "\nAliases:\n  %s\n", c.NameAndAliases())
	}
	if c.HasExample() {
		fmt.Fprintf(&w, "\nExamples:\n%s\n", c.Example)
	}
	below(&w, c)
	own, connection := split(c)
	for _, part := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"Flags:", own}, {"Whom to call (see orderly help connection):", connection}} {
		if part.flags.HasAvailableFlags() {
			fmt.Fprintf(&w, "\n%s\n%s\n", part.title, strings.TrimRight(part.flags.FlagUsagesWrapped(columns()), " \n"))
		}
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&w, "\nMore about a command: %s <command> --help\n", c.CommandPath())
	}
	_, err := io.WriteString(c.OutOrStderr(), w.String())
	return err
}

// below lists the commands below one, by their groups, and the topics.
func below(w *strings.Builder, c *cobra.Command) {
	list := func(title string, is func(*cobra.Command) bool) {
		commands := slices.DeleteFunc(slices.Clone(c.Commands()), func(b *cobra.Command) bool { return !is(b) })
		if len(commands) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\n", title)
		for _, b := range commands {
			fmt.Fprintf(w, "  %-*s %s\n", b.NamePadding(), b.Name(), b.Short)
		}
	}
	for _, g := range c.Groups() {
		list(g.Title, func(b *cobra.Command) bool { return b.GroupID == g.ID && b.IsAvailableCommand() })
	}
	rest := "Commands:"
	if len(c.Groups()) > 0 {
		rest = "Others:"
	}
	list(rest, func(b *cobra.Command) bool { return b.GroupID == "" && (b.IsAvailableCommand() || b.Name() == "help") })
	list("Topics:", (*cobra.Command).IsAdditionalHelpTopicCommand)
}

// columns is how wide the terminal is that help is shown on; 0 without one, for any width.
func columns() int {
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		return width
	}
	return 0
}

// connectionTopic is the page of help about whom to call.
func connectionTopic() *cobra.Command {
	return &cobra.Command{Use: "connection", Short: "Whom the command line calls, as whom, and where that is set", Long: strings.TrimSpace(accessHelp)}
}
