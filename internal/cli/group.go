package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// An outcome is what machines of one group have in common.
type outcome struct {
	status, errorCode, errorInfo, output string
	exitCode                             int64 // -1 for none
	dropped                              int64
}

func (r *Result) outcome() outcome {
	o := outcome{r.Status, r.ErrorCode, r.ErrorInfo, r.Output, -1, r.Dropped}
	if r.ExitCode != nil {
		o.exitCode = *r.ExitCode
	}
	return o
}

// A group is the machines with one outcome.
type group struct {
	outcome
	names []string
	of    []*Result // more than machines, when one has several that came late
}

// groups puts machines with the same outcome together: the larger before the smaller, and of the same
// size what succeeded first. So the odd ones stand next to the prompt.
func groups(results []Result) []group {
	var list []group
	at := map[outcome]int{}
	type member struct {
		group          int
		instance, name string
	}
	seen := map[member]bool{}
	for i := range results {
		r := &results[i]
		o := r.outcome()
		n, ok := at[o]
		if !ok {
			n = len(list)
			at[o] = n
			list = append(list, group{outcome: o})
		}
		list[n].of = append(list[n].of, r)
		if m := (member{n, r.Instance, r.Name}); !seen[m] {
			seen[m] = true
			list[n].names = append(list[n].names, r.Name)
		}
	}
	for i := range list {
		slices.SortFunc(list[i].names, natural)
	}
	slices.SortStableFunc(list, func(a, b group) int {
		return cmp.Or(-cmp.Compare(len(a.names), len(b.names)), cmp.Compare(a.rank(), b.rank()), natural(a.names[0], b.names[0]))
	})
	return list
}

func (o *outcome) rank() int {
	var t tally
	t.add(o.status)
	return t.Live + 2*t.Failed
}

// verdict says how it ended, unless that is success.
func (o *outcome) verdict() string {
	if o.status == "Success" {
		return ""
	}
	return o.ending()
}

// ending says how it ended.
func (o *outcome) ending() string {
	var b strings.Builder
	b.WriteString(o.status)
	if o.exitCode >= 0 {
		fmt.Fprintf(&b, ", exit code %d", o.exitCode)
	}
	switch {
	case o.status == "Failed" && o.exitCode >= 0: // which says it all
	case o.errorCode != "" && o.errorInfo != "":
		fmt.Fprintf(&b, " (%s: %s)", o.errorCode, o.errorInfo)
	case o.errorCode+o.errorInfo != "":
		fmt.Fprintf(&b, " (%s)", o.errorCode+o.errorInfo)
	}
	return b.String()
}

const (
	namesAll = 5 // so many names are all shown
	namesFew = 3 // of more, these
)

// title is the line above what a group printed.
func (g *group) title() string {
	if v := g.verdict(); v != "" {
		return g.members() + ": " + v
	}
	return g.members()
}

func (g *group) members() string { return machines(len(g.names)) + ": " + g.listed() }

// listed is the names, or a few of them when they are many.
func (g *group) listed() string {
	if len(g.names) > namesAll {
		return fmt.Sprintf("%s, … (and %d more)", strings.Join(g.names[:namesFew], ", "), len(g.names)-namesFew)
	}
	return strings.Join(g.names, ", ")
}

func machines(n int) string {
	if n == 1 {
		return "1 machine"
	}
	return fmt.Sprintf("%d machines", n)
}

// natural orders names as people do: web-2 before web-10.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := chunk(a), chunk(b)
		a, b = a[len(x):], b[len(y):]
		if c := compareChunks(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(a, b)
}

func compareChunks(x, y string) int {
	if !digit(x[0]) || !digit(y[0]) {
		return cmp.Compare(x, y)
	}
	p, q := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q), cmp.Compare(len(x), len(y)))
}

// chunk is the digits, or the other characters, that s begins with.
func chunk(s string) string {
	i := 1
	for i < len(s) && digit(s[i]) == digit(s[0]) {
		i++
	}
	return s[:i]
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
