package gateway

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Every connection has goroutines, and writing to it once makes a stack of one grow to 32 KB. A
// collection halves what a stack does not need; but a process that has little to do hardly ever
// collects, and ten thousand agents that only beat would hold hundreds of megabytes. So while stacks
// are large, collections are made on purpose, as long as they help.
const (
	largeStacks = 48 << 20
	trimEvery   = 3 // times Config.Presence
)

// trim gives memory back while there is much to give back, until ctx ends.
func (g *Gateway) trim(ctx context.Context) error {
	tick := time.NewTicker(trimEvery * g.cfg.Presence)
	defer tick.Stop()
	var left uint64 // stacks after the last collection
	helped := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := stacks()
		if now < largeStacks || !helped && now < left+left/5 {
			continue
		}
		debug.FreeOSMemory()
		left = stacks()
		helped = left < now-now/5
	}
}

// stacks is how many bytes the stacks of all goroutines take.
func stacks() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
