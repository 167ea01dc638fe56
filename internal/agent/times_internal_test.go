package agent

import (
	"testing"
	"time"
)

func TestPausesGrowAndDiffer(t *testing.T) {
	b := Backoff{2 * time.Second, time.Minute}
	seen := map[time.Duration]bool{}
	for n := range 40 {
		want := b.Max
		if n < 5 {
			want = b.First << n
		}
		for range 100 {
			d := b.pause(n)
			seen[d] = true
			if d < want/2 || d >= want*3/2 {
				t.Fatalf("pause(%d) = %v, want half to one and a half of %v", n, d, want)
			}
		}
	}
	if len(seen) < 2000 {
		t.Errorf("%d different pauses of 4000", len(seen))
	}
}

// Design rule 14: agents that lose a server come back spread over the time it asked for.
func TestReconnectIsSpread(t *testing.T) {
	a := &Agent{cfg: Config{}.withDefaults()}
	a.uplink.window.Store(int64(time.Hour))
	late := 0
	for range 1000 {
		d := a.pause(0)
		if d < 0 || d >= time.Hour {
			t.Fatalf("first pause = %v, want less than the window", d)
		}
		if d > 30*time.Minute {
			late++
		}
	}
	if late < 400 || late > 600 {
		t.Errorf("%d of 1000 come in the second half, want about 500", late)
	}
	if d := a.pause(1); d > 2*time.Second {
		t.Errorf("second pause = %v, want a short one", d)
	}
}
