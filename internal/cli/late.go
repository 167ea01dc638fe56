package cli

import (
	"fmt"
	"strings"
)

// writeLate writes what came after the results of its machines had been settled, if anything did:
// in groups, as the results are, and with times, for they are why it is not among those.
func (s *Session) writeLate(text *strings.Builder, late []Result) {
	if len(late) == 0 {
		return
	}
	heading := fmt.Sprintf("%d results came after their rows had ended:", len(late))
	if len(late) == 1 {
		heading = "1 result came after its row had ended:"
	}
	text.WriteString(s.paint(yellow, heading) + "\n")
	for _, g := range groups(late) {
		s.writeGroup(text, g.lateTitle(), &g)
	}
}

// lateTitle is title with the verdict said even when it is success.
func (g *group) lateTitle() string {
	line := g.members() + ": " + g.ending()
	if len(g.of) > len(g.names) {
		line += fmt.Sprintf(", %d results", len(g.of))
	}
	return line
}

// when is a line with the times of a group that came late; "" of others.
func (g *group) when() string {
	if !g.of[0].Late {
		return ""
	}
	var parts []string
	add := func(what string, time func(*Result) string) {
		if s := span(g.of, time); s != "" {
			parts = append(parts, what+" "+s)
		}
	}
	add("started", func(r *Result) string { return r.Started })
	add("finished", func(r *Result) string { return r.Finished })
	add("received", func(r *Result) string { return r.Received })
	return "(" + strings.Join(parts, ", ") + ")\n"
}

// span is the time of some results, or the first and the last of their times; "" when none has one.
func span(of []*Result, time func(*Result) string) string {
	var first, last string
	for _, r := range of {
		if t := time(r); t != "" { // such times are in order as texts are
			last = max(last, t)
			if first == "" || t < first {
				first = t
			}
		}
	}
	if first == last {
		return first
	}
	return first + " to " + last
}
