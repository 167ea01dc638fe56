package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

const errorsPage = "../../docs/cli-errors.md"

// errorTexts are what docs/cli-errors.md says that is printed, by the heading above it.
func errorTexts(t interface{ Fatal(...any) }) map[string]string {
	page, err := os.ReadFile(errorsPage)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	heading := ""
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			heading = strings.TrimSpace(name)
		}
		if text, ok := strings.CutPrefix(line, "    "); ok && !strings.HasPrefix(text, "$ ") {
			texts[heading] += text
		}
	}
	return texts
}

// documented is documented HEADING CODE PROGRAM ARGUMENT...: the program ends with that code and prints what
// the page of errors has under the heading, where … stands for any text.
func documented(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: documented HEADING CODE PROGRAM ARGUMENT...")
	}
	text, ok := errorTexts(fatal{ts})[args[0]]
	if !ok {
		ts.Fatalf("%s has nothing under %q", errorsPage, args[0])
	}
	exits(ts, false, args[1:])
	want := "^" + strings.ReplaceAll(regexp.QuoteMeta(text), "…", ".*") + "$"
	if got := ts.ReadFile("stderr"); !regexp.MustCompile(want).MatchString(got) {
		ts.Fatalf("it prints\n%s\nbut the page says\n%s", got, text)
	}
}

type fatal struct{ ts *testscript.TestScript }

func (f fatal) Fatal(args ...any) { f.ts.Fatalf("%v", args) }

func TestEveryDocumentedErrorIsHeldByTheScript(t *testing.T) {
	script, err := os.ReadFile("testdata/script/errors.txtar")
	if err != nil {
		t.Fatal(err)
	}
	texts := errorTexts(t)
	if len(texts) < 15 {
		t.Errorf("%d errors are documented, want 15 or more", len(texts))
	}
	for heading := range texts {
		if !strings.Contains(string(script), "documented '"+heading+"' ") {
			t.Errorf("%q is documented, and no script gets there", heading)
		}
	}
}
