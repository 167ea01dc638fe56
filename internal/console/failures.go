package console

import (
	"math"
	"strconv"
	"sync"
	"time"
)

// Waits after failed attempts to sign in: none after the first few, then doubling. Each server counts
// for itself, and forgets when it restarts.
const (
	freeFailures = 3
	firstWait    = time.Second
	longestWait  = time.Minute
	forgotten    = 15 * time.Minute // after the last failure
	maxFailing   = 10_000           // who is counted
	longestName  = 64               // bytes of a key's ID by which who fails is remembered; a stranger may send any
)

// failures are the failed attempts to sign in, by who failed.
type failures struct {
	mu  sync.Mutex
	who map[string]failing
}

type failing struct {
	times int
	last  time.Time
}

// wait is how long any of some has still to wait.
func (f *failures) wait(now time.Time, who ...string) (longest time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range who {
		n := f.who[w]
		if n.times < freeFailures {
			continue
		}
		pause := min(longestWait, firstWait<<min(n.times-freeFailures, 10))
		longest = max(longest, n.last.Add(pause).Sub(now))
	}
	return longest
}

// add counts a failure of each.
func (f *failures) add(now time.Time, who ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.who == nil || len(f.who) > maxFailing {
		f.clean(now)
	}
	for _, w := range who {
		n := f.who[w]
		if now.Sub(n.last) > forgotten {
			n.times = 0
		}
		f.who[w] = failing{n.times + 1, now}
	}
}

// clean drops those that are forgotten, and anybody when that is not enough.
func (f *failures) clean(now time.Time) {
	if f.who == nil {
		f.who = map[string]failing{}
	}
	for w, n := range f.who {
		if now.Sub(n.last) > forgotten {
			delete(f.who, w)
		}
	}
	for w := range f.who {
		if len(f.who) <= maxFailing/2 {
			return
		}
		delete(f.who, w)
	}
}

// forget is for who has succeeded.
func (f *failures) forget(who string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.who, who)
}

// seconds is a wait in whole seconds, at least one.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }
