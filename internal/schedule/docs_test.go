package schedule_test

import (
	"os"
	"regexp"
	"testing"
)

// The tables of the page for users show expressions that one may paste.
func TestExamplesOfThePageAreGood(t *testing.T) {
	page, err := os.ReadFile("../../docs/schedules.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?m)^\\| `((?:[0-9*/]+ .*?|(?i:rate|at) ?\\(.*?\\)))` \\|").FindAllStringSubmatch(string(page), -1)
	if len(examples) < 20 {
		t.Errorf("%d examples, want more", len(examples))
	}
	for _, m := range examples {
		parse(t, m[1])
	}
}
