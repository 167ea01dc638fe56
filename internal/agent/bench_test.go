//go:build unix

package agent_test

import (
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
)

// BenchmarkCommand is one command on an idle agent, from the Run message to the report of its end.
func BenchmarkCommand(b *testing.B) {
	w := newWorld(b)
	w.start(func(c *agent.Config) { c.Times.Running = agent.DefaultTimes.Running })
	w.end(w.run(0, "true"))
	ends := make(chan orderly.TaskKey, 1)
	w.set(func() {
		w.ended = func(s wire.Snapshot) { ends <- s.TaskKey }
	})
	for seq := int64(1); b.Loop(); seq++ {
		w.run(seq, "true")
		for k := <-ends; k != key(seq); k = <-ends {
			continue // one told again
		}
	}
}
