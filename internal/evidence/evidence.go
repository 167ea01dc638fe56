// Package evidence finds out which items of an API's description a dialect's tests pin: parameters
// and fields of its operations, values of enums, error codes. It is for tests only; hack/conformance
// asks for it and prints what it found.
//
// An item is pinned by a test that would fail without it. Two things show that:
//
//   - The test's helper compares it: a golden file holds the whole answer, a refusal its status and code.
//   - The test is run again with the item taken away, and fails. A parameter is taken out of the
//     requests, a field's value out of the answers, a value of an enum becomes another one.
//
// A test's helper calls [Run] in place of t.Run, [Trial.Ask] before each request, [Trial.Hear] after
// it, and [Trial.Compared] or [Trial.Refused] once it has compared an answer. Without [Variable] in
// the environment Run is t.Run, its trial is nil, and the methods of that change nothing.
package evidence

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Variable names the directory that holds the items and takes the findings.
const Variable = "ORDERLY_EVIDENCE"

// The files in the directory. ItemsFile has an item on each line, and after a tab the message that
// belongs to it, if any. SettledFile has items that nobody needs to find any more; it may be missing. FoundFile
// gets a line for each finding: kind, item and test, with tabs between.
const (
	ItemsFile   = "items"
	SettledFile = "settled"
	FoundFile   = "found"
)

// The kinds of findings.
const (
	Passed   = "passed"   // the test passes as it is; the item is its name
	Compared = "compared" // the test compares the item
	Needed   = "needed"   // the test fails without the item
)

// A book is what is known of the items. It is safe for concurrent use.
type book struct {
	dir   string
	items map[string]string   // the message of each
	enums map[string][]string // the values of each parameter and field that has a list of them

	mu      sync.Mutex
	settled map[string]bool
}

// open reads the book; it is nil when nobody asks for evidence.
var open = sync.OnceValue(func() *book {
	dir := os.Getenv(Variable)
	if dir == "" {
		return nil
	}
	b := &book{dir: dir, items: map[string]string{}, enums: map[string][]string{}, settled: map[string]bool{}}
	for _, line := range lines(filepath.Join(dir, ItemsFile)) {
		item, message, _ := strings.Cut(line, "\t")
		b.items[item] = message
		if name, value, ok := strings.Cut(item, "="); ok {
			b.enums[name] = append(b.enums[name], value)
		}
	}
	for _, item := range lines(filepath.Join(dir, SettledFile)) {
		b.settled[item] = true
	}
	return b
})

// lines reads a file that may be missing.
func lines(path string) (list []string) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for text := bufio.NewScanner(f); text.Scan(); {
		list = append(list, text.Text())
	}
	return list
}

// find notes the first finding of an item.
func (b *book) find(kind, item, test string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settled[item] {
		return
	}
	b.settled[item] = true
	f, err := os.OpenFile(filepath.Join(b.dir, FoundFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s\t%s\t%s\n", kind, item, test); err != nil {
		panic(err)
	}
}

// wants reports whether an item of the description is still to be found.
func (b *book) wants(item string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, known := b.items[item]
	return known && !b.settled[item]
}
