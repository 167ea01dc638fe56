package store

import (
	"testing"
	"time"
	"unsafe"
)

// set is a moment as a process shows it after somebody has set its machine's clock forward: the seconds that it shows are
// others, and those since it began are not.
func set(at time.Time, by time.Duration) time.Time {
	const seconds = 30 // where they begin in the first word of a time
	*(*uint64)(unsafe.Pointer(&at)) += uint64(by/time.Second) << seconds
	return at
}

// CLK-1: a machine that gets its time after its server has started changes nothing of the store's.
func TestClockThatIsSetChangesNothing(t *testing.T) {
	begin := time.Now()
	there := begin.Round(0).Add(3 * time.Second)
	var c clock
	c.set(begin, there)
	later := begin.Add(10 * time.Second)
	stepped := set(later, 60*24*time.Hour)
	if by, passed := stepped.Round(0).Sub(later.Round(0)), stepped.Sub(begin); by != 60*24*time.Hour || passed != 10*time.Second {
		t.Fatalf("the clock is set by %v, and %v have passed", by, passed)
	}
	for _, here := range []time.Time{later, stepped} {
		if got, want := c.at(here), there.Add(10*time.Second); !got.Equal(want) {
			t.Errorf("the store's time is %v from what it ought to be", got.Sub(want))
		}
	}
}

func TestClockWithoutALookIsTheMachines(t *testing.T) {
	now := time.Now()
	if got := new(clock).at(now); !got.Equal(now) {
		t.Errorf("%v from the machine's time", got.Sub(now))
	}
}

// CLK-1: this machine's own clock, which SQLite goes by, is followed slowly when it is set by some minutes.
func TestClockOfTheMachineIsFollowedSlowly(t *testing.T) {
	for _, step := range []time.Duration{-4 * time.Minute, 30 * time.Second, 4 * time.Minute} {
		begin := time.Now()
		var c clock
		c.follow(begin)
		last := c.at(begin)
		for s := 1; s <= 3600; s++ {
			now := set(begin.Add(time.Duration(s)*time.Second), step)
			c.follow(now)
			shown := c.at(now)
			if passed := shown.Sub(last); passed < 899*time.Millisecond || passed > 1101*time.Millisecond {
				t.Fatalf("set by %v: %v have passed in the second %d, want one", step, passed, s)
			}
			last = shown
		}
		if want := begin.Round(0).Add(time.Hour + step); last.Sub(want).Abs() > time.Second {
			t.Errorf("set by %v: it is %v off after an hour", step, last.Sub(want))
		}
	}
}

// A machine that gets its time, or wakes up, has it at once.
func TestClockOfTheMachineIsFollowedFar(t *testing.T) {
	for _, step := range []time.Duration{-24 * time.Hour, 60 * 24 * time.Hour} {
		begin := time.Now()
		var c clock
		c.follow(begin)
		now := set(begin.Add(time.Second), step)
		c.follow(now)
		if off := c.at(now).Sub(now.Round(0)); off != 0 {
			t.Errorf("set by %v: it is %v off", step, off)
		}
	}
}
