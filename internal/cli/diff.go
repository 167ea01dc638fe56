package cli

import (
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// writeDifference writes how the output of a group differs from the commonest one.
func (s *Session) writeDifference(text *strings.Builder, common, odd *group) {
	var t tally
	t.add(odd.status)
	text.WriteString(s.paint(t.colour(), odd.title()) + "\n")
	if odd.output == "" {
		text.WriteString("(it printed nothing)\n\n")
		return
	}
	diff := udiff.Unified(common.listed(), odd.listed(), ended(s.visible(common.output)), ended(s.visible(odd.output)))
	for line := range strings.Lines(diff) {
		switch line[0] {
		case '-':
			line = s.paint(red, strings.TrimSuffix(line, "\n")) + "\n"
		case '+':
			line = s.paint(green, strings.TrimSuffix(line, "\n")) + "\n"
		}
		text.WriteString(line)
	}
	text.WriteString("\n")
}

// ended is text whose last line has an end: whether it had one is no difference that people look for.
func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}
