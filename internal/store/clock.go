package store

import (
	"sync/atomic"
	"time"
)

// A clock shows the store's time (rule CLK-1). Between two looks at the database's clock it goes by the one of this process
// that nobody sets: a machine that gets its time late, after its start, must not find that all deadlines are over, or that
// all records are old.
type clock struct {
	looked atomic.Pointer[look] // nil: the store's time is this machine's
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
