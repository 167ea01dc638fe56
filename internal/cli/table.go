package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A Format is how lists and single things are printed. It is a flag's value.
type Format string

// The formats. JSON and YAML have the names of the API, and all that it said.
const (
	Table Format = "table"
	Wide  Format = "wide"
	JSON  Format = "json"
	YAML  Format = "yaml"
)

// Formats are all formats.
var Formats = []string{string(Table), string(Wide), string(JSON), string(YAML)}

// String is the flag's text.
func (f *Format) String() string { return string(*f) }

// Type is what help calls the value.
func (f *Format) Type() string { return "format" }

// Set reads the flag.
func (f *Format) Set(text string) error {
	if !slices.Contains(Formats, text) {
		return fmt.Errorf("want one of %s", strings.Join(Formats, ", "))
	}
	*f = Format(text)
	return nil
}

// A Column is one fact about a T. When one T is shown by itself, columns become lines.
type Column[T any] struct {
	Title  string
	In     Extent
	Cell   func(*T) string
	Colour func(*T) string // nil for none
	Cut    int             // how many characters it keeps when it is cut for the terminal; 0 for all. a table where all have 0 stays whole
}

// An Extent says where a column is shown.
type Extent int

// Where columns are shown.
const (
	Always Extent = iota
	InWide        // in wide tables and when one thing is shown
	Alone         // only when one thing is shown
)

// List prints things as a table, or raw, which holds the same things, as JSON or YAML.
func List[T any](s *Session, columns []Column[T], items []T, raw any) error {
	s.see(raw)
	if s.Format == JSON || s.Format == YAML {
		return s.encode(raw)
	}
	columns = slices.DeleteFunc(slices.Clone(columns), func(c Column[T]) bool {
		return c.In == Alone || c.In == InWide && s.Format != Wide
	})
	cells := [][]string{make([]string, len(columns))}
	for i, c := range columns {
		cells[0][i] = c.Title
	}
	for i := range items {
		row := make([]string, len(columns))
		for j, c := range columns {
			row[j] = cellText(c.Cell(&items[i]))
		}
		cells = append(cells, row)
	}
	var text strings.Builder
	width := s.fit(cells, func(j int) int { return columns[j].Cut })
	widths := widths(cells)
	for i, row := range cells {
		var line strings.Builder
		for j, c := range columns {
			cell := row[j]
			if i > 0 && c.Colour != nil {
				cell = s.paint(c.Colour(&items[i-1]), cell)
			}
			line.WriteString(cell)
			if rest := strings.Join(row[j+1:], ""); rest != "" { // nothing stands behind the last one
				line.WriteString(strings.Repeat(" ", widths[j]+2-utf8.RuneCountInString(row[j])))
			}
		}
		text.WriteString(cut(line.String(), width) + "\n")
	}
	return s.print(text.String())
}

// One prints one thing, a line for each column that has something to say.
func One[T any](s *Session, columns []Column[T], item *T, raw any) error {
	s.see(raw)
	if s.Format == JSON || s.Format == YAML {
		return s.encode(raw)
	}
	width := 0
	for _, c := range columns {
		width = max(width, utf8.RuneCountInString(c.Title))
	}
	var text strings.Builder
	for _, c := range columns {
		value := c.Cell(item)
		if value == "" {
			continue
		}
		title := sentence(c.Title) + strings.Repeat(" ", width-utf8.RuneCountInString(c.Title)+2)
		if strings.Contains(strings.TrimRight(value, "\n"), "\n") { // as it is, below its title
			text.WriteString(strings.TrimSpace(title) + "\n" + indented(s.visible(value)))
			continue
		}
		value = cellText(value)
		if c.Colour != nil {
			value = s.paint(c.Colour(item), value)
		}
		text.WriteString(title + value + "\n")
	}
	return s.print(text.String())
}

// sentence writes a column's title as the beginning of a line: only abbreviations stay in capitals.
func sentence(title string) string {
	return strings.ReplaceAll(title[:1]+strings.ToLower(title[1:]), " id", " ID")
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}

// fit cuts columns, the widest first, so that rows fit the terminal, and none to less than it keeps, if it may
// be cut. It returns how long rows may be, when there are such columns.
func (s *Session) fit(rows [][]string, keeps func(column int) int) int {
	wide := widths(rows)
	over := -2 // of the terminal's width, with two spaces between columns
	var left []int
	for j, w := range wide {
		over += w + 2
		if keeps(j) > 0 {
			left = append(left, j)
		}
	}
	if !s.Terminal || len(left) == 0 {
		return math.MaxInt
	}
	width, _ := s.size()
	for over -= width; over > 0; over-- {
		left = slices.DeleteFunc(left, func(j int) bool { return wide[j] <= keeps(j) })
		if len(left) == 0 {
			break
		}
		wide[slices.MaxFunc(left, func(a, b int) int { return wide[a] - wide[b] })]--
	}
	for _, row := range rows {
		for j := range row {
			row[j] = cut(row[j], wide[j])
		}
	}
	return width
}

func widths(rows [][]string) []int {
	w := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			w[i] = max(w[i], utf8.RuneCountInString(cell))
		}
	}
	return w
}

// cellText is text on one line, with nothing that a terminal obeys: names come from machines.
func cellText(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(text))
}

// see notes what is printed.
func (s *Session) see(raw any) {
	if s.seen != nil {
		_ = json.NewEncoder(s.seen).Encode(raw) // what cannot be encoded is not printed either
	}
}

// encode prints v as JSON or YAML.
func (s *Session) encode(v any) error {
	text, err := encoded(s.Format, v)
	if err != nil {
		return err
	}
	return s.print(text)
}

func encoded(f Format, v any) (string, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil || f != YAML {
		return text.String(), err
	}
	var node yaml.Node // JSON is YAML, and a node keeps the order of its names
	if err := yaml.Unmarshal([]byte(yamlSafe(text.String())), &node); err != nil {
		return "", err
	}
	blocks(&node)
	text.Reset()
	out := yaml.NewEncoder(&text)
	out.SetIndent(2)
	err := out.Encode(&node)
	return text.String(), err
}

// yamlSafe escapes what may stand in a text of JSON as it is, and in YAML may not, or ends a line there.
func yamlSafe(text string) string {
	var safe strings.Builder
	for _, r := range text {
		switch {
		case r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0xfffe && r <= 0xffff, r == 0xfeff:
			fmt.Fprintf(&safe, `\u%04x`, r)
		default:
			safe.WriteRune(r)
		}
	}
	return safe.String()
}

// blocks makes YAML look as people write it.
func blocks(n *yaml.Node) {
	if n.Style == yaml.FlowStyle && len(n.Content) > 0 {
		n.Style = 0
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n.Style = 0 // quoted where that is needed
		switch {
		case !strings.Contains(n.Value, "\n"):
		case strings.TrimSpace(n.Value[:1]) == "": // a blank would be read as indentation
			n.Style = yaml.DoubleQuotedStyle
		default:
			n.Style = yaml.LiteralStyle
		}
	}
	for _, inner := range n.Content {
		blocks(inner)
	}
}

// print writes what the program is for; what cannot be written must not look like success.
func (s *Session) print(text string) error {
	if _, err := s.Out.Write([]byte(text)); err != nil {
		return &Exit{Refused, fmt.Errorf("write the results: %w", err)}
	}
	return nil
}

// note tells people something beside the results.
func (s *Session) note(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Err, format+"\n", args...)
}
