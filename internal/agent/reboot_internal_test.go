//go:build unix

package agent

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// RM-4: runs at a boot that came after the task was created, once for each boot.
func TestRunsAtBoot(t *testing.T) {
	const second, day = time.Second, 24 * time.Hour
	for name, c := range map[string]struct {
		up     time.Duration // when it is handed over
		age    time.Duration
		before string
		runs   bool
	}{
		"created after the boot":                 {up: day, age: second},
		"created at the boot":                    {up: day, age: day},
		"the boot came after the creation":       {up: second, age: day, runs: true},
		"and it was handed over before that":     {up: second, age: day, before: "boot-0", runs: true},
		"handed over under this very boot":       {up: second, age: day, before: "boot-1"}, // a lost journal
		"just created, just booted, handed over": {up: second, age: second / 2},
	} {
		for _, mode := range []orderly.RepeatMode{orderly.EveryReboot, orderly.NextRebootOnly} {
			t.Run(string(mode)+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(t)
					f.up = c.up
					f.start()
					f.hand(1, wire.Plan{Mode: mode, Age: c.age.Milliseconds(), Before: c.before, Version: 1}, "echo run >> log")
					f.rebootStory(mode, c.runs)
				})
			})
		}
	}
}

// rebootStory goes on with a schedule that was just handed over, and ran or did not.
func (f *fake) rebootStory(mode orderly.RepeatMode, ran bool) {
	f.t.Helper()
	n, first := 0, []string{"0 Pending v1"}
	if ran {
		n++
		first = append(first, "1 Success v1")
	}
	if mode == orderly.NextRebootOnly && ran {
		f.expect("at once", "0 Success v1")
		f.stop()
		return
	}
	f.expect("at once", first...)
	for range 3 { // restarts of the agent are no boots
		f.stop()
		f.sleep(time.Hour)
		f.start()
		f.hand(1, wire.Plan{Mode: mode, Age: time.Hour.Milliseconds(), Before: f.boot, Version: 1}, "echo run >> log")
	}
	f.expect("under the same boot", "0 Pending v1")
	for i := range 3 {
		f.stop()
		f.boot, f.up = fmt.Sprint("boot-", i+2), time.Second
		f.start() // and nobody is there but the journal
		if n++; mode == orderly.NextRebootOnly {
			f.expect("after a boot", "0 Success v1")
			break
		}
		f.expect("after a boot", fmt.Sprint(n, " Success v1"))
	}
	if got := len(f.log()); got != n {
		f.t.Errorf("%d runs, want %d", got, n)
	}
	f.stop()
}

// A run that was due when its agent died before it noted any start is not lost; one that may have
// started is not repeated.
func TestBootRunIsNeitherLostNorRepeated(t *testing.T) {
	for _, mode := range []orderly.RepeatMode{orderly.EveryReboot, orderly.NextRebootOnly} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				full := func(c *Config) { c.AtOnce = -1 } // it never starts
				f := newFake(t)
				f.up = time.Second
				f.start(full)
				f.hand(1, wire.Plan{Mode: mode, Age: time.Hour.Milliseconds()}, "echo run >> log")
				f.expect("waiting", "0 Pending")
				f.hand(1, wire.Plan{Mode: mode, Age: time.Hour.Milliseconds(), Before: "boot-1", Version: 1}, "echo new >> log")
				f.expect("replaced", "0 Pending v1")
				f.stop()
				f.start(full)
				f.stop()
				f.start()
				f.told()
				f.stop()
				f.start()
				f.hand(1, wire.Plan{Mode: mode, Age: time.Hour.Milliseconds(), Before: "boot-1", Version: 1}, "echo new >> log")
				if diff := cmp.Diff([]string{"new"}, f.log()[:1]); diff != "" || mode == orderly.EveryReboot && len(f.log()) != 1 {
					t.Errorf("log %q", f.log())
				}
				f.stop()
			})
		})
	}
}

// An unknown age of the boot counts as a long one; a known one is that of now.
func TestUptime(t *testing.T) {
	a := &Agent{cfg: Config{Uptime: time.Hour}, made: time.Now().Add(-time.Minute)}
	if up, ok := a.uptime(); !ok || up < time.Hour+time.Minute || up > time.Hour+2*time.Minute {
		t.Errorf("uptime = %v, %v, want an hour and a minute", up, ok)
	}
	a.cfg.Uptime = 0
	if up, ok := a.uptime(); !ok || up <= 0 {
		t.Errorf("uptime = %v, %v, want the system's", up, ok)
	}
}
