//go:build unix

package agent_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
)

func limited(d time.Duration) func(*wire.Run, *wire.Job) {
	return func(_ *wire.Run, j *wire.Job) { j.Timeout = d.Milliseconds() }
}

// Reserved slots: what may run for a minute at most need not wait for what may run for hours, however
// many of those came before it.
func TestBriefCommandOvertakesLongOnes(t *testing.T) {
	const slots, reserved, jobs = 8, 2, 100
	w := newWorld(t)
	started := filepath.Join(w.dir, "started")
	w.start(func(c *agent.Config) { c.AtOnce = slots })
	for seq := range int64(jobs) {
		w.run(seq, "echo >> "+started+"; exec sleep 600", limited(time.Hour))
	}
	w.until("the long ones fill their slots", func() bool {
		text, _ := os.ReadFile(started)
		return bytes.Count(text, []byte("\n")) == slots-reserved
	})
	begin := time.Now()
	k := w.run(jobs, "sleep 1; wc -l < "+started, limited(time.Minute))
	s := w.end(k)
	t.Logf("%v to the end of a command of one second", time.Since(begin))
	if got := strings.TrimSpace(string(s.Output)); s.State != orderly.Success || got != fmt.Sprint(slots-reserved) {
		t.Errorf("%s with %s long ones started, want Success with %d", s.State, got, slots-reserved)
	}
	if took := time.Duration(*s.StartedAgo-*s.EndedAgo) * time.Millisecond; took < time.Second || time.Since(begin)-took > patience {
		t.Errorf("it ran %v", took)
	}
}

// Whatever is reserved, what may run for hours runs at some time.
func TestOneSlotIsForAll(t *testing.T) {
	w := newWorld(t)
	w.start(func(c *agent.Config) { c.AtOnce, c.Reserved = 1, 5 })
	if s := w.end(w.run(1, "true", limited(time.Hour))); s.State != orderly.Success {
		t.Errorf("%s, want Success", s.State)
	}
}

// What both kinds may have goes to who came first, and the order holds over a restart.
func TestQueueIsInOrder(t *testing.T) {
	w := newWorld(t)
	log := filepath.Join(w.dir, "log")
	one := func(c *agent.Config) { c.AtOnce = 1 }
	a := w.start(one)
	w.run(0, ": > "+log+".first; exec sleep 600")
	w.until("the first one runs", func() bool { return exists(log + ".first") })
	limits := []time.Duration{time.Hour, time.Minute, 0, time.Second, 2 * time.Hour, time.Minute}
	var want strings.Builder
	for i, d := range limits {
		w.run(int64(i+1), fmt.Sprintf("echo %d >> %s", i, log), limited(d))
		fmt.Fprintln(&want, i)
	}
	w.state(key(int64(len(limits))), orderly.Pending)
	must(t, a.stop())
	w.start(one)
	w.end(key(int64(len(limits))))
	if got, err := os.ReadFile(log); err != nil || string(got) != want.String() {
		t.Errorf("ran %q, %v; want %q", got, err, want.String())
	}
}
