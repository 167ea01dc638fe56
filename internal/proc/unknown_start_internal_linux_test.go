package proc

import (
	"testing"
	"time"
)

// A process of which the system could not tell when it started, as when it has no descriptor left to tell it by, is
// ended all the same.
func TestProcessWithoutStartTimeIsEnded(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		p := newProcess(Spec{Path: "sleep", Args: []string{"60"}, Dir: "/", Grace: grace, KillTree: true, Mark: t.Name()})
		if err := p.prepare(); err != nil {
			t.Fatal(err)
		}
		out, err := p.launch()
		if err != nil {
			t.Fatal(err)
		}
		p.startTime = 0
		go p.run(out)
		p.Stop()
		select {
		case <-p.Done():
			if r := p.Wait(); !r.Stopped {
				t.Errorf("grace %v: %+v, want it stopped", grace, r)
			}
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			t.Errorf("grace %v: it goes on", grace)
		}
	}
}
