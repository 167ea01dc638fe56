package console_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/internal/console"
)

// Colours become classes, other escape sequences go, and what would act or hide is seen as a number.
func TestOutputIsShownAsText(t *testing.T) {
	for name, c := range map[string]struct{ output, want string }{
		"nothing":              {"", ""},
		"text":                 {"a\tb\nc\n", "a\tb\nc\n"},
		"a tag":                {`<script>x("&")</script>`, `&lt;script&gt;x(&#34;&amp;&#34;)&lt;/script&gt;`},
		"a colour":             {"\x1b[31mred\x1b[0m.", `<span class="c31">red</span>.`},
		"bold and bright":      {"\x1b[1;92mok\x1b[22m!\x1b[m.", `<span class="c92 b">ok</span><span class="c92">!</span>.`},
		"the default colour":   {"\x1b[34ma\x1b[39mb", `<span class="c34">a</span>b`},
		"a colour by number":   {"\x1b[38;5;31ma", "a"},
		"a colour to the end":  {"\x1b[31ma", `<span class="c31">a</span>`},
		"colour that is a tag": {"\x1b[31\"><b>m", "&gt;m"},
		"the cursor":           {"a\x1b[2J\x1b[1;1Hb\x1b[?25l", "ab"},
		"a title":              {"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link", "alink"},
		"a title without end":  {"\x1b]0;title\na", "\na"},
		"a sequence cut off":   {"a\x1b[3", "a"},
		"a sequence broken":    {"\x1b[3\na", "\na"},
		"a character set":      {"\x1b[1mb\x1b(B\x1b[ma", `<span class="b">b</span>a`},
		"escape at the end":    {"a\x1b", `a<span class="ctl">U+001B</span>`},
		"escape and a line":    {"\x1b\na", "\na"},
		"escape and a letter":  {"\x1bé", "é"},
		"lines of Windows":     {"a\r\nb\r\n", "a\nb\n"},
		"a progress bar":       {"1%\r2%\n", "1%\n2%\n"},
		"backspaces":           {"a\bb\x00", `a<span class="ctl">U+0008</span>b<span class="ctl">U+0000</span>`},
		"a change of course":   {"a\u202eb", `a<span class="ctl">U+202E</span>b`},
		"a C1 control":         {"\u009b31m", `<span class="ctl">U+009B</span>31m`},
		"what is not UTF-8":    {"\xffa", `<span class="ctl">\xff</span>a`},
		"a joined emoji":       {"\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(string(console.Terminal([]byte(c.output))), c.want); diff != "" {
				t.Errorf("-got +want\n%s", diff)
			}
		})
	}
}

var span = regexp.MustCompile(`<span class="(?:c[39][0-7](?: b)?|b|ctl)">|</span>`)

// Whatever a command prints, the page gets text and spans of ours that are all closed.
func FuzzTerminal(f *testing.F) {
	for _, s := range []string{"a\n", "\x1b[31mred\x1b[0m", "\x1b]0;t\x07", "\x1b(B", "\xff\x1b", "<b>&\"'", "\u202e\r", "\x1b[1;38;5;9m\x1b[3"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		got := string(console.Terminal(output))
		depth := 0
		for _, s := range span.FindAllString(got, -1) {
			if depth++; s == "</span>" {
				depth -= 2
			}
			if depth < 0 {
				t.Fatalf("closes what is not open: %q", got)
			}
		}
		if depth != 0 {
			t.Fatalf("%d spans stay open: %q", depth, got)
		}
		text := span.ReplaceAllString(got, "")
		if strings.ContainsAny(text, `<>"'`) || !utf8.ValidString(text) {
			t.Fatalf("more than text: %q", text)
		}
		for _, r := range html.UnescapeString(text) {
			if unicode.IsControl(r) && r != '\n' && r != '\t' {
				t.Fatalf("a control character: %q", text)
			}
		}
	})
}
