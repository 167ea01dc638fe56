package console

import (
	"fmt"
	"html"
	"html/template"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a command prints is a stranger's: it is shown as text. Colours of terminals become classes of
// ours, other escape sequences are left out, and what would move letters about or hide them is shown as
// its number.

// A pen is how a terminal would write now.
type pen struct {
	colour int // 30 to 37, 90 to 97; 0 for none
	bold   bool
}

func (p pen) class() string {
	var c []string
	if p.colour != 0 {
		c = append(c, fmt.Sprint("c", p.colour))
	}
	if p.bold {
		c = append(c, "b")
	}
	return strings.Join(c, " ")
}

// sgr changes a pen as "select graphic rendition" says.
func (p *pen) sgr(params string) {
	for _, n := range strings.Split(params, ";") {
		switch k, _ := strconv.Atoi(n); {
		case k == 0:
			*p = pen{}
		case k == 1:
			p.bold = true
		case k == 22:
			p.bold = false
		case k >= 30 && k <= 37, k >= 90 && k <= 97:
			p.colour = k
		case k == 39:
			p.colour = 0
		case k == 38, k == 48:
			return // colours by number: what follows is not of ours
		}
	}
}

// terminal is output as HTML.
func terminal(output []byte) template.HTML {
	var b strings.Builder
	var p pen
	class := ""
	for text := string(output); text != ""; {
		if n, params := escape(text); n > 0 {
			if params != nil {
				p.sgr(*params)
			}
			text = text[n:]
			continue
		}
		if now := p.class(); now != class {
			if class != "" {
				b.WriteString("</span>")
			}
			if class = now; class != "" {
				b.WriteString(`<span class="` + class + `">`)
			}
		}
		text = text[letter(&b, text):]
	}
	if class != "" {
		b.WriteString("</span>")
	}
	return template.HTML(b.String()) //nolint:gosec // G203: every letter was escaped by letter, and classes are ours
}

// escape is the length of the escape sequence that text begins with, 0 for none, and its parameters when
// it is one for colours.
func escape(text string) (n int, params *string) {
	if text[0] != 0x1b || len(text) < 2 {
		return 0, nil
	}
	switch text[1] {
	case '[': // control sequence: parameters, then one letter
		for n = 2; n < len(text) && (text[n] < 0x40 || text[n] > 0x7e); n++ {
			if text[n] < 0x20 || text[n] > 0x7e {
				return n, nil // cut off by something else
			}
		}
		if n == len(text) {
			return n, nil
		}
		if text[n] == 'm' {
			p := text[2:n]
			return n + 1, &p
		}
		return n + 1, nil
	case ']', 'P', '_', '^', 'X': // a string, to its end
		for n = 2; n < len(text) && text[n] != '\n'; n++ {
			if text[n] == 7 {
				return n + 1, nil
			}
			if text[n] == 0x1b && n+1 < len(text) && text[n+1] == '\\' {
				return n + 2, nil
			}
		}
		return n, nil
	}
	// A few intermediates and a final letter, such as the choice of a character set with which tput ends colours.
	for n = 1; n < len(text) && text[n] >= 0x20 && text[n] <= 0x2f; n++ {
	}
	if n < len(text) && text[n] >= 0x30 && text[n] <= 0x7e {
		n++
	}
	return n, nil
}

// letter writes the first letter of text and returns its length.
func letter(b *strings.Builder, text string) int {
	r, n := utf8.DecodeRuneInString(text)
	switch {
	case r == utf8.RuneError && n == 1:
		fmt.Fprintf(b, `<span class="ctl">\x%02x</span>`, text[0])
	case r == '\r' && strings.HasPrefix(text[1:], "\n"):
	case r == '\r':
		b.WriteByte('\n') // a progress bar: each of its states on a line of its own
	case r == '\n', r == '\t':
		b.WriteByte(text[0])
	case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200d':
		fmt.Fprintf(b, `<span class="ctl">%U</span>`, r)
	default:
		b.WriteString(html.EscapeString(text[:n]))
	}
	return n
}
