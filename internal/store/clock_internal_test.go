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
