package survive_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A pair names what may start once.
type pair struct{ invoke, instance string }

// An entry is a line of a ledger.
type entry struct {
	pair
	what string    // start or end
	seen time.Time // at the latest a moment after it was written
}

// A ledger is the file in which scripts write that they started and that they ended. No agent and
// no server knows of it.
type ledger struct {
	path string

	mu      sync.Mutex
	entries []entry
	known   int64 // bytes of the file
	waiting []waiter
}

type waiter struct {
	is   func(entry) bool
	done chan entry
}

// look is the time between two looks at a ledger.
const look = 2 * time.Millisecond

// openLedger makes a ledger that is read until t ends.
func openLedger(t testing.TB) *ledger {
	t.Helper()
	l := &ledger{path: filepath.Join(t.TempDir(), "ledger")}
	f, err := os.Create(l.path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() { l.read(ctx, t, f) })
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		f.Close()
	})
	return l
}

// line is the shell command that writes a line.
func (l *ledger) line(what string) string {
	return fmt.Sprintf("printf '%%s %%s %s\\n' '{{ACS::InvokeId}}' '{{ACS::InstanceId}}' >> '%s'\n", what, l.path)
}

func (l *ledger) read(ctx context.Context, t testing.TB, f *os.File) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	var rest []byte
	buf := make([]byte, 64<<10)
	for {
		n, _ := f.Read(buf) // an error is the end of the file for now
		rest = append(rest, buf[:n]...)
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			rest = after
			l.add(t, string(line))
			l.mu.Lock()
			l.known += int64(len(line)) + 1
			l.mu.Unlock()
		}
		if n == len(buf) {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *ledger) add(t testing.TB, line string) {
	words := strings.Fields(line)
	if len(words) != 3 {
		t.Errorf("a script wrote %q", line)
		return
	}
	e := entry{pair{words[0], words[1]}, words[2], time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	left := l.waiting[:0]
	for _, w := range l.waiting {
		if w.is(e) {
			w.done <- e
		} else {
			left = append(left, w)
		}
	}
	l.waiting = left
}

// next gives the next line from now on that is like is.
func (l *ledger) next(is func(entry) bool) <-chan entry {
	w := waiter{is, make(chan entry, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, w)
	return w.done
}

// behind says that there are lines in the file that are not known yet.
func (l *ledger) behind() error {
	info, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known < info.Size() {
		return fmt.Errorf("%d of %d bytes are read", l.known, info.Size())
	}
	return nil
}

// all are the lines until now.
func (l *ledger) all() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]entry(nil), l.entries...)
}

// count is how often something was written by a run.
func (l *ledger) count(p pair, what string) (n int) {
	for _, e := range l.all() {
		if e.pair == p && e.what == what {
			n++
		}
	}
	return n
}
