package console

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Sizes of the page of outputs.
const (
	maxGroups = 30
	maxShown  = 4 << 10 // bytes of a group's output; the rest is on the page of a machine
)

// A group is the machines that ended alike and wrote the same.
type group struct {
	store.OutputGroup
	Letter string // what it is called: A, B, …
	Text   []byte
	Cut    bool          // there is more
	Names  []machineLink // of the first few machines
	Info   string
}

// A machineLink leads to what one machine wrote.
type machineLink struct{ Name, Link string }

type outputsBody struct {
	*orderly.Invocation
	Region string
	Groups []group
	Total  int
	Ended  int
	A, B   string // groups that are compared
	Diff   []diffLine
	Same   bool
}

// A diffLine is a line of a comparison: of both, of A only or of B only.
type diffLine struct{ Class, Sign, Text string }

// outputsPage shows the outputs of an invocation, equal ones once, and compares two of them.
func (c *Console) outputsPage(v *visit) error {
	i, err := c.invocation(v)
	if err != nil {
		return err
	}
	b := outputsBody{Invocation: &i, Region: v.region, Ended: i.Counts.Total() - i.Counts.Live(), A: v.FormValue("a"), B: v.FormValue("b")}
	if b.Groups, b.Total, err = c.groups(v, i); err != nil {
		return err
	}
	b.compare()
	return c.show(v, http.StatusOK, "outputs", &frame{Title: "Outputs of " + title(i), Nav: "invocations", Same: sameOutputs(v.region, i.ID)}, b)
}

// groups finds the largest groups of an invocation, and how many there are.
func (c *Console) groups(v *visit, i orderly.Invocation) (groups []group, total int, err error) {
	list, total, err := c.cfg.Store.OutputGroups(v.Context(), i.Seq, maxGroups)
	if err != nil {
		return nil, 0, err
	}
	var ids []string
	for _, g := range list {
		ids = append(ids, g.Instances...)
	}
	names, err := c.cfg.Store.NamesOf(v.Context(), ids)
	for n, g := range list {
		x := group{OutputGroup: g, Letter: letters(n), Text: g.First.Text(), Info: g.First.ErrorCode.Info()}
		if len(x.Text) > maxShown {
			x.Text, x.Cut = x.Text[len(x.Text)-maxShown:], true
			x.Text = x.Text[bytes.IndexByte(x.Text, '\n')+1:]
		}
		for _, id := range g.Instances {
			x.Names = append(x.Names, machineLink{cmp.Or(names[id], id), v.in("invocations", i.ID, "on", id)})
		}
		groups = append(groups, x)
	}
	return groups, total, err
}

// letters is the name of the n-th group: A to Z, then AA.
func letters(n int) string {
	if n < 26 {
		return string(rune('A' + n))
	}
	return letters(n/26-1) + letters(n%26)
}

// compare finds the differences of the two groups that are asked for; without these, of the first two.
func (b *outputsBody) compare() {
	if b.A == "" && b.B == "" && len(b.Groups) > 1 {
		b.A, b.B = b.Groups[0].Letter, b.Groups[1].Letter
	}
	var texts [2][]byte
	for n, letter := range []string{b.A, b.B} {
		found := false
		for _, g := range b.Groups {
			if g.Letter == letter {
				texts[n], found = g.First.Text(), true
			}
		}
		if !found {
			b.A, b.B = "", ""
			return
		}
	}
	b.Diff = difference(b.A, b.B, texts)
	b.Same = len(b.Diff) == 0
}

// difference is what two texts differ in, by lines, with some equal lines around.
func difference(a, b string, texts [2][]byte) (list []diffLine) {
	text := string(diff.Diff(a, texts[0], b, texts[1]))
	for n, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case n < 3 || l == "": // its own heading
		case strings.HasPrefix(l, "@@"):
			list = append(list, diffLine{"where", "", l})
		case l[0] == '-':
			list = append(list, diffLine{"minus", "−", l[1:]})
		case l[0] == '+':
			list = append(list, diffLine{"plus", "+", l[1:]})
		default:
			list = append(list, diffLine{"", " ", strings.TrimPrefix(l, " ")})
		}
	}
	return list
}

type alikeBody struct {
	*orderly.Invocation
	Region string
	First  machineRow
	Rows   []machineRow
	Next   string
	Text   []byte
}

// alikePage lists the machines of one group.
func (c *Console) alikePage(v *visit) error {
	i, err := c.invocation(v)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(v.PathValue("n"))
	if err != nil {
		return errNowhere
	}
	after, err := strconv.Atoi(v.FormValue("after"))
	if err != nil {
		after = -1
	}
	rows, err := c.cfg.Store.Alike(v.Context(), i.Seq, n, after, pageSize+1)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errNowhere
	}
	b := alikeBody{Invocation: &i, Region: v.region}
	if len(rows) > pageSize {
		rows = rows[:pageSize]
		b.Next = v.query().After(int64(rows[pageSize-1].Ordinal))
	}
	for _, r := range rows {
		b.Rows = append(b.Rows, v.machineRow(i.ID, r, c.cfg.Store.Now()))
	}
	one, err := c.cfg.Store.TaskOn(v.Context(), i.Seq, rows[0].Instance)
	if err != nil {
		return err
	}
	b.First, b.Text = b.Rows[0], one.Text()
	return c.show(v, http.StatusOK, "alike", &frame{Title: "Same output", Nav: "invocations", Same: sameOutputs(v.region, i.ID)}, b)
}
