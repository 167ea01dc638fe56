package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A screen is the lines at the bottom of a terminal that are drawn again and again.
type screen struct {
	out   io.Writer
	size  func() (width, height int)
	drawn int // lines that stand there
}

// draw replaces the lines. Those that the terminal has no place for are left out: the last line stays.
func (s *screen) draw(lines []string) {
	width, height := s.size()
	if most := max(1, height-1); len(lines) > most {
		last := lines[len(lines)-1]
		hidden := fmt.Sprintf("… %d more lines", len(lines)-most+1)
		lines = append(append([]string{}, lines[:max(0, most-2)]...), hidden, last)
		lines = lines[max(0, len(lines)-most):]
	}
	var text strings.Builder
	s.home(&text)
	for _, line := range lines {
		text.WriteString(cut(line, width-1) + "\n")
	}
	s.drawn = len(lines)
	_, _ = io.WriteString(s.out, text.String())
}

// clear removes the lines.
func (s *screen) clear() {
	var text strings.Builder
	s.home(&text)
	s.drawn = 0
	_, _ = io.WriteString(s.out, text.String())
}

// home goes to where the lines begin and removes them.
func (s *screen) home(text *strings.Builder) {
	if s.drawn > 0 {
		fmt.Fprintf(text, "\x1b[%dA\r\x1b[J", s.drawn)
	}
}

// cut shortens a line to width characters. Colours take none, and end where the line does.
func cut(line string, width int) string {
	var text strings.Builder
	inside, coloured, n := false, false, 0
	for _, r := range line {
		switch {
		case r == '\x1b':
			inside, coloured = true, true
		case inside:
			inside = r != 'm'
		case n == width-1 && utf8.RuneCountInString(line) > width && visibleLength(line) > width:
			text.WriteString("…")
			if coloured {
				text.WriteString(reset)
			}
			return text.String()
		default:
			n++
		}
		text.WriteRune(r)
	}
	return text.String()
}

// visibleLength is the characters of a line without its colours.
func visibleLength(line string) int {
	n, inside := 0, false
	for _, r := range line {
		switch {
		case r == '\x1b':
			inside = true
		case inside:
			inside = r != 'm'
		default:
			n++
		}
	}
	return n
}
