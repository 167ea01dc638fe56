package evidence

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A way is how an item is taken away.
type way int

const (
	asIs    way = iota
	drop        // a parameter is not sent
	other       // another value of the enum is sent
	unknown     // a value is sent that no enum has
	blank       // a field has the zero value
	replace     // a field has a value that no enum has
	silence     // a fault has no sentence
)

// nonsense is a value that no enum has.
const nonsense = "Nonsense"

// takes reports whether this item can be taken away in this way.
func (b *book) takes(w way, item string) bool {
	value := strings.Contains(item, "=")
	switch kindOf(item) {
	case "request":
		return w == drop && !value || w == other && value || w == unknown && (value || b.enums[item] != nil)
	case "response":
		return w == blank && !value || w == replace && value
	case "fault":
		return w == silence
	}
	return false
}

// kindOf is "request" of "ecs RunCommand request Name", and "fault" of "ecs fault ClientRestarted".
func kindOf(item string) string {
	words := strings.SplitN(item, " ", 4)
	if len(words) < 3 {
		return ""
	}
	return words[len(words)-2]
}

// Run runs a promise of a dialect as the subtest name. When evidence is asked for, it does so again
// without the items that the promise touched; what fails then does so on purpose.
func Run(t *testing.T, dialect, name string, promise func(t *testing.T, tr *Trial)) {
	t.Helper()
	b := open()
	if b == nil {
		t.Run(name, func(t *testing.T) { promise(t, nil) })
		return
	}
	whole := &Trial{book: b, dialect: dialect, test: t.Name(), touched: map[string]bool{}}
	if !t.Run(name, func(t *testing.T) { whole.t = t; promise(t, whole) }) || whole.t == nil { // failed, or not to be run
		return
	}
	b.find(Passed, t.Name(), t.Name())
	s := search{t, whole, promise, make(chan struct{}, 2*runtime.GOMAXPROCS(0))} // some wait for the disk
	items := slices.Sorted(maps.Keys(whole.touched))
	for w := drop; w <= silence; w++ { // one by one, for a parameter that is not sent hides which value it had
		s.among(w, slices.DeleteFunc(slices.Clone(items), func(item string) bool { return !b.takes(w, item) }))
	}
}

// A search finds the items that a promise needs.
type search struct {
	t       *testing.T
	whole   *Trial
	promise func(t *testing.T, tr *Trial)
	turns   chan struct{} // held by each trial
}

// among takes all of the items away at once, and looks closer only when that makes a difference.
func (s search) among(w way, items []string) {
	items = slices.DeleteFunc(items, func(item string) bool { return !s.whole.book.wants(item) })
	switch {
	case len(items) == 0 || s.passes(w, items):
	case len(items) == 1:
		s.whole.book.find(Needed, items[0], s.whole.test)
	default:
		half := len(items) / 2
		var first sync.WaitGroup
		first.Go(func() { s.among(w, items[:half]) })
		s.among(w, items[half:])
		first.Wait()
	}
}

func (s search) passes(w way, items []string) bool {
	s.t.Helper()
	s.turns <- struct{}{}
	defer func() { <-s.turns }()
	tr := &Trial{book: s.whole.book, dialect: s.whole.dialect, way: w, without: map[string]bool{}, patience: 3*s.whole.asked.Load() + 20}
	for _, item := range items {
		tr.without[item] = true
	}
	return s.t.Run(fmt.Sprintf("without %d from %s", len(items), items[0]), func(t *testing.T) {
		defer func() { // an answer that lacks what a test reads is a difference
			if p := recover(); p != nil {
				t.Errorf("panic: %v", p)
			}
		}()
		tr.t = t
		s.promise(t, tr)
	})
}
