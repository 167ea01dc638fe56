package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// A Report is what came of an invocation.
type Report struct {
	InvokeID string
	Status   string // of the invocation, as the API calls it
	Results  []Result
	Late     []Result      // came after their machines' Results were settled, and are counted nowhere
	Took     time.Duration // from the start of the program; 0 is not shown
}

// Show writes a report: for people, with machines of the same outcome together; as one JSON object for
// each machine on a line; or as one document with the names of the API. Anything but success everywhere is
// an [*Exit].
func (s *Session) Show(r Report, view Viewing) error {
	var t tally
	for i := range r.Results {
		t.add(r.Results[i].Status)
	}
	var text strings.Builder
	switch {
	case view.Lines:
		writeJSON(&text, r.Results)
		writeJSON(&text, r.Late)
	case s.Format == JSON || s.Format == YAML:
		document, err := encoded(s.Format, r.document())
		if err != nil {
			return err
		}
		text.WriteString(document)
	default:
		s.writeGroups(&text, groups(r.Results), view.Diff)
		s.writeLate(&text, r.Late)
		text.WriteString(s.paint(t.colour(), t.String()) + r.footnote() + "\n")
	}
	if err := s.print(text.String()); err != nil {
		return err
	}
	switch {
	case t.Live > 0:
		return &Exit{Code: GaveUp}
	case t.Failed > 0:
		return &Exit{Code: SomeFailed}
	}
	return nil
}

func writeJSON(text *strings.Builder, results []Result) {
	enc := json.NewEncoder(text)
	enc.SetEscapeHTML(false)
	for i := range results {
		_ = enc.Encode(&results[i]) // a strings.Builder takes all
	}
}

// writeGroups writes groups as a whole, or those after the first by how they differ from it.
func (s *Session) writeGroups(text *strings.Builder, list []group, diff bool) {
	for i := range list {
		if diff && i > 0 && list[i].output != list[0].output {
			s.writeDifference(text, &list[0], &list[i])
		} else {
			s.writeGroup(text, list[i].title(), &list[i])
		}
	}
}

func (s *Session) writeGroup(text *strings.Builder, title string, g *group) {
	var t tally
	t.add(g.status)
	text.WriteString(s.paint(t.colour(), title) + "\n")
	text.WriteString(g.when())
	if g.dropped > 0 {
		fmt.Fprintf(text, "(the first %d bytes were not kept)\n", g.dropped)
	}
	output := s.visible(g.output)
	text.WriteString(output)
	if output != "" && !strings.HasSuffix(output, "\n") {
		text.WriteString("\n")
	}
	text.WriteString("\n")
}

// String is the last line: what became of all.
func (t tally) String() string {
	if t.Failed == 0 && t.Live == 0 {
		return machines(t.total()) + " succeeded"
	}
	line := fmt.Sprintf("%s: %d succeeded, %d failed", machines(t.total()), t.Succeeded, t.Failed)
	if t.Live > 0 {
		line += fmt.Sprintf(", %d not ended", t.Live)
	}
	return line
}

func (r *Report) footnote() string {
	if r.Took == 0 {
		return fmt.Sprintf(" (%s)", r.InvokeID)
	}
	return fmt.Sprintf(" (%s, %.2f s)", r.InvokeID, r.Took.Seconds())
}

// Colours as a terminal is told.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	reset  = "\x1b[0m"
)

func (t tally) colour() string {
	switch {
	case t.Failed > 0:
		return red
	case t.Live > 0:
		return yellow
	}
	return green
}

func (s *Session) paint(colour, text string) string {
	if !s.Colour {
		return text
	}
	return colour + text + reset
}

// visible is output for a terminal, which must not obey what a machine prints.
func (s *Session) visible(output string) string {
	if !s.Terminal {
		return output
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || !unicode.IsControl(r):
			return r
		case r < ' ':
			return '␀' + r
		}
		return unicode.ReplacementChar
	}, strings.ReplaceAll(output, "\r\n", "\n"))
}
