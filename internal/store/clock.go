package store

import (
	"sync/atomic"
	"time"
)

// A clock shows the store's time (rule CLK-1). Between two looks at the database's clock it goes by the one of this process
// that nobody sets: a machine that gets its time late, after its start, must not find that all deadlines are over, or that
// all records are old.
type clock struct {
	looked atomic.Pointer[look] // nil before the first
}

// A look has one moment as this process and as the store show it.
type look struct{ here, there time.Time }

// set notes a look.
func (c *clock) set(here, there time.Time) { c.looked.Store(&look{here, there}) }

// at is what the store shows when this process does here.
func (c *clock) at(here time.Time) time.Time {
	l := c.looked.Load()
	if l == nil {
		return here
	}
	return l.there.Add(here.Sub(l.here))
}

// A clock of this machine's own, which is set by no more than maxStep, is followed by no more than a tenth of the time that
// passes: what would be over at once has most of its time, and what is to come is not far off for long. More than that, as
// when the machine gets its time or has slept, is followed at once.
const (
	maxStep = 5 * time.Minute
	slowly  = 10
)

// follow has the store's time be this machine's, as it is now.
func (c *clock) follow(now time.Time) {
	shown := now.Round(0) // what somebody may set
	l := c.looked.Load()
	if l == nil {
		c.set(now, shown)
		return
	}
	at := c.at(now)
	off, most := shown.Sub(at), now.Sub(l.here)/slowly
	if off.Abs() <= maxStep {
		off = max(-most, min(off, most))
	}
	c.set(now, at.Add(off))
}
